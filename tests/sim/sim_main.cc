// The simulator's command line. docs/simulation.md says what it does and how to read it.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <thread>

#include "tests/sim/mutants.h"
#include "tests/sim/scenarios.h"
#include "tests/sim/seed.h"
#include "tests/sim/seeds.h"

namespace {

using namespace starling::sim;

struct Arguments {
  SeedsPlan plan;
  bool trace = false;
  bool coverage = false;
  bool scenarios = false;
  bool mutants = false;
  std::string mutant;
  std::string scenario;
};

int usage() {
  std::fputs(
      "usage: sim [OPTION...]\n"
      "  --seeds N         how many clusters, one per seed (200)\n"
      "  --seed S          the first seed (1)\n"
      "  --jobs J          processes (one per processor)\n"
      "  --trace           print everything that happens in the first seed, or in the scenarios\n"
      "  --determinism     run every seed twice and compare the traces byte by byte\n"
      "  --coverage        print how often each thing happened; fail if something was rare\n"
      "  --scenarios       run the directed schedules instead of seeds\n"
      "  --scenario NAME   run one of them\n"
      "  --mutants         sim_mutants only: every planted mistake must be found\n"
      "  --mutant NAME     sim_mutants only: this one must be found; with --seeds 1, --scenario "
      "or\n"
      "                    --trace: plant it there\n",
      stderr);
  return 2;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  arguments.plan.jobs = std::max(1u, std::thread::hardware_concurrency());
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto text = [&]() -> const char* { return i + 1 < argc ? argv[++i] : ""; };
    const auto number = [&](std::uint64_t& into) {
      const char* digits = text();
      char* end = nullptr;
      into = std::strtoull(digits, &end, 10);
      return *digits != 0 && *end == 0 && into > 0;
    };
    bool fine = true;
    if (flag == "--seeds") {
      fine = number(arguments.plan.count);
    } else if (flag == "--seed") {
      fine = number(arguments.plan.first);
    } else if (flag == "--jobs") {
      fine = number(arguments.plan.jobs);
    } else if (flag == "--trace") {
      arguments.trace = true;
    } else if (flag == "--determinism") {
      arguments.plan.twice = true;
    } else if (flag == "--coverage") {
      arguments.coverage = true;
    } else if (flag == "--scenarios") {
      arguments.scenarios = true;
    } else if (flag == "--scenario") {
      arguments.scenario = text();
      arguments.scenarios = true;
    } else if (flag == "--mutants") {
      arguments.mutants = true;
    } else if (flag == "--mutant") {
      arguments.mutant = text();
      fine = !arguments.mutant.empty();
    } else {
      fine = false;
    }
    if (!fine) {
      return false;
    }
  }
  return true;
}

std::string say(const Violation& violation) {
  return "[" + violation.rule + "] " + violation.sentence;
}

void print_lines(const std::vector<std::string>& lines, std::size_t from = 0) {
  for (std::size_t i = from; i < lines.size(); ++i) {
    std::puts(lines[i].c_str());
  }
}

void print_failure(std::uint64_t seed, const std::string& complaint) {
  constexpr std::size_t last_lines = 80;
  if (complaint.starts_with("[crash]")) {
    std::printf("seed %llu fails: %s\n", static_cast<unsigned long long>(seed), complaint.c_str());
    return;
  }
  const SeedResult result = run_seed({.seed = seed, .keep_lines = true});
  const std::size_t skipped = result.trace.size() - std::min(result.trace.size(), last_lines);
  print_lines(result.trace, skipped);
  std::printf("(%zu lines before these: --seeds 1 --seed %llu --trace)\n", skipped,
              static_cast<unsigned long long>(seed));
  std::printf("seed %llu fails, %llu nodes, after %.3f virtual s: %s\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(result.nodes),
              static_cast<double>(result.virtual_us) / 1e6, complaint.c_str());
}

bool print_coverage(const Coverage& coverage) {
  for (const auto& [what, count] : coverage.counts()) {
    std::printf("%12llu  %s\n", static_cast<unsigned long long>(count), what.c_str());
  }
  bool covered = true;
  for (const std::string& what : everything_to_cover()) {
    if (coverage.count(what) < enough) {
      std::printf("coverage: \"%s\" happened %llu times, at least %llu are wanted\n", what.c_str(),
                  static_cast<unsigned long long>(coverage.count(what)),
                  static_cast<unsigned long long>(enough));
      covered = false;
    }
  }
  return covered;
}

int simulate(const Arguments& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  if (arguments.trace) {
    print_lines(run_seed({.seed = arguments.plan.first, .keep_lines = true}).trace);
  }
  const SeedsReport report = run_seeds(arguments.plan);
  if (!report.complaints.empty()) {
    const auto& [seed, complaint] = *report.complaints.begin();
    print_failure(seed, complaint);
    return 1;
  }
  if (arguments.coverage && !print_coverage(report.coverage)) {
    return 1;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%llu operations, %llu messages, %.0f virtual hours, %.0f times as fast as life\n",
              static_cast<unsigned long long>(report.operations),
              static_cast<unsigned long long>(report.messages),
              static_cast<double>(report.virtual_us) / 3.6e9,
              static_cast<double>(report.virtual_us) / 1e6 / seconds);
  std::printf("%zu seeds ok, digest %016llx in %.1f s\n", report.digests.size(),
              static_cast<unsigned long long>(report.digest()), seconds);
  return 0;
}

int play_scenarios(const Arguments& arguments) {
  std::size_t played = 0;
  std::size_t failed = 0;
  for (const Scenario& scenario : scenarios()) {
    if (!arguments.scenario.empty() && arguments.scenario != scenario.name) {
      continue;
    }
    ++played;
    const ScenarioResult result = run_scenario(scenario, arguments.trace);
    print_lines(result.trace);
    const std::string name(scenario.name);
    if (result.violation) {
      ++failed;
      std::printf("%-20s FAILS: %s\n", name.c_str(), say(*result.violation).c_str());
    } else {
      std::printf("%-20s ok: %s\n", name.c_str(), std::string(scenario.sentence).c_str());
    }
  }
  std::printf("%zu scenarios, %zu fail\n", played, failed);
  return played > 0 && failed == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    return usage();
  }
#ifndef STARLING_MUTANTS
  if (arguments.mutants || !arguments.mutant.empty()) {
    std::fputs("sim: this build has no mutants; use sim_mutants\n", stderr);
    return 2;
  }
#endif
  const bool planted = !arguments.mutant.empty() &&
                       (arguments.scenarios || arguments.trace || arguments.plan.count == 1);
  if (arguments.mutants || (!arguments.mutant.empty() && !planted)) {
    return hunt_mutants(arguments.mutant, arguments.plan.jobs) ? 0 : 1;
  }
  switch_on(arguments.mutant);
  return arguments.scenarios ? play_scenarios(arguments) : simulate(arguments);
} catch (const std::exception& failure) {
  std::fprintf(stderr, "sim: %s\n", failure.what());
  return 2;
}
