// kvctl demo: three real nodes on this machine, cut apart and healed before your eyes.
#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "client/cli/json.h"
#include "client/cli/output.h"
#include "client/cli/status_view.h"
#include "client/cli/terminal.h"

namespace starling::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

struct DemoNode {
  std::string name;
  pid_t process = -1;
  std::string client;
  std::string peer;
  std::string resp;
};

// "client=127.0.0.1:7001" out of a `ready` line.
std::string field(std::string_view line, std::string_view name) {
  const std::string mark = fmt::format(" {}=", name);
  const auto at = line.find(mark);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view value = line.substr(at + mark.size());
  return std::string(value.substr(0, value.find(' ')));
}

// The child processes and their directory. Goes away completely, in the destructor or when a signal
// ends the program.
class Nursery {
 public:
  Nursery() = default;
  ~Nursery() { clear(); }
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  std::expected<void, std::string> open() {
    std::string path = (std::filesystem::temp_directory_path() / "kvctl-demo-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) {
      return std::unexpected("cannot make a directory like " + path);
    }
    directory_ = path;
    return {};
  }

  // Starts one kvd. Does not wait for it.
  std::expected<void, std::string> spawn(const std::string& program, DemoNode& node,
                                         const std::string& join) {
    const auto data = directory_ / node.name;
    std::filesystem::create_directory(data);
    std::vector<std::string> args{
        program,       "--data",   data.string(), "--name", node.name,     "--cluster",
        "demo",        "--client", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--resp",
        "127.0.0.1:0", "--http",   "off",         "--sync", "os",          "--allow-faults"};
    if (!join.empty()) {
      args.insert(args.end(), {"--join", join});
    }
    std::vector<char*> argv;
    argv.reserve(args.size() + 1);
    for (std::string& arg : args) {
      argv.push_back(arg.data());
    }
    argv.push_back(nullptr);
    const std::string out = output_file(node);
    const std::string err = log_file(node);
    const pid_t parent = getpid();
    const pid_t process = fork();
    if (process < 0) {
      return std::unexpected("cannot start a process");
    }
    if (process == 0) {
      become_child(parent, out.c_str(), err.c_str(), argv.data());
    }
    node.process = process;
    processes_[count_] = process;
    ++count_;
    return {};
  }

  // Waits for its `ready` line.
  std::expected<void, std::string> await(DemoNode& node, std::chrono::milliseconds patience) {
    const auto end = Clock::now() + patience;
    while (Clock::now() < end) {
      std::ifstream in(output_file(node));
      std::string line;
      while (std::getline(in, line)) {
        if (line.starts_with("ready ") && !in.eof()) {
          node.client = field(line, "client");
          node.peer = field(line, "peer");
          node.resp = field(line, "resp");
          return {};
        }
      }
      if (waitpid(node.process, nullptr, WNOHANG) == node.process) {
        return std::unexpected(
            fmt::format("node {} ended at once: {}", node.name, last_words(node)));
      }
      std::this_thread::sleep_for(2ms);
    }
    return std::unexpected(
        fmt::format("node {} did not become ready: {}", node.name, last_words(node)));
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    clear_locked();
  }

  // For the thread that waits for signals. Whatever the main thread meets meanwhile, this is how
  // the program ends: the destructor waits.
  [[noreturn]] void clear_and_exit(std::string_view last_words, int code) {
    const std::lock_guard lock(mutex_);
    clear_locked();
    (void)!write(STDERR_FILENO, last_words.data(), last_words.size());
    _exit(code);
  }

 private:
  void clear_locked() {
    if (std::exchange(cleared_, true)) {
      return;
    }
    for (const pid_t process : running()) {
      kill(process, SIGTERM);
    }
    const auto end = Clock::now() + 2s;
    for (const pid_t process : running()) {
      while (waitpid(process, nullptr, WNOHANG) == 0) {
        if (Clock::now() > end) {
          kill(process, SIGKILL);
          waitpid(process, nullptr, 0);
          break;
        }
        std::this_thread::sleep_for(2ms);
      }
    }
    std::error_code ignored;
    if (!directory_.empty()) {
      std::filesystem::remove_all(directory_, ignored);
    }
  }

