#include "tests/sim/workers.h"

#include <cstdlib>
#include <map>
#include <poll.h>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace starling::sim {
namespace {

struct Worker {
  pid_t pid = 0;
  std::size_t part = 0;
  std::string text;
};

std::pair<int, pid_t> begin(std::size_t part,
                            const std::function<void(std::size_t, std::FILE*)>& work) {
  int ends[2];
  std::fflush(nullptr);
  if (pipe(ends) != 0) {
    throw std::runtime_error("sim: no pipe");
  }
  const pid_t pid = fork();
  if (pid < 0) {
    throw std::runtime_error("sim: no process");
  }
  if (pid == 0) {
    close(ends[0]);
    std::FILE* out = fdopen(ends[1], "w");
    work(part, out);
    std::fclose(out);
    _exit(0);
  }
  close(ends[1]);
  return {ends[0], pid};
}

WorkerReport finish(const Worker& worker) {
  WorkerReport report;
  int status = 0;
  waitpid(worker.pid, &status, 0);
  report.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  std::size_t from = 0;
  for (std::size_t to = 0; (to = worker.text.find('\n', from)) != std::string::npos;
       from = to + 1) {
    report.lines.push_back(worker.text.substr(from, to - from));
  }
  return report;
}

}  // namespace

std::vector<WorkerReport> run_in_processes(
    std::size_t parts, std::size_t jobs, const std::function<void(std::size_t, std::FILE*)>& work) {
  std::vector<WorkerReport> reports(parts);
  std::map<int, Worker> running;  // by the end of their pipe
  std::size_t next = 0;
  while (next < parts || !running.empty()) {
    while (next < parts && running.size() < jobs) {
      const auto [pipe, pid] = begin(next, work);
      running[pipe] = {pid, next, {}};
      ++next;
    }
    std::vector<pollfd> waiting;
    for (const auto& [pipe, worker] : running) {
      waiting.push_back({pipe, POLLIN, 0});
    }
    poll(waiting.data(), waiting.size(), -1);
    for (const pollfd& one : waiting) {
      if (one.revents == 0) {
        continue;
      }
      char buffer[1 << 16];
      const ssize_t got = read(one.fd, buffer, sizeof buffer);
      Worker& worker = running[one.fd];
      if (got > 0) {
        worker.text.append(buffer, static_cast<std::size_t>(got));
        continue;
      }
      reports[worker.part] = finish(worker);
      close(one.fd);
      running.erase(one.fd);
    }
  }
  return reports;
}

}  // namespace starling::sim
