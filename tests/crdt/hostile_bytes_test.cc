// Decoders on bytes from nowhere: random, cut short, with bits flipped. They answer, in bounded
// time and memory, and never crash; the sanitizer presets run the same cases.
#include <string>

#include <doctest/doctest.h>

#include "crdt/cell.h"
#include "crdt/entry.h"
#include "crdt/run.h"
#include "tests/crdt/property.h"
#include "tests/crdt/random_values.h"

namespace starling::test {
namespace {

std::string damaged(std::string bytes) {
  for (std::uint64_t i = number(1, 3); i > 0 && !bytes.empty(); --i) {
    const std::size_t at = number(0, bytes.size() - 1);
    switch (number(0, 4)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << number(0, 7)));
        break;
      case 1:
        bytes[at] = '\xFF';
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.insert(at, bytes.substr(0, number(0, 8)));
        break;
      default:
        bytes.erase(at, number(1, 4));
    }
  }
  return bytes;
}

std::string random_bytes() {
  return *rc::gen::resize(200, rc::gen::container<std::string>(rc::gen::arbitrary<char>()));
}

OriginTable small_table() {
  OriginTable table;
  for (std::uint64_t node = 1; node <= 2; ++node) {
    for (std::uint32_t epoch = 1; epoch <= 3; ++epoch) {
      table.intern(origin_of(node, epoch));
    }
  }
  table.intern({});
  return table;
}

// Reads `bytes` as everything that we decode.
void decode_as_everything(const std::string& bytes) {
  const OriginTable table = small_table();
  for (const CellKind kind :
       {CellKind::string_register, CellKind::set_element, CellKind::hash_totals}) {
    if (const auto cell = decode_stored(kind, bytes, table)) {
      RC_ASSERT(encode_stored(kind, *cell, table) == bytes);  // one spelling only
      RC_ASSERT(canonical_live(kind, *cell).size() <= 64 * bytes.size());
      if (const auto* totals = std::get_if<OriginTotals>(&*cell)) {
        const Total sum = totals->value();
        RC_ASSERT(std::isfinite(sum.real.hi) && std::isfinite(sum.real.lo));
        const DottedCell none;
        (void)StringView(none, *totals).text();
      }
    }
  }
  ByteReader vector(bytes);
  const VersionVector v = read_version_vector(vector);
  if (vector.complete()) {
    std::string again;
    put_version_vector(again, v);
    RC_ASSERT(again == bytes);
  }
  ByteReader stream(bytes);
  (void)read_stream(stream);
  ByteReader in(bytes);
  Run run = read_run(in);
  run.entries = bytes;
  run.first = 1;
  run.last = ~std::uint64_t{0};
  RunReader reader(run);
  while (!reader.done() && reader.next()) {
  }
  if (const auto ops = entry_op_count(bytes)) {
    RC_ASSERT(*ops > 0 && *ops <= bytes.size());
  }
  (void)decode_cell_key(bytes);
  OriginStream before;
  if (!decode_entry(bytes, origin_of(9), before)) {
    RC_ASSERT(before == OriginStream{});
  }
}

}  // namespace

TEST_CASE("random bytes decode to a value or to an error") {
  check_property("random bytes", 20'000, [] { decode_as_everything(random_bytes()); });
}

TEST_CASE(
    "damaged entries decode to a value or to an error, and an error leaves the stream alone") {
  check_property("damaged entries", 20'000, [] {
    OriginStream writing;
    (void)encode_entry(random_entry(origin_of(9), writing), writing);
    const OriginStream before = writing;
    const std::string bytes = damaged(encode_entry(random_entry(origin_of(9), writing), writing));
    OriginStream reading = before;
    const auto entry = decode_entry(bytes, origin_of(9), reading);
    if (!entry) {
      RC_ASSERT(reading == before);
    } else {
      RC_ASSERT(reading.n == entry->last());
      RC_ASSERT(entry->deps.at(origin_of(9)) == before.n);
    }
    decode_as_everything(bytes);
  });
}

TEST_CASE("damaged cells, streams and runs decode to a value or to an error") {
  check_property("damaged cells, streams and runs", 20'000, [] {
    const OriginTable table = small_table();
    std::string bytes;
    switch (number(0, 2)) {
      case 0: {
        const CellKind kind = coin() ? CellKind::string_register : CellKind::hash_totals;
        bytes = encode_stored(kind, random_delta(kind).value(), table);
        break;
      }
      case 1: {
        OriginStream stream;
        (void)encode_entry(random_entry(origin_of(9), stream), stream);
        put_stream(bytes, stream);
        break;
      }
      default: {
        Run run;
        run.origin = origin_of(9);
        run.first = run.last = 1;
        run.deps_before = random_vector(true);
        run.entries = random_bytes();
        put_run(bytes, run);
      }
    }
    decode_as_everything(damaged(bytes));
  });
}

TEST_CASE("hostile totals wrap or saturate wherever they are added") {
  const Int128 greatest = static_cast<Int128>(~UInt128{0} >> 1);
  OriginTotals totals;
  for (std::uint64_t node = 1; node <= 3; ++node) {
    totals.join({.origin = origin_of(node),
                 .life = 1,
                 .n = 2,
                 .total = {greatest, {1.7e308, 0}},
                 .base_n = 1,
                 .base = {-greatest, {-1.7e308, 0}},
                 .reset_by = {origin_of(1), 9}});
  }
  CHECK(std::isfinite(totals.value().real.hi));
  totals.join(totals.increment(origin_of(1), 3, {greatest, {1.7e308, 0}}));
  const DottedCell none;
  CHECK(StringView(none, totals).text().has_value());
  CHECK_FALSE(canonical_live(CellKind::string_totals, totals).empty());
}

TEST_CASE("a long vector in falling order is refused at once, not sorted") {
  std::string bytes;
  constexpr std::uint64_t count = 100'000;
  put_varint(bytes, 0);
  put_varint(bytes, count);
  for (std::uint64_t i = count; i > 0; --i) {
    put_origin(bytes, origin_of(i));
    put_varint(bytes, 1);
  }
  ByteReader in(bytes);
  CHECK(read_version_vector(in).components().size() <= 1);
  CHECK_FALSE(in.ok());
}

}  // namespace starling::test
