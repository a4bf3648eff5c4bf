// kvbench: measures a running node. Prints what it ran on, so that a figure can be repeated.
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/load.h"

namespace {

using starling::bench::LoadOptions;
using starling::bench::LoadReport;

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown processor";
}

std::string machine() {
  return fmt::format("{}, {} cores", processor(), std::thread::hardware_concurrency());
}

void print(const LoadOptions& options, const LoadReport& report, const std::string& command,
           bool json) {
  const double rate = static_cast<double>(report.latency_us.count()) / report.seconds;
  const auto& latency = report.latency_us;
  if (json) {
    const nlohmann::json out = {{"machine", machine()},
                                {"commit", STARLING_COMMIT},
                                {"build", STARLING_BUILD_TYPE},
                                {"command", command},
                                {"workload", options.workload},
                                {"requests", latency.count()},
                                {"errors", report.errors},
                                {"seconds", report.seconds},
                                {"per_second", rate},
                                {"p50_us", latency.quantile(0.5)},
                                {"p99_us", latency.quantile(0.99)},
                                {"p999_us", latency.quantile(0.999)},
                                {"max_us", latency.max()}};
    fmt::print("{}\n", out.dump());
    return;
  }
  fmt::print("machine  {}\ncommit   {} ({})\ncommand  {}\n\n", machine(), STARLING_COMMIT,
             STARLING_BUILD_TYPE, command);
  fmt::print("{:<10} {:>10} {:>8} {:>12} {:>10} {:>10} {:>10} {:>10}\n", "workload", "requests",
             "errors", "per second", "p50 µs", "p99 µs", "p99.9 µs", "max µs");
  fmt::print("{:<10} {:>10} {:>8} {:>12.0f} {:>10} {:>10} {:>10} {:>10}\n", options.workload,
             latency.count(), report.errors, rate, latency.quantile(0.5), latency.quantile(0.99),
             latency.quantile(0.999), latency.max());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"kvbench measures a running Starling node."};
  app.require_subcommand(1);
  LoadOptions options;
  std::string format = "table";
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
  load->add_option("-o,--output", format, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::string command;
  for (int i = 0; i < argc; ++i) {
    command += (i == 0 ? "" : " ") + std::string(argv[i]);
  }
  const LoadReport report = starling::bench::run_load(options);
  print(options, report, command, format == "json");
  if (report.errors > 0) {
    fmt::print(stderr, "kvbench: {} requests failed, the first with: {}\n", report.errors,
               report.first_error);
  }
  return report.latency_us.count() > 0 ? 0 : 1;
}
