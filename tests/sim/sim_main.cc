// Runs seeds, one world each, and says what the first bad one did.
//
//   sim --seeds N --seed S [--trace] [--determinism] [--coverage]
//   sim_mutants --mutant NAME --seeds N     must find a complaint within N seeds
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/sim/mutants.h"
#include "tests/sim/world.h"

namespace {

using starling::sim::Coverage;
using starling::sim::World;

struct Arguments {
  std::uint64_t seeds = 200;
  std::uint64_t seed = 1;
  bool trace = false;
  bool determinism = false;
  bool coverage = false;
  std::string mutant;
};

int usage() {
  std::fputs(
      "usage: sim [--seeds N] [--seed S] [--trace] [--determinism] [--coverage] [--mutant NAME]\n"
      "  --seeds N       how many worlds, one per seed (200)\n"
      "  --seed S        the first seed (1)\n"
      "  --trace         print everything that happens\n"
      "  --determinism   run every seed twice and compare the traces\n"
      "  --coverage      fail unless every message, fault, branch and checker was hit 100 times\n"
      "  --mutant NAME   plant a mistake (sim_mutants only): some seed must complain\n",
      stderr);
  return 2;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto number = [&](std::uint64_t& into) {
      if (i + 1 >= argc) {
        return false;
      }
      char* end = nullptr;
      into = std::strtoull(argv[++i], &end, 10);
      return *end == 0;
    };
    if (flag == "--seeds") {
      if (!number(arguments.seeds)) {
        return false;
      }
    } else if (flag == "--seed") {
      if (!number(arguments.seed)) {
        return false;
      }
    } else if (flag == "--trace") {
      arguments.trace = true;
    } else if (flag == "--determinism") {
      arguments.determinism = true;
    } else if (flag == "--coverage") {
      arguments.coverage = true;
    } else if (flag == "--mutant" && i + 1 < argc) {
      arguments.mutant = argv[++i];
    } else {
      return false;
    }
  }
  return true;
}

// What must have happened at least this often, or the run proves nothing.
constexpr std::uint64_t enough = 100;
constexpr const char* wanted[] = {"message Hello",
                                  "message Push",
                                  "message Push after Pull",
                                  "message Pull",
                                  "message Ack",
                                  "message Heartbeat",
                                  "message MemberFacts",
                                  "message DigestRequest",
                                  "message DigestReply",
                                  "message Goodbye",
                                  "fault loss",
                                  "fault duplication",
                                  "fault partition drops",
                                  "partition",
                                  "one-way partition",
                                  "reordering",
                                  "kill",
                                  "power cut",
                                  "slow peer",
                                  "skewed clock",
                                  "jumping clock",
                                  "crash before the log write",
                                  "crash after the log write",
                                  "crash during a checkpoint",
                                  "checkpoint",
                                  "truncation",
                                  "branch: held",
                                  "branch: duplicate dropped",
                                  "branch: marker",
                                  "retry",
                                  "token",
                                  "answer: repeated",
                                  "checker: reads",
                                  "checker: vector",
                                  "checker: session",
                                  "checker: op ids",
                                  "checker: bounded memory",
                                  "checker: converged",
                                  "checker: acknowledged writes",
                                  "checker: state on disk",
                                  "checker: digests"};

bool check_coverage(const Coverage& coverage) {
  bool covered = true;
  for (const auto& [what, count] : coverage) {
    std::printf("%10llu  %s\n", static_cast<unsigned long long>(count), what.c_str());
  }
  for (const char* what : wanted) {
    const auto found = coverage.find(what);
    const std::uint64_t count = found == coverage.end() ? 0 : found->second;
    if (count < enough) {
      std::printf("coverage: \"%s\" happened only %llu times\n", what,
                  static_cast<unsigned long long>(count));
      covered = false;
    }
  }
  return covered;
}

World::Options world_options(const Arguments& arguments, std::uint64_t seed) {
  World::Options options;
  options.seed = seed;
  options.trace = arguments.trace;
  options.store_ahead_of_log = arguments.mutant == "state_ahead_of_log";
  options.reply_before_commit = arguments.mutant == "reply_before_commit";
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    return usage();
  }
#ifndef STARLING_MUTANTS
  if (!arguments.mutant.empty()) {
    std::fputs("sim: this build has no mutants; use sim_mutants\n", stderr);
    return 2;
  }
#endif
  starling::sim::active_mutant() = arguments.mutant;
  const auto begin = std::chrono::steady_clock::now();
  Coverage coverage;
  std::uint64_t digest = 0;
  for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.seeds; ++seed) {
    World world(world_options(arguments, seed));
    const auto complaint = world.run();
    if (complaint && !arguments.mutant.empty()) {
      std::printf("mutant %s dies at seed %llu: %s\n", arguments.mutant.c_str(),
                  static_cast<unsigned long long>(seed), complaint->c_str());
      return 0;
    }
    if (complaint) {
      if (!arguments.trace) {
        Arguments again = arguments;
        again.trace = true;
        World replay(world_options(again, seed));
        (void)replay.run();
      }
      std::printf("seed %llu fails: %s\n", static_cast<unsigned long long>(seed),
                  complaint->c_str());
      return 1;
    }
    if (arguments.determinism) {
      World twin(world_options(arguments, seed));
      (void)twin.run();
      if (twin.trace_hash() != world.trace_hash()) {
        std::printf("seed %llu gives two different traces\n",
                    static_cast<unsigned long long>(seed));
        return 1;
      }
    }
    digest ^= world.trace_hash() * (seed | 1);
    for (const auto& [what, count] : world.coverage()) {
      coverage[what] += count;
    }
  }
  if (!arguments.mutant.empty()) {
    std::printf("mutant %s survives %llu seeds\n", arguments.mutant.c_str(),
                static_cast<unsigned long long>(arguments.seeds));
    return 1;
  }
  if (arguments.coverage && !check_coverage(coverage)) {
    return 1;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%llu seeds ok, digest %016llx in %.1f s\n",
              static_cast<unsigned long long>(arguments.seeds),
              static_cast<unsigned long long>(digest), seconds);
  return 0;
}
