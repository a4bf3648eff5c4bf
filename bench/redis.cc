// kvbench redis: how do we compare with Redis, command by command? One kvd and one redis-server
// with the same promise of durability, the same commands in turn, on the same core.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <fstream>
#include <map>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/failure.h"
#include "bench/resp.h"
#include "bench/statistics.h"
#include "bench/subcommands.h"
#include "bench/workloads.h"

namespace starling::bench {
namespace {

struct RedisOptions {
  std::vector<std::string> commands{"SET",       "GET",  "INCR",      "MSET", "SADD",
                                    "SADD-many", "HSET", "HSET-many", "ZADD", "ZADD-many"};
  std::vector<unsigned> pipelines{1, 16, 64};
  std::vector<std::size_t> sizes{64};
  std::vector<double> rates;
  unsigned connections = 50;
  unsigned pairs = 7;
  std::uint64_t requests = 0;
  double seconds = 1;
  WorkloadSizes keys;
  double bound = 0;
  bool preload = false;
  bool all = false;
  bool quick = false;
  std::string baseline;
  std::string write_baseline;
};

// How commands are sent in one cell.
struct Mode {
  unsigned pipeline = 1;
  double rate = 0;
  [[nodiscard]] std::string name() const {
    return rate > 0 ? fmt::format("{:.0f}/s", rate) : fmt::format("P{}", pipeline);
  }
};

// What one server did in one cell.
struct Side {
  std::vector<double> per_second;
  std::vector<double> cpu_us_per_op;
  Histogram latency_us;
  std::uint64_t replies = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  std::uint64_t resident_bytes = 0;
  std::uint64_t disk_bytes = 0;
};

struct Cell {
  std::string name;
  Json head;
  std::array<Side, 2> sides;  // kvd, redis
  double checkpoints = 0;
  double steal_percent = 0;
  Spread throughput;  // ours / theirs
  Spread cpu;         // theirs / ours
};

constexpr std::array<const char*, 2> side_names{"kvd", "redis"};

using Pair = std::array<Server*, 2>;

// One run of one server. What it does afterwards because of it, such as a checkpoint, is counted as
// its work, and does not meet the other's run.
void run_side(const Server& server, const RespLoad& load, const NextCommand& next, Side& side) {
  const double before = server.cpu_us();
  const RespLoadReport report = run_resp_load(server.port(), load, next);
  server.settle();
  const double cpu_us = server.cpu_us() - before;
  side.per_second.push_back(report.per_second());
  side.cpu_us_per_op.push_back(cpu_us /
                               static_cast<double>(std::max<std::uint64_t>(report.replies, 1)));
  side.latency_us.merge(report.latency_us);
  side.replies += report.replies;
  side.first_error = side.errors == 0 ? report.first_error : side.first_error;
  side.errors += report.errors;
}

// More pairs for a cell; its ratios are those of all that it has had.
void run_pairs(const RedisOptions& options, const RespLoad& load, const Workload& workload,
               const Pair& servers, Cell& cell) {
  const std::size_t before = cell.sides[0].per_second.size();
  for (std::size_t pair = before; pair < before + options.pairs; ++pair) {
    // Who begins changes, so that a machine that gets slower or faster favours nobody.
    for (const std::size_t turn : {std::size_t{0}, std::size_t{1}}) {
      const std::size_t side = (turn + pair) % 2;
      run_side(*servers[side], load, workload.commands(100 + pair), cell.sides[side]);
    }
  }
  std::vector<double> throughput;
  std::vector<double> cpu;
  const auto& [ours, theirs] = cell.sides;
  for (std::size_t pair = 0; pair < ours.per_second.size(); ++pair) {
    throughput.push_back(ours.per_second[pair] / theirs.per_second[pair]);
    cpu.push_back(theirs.cpu_us_per_op[pair] / ours.cpu_us_per_op[pair]);
  }
  cell.throughput = spread_of(throughput);
  cell.cpu = spread_of(cpu);
}

bool spans(const Spread& spread, double bound) { return spread.q1 < bound && bound < spread.q3; }

Cell measure(const RedisOptions& options, const Workload& workload, const Mode& mode,
             std::size_t value_bytes, const Pair& servers) {
  Cell cell;
  cell.name = fmt::format("{} {}{}", workload.name, mode.name(),
                          workload.has_value ? fmt::format(" {} B", value_bytes) : "");
  cell.head = {{"name", cell.name},         {"command", workload.command},
               {"workload", workload.name}, {"pipeline", mode.pipeline},
               {"rate", mode.rate},         {"value_bytes", workload.has_value ? value_bytes : 0}};
  RespLoad load{.connections = options.connections,
                .pipeline = mode.pipeline,
                .rate = mode.rate,
                .requests = options.requests,
                .seconds = options.seconds};
  RespLoad warm_up = load;
  warm_up.requests /= 4;
  warm_up.seconds /= 4;
  if (options.requests == 0 || warm_up.requests > 0) {
    for (const Server* server : servers) {
      Side ignored;
      run_side(*server, warm_up, workload.commands(1), ignored);
    }
  }
  const double checkpoints_before = servers[0]->metric("starling_checkpoints_total");
  StealMeter steal;
  run_pairs(options, load, workload, servers, cell);
  if (spans(cell.throughput, options.bound) || spans(cell.cpu, options.bound)) {
    run_pairs(options, load, workload, servers, cell);
  }
  cell.steal_percent = steal.percent();
  cell.checkpoints = servers[0]->metric("starling_checkpoints_total") - checkpoints_before;
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    cell.sides[side].resident_bytes = servers[side]->resident_bytes();
    cell.sides[side].disk_bytes = servers[side]->disk_bytes();
  }
  return cell;
}

Json spread_json(const Spread& spread) {
  return {{"median", spread.median}, {"q1", spread.q1}, {"q3", spread.q3}};
}

Json cell_json(const Cell& cell) {
  Json out = cell.head;
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    const Side& side = cell.sides[i];
    out[side_names[i]] = {{"per_second", median_of(side.per_second)},
                          {"cpu_us_per_op", median_of(side.cpu_us_per_op)},
                          {"p50_us", side.latency_us.quantile(0.5)},
                          {"p99_us", side.latency_us.quantile(0.99)},
                          {"p999_us", side.latency_us.quantile(0.999)},
                          {"max_us", side.latency_us.max()},
                          {"replies", side.replies},
                          {"errors", side.errors},
                          {"resident_bytes", side.resident_bytes},
                          {"disk_bytes", side.disk_bytes}};
  }
  out["ratio"] = {{"throughput", spread_json(cell.throughput)}, {"cpu", spread_json(cell.cpu)}};
  out["pairs"] = cell.sides[0].per_second.size();
  out["checkpoints"] = cell.checkpoints;
  out["steal_percent"] = cell.steal_percent;
  return out;
}

