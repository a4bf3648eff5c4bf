// kvbench: measures a running node, or nodes that it starts. Prints what it ran on, so that a
// figure can be repeated.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <sys/vfs.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "bench/failure.h"
#include "bench/load.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "bench/subcommands.h"

namespace {

using namespace starling::bench;

struct OutputOptions {
  std::string format = "table";
  std::string directory;  // for a page; empty: none
};

void add_format(CLI::App* app, OutputOptions& output) {
  app->add_option("-o,--output", output.format, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

Report load_report(const LoadOptions& options) {
  const LoadReport load = run_load(options);
  const Histogram& latency = load.latency_us;
  const double rate = static_cast<double>(latency.count()) / load.seconds;
  Report report{.title = "load"};
  report.results = {{"workload", options.workload},
                    {"requests", latency.count()},
                    {"errors", load.errors},
                    {"seconds", load.seconds},
                    {"per_second", rate},
                    {"p50_us", latency.quantile(0.5)},
                    {"p99_us", latency.quantile(0.99)},
                    {"p999_us", latency.quantile(0.999)},
                    {"max_us", latency.max()}};
  report.tables.push_back(
      {.title = "One node, native protocol",
       .columns = {"workload", "requests", "errors", "per second", "p50 µs", "p99 µs", "p99.9 µs",
                   "max µs"},
       .rows = {{options.workload, std::to_string(latency.count()), std::to_string(load.errors),
                 fmt::format("{:.0f}", rate), std::to_string(latency.quantile(0.5)),
                 std::to_string(latency.quantile(0.99)), std::to_string(latency.quantile(0.999)),
                 std::to_string(latency.max())}}});
  if (load.errors > 0) {
    report.notes.push_back(
        fmt::format("{} requests failed, the first with: {}", load.errors, load.first_error));
  }
  report.failed = latency.count() == 0;
  return report;
}

CLI::App* add_load(CLI::App& app, LoadOptions& options) {
  CLI::App* load = app.add_subcommand("load", "Runs one workload against one node.");
  load->add_option("-n,--node", options.node, "Client door of the node")->capture_default_str();
  load->add_option("-w,--workload", options.workload, "What each request does")
      ->check(CLI::IsMember({"set", "get", "incr", "set-add", "hset"}))
      ->capture_default_str();
  load->add_option("-c,--clients", options.clients, "Connections")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  load->add_option("-P,--pipeline", options.pipeline, "Requests in flight on each connection")
      ->check(CLI::Range(1, 512))
      ->capture_default_str();
  load->add_option("-s,--seconds", options.seconds, "How long")
      ->check(CLI::Range(0.1, 86'400.0))
      ->capture_default_str();
  load->add_option("-k,--keys", options.keys, "Different keys, elements or fields")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40))
      ->capture_default_str();
  load->add_option("-d,--value-bytes", options.value_bytes, "Size of values")
      ->check(CLI::Range(0, 8 << 20))
      ->capture_default_str();
  load->add_option("-r,--rate", options.rate,
                   "Requests per second over all connections, latency counted from when each was "
                   "due (0: as fast as the node answers)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  load->add_option("--seed", options.seed, "Of the random keys")->capture_default_str();
  return load;
}

void add_common(CLI::App* app, OutputOptions& output, Places& places,
                std::vector<std::string>& kvd_flags) {
  add_format(app, output);
  app->add_option("--report", output.directory, "Also write a page with plots into this directory");
  app->add_option("--dir", places.directory, "Where servers keep their data meanwhile")
      ->capture_default_str();
  app->add_option("--kvd", places.kvd, "The kvd to measure; default: beside kvbench");
  app->add_option("--redis", places.redis, "The redis-server to compare with; default: in $PATH");
  app->add_option("--kvd-flag", kvd_flags, "Given to every kvd, as --kvd-flag=--memory=1GiB")
      ->allow_extra_args(false);
}

bool is_in_memory(const std::string& directory) {
  constexpr auto tmpfs = 0x01021994;
  struct statfs system{};
  return ::statfs(directory.c_str(), &system) == 0 && system.f_type == tmpfs;
}

int finish(const Report& report, const std::string& command, const OutputOptions& output) {
  if (output.format == "json") {
    print_json(report, command);
  } else {
    print_text(report, command);
  }
  if (!output.directory.empty()) {
    fmt::print(stderr, "wrote {}\n", write_html(report, command, output.directory).string());
  }
  return report.failed ? 1 : 0;
}

int run(int argc, char** argv) {
  CLI::App app{
      "kvbench measures Starling: `load` a node that runs, the others nodes that they start."};
  app.require_subcommand(1);
  OutputOptions output;
  Places places;
  std::vector<std::string> kvd_flags;
  LoadOptions load_options;
  CLI::App* load = add_load(app, load_options);
  add_format(load, output);
  const std::vector<Subcommand> subcommands{add_redis(app),  add_converge(app), add_sets(app),
                                            add_memory(app), add_start(app),    add_footprint(app)};
  for (const Subcommand& subcommand : subcommands) {
    add_common(subcommand.app, output, places, kvd_flags);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::string command;
  for (int i = 0; i < argc; ++i) {
    command += (i == 0 ? "" : " ") + std::string(argv[i]);
  }
  if (load->parsed()) {
    return finish(load_report(load_options), command, output);
  }
  Nursery nursery(places);
  clear_on_signals(nursery);
  const Context context{.nursery = nursery, .cores = two_cores(), .kvd_flags = kvd_flags};
  const auto chosen = std::ranges::find_if(
      subcommands, [](const Subcommand& subcommand) { return subcommand.app->parsed(); });
  Report report = chosen->run(context);
  if (is_in_memory(places.directory)) {
    report.notes.push_back("warning: " + places.directory +
                           " is in memory, where a sync costs nothing; name a disk with --dir");
  }
  return finish(report, command, output);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Failure& failure) {
    fmt::print(stderr, "kvbench: {}\n", failure.what());
    if (!failure.advice().empty()) {
      fmt::print(stderr, "  {}\n", failure.advice());
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "kvbench: {}\n", error.what());
  }
  return 1;
}