  // After fork: only calls that are safe there.
  [[noreturn]] static void become_child(pid_t parent, const char* out, const char* err,
                                        char* const* argv) {
    setpgid(0, 0);  // Ctrl-C is ours to handle
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
      _exit(1);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(::open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDOUT_FILENO);
    dup2(::open(err, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), STDERR_FILENO);
    execv(argv[0], argv);
    constexpr std::string_view sorry = "this program cannot be run\n";
    (void)!write(STDERR_FILENO, sorry.data(), sorry.size());
    _exit(127);
  }

  [[nodiscard]] std::span<const pid_t> running() const {
    return {processes_.data(), count_.load()};
  }
  [[nodiscard]] std::string output_file(const DemoNode& node) const {
    return directory_ / (node.name + ".out");
  }
  [[nodiscard]] std::string log_file(const DemoNode& node) const {
    return directory_ / (node.name + ".log");
  }
  [[nodiscard]] std::string last_words(const DemoNode& node) const {
    std::ifstream in(log_file(node));
    std::string line;
    std::string last = "it said nothing";
    while (std::getline(in, line)) {
      last = line.empty() ? last : line;
    }
    return last;
  }

  std::filesystem::path directory_;
  std::array<pid_t, 8> processes_{};  // also read by the thread that waits for signals
  std::atomic<std::size_t> count_ = 0;
  std::mutex mutex_;  // who clears
  bool cleared_ = false;
};

// From here on SIGINT, SIGTERM and SIGHUP end the program, after the nursery is cleared.
void clear_on_signals(Nursery& nursery) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, &nursery] {
    int signal = 0;
    sigwait(&signals, &signal);
    nursery.clear_and_exit("\nkvctl: stopped; nodes and data are removed\n", 128 + signal);
  }).detach();
}

// The guided tour over a running cluster.
class Tour {
 public:
  Tour(std::vector<DemoNode>& nodes, bool auto_run) : nodes_(nodes), auto_(auto_run) {
    for (const DemoNode& node : nodes_) {
      clients_.push_back(std::make_unique<Client>(
          Options{.endpoints = {node.client}, .learn_endpoints = false, .name = "kvctl demo"}));
    }
  }