std::vector<Table> cell_tables(const std::vector<Cell>& cells, const RedisOptions& options) {
  Table speed{
      .title = fmt::format("kvd against Redis, medians of {} interleaved pairs", options.pairs),
      .columns = {"cell", "kvd /s", "redis /s", "ratio", "q1-q3", "kvd CPU µs/op",
                  "redis CPU µs/op", "ratio", "q1-q3", "checkpoints", "steal %"},
      .rows = {},
      .note =
          "ratio: above 1 we are better. CPU: all threads and children of the process, "
          "until it is quiet again."};
  Table rest{.title = "Latency, memory, disk",
             .columns = {"cell", "kvd p50 µs", "p99", "p99.9", "redis p50 µs", "p99", "p99.9",
                         "kvd RSS MB", "redis RSS MB", "kvd disk MB", "redis disk MB"},
             .rows = {},
             .note =
                 "Closed loop: from when a pipeline was sent. Fixed rate: from when a command "
                 "was due."};
  for (const Cell& cell : cells) {
    const auto& [ours, theirs] = cell.sides;
    speed.rows.push_back({cell.name, fmt::format("{:.0f}", median_of(ours.per_second)),
                          fmt::format("{:.0f}", median_of(theirs.per_second)),
                          fmt::format("{:.2f}", cell.throughput.median),
                          fmt::format("{:.2f}-{:.2f}", cell.throughput.q1, cell.throughput.q3),
                          fmt::format("{:.2f}", median_of(ours.cpu_us_per_op)),
                          fmt::format("{:.2f}", median_of(theirs.cpu_us_per_op)),
                          fmt::format("{:.2f}", cell.cpu.median),
                          fmt::format("{:.2f}-{:.2f}", cell.cpu.q1, cell.cpu.q3),
                          fmt::format("{:.0f}", cell.checkpoints),
                          fmt::format("{:.1f}", cell.steal_percent)});
    std::vector<std::string> row{cell.name};
    for (const Side& side : cell.sides) {
      for (const double q : {0.5, 0.99, 0.999}) {
        row.push_back(std::to_string(side.latency_us.quantile(q)));
      }
    }
    for (const auto member : {&Side::resident_bytes, &Side::disk_bytes}) {
      for (const Side& side : cell.sides) {
        row.push_back(fmt::format("{:.1f}", static_cast<double>(side.*member) / 1e6));
      }
    }
    rest.rows.push_back(row);
  }
  return {speed, rest};
}

