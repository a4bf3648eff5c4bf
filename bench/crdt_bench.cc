// What does the arithmetic cost, without storage and network? One replica's share of a write:
// encode at the origin, decode and join elsewhere, compare vectors at the gate, digest in the
// background. Workload: keys of 16 bytes, values of 32, three origins unless a name says otherwise.
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "crdt/cell.h"
#include "crdt/digest.h"
#include "crdt/entry.h"
#include "crdt/string.h"

namespace starling {
namespace {

Origin origin_of(std::uint64_t node) { return {node * 0x9E3779B97F4A7C15ULL, 100, 7}; }

VersionVector vector_of(std::uint64_t origins, std::uint64_t n) {
  VersionVector v;
  for (std::uint64_t node = 1; node <= origins; ++node) {
    v.advance({origin_of(node), n});
  }
  return v;
}

const std::string value(32, 'v');
const CellKey register_key{{0, "user:000000000042"}, {CellKind::string_register, ""}};
const CellKey element_key{{0, "set:0000000000042"}, {CellKind::set_element, "element-00000042"}};

Entry entry_of(const OriginStream& stream, Op op) {
  Entry entry;
  entry.origin = origin_of(1);
  entry.first = stream.n + 1;
  entry.hlc = hlc_at(1'700'000'000'000 + stream.n);
  entry.deps = vector_of(3, 1000);
  entry.deps.advance({entry.origin, stream.n});
  entry.ops.push_back(std::move(op));
  return entry;
}

OriginStream busy_stream() {
  OriginStream stream;
  stream.n = 1000;
  stream.deps = vector_of(3, 999);
  stream.dictionary = {origin_of(1), origin_of(2), origin_of(3)};
  return stream;
}

void assign_onto_whole_register(benchmark::State& state) {
  CellDelta cell = CellDelta::whole(empty_cell(CellKind::string_register));
  VersionVector context = vector_of(3, 1000);
  std::uint64_t n = 1000;
  for (auto _ : state) {
    context.advance({origin_of(1), n});
    cell.assign({{origin_of(1), ++n}, n, value}, context);
    benchmark::DoNotOptimize(cell);
  }
}
BENCHMARK(assign_onto_whole_register);

void add_and_kill_set_element(benchmark::State& state) {
  CellDelta cell = CellDelta::whole(empty_cell(CellKind::set_element));
  const VersionVector before = vector_of(3, 1000);
  const VersionVector after = vector_of(3, 2000);
  for (auto _ : state) {
    cell.assign({{origin_of(1), 1500}, 0, {}}, before);
    cell.kill(after);
    benchmark::DoNotOptimize(cell);
  }
}
BENCHMARK(add_and_kill_set_element);

void join_pending_onto_stored_register(benchmark::State& state) {
  CellDelta stored = CellDelta::whole(empty_cell(CellKind::string_register));
  stored.assign({{origin_of(2), 900}, 1, value}, {});
  CellDelta pending(CellKind::string_register);
  pending.assign({{origin_of(1), 1001}, 2, value}, vector_of(3, 1000));
  for (auto _ : state) {
    CellDelta joined = pending;
    joined.join_onto(stored);
    benchmark::DoNotOptimize(joined);
  }
}
BENCHMARK(join_pending_onto_stored_register);

void increment_and_read_counter(benchmark::State& state) {
  OriginTotals totals;
  for (std::uint64_t node = 1; node <= static_cast<std::uint64_t>(state.range(0)); ++node) {
    totals.join(totals.increment(origin_of(node), 1, Total::of(1)));
  }
  const DottedCell none;
  std::uint64_t n = 1;
  for (auto _ : state) {
    totals.join(totals.increment(origin_of(1), ++n, Total::of(1)));
    benchmark::DoNotOptimize(StringView(none, totals).integer());
  }
}
BENCHMARK(increment_and_read_counter)->Arg(1)->Arg(3);

void encode_assign(benchmark::State& state) {
  OriginStream stream = busy_stream();
  Entry entry = entry_of(stream, {register_key, Assign{value}});
  std::size_t bytes = 0;
  for (auto _ : state) {
    entry.first = stream.n + 1;
    const std::string encoded = encode_entry(entry, stream);
    bytes = encoded.size();
    benchmark::DoNotOptimize(encoded);
  }
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(encode_assign);

void decode_assign(benchmark::State& state) {
  const OriginStream stream = busy_stream();
  OriginStream writing = stream;
  const std::string bytes = encode_entry(entry_of(stream, {register_key, Assign{value}}), writing);
  for (auto _ : state) {
    const auto parsed = parse_entry(bytes, origin_of(1), stream);
    benchmark::DoNotOptimize(parsed);
  }
}
BENCHMARK(decode_assign);

void decode_add_of_100_elements(benchmark::State& state) {
  const OriginStream stream = busy_stream();
  Entry entry = entry_of(stream, {element_key, Assign{}});
  entry.ops.resize(100, entry.ops.front());
  OriginStream writing = stream;
  const std::string bytes = encode_entry(entry, writing);
  for (auto _ : state) {
    const auto parsed = parse_entry(bytes, origin_of(1), stream);
    benchmark::DoNotOptimize(parsed);
  }
  state.SetItemsProcessed(state.iterations() * 100);
  state.counters["bytes_per_op"] = static_cast<double>(bytes.size()) / 100;
}
BENCHMARK(decode_add_of_100_elements);

void encode_stored_register(benchmark::State& state) {
  OriginTable table;
  DottedCell cell;
  cell.assign({{origin_of(1), 1000}, 1, value});
  table.intern(origin_of(1));
  const CellValue stored(cell);
  for (auto _ : state) {
    benchmark::DoNotOptimize(encode_stored(CellKind::string_register, stored, table));
  }
}
BENCHMARK(encode_stored_register);

void decode_stored_register(benchmark::State& state) {
  OriginTable table;
  DottedCell cell;
  cell.assign({{origin_of(1), 1000}, 1, value});
  table.intern(origin_of(1));
  const std::string bytes = encode_stored(CellKind::string_register, CellValue(cell), table);
  for (auto _ : state) {
    benchmark::DoNotOptimize(decode_stored(CellKind::string_register, bytes, table));
  }
}
BENCHMARK(decode_stored_register);

void vector_covers(benchmark::State& state) {
  const auto origins = static_cast<std::uint64_t>(state.range(0));
  const VersionVector v = vector_of(origins, 1000);
  std::uint64_t node = 0;
  for (auto _ : state) {
    node = node % origins + 1;
    benchmark::DoNotOptimize(v.covers({origin_of(node), 1000}));
  }
}
BENCHMARK(vector_covers)->Arg(3)->Arg(50)->Arg(500);

void vector_leq(benchmark::State& state) {
  const auto origins = static_cast<std::uint64_t>(state.range(0));
  const VersionVector older = vector_of(origins, 1000);
  const VersionVector newer = vector_of(origins, 1001);
  for (auto _ : state) {
    benchmark::DoNotOptimize(older.leq(newer));
  }
}
BENCHMARK(vector_leq)->Arg(3)->Arg(50)->Arg(500);

void vector_join(benchmark::State& state) {
  const auto origins = static_cast<std::uint64_t>(state.range(0));
  VersionVector v = vector_of(origins, 1000);
  const VersionVector newer = vector_of(origins, 1001);
  for (auto _ : state) {
    v.join(newer);
    benchmark::DoNotOptimize(v);
  }
}
BENCHMARK(vector_join)->Arg(3)->Arg(50)->Arg(500);

void digest_of_register(benchmark::State& state) {
  DottedCell cell;
  cell.assign({{origin_of(1), 1000}, 1, value});
  const CellValue stored(cell);
  Digest sum;
  for (auto _ : state) {
    sum += digest_of(register_key, stored);
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(digest_of_register);

void roll_hash_of_entry(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  std::uint64_t hash = 0;
  for (auto _ : state) {
    hash = roll_hash(hash, bytes);
    benchmark::DoNotOptimize(hash);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(roll_hash_of_entry)->Arg(80)->Arg(4096);

}  // namespace
}  // namespace starling

BENCHMARK_MAIN();
