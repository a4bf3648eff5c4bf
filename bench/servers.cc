#include "bench/servers.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <sched.h>

#include "bench/failure.h"
#include "bench/resp.h"

namespace starling::bench {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr auto start_patience = 120s;  // a million keys may have to be read on a busy machine
constexpr auto stop_patience = 60s;

// After fork: only calls that are safe there.
[[noreturn]] void become_server(pid_t parent, int output, int log, std::optional<int> core,
                                char* const* argv) {
  setpgid(0, 0);  // Ctrl-C is ours to handle
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) {
    _exit(1);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(*core), &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(argv[0], argv);
  constexpr std::string_view sorry = "this program cannot be run\n";
  (void)!write(STDERR_FILENO, sorry.data(), sorry.size());
  _exit(127);
}

// A port that nobody listens on, until somebody does.
std::uint16_t free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  const bool bound = ::bind(probe, plain, size) == 0 && ::getsockname(probe, plain, &size) == 0;
  ::close(probe);
  if (!bound) {
    throw Failure("no free port on the loopback");
  }
  return ntohs(address.sin_port);
}

std::string text_of_file(const std::filesystem::path& path) {
  const std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// "client=127.0.0.1:7001" out of a `ready` line.
std::string ready_field(std::string_view line, std::string_view name) {
  const std::string mark = fmt::format(" {}=", name);
  const auto at = line.find(mark);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view value = line.substr(at + mark.size());
  return std::string(value.substr(0, value.find_first_of(" \n")));
}

std::uint16_t port_of(std::string_view address) {
  const std::string_view digits = address.substr(address.rfind(':') + 1);
  std::uint16_t port = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return port;
}

// The number behind "Rss:" and the like, which is in kB.
std::uint64_t kilobytes_after(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) {
    return 0;
  }
  return std::strtoull(text.data() + at + name.size(), nullptr, 10) * 1024;
}

bool wait_for_end(pid_t process, SteadyClock::duration patience) {
  const auto end = SteadyClock::now() + patience;
  while (waitpid(process, nullptr, WNOHANG) == 0) {
    if (SteadyClock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

}  // namespace

Cores two_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> usable;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE && usable.size() < 2; ++core) {
      if (CPU_ISSET(static_cast<std::size_t>(core), &set)) {
        usable.push_back(core);
      }
    }
  }
  if (usable.size() < 2) {
    return {};
  }
  return {usable[0], usable[1]};
}

void pin_this_process(std::optional<int> core) {
  if (!core) {
    return;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(*core), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    throw Failure(fmt::format("cannot run on core {}: {}", *core, std::strerror(errno)));
  }
}

double StealMeter::percent() {
  std::ifstream stat("/proc/stat");
  std::string word;
  stat >> word;
  std::uint64_t all = 0;
  std::uint64_t stolen = 0;
  for (int field = 0; field < 8; ++field) {  // user nice system idle iowait irq softirq steal
    std::uint64_t ticks = 0;
    stat >> ticks;
    all += ticks;
    stolen = ticks;
  }
  const auto part = static_cast<double>(stolen - stolen_);
  const auto whole = static_cast<double>(all - all_);
  stolen_ = stolen;
  all_ = all;
  return whole > 0 ? 100 * part / whole : 0;
}

Nursery::Nursery(Places places) : places_(std::move(places)) {
  std::string path = (std::filesystem::path(places_.directory) / "kvbench-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) {
    throw Failure(fmt::format("cannot make a directory like {}: {}", path, std::strerror(errno)),
                  "name another with --dir");
  }
  directory_ = path;
}

std::string Nursery::kvd() const {
  const std::filesystem::path path =
      places_.kvd.empty() ? std::filesystem::read_symlink("/proc/self/exe").parent_path() / "kvd"
                          : std::filesystem::path(places_.kvd);
  if (access(path.c_str(), X_OK) != 0) {
    throw Failure("there is no kvd at " + path.string(),
                  "`./dev build kvd` makes it, or name one with --kvd");
  }
  return path.string();
}