BarPlot ratio_plot(const std::vector<Cell>& cells) {
  BarPlot plot{.title = "Ratio to Redis: above 1 we are better; lines are quartiles",
               .labels = {},
               .series = {"throughput", "CPU per operation"},
               .bars = {},
               .reference = 1};
  for (const Cell& cell : cells) {
    plot.labels.push_back(cell.name);
    std::vector<Bar> bars;
    for (const Spread& spread : {cell.throughput, cell.cpu}) {
      bars.push_back({spread.median, spread.q1, spread.q3});
    }
    plot.bars.push_back(bars);
  }
  return plot;
}

// What is better or worse than the committed ratios by more than their band. Machines differ and
// are noisy: this is for people to look at, so it says and never fails.
std::vector<std::string> compared_with_baseline(const std::vector<Cell>& cells,
                                                const std::string& file) {
  std::ifstream in(file);
  const Json baseline = Json::parse(in, nullptr, false);
  if (!baseline.is_object() || !baseline.contains("cells")) {
    return {"warning: " + file + " is not a baseline; --write-baseline makes one"};
  }
  const double band = baseline.value("band", 0.4);
  std::vector<std::string> notes;
  std::size_t known = 0;
  for (const Cell& cell : cells) {
    const auto found = baseline["cells"].find(cell.name);
    if (found == baseline["cells"].end()) {
      continue;
    }
    ++known;
    for (const auto& [what, now] :
         {std::pair{"throughput", cell.throughput.median}, std::pair{"cpu", cell.cpu.median}}) {
      const double before = found->value(what, 0.0);
      if (before > 0 && now < before * (1 - band)) {
        notes.push_back(fmt::format("warning: {}: {} ratio {:.2f}, was {:.2f} in the baseline",
                                    cell.name, what, now, before));
      } else if (before > 0 && now > before / (1 - band)) {
        notes.push_back(fmt::format("better: {}: {} ratio {:.2f}, was {:.2f} in the baseline",
                                    cell.name, what, now, before));
      }
    }
  }
  if (notes.empty()) {
    notes.push_back(
        fmt::format("{} cells are within {:.0f} % of the ratios in {}", known, band * 100, file));
  }
  return notes;
}

void write_baseline(const std::vector<Cell>& cells, const std::string& file) {
  Json out = {
      {"machine", machine()}, {"commit", commit()}, {"band", 0.4}, {"cells", Json::object()}};
  const auto rounded = [](double value) { return std::round(value * 100) / 100; };
  for (const Cell& cell : cells) {
    out["cells"][cell.name] = {{"throughput", rounded(cell.throughput.median)},
                               {"cpu", rounded(cell.cpu.median)}};
  }
  std::ofstream stream(file);
  stream << out.dump(2) << "\n";
  stream.close();
  if (!stream) {
    throw Failure("cannot write " + file);
  }
}

