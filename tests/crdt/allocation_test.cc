// The common operation does not touch the heap: one sibling, a handful of origins.
#include <cstdlib>
#include <new>

#include <doctest/doctest.h>

#include "crdt/cell.h"
#include "crdt/entry.h"
#include "tests/crdt/replica.h"

namespace {
std::size_t allocations = 0;
}  // namespace

// NOLINTBEGIN: replacing the global operators is what this file is for.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) {
    return memory;
  }
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
// NOLINTEND

namespace starling::test {
namespace {

template <typename Body>
std::size_t allocated_by(Body body) {
  const std::size_t before = allocations;
  body();
  return allocations - before;
}

VersionVector four_components() {
  VersionVector v;
  for (std::uint64_t node = 1; node <= 4; ++node) {
    v.advance({origin_of(node), 100});
  }
  return v;
}

}  // namespace

TEST_CASE("a version vector of up to four origins takes no allocation") {
  CHECK(allocated_by([] {
          VersionVector v = four_components();
          VersionVector copy = v;
          copy.join(v);
          copy.meet(v);
          CHECK(copy.leq(v));
          CHECK(copy.covers({origin_of(1), 5}));
        }) == 0);
}

TEST_CASE("an assign that replaces the only sibling allocates nothing beyond its payload") {
  CellDelta cell = CellDelta::whole(empty_cell(CellKind::string_register));
  const VersionVector context = four_components();
  cell.assign({{origin_of(1), 101}, 1, "first"}, {});
  CHECK(allocated_by([&] { cell.assign({{origin_of(1), 102}, 2, "short"}, context); }) == 0);
  Sibling large{{origin_of(2), 101}, 3, std::string(1000, 'x')};
  CHECK(allocated_by([&] { cell.assign(std::move(large), context); }) <=
        1);  // two stand side by side
}

TEST_CASE("a set element comes and goes without an allocation") {
  CellDelta cell = CellDelta::whole(empty_cell(CellKind::set_element));
  const VersionVector context = four_components();
  CHECK(allocated_by([&] {
          cell.assign({{origin_of(1), 50}, 0, {}}, {});
          cell.kill(context);
        }) == 0);
  CHECK(is_empty(cell.value()));
}

TEST_CASE("a pending change of a cold cell takes one allocation, for what it kills") {
  const VersionVector context = four_components();
  CellDelta whole = CellDelta::whole(empty_cell(CellKind::set_element));
  CHECK(allocated_by([&] {
          CellDelta pending(CellKind::set_element);
          pending.assign({{origin_of(1), 101}, 0, {}}, context);
          pending.join_onto(whole);
          CHECK(pending.is_whole());
        }) == 1);
}

TEST_CASE("increments of a counter with one origin take one allocation, for the first") {
  OriginTotals totals;
  const std::size_t allocated = allocated_by([&] {
    for (std::uint64_t n = 1; n <= 10; ++n) {
      totals.join(totals.increment(origin_of(1), n, Total::of(1)));
    }
    CHECK(saturate(totals.value().units) == 10);
    const DottedCell none;
    CHECK(StringView(none, totals).integer() == 10);
  });
  CHECK(allocated == 1);
}

TEST_CASE("walking and counting encoded entries takes no allocation; decoding one only its parts") {
  OriginStream stream;
  Entry entry;
  entry.origin = origin_of(1);
  entry.first = 1;
  entry.ops.push_back({{{0, "key"}, {CellKind::set_element, "element"}}, Assign{}});
  const std::string bytes = encode_entry(entry, stream);
  CHECK(allocated_by([&] { CHECK(entry_op_count(bytes).has_value()); }) == 0);
  OriginStream known;
  known.dictionary = {entry.origin};
  const std::size_t decoding = allocated_by([&] {
    const auto parsed = parse_entry(bytes, entry.origin, known);
    CHECK(parsed.has_value());
  });
  CHECK(decoding <= 1);  // the vector of ops
}

}  // namespace starling::test
