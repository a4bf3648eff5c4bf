// kvbench sets: does the size of a set matter to adding, removing, deleting, or to the replica that
// applies it?
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/cluster.h"
#include "bench/failure.h"
#include "bench/statistics.h"
#include "bench/subcommands.h"
#include "bench/workloads.h"

namespace starling::bench {
namespace {

struct SetsOptions {
  std::vector<std::uint64_t> sizes{10, 1000, 100'000, 1'000'000};
  std::uint64_t ops = 20'000;
  unsigned rounds = 3;
  unsigned pipeline = 16;
};

// What one operation costs, from repeated runs.
struct OpCost {
  std::vector<double> here_us;    // CPU of the node that was asked
  std::vector<double> remote_us;  // CPU of the node that applies it
  std::vector<double> wire_bytes;
};

struct SizeResult {
  std::uint64_t size = 0;
  std::uint64_t sets = 0;
  OpCost add;
  OpCost remove;
  Histogram del_us;
  Histogram del_visible_us;
};

std::string set_name(std::uint64_t set) {
  std::string key;
  append_numbered(key, "set:", set, 8);
  return key;
}

// One size, on a new cluster of two. There are so many sets of it that the operations do not change
// the size by more than a tenth.
class SizeRun {
 public:
  SizeRun(const Context& context, const SetsOptions& options, std::uint64_t size)
      : options_(options), cluster_(context, 2) {
    result_.size = size;
    result_.sets = std::max<std::uint64_t>(1, 10 * options.ops / size);
  }

  SizeResult run() {
    fill_sets();
    for (unsigned round = 0; round <= options_.rounds; ++round) {
      OpCost add = measured("SADD", round);
      OpCost remove = measured("SREM", round);
      if (round > 0) {  // the first warms up
        append(result_.add, add);
        append(result_.remove, remove);
      }
    }
    delete_sets();
    return std::move(result_);
  }

 private:
  void fill_sets() {
    const std::uint64_t part = std::min<std::uint64_t>(result_.size, 100);
    const std::uint64_t parts = (result_.size + part - 1) / part;
    std::uint64_t index = 0;
    fill(cluster_.first(), result_.sets * parts, [&](std::string& out) {
      const std::uint64_t begin = index / result_.sets * part;
      const std::uint64_t end = std::min(begin + part, result_.size);
      append_head(out, 2 + end - begin);
      append_word(out, "SADD");
      append_word(out, set_name(index % result_.sets));
      std::string member;
      for (std::uint64_t i = begin; i < end; ++i) {
        member.clear();
        append_numbered(member, "element:", i, 12);
        append_word(out, member);
      }
      ++index;
    });
    cluster_.converge();
  }

  // Adds or removes the same new members, spread over all sets.
  OpCost measured(std::string_view command, unsigned round) {
    std::uint64_t index = 0;
    const auto next = [&](std::string& out) {
      std::string member;
      append_numbered(member, fmt::format("new:{:04}:", round), index, 12);
      append_command(out, {command, set_name(index++ % result_.sets), member});
    };
    const Cluster::Usage before = cluster_.usage();
    const RespLoadReport report = run_resp_load(
        cluster_.first().port(), {.pipeline = options_.pipeline, .requests = options_.ops}, next);
    if (report.errors > 0) {
      throw Failure(fmt::format("{} was refused: {}", command, report.first_error));
    }
    cluster_.converge();
    const Cluster::Usage after = cluster_.usage();
    const auto per_op = [&](double from, double to) {
      return (to - from) / static_cast<double>(report.replies);
    };
    return {{per_op(before.cpu_us[0], after.cpu_us[0])},
            {per_op(before.cpu_us[1], after.cpu_us[1])},
            {per_op(before.sent_bytes, after.sent_bytes)}};
  }

  static void append(OpCost& all, const OpCost& one) {
    for (const auto member : {&OpCost::here_us, &OpCost::remote_us, &OpCost::wire_bytes}) {
      (all.*member).push_back((one.*member).front());
    }
  }

  void delete_sets() {
    using Clock = std::chrono::steady_clock;
    const auto us_since = [](Clock::time_point begin, Clock::time_point end) {
      return static_cast<std::uint64_t>(
          std::chrono::duration_cast<std::chrono::microseconds>(end - begin).count());
    };
    for (std::uint64_t set = 0; set < std::min<std::uint64_t>(result_.sets, 100); ++set) {
      const std::string key = set_name(set);
      const auto begin = Clock::now();
      cluster_.connection(0).must({"DEL", key});
      result_.del_us.add(us_since(begin, Clock::now()));
      const auto gone =
          wait_for_text(cluster_.connection(1), {"EXISTS", key}, "0", std::chrono::microseconds(0));
      result_.del_visible_us.add(us_since(begin, gone));
    }
  }