// Workloads by the names that were asked for, whatever their case.
std::vector<Workload> chosen_workloads(const RedisOptions& options, std::size_t value_bytes) {
  WorkloadSizes sizes = options.keys;
  sizes.value_bytes = value_bytes;
  std::vector<Workload> all = workloads(sizes);
  if (options.all) {
    return all;
  }
  const auto lower = [](std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
  };
  std::vector<Workload> chosen;
  for (const std::string& name : options.commands) {
    const auto found = std::ranges::find_if(
        all, [&](const Workload& workload) { return lower(workload.name) == lower(name); });
    if (found == all.end()) {
      std::string known;
      for (const Workload& workload : all) {
        known += " " + workload.name;
      }
      throw Failure("no workload '" + name + "'", "there are:" + known);
    }
    chosen.push_back(*found);
  }
  return chosen;
}

class Comparison {
 public:
  Comparison(const Context& context, const RedisOptions& options)
      : context_(context), options_(options) {
    for (const unsigned pipeline : options.pipelines) {
      modes_.push_back({.pipeline = pipeline, .rate = 0});
    }
    for (const double rate : options.rates) {
      modes_.push_back({.pipeline = 1, .rate = rate});
    }
  }

  Report run() {
    pin_this_process(context_.cores.load);
    for (std::size_t i = 0; i < options_.sizes.size(); ++i) {
      for (const Workload& workload : chosen_workloads(options_, options_.sizes[i])) {
        if (i == 0 || workload.has_value) {
          run_workload(workload, options_.sizes[i]);
        }
      }
    }
    return report();
  }

 private:
  // New servers for each workload: what another one has left in memory and on disk is not its own.
  void run_workload(const Workload& workload, std::size_t value_bytes) {
    if (std::ranges::find(skipped_, workload.command) != skipped_.end()) {
      return;
    }
    Server kvd(context_.nursery, context_.kvd("kvd", context_.cores.server));
    Server redis(context_.nursery, context_.redis(context_.cores.server));
    const Pair servers{&kvd, &redis};
    for (Server* server : servers) {
      server->start();
      RespConnection connection = RespConnection::open(server->port());
      if (!has_command(connection, workload.command)) {
        say_progress(fmt::format("{}: skipped, {} does not have it", workload.command,
                                 server->options().name));
        skipped_.push_back(workload.command);
        return;
      }
      if (server == &redis) {
        redis_version_ = version_of(connection);
      }
    }
    if (workload.needs_preload || options_.preload) {
      for (const Server* server : servers) {
        fill(*server, workload.preload_count, workload.preload());
        server->settle();
      }
    }
    for (const Mode& mode : modes_) {
      const Cell& cell =
          cells_.emplace_back(measure(options_, workload, mode, value_bytes, servers));
      say_progress(fmt::format("{}: throughput {:.2f}, CPU {:.2f} of Redis", cell.name,
                               cell.throughput.median, cell.cpu.median));
    }
  }

  static std::string version_of(RespConnection& redis) {
    const std::string info = redis.must({"INFO", "server"}).text;
    constexpr std::string_view mark = "redis_version:";
    const auto at = info.find(mark);
    return at == std::string::npos
               ? "unknown"
               : info.substr(at + mark.size(), info.find('\r', at) - at - mark.size());
  }

  Report report() {
    Report report{.title = "redis"};
    Json cells = Json::array();
    for (const Cell& cell : cells_) {
      cells.push_back(cell_json(cell));
      for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
        if (cell.sides[side].errors > 0) {
          report.failed = true;
          report.notes.push_back(
              fmt::format("error: {}: {} refused {} commands, the first with: {}", cell.name,
                          side_names[side], cell.sides[side].errors, cell.sides[side].first_error));
        }
      }
    }
    for (const std::string& command : skipped_) {
      report.notes.push_back(fmt::format("{}: skipped, our door does not have it", command));
    }
    if (!context_.cores.load) {
      report.notes.emplace_back("one core only: servers and load compete for it");
    }
    report.results = {{"redis_version", redis_version_},
                      {"connections", options_.connections},
                      {"pairs", options_.pairs},
                      {"seconds", options_.requests > 0 ? 0 : options_.seconds},
                      {"requests", options_.requests},
                      {"keys", options_.keys.keys},
                      {"preload", options_.preload},
                      {"skipped", skipped_},
                      {"cells", cells}};
    report.tables = cell_tables(cells_, options_);
    report.bars.push_back(ratio_plot(cells_));
    if (!options_.baseline.empty()) {
      for (std::string& note : compared_with_baseline(cells_, options_.baseline)) {
        report.notes.push_back(std::move(note));
      }
    }
    if (!options_.write_baseline.empty()) {
      write_baseline(cells_, options_.write_baseline);
    }
    return report;
  }

  const Context& context_;
  const RedisOptions& options_;
  std::vector<Mode> modes_;
  std::vector<Cell> cells_;
  std::vector<std::string> skipped_;
  std::string redis_version_;
};

}  // namespace