std::string Nursery::redis() const {
  if (!places_.redis.empty()) {
    if (access(places_.redis.c_str(), X_OK) != 0) {
      throw Failure("there is no redis-server at " + places_.redis, "name one with --redis");
    }
    return places_.redis;
  }
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string program = folder + "/redis-server";
    if (access(program.c_str(), X_OK) == 0) {
      return program;
    }
  }
  throw Failure("there is no redis-server in $PATH, and Redis is what we compare with",
                "apt-get install redis-server, or name one with --redis");
}

std::filesystem::path Nursery::new_directory(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto path = directory_ / fmt::format("{}-{}", name, ++directories_);
  std::filesystem::create_directory(path);
  return path;
}

pid_t Nursery::spawn(const std::vector<std::string>& command, int output, const std::string& log,
                     std::optional<int> core) {
  std::vector<std::string> words = command;
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  const int log_file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::lock_guard lock(mutex_);
  const pid_t parent = getpid();
  const pid_t process = cleared_ ? -1 : fork();
  if (process == 0) {
    become_server(parent, output, log_file, core, argv.data());
  }
  ::close(log_file);
  if (process < 0) {
    throw Failure("cannot start " + command.front());
  }
  processes_.push_back(process);
  return process;
}

void Nursery::forget(pid_t process) {
  const std::lock_guard lock(mutex_);
  std::erase(processes_, process);
}

void Nursery::clear() {
  const std::lock_guard lock(mutex_);
  clear_locked();
}

void Nursery::clear_and_exit(std::string_view last_words, int code) {
  const std::lock_guard lock(mutex_);
  clear_locked();
  (void)!write(STDERR_FILENO, last_words.data(), last_words.size());
  _exit(code);
}

