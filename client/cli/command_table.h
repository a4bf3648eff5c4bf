// All of kvctl as data: the parser, the help, the completion and `batch` read this one table.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <starling/client.h>

namespace starling::cli {

// architecture.md; scripts depend on them.
enum ExitCode : int {
  exit_ok = 0,
  exit_failed = 1,
  exit_usage = 2,
  exit_not_found = 3,
  exit_cannot_connect = 4,
  exit_timeout = 5,
  exit_unhealthy = 6,  // or not converged
  exit_refused = 7,    // by policy or limit
  exit_wrong_type = 8,
};

struct Globals {
  std::vector<std::string> nodes;
  bool json = false;
  bool raw = false;
  std::optional<std::chrono::milliseconds> timeout;  // as given
  std::uint8_t db = 0;

  [[nodiscard]] std::chrono::milliseconds timeout_or(std::chrono::milliseconds usual) const {
    return timeout.value_or(usual);
  }
};

// One call of kvctl, taken apart.
struct Invocation {
  const struct CommandSpec* command = nullptr;
  std::vector<std::string> args;
  std::map<std::string, std::string, std::less<>> options;  // "--limit" -> "10"; flags -> ""

  [[nodiscard]] bool has(std::string_view option) const { return options.contains(option); }
  [[nodiscard]] std::string option(std::string_view name, std::string_view otherwise = "") const {
    const auto found = options.find(name);
    return found == options.end() ? std::string(otherwise) : found->second;
  }
};

// What a command runs with: the options common to all, and a client made at the first use.
class Session {
 public:
  explicit Session(Globals globals) : globals_(std::move(globals)) {}
  [[nodiscard]] const Globals& globals() const { return globals_; }
  // Talks to exactly the nodes named by -n, tries each once, and gives up after --timeout.
  [[nodiscard]] Options client_options() const;
  Client& client();
  // Some node has spoken to us as a Starling node does.
  [[nodiscard]] bool greeted() const { return client_ && !client_->connected_to().empty(); }
  // "127.0.0.1:7001", for messages.
  [[nodiscard]] std::string where() const;

 private:
  Globals globals_;
  std::unique_ptr<Client> client_;
};

enum class ArgKind : std::uint8_t { text, key, file, word };  // what completion offers
struct Positional {
  std::string_view name;
  ArgKind kind = ArgKind::text;
  bool optional = false;
  bool repeated = false;     // the last one only
  std::string_view words{};  // for ArgKind::word: "on off"
};
struct OptionSpec {
  std::string_view name;   // "-o,--output" or "--limit"
  std::string_view value;  // what it takes, for the help; empty: a flag
  std::string_view help;
};

// How the answer of a data command is shown.
enum class Show : std::uint8_t { value, done, number, yes_no, on_off, list, fields, type };

struct CommandSpec {
  std::string_view name;
  std::string_view group;
  std::string_view summary;
  std::vector<Positional> positionals;
  std::vector<OptionSpec> options;
  std::string_view details;   // paragraphs
  std::string_view examples;  // one a line
  // Exactly one of them: what to do, or the commands to send (then it can stand in a batch).
  int (*run)(Session&, const Invocation&) = nullptr;
  std::expected<std::vector<Command>, std::string> (*build)(const std::vector<std::string>& args,
                                                            std::uint8_t db) = nullptr;
  Show show = Show::done;
  bool hidden = false;
};

[[nodiscard]] std::span<const CommandSpec> command_table();
[[nodiscard]] std::span<const OptionSpec> global_options();
[[nodiscard]] const CommandSpec* find_command(std::string_view name);
// The name in the table that looks most like a mistyped one; empty if none does.
[[nodiscard]] std::string nearest(std::string_view word, std::span<const std::string> candidates);
[[nodiscard]] std::vector<std::string> command_names();

// Number of arguments: a sentence if it is wrong.
[[nodiscard]] std::optional<std::string> check_arguments(const CommandSpec& command,
                                                         const std::vector<std::string>& args);

// What the table points to; each group has a file of its own.
int run_data_command(Session& session, const Invocation& call);
int run_scan(Session& session, const Invocation& call);
int run_batch(Session& session, const Invocation& call);
int run_import(Session& session, const Invocation& call);
int run_export(Session& session, const Invocation& call);
int run_status(Session& session, const Invocation& call);
int run_wait(Session& session, const Invocation& call);
int run_partition(Session& session, const Invocation& call);
int run_heal(Session& session, const Invocation& call);
int run_why(Session& session, const Invocation& call);
int run_explain(Session& session, const Invocation& call);
int run_conflicts(Session& session, const Invocation& call);
int run_health(Session& session, const Invocation& call);
int run_demo(Session& session, const Invocation& call);
int run_completion(Session& session, const Invocation& call);
int run_help(Session& session, const Invocation& call);
int run_version(Session& session, const Invocation& call);

}  // namespace starling::cli
