#include "crdt/run.h"

#include <doctest/doctest.h>

#include "tests/crdt/random_values.h"

namespace starling::test {
namespace {

Run run_of(const std::vector<std::size_t>& ops_per_entry) {
  Run run;
  run.origin = origin_of(1);
  run.first = 5;
  run.hash_before = 77;
  run.deps_before.advance({origin_of(2), 3});
  OriginStream stream;
  stream.n = 4;
  for (const std::size_t ops : ops_per_entry) {
    Entry entry;
    entry.origin = run.origin;
    entry.first = stream.n + 1;
    entry.deps.advance({run.origin, stream.n});
    entry.ops.resize(ops, {{{0, "k"}, {CellKind::flag, ""}}, Assign{}});
    put_bytes(run.entries, encode_entry(entry, stream));
  }
  run.last = stream.n;
  return run;
}

}  // namespace

TEST_CASE("a run comes back") {
  const Run run = run_of({1, 3});
  std::string bytes;
  put_run(bytes, run);
  ByteReader in(bytes);
  CHECK(read_run(in) == run);
  CHECK(in.complete());
}

TEST_CASE("a run's entries are walked with their dots, without a stream") {
  const Run run = run_of({1, 3, 2});
  RunReader reader(run);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> dots;
  while (!reader.done()) {
    REQUIRE(reader.next());
    CHECK_FALSE(reader.bytes().empty());
    dots.emplace_back(reader.first(), reader.last());
  }
  CHECK(dots == std::vector<std::pair<std::uint64_t, std::uint64_t>>{{5, 5}, {6, 8}, {9, 10}});
}

TEST_CASE("an entry that ends beyond the run's last dot is refused") {
  Run run = run_of({1, 3});
  run.last = 7;
  RunReader reader(run);
  CHECK(reader.next());
  CHECK_FALSE(reader.next());
}

TEST_CASE("dots at the end of 64 bits do not wrap") {
  Run run = run_of({3});
  run.first = ~std::uint64_t{0} - 1;
  run.last = ~std::uint64_t{0};
  RunReader reader(run);
  CHECK_FALSE(reader.next());
}

TEST_CASE("a damaged run is refused and the walk ends") {
  Run run = run_of({1, 1});
  run.entries.pop_back();
  RunReader reader(run);
  CHECK(reader.next());
  CHECK_FALSE(reader.next());
  CHECK(reader.done());

  Run backwards = run_of({1});
  backwards.last = 4;
  std::string bytes;
  put_run(bytes, backwards);
  ByteReader in(bytes);
  (void)read_run(in);
  CHECK_FALSE(in.ok());
}

}  // namespace starling::test
