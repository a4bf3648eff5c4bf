// The simulator's command line. docs/simulation.md says what it does and how to read it.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "crdt/entry.h"
#include "tests/sim/mutants.h"
#include "tests/sim/scenarios.h"
#include "tests/sim/workload.h"

namespace {

using namespace starling::sim;

struct Arguments {
  std::uint64_t seeds = 200;
  std::uint64_t seed = 1;
  std::uint64_t jobs = 0;
  bool trace = false;
  bool determinism = false;
  bool coverage = false;
  bool scenarios = false;
  bool all_mutants = false;
  std::string mutant;
  std::string scenario;
};

int usage() {
  std::fputs(
      "usage: sim [OPTION...]\n"
      "  --seeds N         how many clusters, one per seed (200)\n"
      "  --seed S          the first seed (1)\n"
      "  --jobs J          processes (one per processor)\n"
      "  --trace           print everything that happens\n"
      "  --determinism     run every seed twice and compare the traces byte by byte\n"
      "  --coverage        print how often each thing happened; fail if something was rare\n"
      "  --scenarios       run the directed schedules instead of seeds\n"
      "  --scenario NAME   run one of them\n"
      "  --mutants         sim_mutants only: every planted mistake must be found\n"
      "  --mutant NAME     sim_mutants only: plant one mistake; some seed must complain\n",
      stderr);
  return 2;
}

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto text = [&]() -> const char* { return i + 1 < argc ? argv[++i] : ""; };
    bool fine = true;
    const auto number = [&](std::uint64_t& into) {
      const char* digits = text();
      char* end = nullptr;
      into = std::strtoull(digits, &end, 10);
      fine = *digits != 0 && *end == 0;
    };
    if (flag == "--seeds") {
      number(arguments.seeds);
    } else if (flag == "--seed") {
      number(arguments.seed);
    } else if (flag == "--jobs") {
      number(arguments.jobs);
    } else if (flag == "--trace") {
      arguments.trace = true;
    } else if (flag == "--determinism") {
      arguments.determinism = true;
    } else if (flag == "--coverage") {
      arguments.coverage = true;
    } else if (flag == "--scenarios") {
      arguments.scenarios = true;
    } else if (flag == "--scenario") {
      arguments.scenario = text();
      arguments.scenarios = true;
    } else if (flag == "--mutants") {
      arguments.all_mutants = true;
    } else if (flag == "--mutant") {
      arguments.mutant = text();
    } else {
      return false;
    }
    if (!fine) {
      return false;
    }
  }
  if (arguments.jobs == 0) {
    arguments.jobs = std::max(1u, std::thread::hardware_concurrency());
  }
  return true;
}

// ---------------------------------------------------------------- seeds

struct Totals {
  std::map<std::uint64_t, std::uint64_t> digests;  // by seed
  std::map<std::uint64_t, std::string> complaints;
  std::map<std::string, std::uint64_t> coverage;
  std::uint64_t operations = 0;
};

std::string say(const Violation& violation) {
  return "[" + violation.checker + "] " + violation.sentence;
}

// One seed; with --determinism twice.
void run_one(const Arguments& arguments, std::uint64_t seed, std::FILE* out, Coverage& coverage,
             bool& failed) {
  Cluster::Options options;
  options.seed = seed;
  options.text = arguments.determinism;
  const SeedResult result = run_seed(options);
  std::optional<std::string> complaint;
  if (result.violation) {
    complaint = say(*result.violation);
  } else if (arguments.determinism) {
    const SeedResult again = run_seed(options);
    if (again.digest != result.digest || again.text != result.text) {
      complaint = "[determinism] the same seed gave two traces";
    }
  }
  coverage.merge(result.coverage);
  std::fprintf(out, "seed %llu %llu %llu\n", static_cast<unsigned long long>(seed),
               static_cast<unsigned long long>(result.digest),
               static_cast<unsigned long long>(result.operations));
  if (complaint) {
    std::fprintf(out, "fail %llu %s\n", static_cast<unsigned long long>(seed), complaint->c_str());
    failed = true;
  }
}

