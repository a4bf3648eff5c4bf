// kvbench converge: when is a write on one node visible on another, how fast does a healed link
// catch up, and what do two replicas cost the node that takes the writes?
#include <algorithm>
#include <future>
#include <memory>
#include <thread>
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

using namespace std::chrono_literals;
using SteadyTime = std::chrono::steady_clock;

struct ConvergeOptions {
  std::vector<std::string> parts{"visible", "heal", "cpu"};
  unsigned samples = 1000;
  double load_rate = 0;
  std::uint64_t heal_ops = 200'000;
  unsigned rounds = 3;
  double cpu_rate = 10'000;
  double seconds = 5;
  unsigned pairs = 5;
  WorkloadSizes sizes;

  [[nodiscard]] bool wants(std::string_view part) const {
    return std::ranges::find(parts, part) != parts.end();
  }
};

Workload set_workload(const ConvergeOptions& options) { return workloads(options.sizes).front(); }

// Writes on the first node and reads on the second until the write shows; one every 5 ms.
Histogram visibility(Cluster& cluster, unsigned samples, const std::string& prefix) {
  Histogram latency_us;
  auto due = SteadyTime::now();
  for (unsigned i = 0; i < samples; ++i) {
    due += 5ms;
    std::this_thread::sleep_until(due);
    const std::string value = prefix + std::to_string(i);
    const auto begin = SteadyTime::now();
    cluster.connection(0).must({"SET", "kvbench:probe", value});
    const auto seen = wait_for_text(cluster.connection(1), {"GET", "kvbench:probe"}, value, 0us);
    latency_us.add(static_cast<std::uint64_t>((seen - begin) / 1us));
  }
  return latency_us;
}

Json latency_json(const Histogram& latency) {
  return {{"samples", latency.count()},
          {"p50_us", latency.quantile(0.5)},
          {"p99_us", latency.quantile(0.99)},
          {"p999_us", latency.quantile(0.999)},
          {"max_us", latency.max()}};
}

void measure_visibility(const Context& context, const ConvergeOptions& options, Report& report) {
  Cluster cluster(context, 2);
  const Workload set = set_workload(options);
  Table table{.title = "From a write on A to the first read on B that shows it",
              .columns = {"load on A", "samples", "p50 µs", "p99 µs", "p99.9 µs", "max µs"},
              .rows = {},
              .note = "Both round trips are in it: the write to A is answered before B is asked."};
  const auto add_row = [&](const std::string& name, const Histogram& latency) {
    table.rows.push_back({name, std::to_string(latency.count()),
                          std::to_string(latency.quantile(0.5)),
                          std::to_string(latency.quantile(0.99)),
                          std::to_string(latency.quantile(0.999)), std::to_string(latency.max())});
    say_progress(fmt::format("visible, {}: p50 {} µs, p99 {} µs", name, latency.quantile(0.5),
                             latency.quantile(0.99)));
  };
  (void)visibility(cluster, options.samples / 10 + 1, "warm-up:");
  const Histogram idle = visibility(cluster, options.samples, "idle:");
  add_row("none", idle);

  double rate = options.load_rate;
  if (rate <= 0) {
    const RespLoadReport most =
        run_resp_load(cluster.first().port(), {.pipeline = 16, .seconds = 2}, set.commands(1));
    rate = most.per_second() / 2;
    cluster.converge();
  }
  const double seconds = 0.005 * options.samples + 1;
  auto load = std::async(std::launch::async, [&] {
    return run_resp_load(cluster.first().port(), {.rate = rate, .seconds = seconds},
                         set.commands(2));
  });
  std::this_thread::sleep_for(500ms);
  const Histogram loaded = visibility(cluster, options.samples, "loaded:");
  const RespLoadReport sent = load.get();
  add_row(fmt::format("{:.0f} SET/s", rate), loaded);
  if (sent.seconds > seconds * 1.1) {
    report.notes.push_back(fmt::format(
        "visible: the load of {:.0f}/s was not sustained, it took {:.1f} s instead of {:.1f}", rate,
        sent.seconds, seconds));
  }
  report.results["visible"] = {
      {"idle", latency_json(idle)}, {"load_rate", rate}, {"loaded", latency_json(loaded)}};
  report.bars.push_back({.title = "From a write on A to a read on B, µs",
                         .labels = {"p50", "p99"},
                         .series = {"idle", "under load"},
                         .bars = {}});
  for (const double q : {0.5, 0.99}) {
    report.bars.back().bars.push_back({{.value = static_cast<double>(idle.quantile(q))},
                                       {.value = static_cast<double>(loaded.quantile(q))}});
  }
  report.tables.push_back(std::move(table));
}

