// kvbench memory: how many bytes of memory and of disk does a key or an element take, by type,
// beside Redis, and how many of them are metadata?
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <starling/client.h>

#include "bench/failure.h"
#include "bench/resp.h"
#include "bench/subcommands.h"
#include "bench/workloads.h"

namespace starling::bench {
namespace {

struct MemoryOptions {
  std::uint64_t keys = 500'000;
  std::size_t value_bytes = 64;
};

// What is written: the preload of a workload, and what of it is payload.
struct MemoryType {
  std::string name;
  std::string workload;
  std::uint64_t payload_bytes;  // key or member, and value
  std::string sample_key;       // to ask for metadata
};

std::vector<MemoryType> memory_types(std::size_t value_bytes) {
  return {{"string", "SET", 16 + value_bytes, "key:000000000000"},
          {"counter", "INCR", 16 + 1, "key:000000000000"},
          {"set, one key", "SADD", 20, "collection:000000"},
          {"set, many keys", "SADD-many", 20, "collection:000000"},
          {"hash, one key", "HSET", 18 + value_bytes, "collection:000000"},
          {"hash, many keys", "HSET-many", 18 + value_bytes, "collection:000000"},
          {"sorted set, one key", "ZADD", 20 + 8, "collection:000000"},
          {"sorted set, many keys", "ZADD-many", 20 + 8, "collection:000000"}};
}

// Bytes for each key or element.
struct MemoryUse {
  double resident = 0;
  double disk = 0;
  double tables = 0;    // kvd only, as it counts them
  double metadata = 0;  // kvd only, by `explain`: dots, times and origins of a cell
};

// The mean over the cells of a key that `kvctl explain` shows.
double metadata_of(const Server& kvd, const std::string& key) {
  Client client(
      Options{.endpoints = {kvd.client_door()}, .learn_endpoints = false, .name = "kvbench"});
  const auto answer = client.call<std::string>({.code = CommandCode::explain, .key = key});
  const Json explained = answer ? Json::parse(*answer, nullptr, false) : Json();
  if (!explained.is_object() || explained.value("cells", Json()).empty()) {
    throw Failure("kvd does not explain " + key);
  }
  double bytes = 0;
  for (const Json& cell : explained["cells"]) {
    bytes += cell.value("metadata_bytes", 0.0);
  }
  return bytes / static_cast<double>(explained["cells"].size());
}

MemoryUse measure_memory(Server& server, const MemoryType& type, const Workload& workload) {
  server.start();
  server.settle();
  const auto before_resident = static_cast<double>(server.resident_bytes());
  const auto before_disk = static_cast<double>(server.disk_bytes());
  const bool kvd = server.options().kind == ServerKind::kvd;
  const double before_tables = kvd ? server.metric("starling_table_bytes") : 0;
  fill(server, workload.preload_count, workload.preload());
  server.settle();
  const auto count = static_cast<double>(workload.preload_count);
  const auto each = [&](double before, double after) {
    return std::max(after - before, 0.0) / count;
  };
  return {each(before_resident, static_cast<double>(server.resident_bytes())),
          each(before_disk, static_cast<double>(server.disk_bytes())),
          kvd ? each(before_tables, server.metric("starling_table_bytes")) : 0,
          kvd ? metadata_of(server, type.sample_key) : 0};
}

Report run_memory(const Context& context, const MemoryOptions& options) {
  pin_this_process(context.cores.load);
  const WorkloadSizes sizes{.keys = options.keys,
                            .many_keys = std::max<std::uint64_t>(1, options.keys / 100),
                            .members = 100,
                            .value_bytes = options.value_bytes};
  const std::vector<Workload> all = workloads(sizes);
  Report report{.title = "memory"};
  Json types = Json::array();
  Table table{.title = fmt::format("Bytes for each key or element, {} of them", options.keys),
              .columns = {"type", "payload", "kvd RSS", "redis RSS", "ratio", "kvd tables",
                          "kvd disk", "redis disk", "metadata", "share %"},
              .rows = {},
              .note =
                  "Payload: key or member, and value; 100 members on each of many keys. Ratio: "
                  "of RSS, below 1 we are smaller. Metadata: of a stored cell, as `kvctl "
                  "explain` counts it; share: of it and payload."};
  BarPlot plot{.title = "Resident bytes for each key or element",
               .labels = {},
               .series = {"payload", "kvd", "redis"},
               .bars = {}};
  for (const MemoryType& type : memory_types(options.value_bytes)) {
    const auto workload = std::ranges::find(all, type.workload, &Workload::name);
    std::array<MemoryUse, 2> use;  // one server at a time: memory is what is measured
    {
      Server kvd(context.nursery, context.kvd("kvd", context.cores.server));
      use[0] = measure_memory(kvd, type, *workload);
    }
    {
      Server redis(context.nursery, context.redis(context.cores.server));
      use[1] = measure_memory(redis, type, *workload);
    }
    const auto& [ours, theirs] = use;
    const auto payload = static_cast<double>(type.payload_bytes);
    const double ratio = theirs.resident > 0 ? ours.resident / theirs.resident : 0;
    const double share = 100 * ours.metadata / (ours.metadata + payload);
    types.push_back({{"type", type.name},
                     {"payload_bytes", payload},
                     {"kvd",
                      {{"resident_bytes", ours.resident},
                       {"table_bytes", ours.tables},
                       {"disk_bytes", ours.disk},
                       {"metadata_bytes", ours.metadata}}},
                     {"redis", {{"resident_bytes", theirs.resident}, {"disk_bytes", theirs.disk}}},
                     {"resident_ratio", ratio},
                     {"metadata_percent", share}});
    std::vector<std::string> row{type.name, fmt::format("{:.0f}", payload)};
    for (const double bytes : {ours.resident, theirs.resident}) {
      row.push_back(fmt::format("{:.0f}", bytes));
    }
    row.push_back(fmt::format("{:.2f}", ratio));
    for (const double bytes : {ours.tables, ours.disk, theirs.disk}) {
      row.push_back(fmt::format("{:.0f}", bytes));
    }
    row.push_back(fmt::format("{:.1f}", ours.metadata));
    row.push_back(fmt::format("{:.0f}", share));
    table.rows.push_back(row);
    plot.labels.push_back(type.name);
    plot.bars.push_back({{.value = payload}, {.value = ours.resident}, {.value = theirs.resident}});
    say_progress(
        fmt::format("{}: kvd {:.0f} B, redis {:.0f} B", type.name, ours.resident, theirs.resident));
  }
  report.results = {{"keys", options.keys}, {"types", types}};
  report.tables.push_back(std::move(table));
  report.bars.push_back(std::move(plot));
  return report;
}

}  // namespace

Subcommand add_memory(CLI::App& app) {
  auto options = std::make_shared<MemoryOptions>();
  CLI::App* memory = app.add_subcommand(
      "memory", "Bytes of memory and disk for each key and element, by type, beside Redis.");
  memory->add_option("-k,--keys", options->keys, "Keys, or elements of all collections together")
      ->check(CLI::Range(std::uint64_t{1000}, std::uint64_t{1} << 32))
      ->capture_default_str();
  memory->add_option("-d,--value-bytes", options->value_bytes, "Size of values")
      ->check(CLI::Range(1, 8 << 20))
      ->capture_default_str();
  return {memory, [options](const Context& context) { return run_memory(context, *options); }};
}

}  // namespace starling::bench