  // False if something did not go as it should; `error()` says what.
  bool run() {
    return connect() && replicate() && cut_apart() && write_on_both_sides() && heal() && explain();
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  static constexpr std::size_t north = 0;
  static constexpr std::size_t east = 1;
  static constexpr std::size_t south = 2;

  static void say(std::string_view text) { print_line(text); }
  void title(std::string_view text) {
    say(fmt::format("\n{}", styled(Style::bold, fmt::format("{}. {}", ++step_, text))));
  }
  void pause() const {
    flush_output();
    if (auto_) {
      return;
    }
    print(styled(Style::dim, "   [Enter] "));
    flush_output();
    int character = 0;
    do {
      character = std::getchar();
    } while (character != '\n' && character != EOF);
  }
  void shell(std::size_t at, std::string_view command, std::string_view answer = {}) const {
    say(fmt::format("   {} {}{}", styled(Style::dim, fmt::format("{:>5} $", nodes_[at].name)),
                    fmt::format("kvctl {}", command),
                    answer.empty() ? "" : "   " + styled(Style::accent, escaped(answer))));
  }
  bool failed(std::string_view what, std::string_view why) {
    error_ = fmt::format("{}: {}", what, why);
    return false;
  }
  template <typename T>
  bool good(std::string_view what, const Result<T>& result) {
    return result.has_value() || failed(what, result.error().message);
  }

  std::expected<StatusView, std::string> status(std::size_t at) {
    const auto answer = clients_[at]->call<std::string>({.code = CommandCode::status, .number = 1});
    return answer ? parse_status(*answer)
                  : std::expected<StatusView, std::string>(std::unexpected(answer.error().message));
  }
  // Polls until `done` holds of what the node at `at` says, for ten seconds.
  template <typename Done>
  bool wait_until(std::size_t at, std::string_view what, Done done) {
    const auto end = Clock::now() + 10s;
    std::string last = "no answer";
    while (Clock::now() < end) {
      const auto view = status(at);
      if (view && done(*view)) {
        return true;
      }
      last = view ? "it takes too long" : view.error();
      std::this_thread::sleep_for(5ms);
    }
    return failed(what, last);
  }
  static bool whole(const StatusView& view) {
    return view.members.size() >= 3 && std::ranges::all_of(view.members, &MemberView::reachable);
  }
  bool wait_converged() {
    for (std::size_t at = 0; at < nodes_.size(); ++at) {
      if (!wait_until(at, "waiting for equal replicas",
                      [](const StatusView& view) { return whole(view) && view.converged; })) {
        return false;
      }
    }
    return true;
  }

  bool connect() {
    title("Three nodes found each other");
    for (std::size_t at = 0; at < nodes_.size(); ++at) {
      if (!wait_until(at, "waiting for the nodes to connect", whole)) {
        return false;
      }
    }
    for (const DemoNode& node : nodes_) {
      const bool redis = !node.resp.empty() && node.resp != "off";
      say(fmt::format(
          "   {:>5}  kvctl -n {}{}", node.name, node.client,
          redis ? "   redis-cli -p " + node.resp.substr(node.resp.rfind(':') + 1) : ""));
    }
    pause();
    return true;
  }

  bool replicate() {
    title("What is written at one node is read at all others");
    if (!good("set", clients_[north]->string("greeting").set("hello")) ||
        !good("incr", clients_[north]->counter("visits").add(10)) ||
        !good("set-add", clients_[north]->set("fruit").add({"apple", "pear"}))) {
      return false;
    }
    shell(north, "set greeting hello");
    shell(north, "incr visits 10");
    shell(north, "set-add fruit apple pear");
    // The token makes south wait until it has what north acknowledged.
    if (!good("session", clients_[south]->join_token(clients_[north]->token()))) {
      return false;
    }
    const auto begin = Clock::now();
    const auto greeting = clients_[south]->string("greeting").get();
    const auto visits = clients_[south]->counter("visits").get();
    if (!good("get", greeting) || !good("get", visits)) {
      return false;
    }
    const auto took = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    shell(south, "get greeting", greeting->value_or("(nothing)"));
    shell(south, "get visits", std::to_string(visits->value_or(0)));
    say(fmt::format("   {:.1f} ms for both reads, made with the session of the writer", took));
    pause();
    return true;
  }

  bool cut_apart() {
    title("south is cut off");
    if (!good("partition", clients_[south]->execute({{.code = CommandCode::partition}}))) {
      return false;
    }
    shell(south, "partition");
    say("   Nobody waits for anybody: each side goes on reading and writing.");
    pause();
    return true;
  }

  bool write_on_both_sides() {
    title("Both sides write");
    auto& up = *clients_[north];
    auto& down = *clients_[south];
    if (!good("set", up.string("greeting").set("hello from north")) ||
        !good("incr", up.counter("visits").add(3)) ||
        !good("set-rem", up.set("fruit").remove({"apple"})) ||
        !good("mv", up.mv_register("draft").set("north's version"))) {
      return false;
    }
    std::this_thread::sleep_for(5ms);  // so that south's clock reads later
    if (!good("set", down.string("greeting").set("hello from south")) ||
        !good("incr", down.counter("visits").add(4)) ||
        !good("set-add", down.set("fruit").add({"apple", "fig"})) ||
        !good("mv", down.mv_register("draft").set("south's version"))) {
      return false;
    }
    shell(north, "set greeting 'hello from north'");
    shell(north, "incr visits 3");
    shell(north, "set-rem fruit apple");
    shell(north, "mv draft \"north's version\"");
    shell(south, "set greeting 'hello from south'");
    shell(south, "incr visits 4");
    shell(south, "set-add fruit apple fig");
    shell(south, "mv draft \"south's version\"");
    return show("Now they differ:", {north, south}) && (pause(), true);
  }

  bool heal() {
    title("The link heals");
    const auto begin = Clock::now();
    if (!good("heal", clients_[south]->execute({{.code = CommandCode::heal}}))) {
      return false;
    }
    shell(south, "heal");
    if (!wait_converged()) {
      return false;
    }
    shell(south, "wait converged",
          fmt::format("after {:.0f} ms",
                      std::chrono::duration<double, std::milli>(Clock::now() - begin).count()));
    if (!show("All three say the same; no write that could be kept was lost:",
              {north, east, south})) {
      return false;
    }
    say("   10 + 3 + 4 visits. The add of apple that north had not seen won over its remove.");
    pause();
    return true;
  }

  bool explain() {
    title("Why is the greeting what it is?");
    const auto answer =
        clients_[east]->call<std::string>({.code = CommandCode::why, .key = "greeting"});
    if (!good("why", answer)) {
      return false;
    }
    shell(east, "why greeting");
    for (const std::string& sentence : json_sentences(*answer)) {
      say(fmt::format("         {}", escaped(sentence)));
    }
    const auto view = status(east);
    if (view && !view->digest.empty()) {
      say(fmt::format("   Digest of every node: {}", view->digest));
    }
    if (!auto_) {
      say("\nThe nodes run until you press Enter; try the commands above in another terminal.");
      pause();
    }
    say("");
    return true;
  }

  bool show(std::string_view headline, std::initializer_list<std::size_t> at) {
    say(fmt::format("   {}", headline));
    for (const std::size_t node : at) {
      auto& client = *clients_[node];
      const auto greeting = client.string("greeting").get();
      const auto visits = client.counter("visits").get();
      const auto fruit = client.set("fruit").members();
      const auto draft = client.mv_register("draft").values();
      if (!good("get", greeting) || !good("get", visits) || !good("set-members", fruit) ||
          !good("mv", draft)) {
        return false;
      }
      say(fmt::format("   {:>5}  greeting={}  visits={}  fruit={}  draft={}", nodes_[node].name,
                      styled(Style::accent, greeting->value_or("-")),
                      styled(Style::accent, std::to_string(visits->value_or(0))),
                      styled(Style::accent, fmt::format("{}", fmt::join(*fruit, ","))),
                      styled(Style::accent, fmt::format("{}", fmt::join(*draft, " | ")))));
    }
    return true;
  }

  std::vector<DemoNode>& nodes_;
  bool auto_;
  int step_ = 0;
  std::string error_;
  std::vector<std::unique_ptr<Client>> clients_;
};

std::string find_kvd(const Invocation& call) {
  if (call.has("--kvd")) {
    return call.option("--kvd");
  }
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "kvd").string();
}

}  // namespace

