// kvbench start and kvbench footprint: how long until a server serves, and what it takes when it
// does nothing; beside Redis.
#include <filesystem>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/failure.h"
#include "bench/statistics.h"
#include "bench/subcommands.h"
#include "bench/workloads.h"

namespace starling::bench {
namespace {

struct StartOptions {
  std::uint64_t keys = 1'000'000;
  unsigned rounds = 5;
};

Json seconds_json(const std::vector<double>& seconds) {
  const Spread spread = spread_of(seconds);
  return {{"median_s", spread.median}, {"q1_s", spread.q1}, {"q3_s", spread.q3}};
}

// How long starts took, by what was there: nothing, a million keys, the same after kill -9.
struct StartTimes {
  std::vector<double> empty;
  std::vector<double> clean;
  std::vector<double> killed;
};

StartTimes measure_starts(const Context& context, const ServerOptions& server_options,
                          const StartOptions& options) {
  StartTimes times;
  for (unsigned round = 0; round < options.rounds; ++round) {
    Server server(context.nursery, server_options);
    times.empty.push_back(server.start().count());
  }
  WorkloadSizes sizes;
  sizes.keys = options.keys;
  const Workload set = workloads(sizes).front();
  Server server(context.nursery, server_options);
  server.start();
  fill(server, set.preload_count, set.preload());
  for (unsigned round = 0; round < options.rounds; ++round) {
    server.stop();
    times.clean.push_back(server.start().count());
  }
  for (unsigned round = 0; round < options.rounds; ++round) {
    // In the middle of a load, so that there is work left to do.
    auto load = std::async(std::launch::async, [&] {
      try {
        (void)run_resp_load(server.port(), {.pipeline = 16, .seconds = 60}, set.commands(round));
      } catch (const Failure&) {  // it was killed: that is the point
        return;
      }
    });
    std::this_thread::sleep_for(std::chrono::seconds(2));
    server.kill();
    load.get();
    times.killed.push_back(server.start().count());
  }
  return times;
}

Report run_start(const Context& context, const StartOptions& options) {
  pin_this_process(context.cores.load);
  Report report{.title = "start"};
  report.results = {{"keys", options.keys}, {"rounds", options.rounds}};
  Table table{.title = fmt::format("From the start of the process to the first PONG, medians of {}",
                                   options.rounds),
              .columns = {"server", "empty ms", "with keys, clean ms", "with keys, kill -9 ms"},
              .rows = {},
              .note = fmt::format("{} keys with values of 64 B; killed two seconds into a load "
                                  "of SET.",
                                  options.keys)};
  BarPlot plot{.title = "Milliseconds until a server serves",
               .labels = {"empty", "clean", "kill -9"},
               .series = {"kvd", "redis"},
               .bars = std::vector<std::vector<Bar>>(3)};
  for (const ServerOptions& server :
       {context.kvd("kvd", context.cores.server), context.redis(context.cores.server)}) {
    const StartTimes times = measure_starts(context, server, options);
    report.results[server.name] = {{"empty", seconds_json(times.empty)},
                                   {"clean", seconds_json(times.clean)},
                                   {"killed", seconds_json(times.killed)}};
    std::vector<std::string> row{server.name};
    std::size_t group = 0;
    for (const auto* seconds : {&times.empty, &times.clean, &times.killed}) {
      const Spread spread = spread_of(*seconds);
      row.push_back(fmt::format("{:.0f}", spread.median * 1e3));
      plot.bars[group++].push_back({spread.median * 1e3, spread.q1 * 1e3, spread.q3 * 1e3});
    }
    table.rows.push_back(row);
    say_progress(
        fmt::format("{}: empty {} ms, clean {} ms, kill -9 {} ms", row[0], row[1], row[2], row[3]));
  }
  report.tables.push_back(std::move(table));
  report.bars.push_back(std::move(plot));
  return report;
}

Report run_footprint(const Context& context, unsigned rounds) {
  Report report{.title = "footprint"};
  report.results["rounds"] = rounds;
  Table table{.title = fmt::format("One second after an empty start, medians of {}", rounds),
              .columns = {"server", "resident MB", "private MB", "program MB"},
              .rows = {},
              .note = "Private: written to, shared with nobody."};
  for (const ServerOptions& options :
       {context.kvd("kvd", context.cores.server), context.redis(context.cores.server)}) {
    std::vector<double> resident;
    std::vector<double> of_its_own;
    for (unsigned round = 0; round < rounds; ++round) {
      Server server(context.nursery, options);
      server.start();
      std::this_thread::sleep_for(std::chrono::seconds(1));
      resident.push_back(static_cast<double>(server.resident_bytes()));
      of_its_own.push_back(static_cast<double>(server.private_bytes()));
    }
    const auto program = static_cast<double>(std::filesystem::file_size(
        options.kind == ServerKind::kvd ? context.nursery.kvd() : context.nursery.redis()));
    report.results[options.name] = {{"resident_bytes", median_of(resident)},
                                    {"private_bytes", median_of(of_its_own)},
                                    {"program_bytes", program}};
    table.rows.push_back({options.name, fmt::format("{:.1f}", median_of(resident) / 1e6),
                          fmt::format("{:.1f}", median_of(of_its_own) / 1e6),
                          fmt::format("{:.1f}", program / 1e6)});
  }
  report.tables.push_back(std::move(table));
  return report;
}

}  // namespace

Subcommand add_start(CLI::App& app) {
  auto options = std::make_shared<StartOptions>();
  CLI::App* start = app.add_subcommand(
      "start", "Time to serving: empty, with a million keys, after kill -9; beside Redis.");
  start->add_option("-k,--keys", options->keys, "Keys")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32))
      ->capture_default_str();
  start->add_option("--rounds", options->rounds, "Starts of each sort")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  return {start, [options](const Context& context) { return run_start(context, *options); }};
}

Subcommand add_footprint(CLI::App& app) {
  auto rounds = std::make_shared<unsigned>(5);
  CLI::App* footprint =
      app.add_subcommand("footprint", "Idle memory and size of the program, beside Redis.");
  footprint->add_option("--rounds", *rounds, "Starts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  return {footprint, [rounds](const Context& context) { return run_footprint(context, *rounds); }};
}

}  // namespace starling::bench