// Seeds first + part, first + part + jobs, …; its findings as lines.
void run_part(const Arguments& arguments, std::uint64_t part, std::FILE* out) {
  Coverage coverage;
  bool failed = false;
  for (std::uint64_t i = part; i < arguments.seeds && !failed; i += arguments.jobs) {
    run_one(arguments, arguments.seed + i, out, coverage, failed);
  }
  for (const auto& [what, count] : coverage.counts()) {
    std::fprintf(out, "cover %llu %s\n", static_cast<unsigned long long>(count), what.c_str());
  }
  std::fprintf(out, "done\n");
}

bool read_part(std::FILE* in, Totals& totals) {
  char line[4096];
  bool done = false;
  while (std::fgets(line, sizeof line, in) != nullptr) {
    std::string text(line);
    if (text.ends_with('\n')) {
      text.pop_back();
    }
    unsigned long long a = 0;
    unsigned long long b = 0;
    unsigned long long c = 0;
    int used = 0;
    if (std::sscanf(line, "seed %llu %llu %llu", &a, &b, &c) == 3) {
      totals.digests[a] = b;
      totals.operations += c;
    } else if (std::sscanf(line, "fail %llu %n", &a, &used) == 1) {
      totals.complaints[a] = text.substr(static_cast<std::size_t>(used));
    } else if (std::sscanf(line, "cover %llu %n", &a, &used) == 1) {
      totals.coverage[text.substr(static_cast<std::size_t>(used))] += a;
    }
    done = done || text == "done";
  }
  return done;
}

// Forks the parts. False if a part died.
bool run_parts(const Arguments& arguments, Totals& totals) {
  std::fflush(nullptr);
  struct Part {
    pid_t pid;
    std::FILE* lines;
  };
  std::vector<Part> parts;
  for (std::uint64_t part = 0; part < std::min(arguments.jobs, arguments.seeds); ++part) {
    int ends[2];
    if (pipe(ends) != 0) {
      return false;
    }
    const pid_t pid = fork();
    if (pid == 0) {
      close(ends[0]);
      std::FILE* out = fdopen(ends[1], "w");
      run_part(arguments, part, out);
      std::fclose(out);
      _exit(0);
    }
    close(ends[1]);
    parts.push_back({pid, fdopen(ends[0], "r")});
  }
  bool whole = true;
  for (const Part& part : parts) {
    whole = read_part(part.lines, totals) && whole;
    std::fclose(part.lines);
    int status = 0;
    waitpid(part.pid, &status, 0);
  }
  return whole;
}

void print_failure(const Arguments& arguments, std::uint64_t seed, const std::string& complaint) {
  constexpr std::size_t last_lines = 80;
  Cluster::Options options;
  options.seed = seed;
  options.text = true;
  const SeedResult result = run_seed(options);
  const std::size_t skip =
      arguments.trace || result.text.size() < last_lines ? 0 : result.text.size() - last_lines;
  for (std::size_t i = skip; i < result.text.size(); ++i) {
    std::puts(result.text[i].c_str());
  }
  if (skip > 0) {
    std::printf("(%zu lines before these: --seeds 1 --seed %llu --trace)\n", skip,
                static_cast<unsigned long long>(seed));
  }
  std::printf("seed %llu fails, %llu nodes, after %.3f virtual s: %s\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(result.nodes),
              static_cast<double>(result.virtual_us) / 1e6, complaint.c_str());
}

// ---------------------------------------------------------------- coverage

