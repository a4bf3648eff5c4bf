#include "tests/sim/seeds.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include "crdt/entry.h"
#include "tests/sim/seed.h"
#include "tests/sim/workers.h"

namespace starling::sim {
namespace {

std::optional<std::string> complaint_of(const SeedsPlan& plan, const SeedResult& result,
                                        const Cluster::Options& options) {
  if (result.violation) {
    return "[" + result.violation->rule + "] " + result.violation->sentence;
  }
  if (plan.twice) {
    const SeedResult again = run_seed(options);
    if (again.digest != result.digest || again.trace != result.trace) {
      return "[determinism] the same seed gave two traces";
    }
  }
  return std::nullopt;
}

// Seeds first + part, first + part + jobs, …; what came of them as lines.
void run_part(const SeedsPlan& plan, std::uint64_t part, std::FILE* out) {
  Coverage coverage;
  std::optional<std::string> complaint;
  for (std::uint64_t i = part; i < plan.count && !complaint; i += plan.jobs) {
    const Cluster::Options options{.seed = plan.first + i, .keep_lines = plan.twice};
    const auto seed = std::to_string(options.seed);
    std::fprintf(out, "begin %s\n", seed.c_str());
    std::fflush(out);  // should it crash, its parent knows where
    const SeedResult result = run_seed(options);
    complaint = complaint_of(plan, result, options);
    std::fprintf(out, "seed %s %s %s %s %s\n", seed.c_str(), std::to_string(result.digest).c_str(),
                 std::to_string(result.operations).c_str(), std::to_string(result.messages).c_str(),
                 std::to_string(result.virtual_us).c_str());
    if (complaint) {
      std::fprintf(out, "fail %s %s\n", seed.c_str(), complaint->c_str());
    }
    for (const auto& [what, count] : result.coverage.counts()) {
      coverage.hit(what, count);
    }
  }
  for (const auto& [what, count] : coverage.counts()) {
    std::fprintf(out, "cover %s %s\n", std::to_string(count).c_str(), what.c_str());
  }
}

void read_part(const WorkerReport& part, SeedsReport& report) {
  std::uint64_t begun = 0;
  for (const std::string& line : part.lines) {
    std::istringstream in(line);
    std::string kind;
    std::uint64_t number = 0;
    in >> kind >> number;
    if (kind == "begin") {
      begun = number;
    } else if (kind == "seed") {
      std::uint64_t operations = 0;
      std::uint64_t messages = 0;
      std::uint64_t virtual_us = 0;
      in >> report.digests[number] >> operations >> messages >> virtual_us;
      report.operations += operations;
      report.messages += messages;
      report.virtual_us += virtual_us;
    } else {
      std::string text;
      std::getline(in >> std::ws, text);
      if (kind == "fail") {
        report.complaints[number] = text;
      } else {
        report.coverage.hit(text, number);
      }
    }
  }
  if (part.signal != 0) {
    report.complaints[begun] = "[crash] the process ended by signal " + std::to_string(part.signal);
  }
}

}  // namespace

std::uint64_t SeedsReport::digest() const {
  std::uint64_t digest = 0;
  for (const auto& [seed, one] : digests) {
    digest = roll_hash(digest, std::to_string(one));
  }
  return digest;
}

SeedsReport run_seeds(const SeedsPlan& plan) {
  SeedsReport report;
  SeedsPlan shared = plan;
  shared.jobs = std::min(plan.jobs, plan.count);
  const auto parts =
      run_in_processes(shared.jobs, shared.jobs,
                       [&](std::size_t part, std::FILE* out) { run_part(shared, part, out); });
  for (const WorkerReport& part : parts) {
    read_part(part, report);
  }
  return report;
}

}  // namespace starling::sim