Subcommand add_redis(CLI::App& app) {
  auto options = std::make_shared<RedisOptions>();
  CLI::App* redis =
      app.add_subcommand("redis", "Compares kvd with redis-server, both with everysec durability.");
  const auto split = [](CLI::Option* option) {
    return option->delimiter(',')->capture_default_str();
  };
  split(redis->add_option("--commands", options->commands,
                          "SET GET INCR MSET, and SADD HSET ZADD LPUSH LPOP LRANGE on one key or, "
                          "as SADD-many, on 10,000"));
  split(redis
            ->add_option("-P,--pipelines", options->pipelines,
                         "Commands that a connection sends at once")
            ->check(CLI::Range(1, 10'000)));
  split(redis->add_option("-d,--sizes", options->sizes, "Bytes of values")
            ->check(CLI::Range(0, 8 << 20)));
  redis
      ->add_option("-r,--rates", options->rates,
                   "Also an open loop at so many commands a second, latency counted from when each "
                   "was due; without -P, nothing else")
      ->delimiter(',')
      ->check(CLI::Range(1.0, 1e7));
  redis->add_option("-c,--connections", options->connections, "Connections to a server")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  redis->add_option("--pairs", options->pairs, "Runs of each server in a cell")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  redis
      ->add_option("--bound", options->bound,
                   "A cell with this ratio between its quartiles runs as many pairs again; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  auto* seconds = redis->add_option("-s,--seconds", options->seconds, "Length of a run")
                      ->check(CLI::Range(0.01, 3600.0))
                      ->capture_default_str();
  redis->add_option("-n,--requests", options->requests, "Commands of a run, instead of its length")
      ->excludes(seconds);
  redis
      ->add_option("-k,--keys", options->keys.keys,
                   "Different keys, and different members of one key")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->capture_default_str();
  redis->add_flag("--preload", options->preload,
                  "Write every key first, also where commands do not read");
  auto* all =
      redis->add_flag("--all", options->all,
                      "Every workload, -P 1,16,64, values of 64 B, 1 KB and 16 KB, and open "
                      "loops of 1,000 and 20,000 commands a second: hours");
  redis->add_flag("--quick", options->quick, "A small selection in less than three minutes")
      ->excludes(all);
  redis->add_option("--baseline", options->baseline,
                    "A file of ratios: what left its band is said, and nothing fails");
  redis->add_option("--write-baseline", options->write_baseline, "Makes such a file");
  return {redis, [options, redis](const Context& context) {
            const auto choose = [redis](const char* name, auto& option, const auto& value) {
              if (redis->count(name) == 0) {  // what was asked for stays
                option = value;
              }
            };
            if (options->all) {
              choose("--sizes", options->sizes, std::vector<std::size_t>{64, 1024, 16384});
              choose("--rates", options->rates, std::vector<double>{1000, 20'000});
            } else if (options->quick) {
              choose("--commands", options->commands,
                     std::vector<std::string>{"SET", "GET", "INCR", "SADD", "HSET", "ZADD"});
              choose("--pipelines", options->pipelines, std::vector<unsigned>{1, 16});
              choose("--pairs", options->pairs, 5U);
              choose("--seconds", options->seconds, 0.5);
              choose("--keys", options->keys.keys, std::uint64_t{100'000});
            } else if (!options->rates.empty()) {
              choose("--pipelines", options->pipelines, std::vector<unsigned>{});
            }
            return Comparison(context, *options).run();
          }};
}

}  // namespace starling::bench