void Nursery::clear_locked() {
  if (std::exchange(cleared_, true)) {
    return;
  }
  // Nothing of theirs is kept, so there is nothing to save.
  for (const pid_t process : processes_) {
    ::kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Server::Server(Nursery& nursery, ServerOptions options)
    : nursery_(nursery),
      options_(std::move(options)),
      directory_(nursery.new_directory(options_.name)) {}

Server::~Server() {
  if (process_ > 0) {
    ::kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    ended();
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::chrono::duration<double> Server::start() {
  const std::string data = directory_ / "data";
  std::filesystem::create_directory(data);
  const auto begin = SteadyClock::now();
  if (options_.kind == ServerKind::redis) {
    port_ = free_port();
    std::vector<std::string> command{nursery_.redis(), "--port", std::to_string(port_)};
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, std::string>>{
             {"--bind", "127.0.0.1"},
             {"--dir", data},
             {"--logfile", directory_ / "log"},
             {"--appendonly", "yes"},
             {"--appendfsync", "everysec"},
             {"--save", ""}}) {
      command.insert(command.end(), {name, value});
    }
    command.insert(command.end(), options_.flags.begin(), options_.flags.end());
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    launch(command, nowhere);
    ::close(nowhere);
  } else {
    std::vector<std::string> command{nursery_.kvd(), "--data", data, "--name", options_.name};
    for (const char* door : {"--client", "--peer", "--resp", "--http"}) {
      command.insert(command.end(), {door, "127.0.0.1:0"});
    }
    if (!options_.join.empty()) {
      command.insert(command.end(), {"--join", options_.join});
    }
    command.insert(command.end(), options_.flags.begin(), options_.flags.end());
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw Failure("cannot make a pipe");
    }
    launch(command, ends[1]);
    ::close(ends[1]);
    try {
      await_ready_line(ends[0]);
    } catch (...) {
      ::close(ends[0]);
      throw;
    }
    ::close(ends[0]);  // it says nothing more
  }
  await_pong();
  return SteadyClock::now() - begin;
}

void Server::launch(const std::vector<std::string>& command, int output) {
  process_ = nursery_.spawn(command, output, directory_ / "log", options_.core);
}

void Server::await_ready_line(int input) {
  std::string line;
  const auto end = SteadyClock::now() + start_patience;
  while (!line.ends_with('\n')) {
    pollfd waiting{.fd = input, .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, 100) <= 0) {
      check_alive("starting");
      if (SteadyClock::now() > end) {
        throw Failure(options_.name + " did not become ready: " + last_words());
      }
      continue;
    }
    std::array<char, 512> part{};
    const ssize_t got = ::read(input, part.data(), part.size());
    if (got <= 0) {
      throw Failure(options_.name + " ended while starting: " + last_words());
    }
    line.append(part.data(), static_cast<std::size_t>(got));
  }
  client_ = ready_field(line, "client");
  peer_ = ready_field(line, "peer");
  port_ = port_of(ready_field(line, "resp"));
  http_ = port_of(ready_field(line, "http"));
}

void Server::await_pong() {
  const auto end = SteadyClock::now() + start_patience;
  for (;;) {
    if (auto connection = RespConnection::try_open(port_)) {
      if (!connection->ask({"PING"}).is_error()) {  // Redis says -LOADING until it serves
        return;
      }
    }
    check_alive("starting");
    if (SteadyClock::now() > end) {
      throw Failure(options_.name + " does not answer: " + last_words());
    }
    std::this_thread::sleep_for(1ms);
  }
}

void Server::check_alive(std::string_view doing) {
  if (waitpid(process_, nullptr, WNOHANG) == process_) {
    ended();
    throw Failure(fmt::format("{} ended while {}: {}", options_.name, doing, last_words()));
  }
}

void Server::ended() {
  nursery_.forget(process_);
  process_ = -1;
}

void Server::stop() {
  ::kill(process_, SIGTERM);
  if (!wait_for_end(process_, stop_patience)) {
    throw Failure(options_.name + " does not stop");
  }
  ended();
}

void Server::kill() {
  ::kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  ended();
}

// /proc/PID/stat has the same in hundredths of a second, too coarse for a run of one second.
double Server::cpu_us() const {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(process_, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    throw Failure(options_.name + " is gone: " + last_words());
  }
  const double own =
      static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
  // Behind the name, which may hold anything: state is field 3, cutime and cstime are 16 and 17.
  const std::string stat = text_of_file(fmt::format("/proc/{}/stat", process_));
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  std::string skipped;
  for (int field = 3; field < 16; ++field) {
    fields >> skipped;
  }
  double children = 0;
  for (int field = 16; field <= 17; ++field) {
    double ticks = 0;
    fields >> ticks;
    children += ticks;
  }
  return own + children * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::uint64_t Server::resident_bytes() const {
  return kilobytes_after(text_of_file(fmt::format("/proc/{}/smaps_rollup", process_)), "Rss:");
}

std::uint64_t Server::private_bytes() const {
  return kilobytes_after(text_of_file(fmt::format("/proc/{}/smaps_rollup", process_)),
                         "Private_Dirty:");
}

// Lengths, not blocks: what is only set aside for a log is not data yet. Files vanish while one
// looks.
std::uint64_t Server::disk_bytes() const {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(directory_ / "data", error), end;
       !error && at != end; at.increment(error)) {
    std::error_code gone;
    const auto size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
    bytes += gone ? 0 : size;
  }
  return bytes;
}

double Server::metric(std::string_view name) const {
  std::istringstream lines(http_body(http_, "/metrics"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ' ') {
      return std::strtod(line.c_str() + name.size(), nullptr);
    }
  }
  return 0;
}

void Server::settle(std::chrono::milliseconds patience) const {
  constexpr auto look = 100ms;
  const auto end = SteadyClock::now() + patience;
  double before = cpu_us();
  while (SteadyClock::now() < end) {
    std::this_thread::sleep_for(look);
    const double after = cpu_us();
    if (after - before < 0.03 * static_cast<double>(std::chrono::microseconds(look).count())) {
      return;
    }
    before = after;
  }
}

std::string Server::last_words() const {
  std::ifstream in(directory_ / "log");
  std::string last = "it said nothing";
  for (std::string line; std::getline(in, line);) {
    last = line.empty() ? last : line;
  }
  return last;
}

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
    nursery.clear_and_exit("\nkvbench: stopped; servers and data are removed\n", 128 + signal);
  }).detach();
}

}  // namespace starling::bench