// What must have happened at least so often in a run of CI, or the run proves little.
constexpr std::uint64_t enough = 100;
constexpr const char* wanted[] = {
    "message Hello", "message Push", "message Pull", "message Ack", "message Heartbeat",
    "message MemberFacts", "message DigestRequest", "message DigestReply", "message Goodbye",
    "fault frame lost", "fault frame duplicated", "fault frame reordered",
    "fault frame stuck in a partition", "fault partition", "fault isolated node",
    "fault one-way partition", "fault partition by command", "fault connections reset",
    "fault slow peer", "fault kill", "fault power cut", "fault graceful stop",
    "fault crash between two effects", "fault crash inside a disk write",
    "fault crash during a start", "fault skewed clock", "fault jumping clock",
    "fault failing checkpoints", "fault slow or stalled checkpoints", "fault disk nearly full",
    "checkpoint that fails", "checkpoint", "log sync", "retry", "session token moved",
    "answer lost", "client gone", "dial that fails", "branch duplicate dropped", "branch held",
    "branch entries dropped", "branch pull answered", "branch repeated", "branch marker active",
    "branch log truncated", "write that a power cut may take", "checker I1 one meaning per dot",
    "checker I2 nothing comes back", "checker I3 V is what state and log give",
    "checker I3 V is what the log holds", "checker I3 state is the log up to W",
    "checker I4 the gate", "checker I5 durable means durable",
    "checker I5 floors below durable acknowledgements", "checker I6 equal V, equal digest",
    "checker I7 acknowledged writes", "checker I8 bounded memory per peer",
    "checker R1.3 dependencies", "checker R2.2 nothing leaves before its commit",
    "checker R5.2 log before state", "checker R6.2 clock adoption", "checker R6.3 retries",
    "checker answers fit the specification", "checker session guarantee",
    "checker eventually all agree", "checker every request is answered",
    "checker finally equal answers", "checker scans and exports", "checker status converged",
    "checker nothing changes by a restart",
};

bool check_coverage(const Totals& totals) {
  for (const auto& [what, count] : totals.coverage) {
    std::printf("%12llu  %s\n", static_cast<unsigned long long>(count), what.c_str());
  }
  bool covered = true;
  for (const char* what : wanted) {
    const auto found = totals.coverage.find(what);
    const std::uint64_t count = found == totals.coverage.end() ? 0 : found->second;
    if (count < enough) {
      std::printf("coverage: \"%s\" happened %llu times, wanted %llu\n", what,
                  static_cast<unsigned long long>(count), static_cast<unsigned long long>(enough));
      covered = false;
    }
  }
  return covered;
}

// ---------------------------------------------------------------- scenarios and mutants

int run_scenarios(const Arguments& arguments) {
  switch_on(arguments.mutant);
  int failures = 0;
  std::size_t ran = 0;
  for (const Scenario& scenario : scenarios()) {
    if (!arguments.scenario.empty() && arguments.scenario != scenario.name) {
      continue;
    }
    ++ran;
    const ScenarioResult result = run_scenario(scenario, arguments.trace);
    for (const std::string& line : result.text) {
      std::puts(line.c_str());
    }
    if (result.violation) {
      std::printf("%-20s %s\n", std::string(scenario.name).c_str(), say(*result.violation).c_str());
      ++failures;
    } else {
      std::printf("%-20s ok: %s\n", std::string(scenario.name).c_str(),
                  std::string(scenario.says).c_str());
    }
  }
  return ran > 0 && failures == 0 ? 0 : 1;
}