void measure_heal(const Context& context, const ConvergeOptions& options, Report& report) {
  Cluster cluster(context, 2);
  const Values values(options.sizes.value_bytes);
  const auto payload =
      static_cast<double>(options.heal_ops * (16 + options.sizes.value_bytes));  // key and value
  std::vector<double> per_second;
  std::vector<double> after_first;
  std::vector<double> link_ms;
  std::vector<double> overhead;
  std::vector<double> duplicates;
  for (unsigned round = 0; round < options.rounds; ++round) {
    cluster.cut();
    Random random(round);
    std::string first;
    std::uint64_t index = round * options.heal_ops;
    append_numbered(first, "key:", index, 12);
    fill(cluster.first(), options.heal_ops, [&](std::string& out) {
      std::string key;
      append_numbered(key, "key:", index++, 12);
      append_command(out, {"SET", key, values.any(random)});
    });
    const std::string last = fmt::format("last {}", round);
    cluster.connection(0).must({"SET", "kvbench:last", last});
    cluster.first().settle();
    const double sent = cluster.usage().sent_bytes;
    const double dropped = cluster.node(1).metric("starling_duplicates_dropped_total");
    const auto begin = SteadyTime::now();
    cluster.heal();
    const auto linked = wait_for_text(cluster.connection(1), {"STRLEN", first},
                                      std::to_string(options.sizes.value_bytes), 200us);
    const auto done = wait_for_text(cluster.connection(1), {"GET", "kvbench:last"}, last, 200us);
    const auto seconds = [](auto from, auto to) {
      return std::chrono::duration<double>(to - from).count();
    };
    const auto ops = static_cast<double>(options.heal_ops);
    per_second.push_back(ops / seconds(begin, done));
    after_first.push_back(ops / std::max(seconds(linked, done), 1e-6));
    link_ms.push_back(seconds(begin, linked) * 1e3);
    cluster.converge();
    overhead.push_back((cluster.usage().sent_bytes - sent) / payload);
    duplicates.push_back(cluster.node(1).metric("starling_duplicates_dropped_total") - dropped);
    say_progress(fmt::format("heal: {:.0f} ops/s, {:.2f} x the payload", per_second.back(),
                             overhead.back()));
  }
  report.results["heal"] = {{"ops", options.heal_ops},
                            {"rounds", options.rounds},
                            {"per_second", median_of(per_second)},
                            {"per_second_after_first", median_of(after_first)},
                            {"first_visible_ms", median_of(link_ms)},
                            {"bytes_to_payload", median_of(overhead)},
                            {"duplicates", median_of(duplicates)}};
  report.tables.push_back(
      {.title = fmt::format("A link heals that missed {} SET of {} B, medians of {}",
                            options.heal_ops, options.sizes.value_bytes, options.rounds),
       .columns = {"", "ops/s", "ops/s after the first", "first visible, ms",
                   "bytes sent / payload", "entries received twice"},
       .rows = {{"heal", fmt::format("{:.0f}", median_of(per_second)),
                 fmt::format("{:.0f}", median_of(after_first)),
                 fmt::format("{:.1f}", median_of(link_ms)),
                 fmt::format("{:.2f}", median_of(overhead)),
                 fmt::format("{:.0f}", median_of(duplicates))}},
       .note = "Payload: keys and values. From the command `heal` until B shows the last write."});
}

// One run at a fixed rate; CPU per operation of each node, until all have everything.
std::vector<double> cpu_per_op(Cluster& cluster, const ConvergeOptions& options,
                               const NextCommand& next, std::vector<std::string>& notes) {
  const Cluster::Usage before = cluster.usage();
  const RespLoadReport sent = run_resp_load(
      cluster.first().port(), {.rate = options.cpu_rate, .seconds = options.seconds}, next);
  cluster.converge();
  const Cluster::Usage after = cluster.usage();
  if (sent.seconds > options.seconds * 1.1) {
    notes.push_back(
        fmt::format("cpu: {} node(s) did not sustain {:.0f}/s: {:.1f} s instead of {:.1f}",
                    cluster.size(), options.cpu_rate, sent.seconds, options.seconds));
  }
  std::vector<double> cpu;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    cpu.push_back((after.cpu_us[i] - before.cpu_us[i]) / static_cast<double>(sent.replies));
  }
  return cpu;
}

