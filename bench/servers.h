// The servers that a run measures: kvd and redis-server processes on free ports of the loopback, in
// directories that go away with them.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace starling::bench {

// Two processors, so that a server and what loads it do not compete: the first two that this
// process may use. None on a machine with one.
struct Cores {
  std::optional<int> server;
  std::optional<int> load;
};
[[nodiscard]] Cores two_cores();
void pin_this_process(std::optional<int> core);

// Share of all processor time since the last call that the hypervisor gave to others, in percent.
class StealMeter {
 public:
  StealMeter() { (void)percent(); }
  double percent();

 private:
  std::uint64_t stolen_ = 0;
  std::uint64_t all_ = 0;
};

// Where the programs and directories of a run are.
struct Places {
  std::string kvd;    // empty: the one beside kvbench
  std::string redis;  // empty: redis-server in $PATH
  std::string directory = std::filesystem::temp_directory_path();
};

// All processes and files of a run. They go away in the destructor, or when SIGINT, SIGTERM or
// SIGHUP ends the program, or, the processes, when it is killed. Used by the main thread; the
// thread that waits for signals only clears.
class Nursery {
 public:
  explicit Nursery(Places places);
  ~Nursery() { clear(); }
  Nursery(const Nursery&) = delete;
  Nursery& operator=(const Nursery&) = delete;

  [[nodiscard]] std::string kvd() const;    // throws Failure if there is none
  [[nodiscard]] std::string redis() const;  // throws Failure if there is none
  [[nodiscard]] std::filesystem::path new_directory(std::string_view name);
  // Standard output goes to `output`, a descriptor, standard error to `log`.
  pid_t spawn(const std::vector<std::string>& command, int output, const std::string& log,
              std::optional<int> core);
  void forget(pid_t process);  // it has been waited for
  void clear();
  // For the thread that waits for signals. Whatever the main thread meets meanwhile, this is how
  // the program ends: the destructor waits.
  [[noreturn]] void clear_and_exit(std::string_view last_words, int code);

 private:
  void clear_locked();

  Places places_;
  std::filesystem::path directory_;
  std::mutex mutex_;  // around what follows
  std::vector<pid_t> processes_;
  bool cleared_ = false;
  int directories_ = 0;
};

enum class ServerKind : std::uint8_t { kvd, redis };

struct ServerOptions {
  ServerKind kind = ServerKind::kvd;
  std::string name = "kvd";
  std::optional<int> core;
  std::string join{};                // the peer door of a member
  std::vector<std::string> flags{};  // beside ours
};

// One server; throws Failure when it does not do what it is told.
class Server {
 public:
  // Does not start it.
  Server(Nursery& nursery, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Returns, once it answers a PING, how long that took.
  std::chrono::duration<double> start();
  void stop();  // SIGTERM, and waits
  void kill();  // SIGKILL, and waits

  [[nodiscard]] std::uint16_t port() const { return port_; }  // for Redis clients
  [[nodiscard]] const std::string& client_door() const { return client_; }
  [[nodiscard]] const std::string& peer_door() const { return peer_; }
  [[nodiscard]] const ServerOptions& options() const { return options_; }

  // User and system time of all threads that ever were, and of children that ended (Redis rewrites
  // its log in one).
  [[nodiscard]] double cpu_us() const;
  [[nodiscard]] std::uint64_t resident_bytes() const;
  [[nodiscard]] std::uint64_t private_bytes() const;
  [[nodiscard]] std::uint64_t disk_bytes() const;
  // A figure at /metrics, by name with labels; kvd only. 0 if there is none of that name.
  [[nodiscard]] double metric(std::string_view name) const;

  // Waits until it has done what is left of the work behind it: no more than 3 % of a processor for
  // a tenth of a second. Gives up after `patience`.
  void settle(std::chrono::milliseconds patience = std::chrono::seconds(20)) const;

 private:
  void launch(const std::vector<std::string>& command, int output);
  void await_ready_line(int input);
  void await_pong();
  void check_alive(std::string_view doing);
  void ended();  // it has been waited for
  [[nodiscard]] std::string last_words() const;

  Nursery& nursery_;
  ServerOptions options_;
  std::filesystem::path directory_;
  pid_t process_ = -1;
  std::uint16_t port_ = 0;
  std::uint16_t http_ = 0;
  std::string client_;
  std::string peer_;
};

// From here on SIGINT, SIGTERM and SIGHUP clear the nursery and end the program.
void clear_on_signals(Nursery& nursery);

}  // namespace starling::bench