#ifdef STARLING_MUTANTS
// In a process of its own: a planted mistake may well crash. The sentence that killed it, if any.
std::optional<std::string> kill_mutant(const Mutant& mutant, std::string& how) {
  int ends[2];
  if (pipe(ends) != 0) {
    return std::nullopt;
  }
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    std::FILE* out = fdopen(ends[1], "w");
    switch_on(mutant.name);
    for (const Scenario& scenario : scenarios()) {
      if (scenario.name == mutant.scenario) {
        const ScenarioResult result = run_scenario(scenario, false);
        if (result.violation) {
          std::fprintf(out, "scenario %s|%s\n", std::string(scenario.name).c_str(),
                       say(*result.violation).c_str());
        }
      }
    }
    for (std::uint64_t seed = 1; seed <= mutant.seeds; ++seed) {
      Cluster::Options options;
      options.seed = seed;
      if (const auto result = run_seed(options); result.violation) {
        std::fprintf(out, "seed %llu of %llu|%s\n", static_cast<unsigned long long>(seed),
                     static_cast<unsigned long long>(mutant.seeds), say(*result.violation).c_str());
        break;
      }
    }
    std::fclose(out);
    _exit(0);
  }
  close(ends[1]);
  std::FILE* in = fdopen(ends[0], "r");
  char line[4096];
  std::optional<std::string> sentence;
  if (std::fgets(line, sizeof line, in) != nullptr) {
    const std::string text(line);
    how = text.substr(0, text.find('|'));
    sentence = text.substr(text.find('|') + 1, text.size() - text.find('|') - 2);
  }
  std::fclose(in);
  int status = 0;
  waitpid(pid, &status, 0);
  if (!sentence && WIFSIGNALED(status)) {
    how = "a crash by signal " + std::to_string(WTERMSIG(status)) + ", no checker spoke";
  }
  return sentence;
}

int run_mutants(const std::string& only) {
  int survivors = 0;
  std::size_t killed = 0;
  for (const Mutant& mutant : mutants()) {
    if (!only.empty() && mutant.name != only) {
      continue;
    }
    std::string how;
    const auto sentence = kill_mutant(mutant, how);
    if (sentence) {
      ++killed;
      std::printf("%-21s %-22s %s\n", std::string(mutant.name).c_str(), how.c_str(),
                  sentence->c_str());
    } else {
      ++survivors;
      std::printf("%-21s SURVIVES               %s %s\n", std::string(mutant.name).c_str(),
                  std::string(mutant.mistake).c_str(), how.c_str());
    }
    std::fflush(stdout);
  }
  std::printf("%zu mutants killed, %d survive\n", killed, survivors);
  return survivors == 0 && killed > 0 ? 0 : 1;
}
#endif

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    return usage();
  }
#ifdef STARLING_MUTANTS
  if (arguments.all_mutants || (!arguments.mutant.empty() && !arguments.scenarios &&
                                arguments.seeds == 200 && arguments.seed == 1)) {
    return run_mutants(arguments.mutant);
  }
  switch_on(arguments.mutant);
#else
  if (arguments.all_mutants || !arguments.mutant.empty()) {
    std::fputs("sim: this build has no mutants; use sim_mutants\n", stderr);
    return 2;
  }
#endif
  if (arguments.scenarios) {
    return run_scenarios(arguments);
  }
  const auto begin = std::chrono::steady_clock::now();
  if (arguments.trace && arguments.seeds == 1) {
    Cluster::Options options;
    options.seed = arguments.seed;
    options.text = true;
    const SeedResult result = run_seed(options);
    for (const std::string& line : result.text) {
      std::puts(line.c_str());
    }
  }
  Totals totals;
  const bool whole = run_parts(arguments, totals);
  if (!totals.complaints.empty()) {
    const auto& [seed, complaint] = *totals.complaints.begin();
    print_failure(arguments, seed, complaint);
    return 1;
  }
  if (!whole) {
    std::printf("a part of the run died; --jobs 1 shows which seed\n");
    return 1;
  }
  if (arguments.coverage && !check_coverage(totals)) {
    return 1;
  }
  std::uint64_t digest = 0;
  for (const auto& [seed, one] : totals.digests) {
    std::string bytes(reinterpret_cast<const char*>(&one), sizeof one);
    digest = starling::roll_hash(digest, bytes);
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("%zu seeds ok, digest %016llx in %.1f s\n", totals.digests.size(),
              static_cast<unsigned long long>(digest), seconds);
  return 0;
}