int run_demo(Session& session, const Invocation& call) {
  const Globals& globals = session.globals();
  const auto sorry = [&](std::string what, std::string advice) {
    return fail(globals, {.exit = exit_failed,
                          .code = "demo",
                          .what = "demo: " + std::move(what),
                          .where = {},
                          .cause = {},
                          .advice = std::move(advice)});
  };
  const std::string kvd = find_kvd(call);
  if (access(kvd.c_str(), X_OK) != 0) {
    return sorry("there is no server program at " + kvd, "kvctl demo --kvd PATH/OF/kvd");
  }
  Nursery nursery;
  clear_on_signals(nursery);
  if (const auto opened = nursery.open(); !opened) {
    return sorry(opened.error(), "see that TMPDIR can be written");
  }
  std::vector<DemoNode> nodes(3);
  nodes[0].name = "north";
  nodes[1].name = "east";
  nodes[2].name = "south";
  for (std::size_t at = 0; at < nodes.size(); ++at) {
    auto started = nursery.spawn(kvd, nodes[at], at == 0 ? "" : nodes[0].peer);
    if (started && at == 0) {
      started = nursery.await(nodes[at], 10s);  // the others ask it for the members
    }
    if (!started) {
      return sorry(started.error(), "");
    }
  }
  for (std::size_t at = 1; at < nodes.size(); ++at) {
    if (const auto ready = nursery.await(nodes[at], 10s); !ready) {
      return sorry(ready.error(), "");
    }
  }
  const bool interactive = isatty(STDIN_FILENO) == 1 && stdout_is_terminal();
  Tour tour(nodes, call.has("--auto") || !interactive);
  if (!tour.run()) {
    return sorry(tour.error(), "the nodes are removed; run it again, or tell us");
  }
  nursery.clear();
  print_line("Nodes and data are removed. Next: `kvctl help`, or docs/kvctl.md.");
  return exit_ok;
}

}  // namespace starling::cli