void measure_cpu(const Context& context, const ConvergeOptions& options, Report& report) {
  Cluster alone(context, 1);
  Cluster three(context, 3);
  const Workload set = set_workload(options);
  std::vector<double> alone_us;
  std::vector<double> accepting_us;
  std::vector<double> peers_us;
  std::vector<double> ratio;
  // The first pair warms up: tables grow, keys are new.
  for (unsigned pair = 0; pair <= options.pairs; ++pair) {
    const double single = cpu_per_op(alone, options, set.commands(pair), report.notes).front();
    const std::vector<double> all = cpu_per_op(three, options, set.commands(pair), report.notes);
    if (pair == 0) {
      continue;
    }
    alone_us.push_back(single);
    accepting_us.push_back(all[0]);
    peers_us.push_back(all[1] + all[2]);
    ratio.push_back(all[0] / single);
    say_progress(fmt::format("cpu: alone {:.1f} µs/op, with two peers {:.1f}, the peers {:.1f}",
                             single, all[0], all[1] + all[2]));
  }
  const Spread spread = spread_of(ratio);
  report.results["cpu"] = {
      {"rate", options.cpu_rate},
      {"pairs", options.pairs},
      {"alone_us_per_op", median_of(alone_us)},
      {"accepting_us_per_op", median_of(accepting_us)},
      {"peers_us_per_op", median_of(peers_us)},
      {"ratio", {{"median", spread.median}, {"q1", spread.q1}, {"q3", spread.q3}}}};
  report.tables.push_back(
      {.title = fmt::format("CPU per SET at {:.0f}/s, medians of {} interleaved pairs",
                            options.cpu_rate, options.pairs),
       .columns = {"", "alone µs", "accepting, two peers µs", "ratio", "q1-q3", "both peers µs",
                   "all three µs"},
       .rows = {{"SET", fmt::format("{:.2f}", median_of(alone_us)),
                 fmt::format("{:.2f}", median_of(accepting_us)),
                 fmt::format("{:.2f}", spread.median),
                 fmt::format("{:.2f}-{:.2f}", spread.q1, spread.q3),
                 fmt::format("{:.2f}", median_of(peers_us)),
                 fmt::format("{:.2f}", median_of(accepting_us) + median_of(peers_us))}}});
}

}  // namespace

Subcommand add_converge(CLI::App& app) {
  auto options = std::make_shared<ConvergeOptions>();
  CLI::App* converge = app.add_subcommand(
      "converge", "How soon other nodes see a write, how fast they catch up, what that costs.");
  converge->add_option("--parts", options->parts, "visible, heal, cpu")
      ->delimiter(',')
      ->check(CLI::IsMember({"visible", "heal", "cpu"}))
      ->capture_default_str();
  converge->add_option("--samples", options->samples, "Writes whose way is timed, 200 a second")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  converge
      ->add_option("--load-rate", options->load_rate,
                   "SET a second beside them; 0: half of what A takes")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  converge->add_option("--heal-ops", options->heal_ops, "Writes that a cut link misses")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->capture_default_str();
  converge->add_option("--rounds", options->rounds, "Cuts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  converge->add_option("--cpu-rate", options->cpu_rate, "SET a second for CPU per operation")
      ->check(CLI::Range(1.0, 1e7))
      ->capture_default_str();
  converge->add_option("-s,--seconds", options->seconds, "Length of such a run")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  converge->add_option("--pairs", options->pairs, "Such runs, alone and with peers in turn")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  converge->add_option("-k,--keys", options->sizes.keys, "Different keys")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->capture_default_str();
  converge->add_option("-d,--value-bytes", options->sizes.value_bytes, "Size of values")
      ->check(CLI::Range(1, 8 << 20))
      ->capture_default_str();
  return {converge, [options](const Context& context) {
            pin_this_process(context.cores.load);
            Report report{.title = "converge"};
            report.results["value_bytes"] = options->sizes.value_bytes;
            if (options->wants("visible")) {
              measure_visibility(context, *options, report);
            }
            if (options->wants("heal")) {
              measure_heal(context, *options, report);
            }
            if (options->wants("cpu")) {
              measure_cpu(context, *options, report);
            }
            return report;
          }};
}

}  // namespace starling::bench