  const SetsOptions& options_;
  Cluster cluster_;
  SizeResult result_;
};

Json cost_json(const OpCost& cost) {
  return {{"cpu_us", median_of(cost.here_us)},
          {"remote_cpu_us", median_of(cost.remote_us)},
          {"wire_bytes", median_of(cost.wire_bytes)}};
}

Report sets_report(const SetsOptions& options, const std::vector<SizeResult>& results) {
  Report report{.title = "sets"};
  Json sizes = Json::array();
  Table table{.title = fmt::format("Sets of any size, medians of {} runs of {} operations, -P {}",
                                   options.rounds, options.ops, options.pipeline),
              .columns = {"elements", "sets", "add µs", "add remote µs", "add wire B", "remove µs",
                          "remove remote µs", "remove wire B", "DEL p50 µs", "DEL max µs",
                          "gone on B, p50 µs"},
              .rows = {},
              .note =
                  "µs: CPU of the process; remote: of the other node, which applies it. DEL: "
                  "until it is answered."};
  LinePlot cpu{.title = "CPU per operation", .x = "elements in the set", .y = "µs", .lines = {}};
  LinePlot wire{.title = "Bytes sent to the other node per operation",
                .x = "elements in the set",
                .y = "bytes",
                .lines = {}};
  cpu.lines = {{"add", {}}, {"remove", {}}, {"remote add", {}}, {"remote remove", {}}};
  wire.lines = {{"add", {}}, {"remove", {}}};
  for (const SizeResult& result : results) {
    sizes.push_back({{"elements", result.size},
                     {"sets", result.sets},
                     {"add", cost_json(result.add)},
                     {"remove", cost_json(result.remove)},
                     {"del_p50_us", result.del_us.quantile(0.5)},
                     {"del_max_us", result.del_us.max()},
                     {"del_samples", result.del_us.count()},
                     {"gone_p50_us", result.del_visible_us.quantile(0.5)}});
    std::vector<std::string> row{short_number(static_cast<double>(result.size)),
                                 std::to_string(result.sets)};
    for (const OpCost* cost : {&result.add, &result.remove}) {
      for (const auto member : {&OpCost::here_us, &OpCost::remote_us}) {
        row.push_back(fmt::format("{:.2f}", median_of((*cost).*member)));
      }
      row.push_back(fmt::format("{:.0f}", median_of(cost->wire_bytes)));
    }
    for (const std::uint64_t us :
         {result.del_us.quantile(0.5), result.del_us.max(), result.del_visible_us.quantile(0.5)}) {
      row.push_back(std::to_string(us));
    }
    table.rows.push_back(row);
    const auto x = static_cast<double>(result.size);
    cpu.lines[0].points.emplace_back(x, median_of(result.add.here_us));
    cpu.lines[1].points.emplace_back(x, median_of(result.remove.here_us));
    cpu.lines[2].points.emplace_back(x, median_of(result.add.remote_us));
    cpu.lines[3].points.emplace_back(x, median_of(result.remove.remote_us));
    wire.lines[0].points.emplace_back(x, median_of(result.add.wire_bytes));
    wire.lines[1].points.emplace_back(x, median_of(result.remove.wire_bytes));
  }
  report.results = {{"ops", options.ops}, {"rounds", options.rounds}, {"sizes", sizes}};
  report.tables.push_back(std::move(table));
  report.lines = {std::move(cpu), std::move(wire)};
  return report;
}

}  // namespace

Subcommand add_sets(CLI::App& app) {
  auto options = std::make_shared<SetsOptions>();
  CLI::App* sets =
      app.add_subcommand("sets", "Add, remove, delete and remote apply against the size of a set.");
  sets->add_option("--elements", options->sizes, "Sizes, as far as 10000000")
      ->delimiter(',')
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->capture_default_str();
  sets->add_option("-n,--ops", options->ops, "Operations of a run")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->capture_default_str();
  sets->add_option("--rounds", options->rounds, "Runs of each operation")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  sets->add_option("-P,--pipeline", options->pipeline, "Commands that a connection sends at once")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  return {sets, [options](const Context& context) {
            pin_this_process(context.cores.load);
            std::vector<SizeResult> results;
            for (const std::uint64_t size : options->sizes) {
              results.push_back(SizeRun(context, *options, size).run());
              say_progress(fmt::format("{} elements: add {:.2f} µs, remote {:.2f} µs", size,
                                       median_of(results.back().add.here_us),
                                       median_of(results.back().add.remote_us)));
            }
            return sets_report(*options, results);
          }};
}

}  // namespace starling::bench
