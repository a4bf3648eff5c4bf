// A node that does what a test tells it to: listens on loopback, greets, remembers what it was
// asked, and answers through a function. No state, no replication.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "wire/messages.h"

namespace starling::test {

class FakeServer {
 public:
  // What to do with a request: answer it, say nothing, or hang up without an answer.
  struct HangUp {};
  struct Silence {};
  using Answer = std::variant<wire::Response, Silence, HangUp>;
  using Behaviour = std::function<Answer(const wire::Request&)>;

  // Answers every command with its results below unless told otherwise.
  explicit FakeServer(std::uint64_t node = 1);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  void behave(Behaviour behaviour);
  void set_greeting(wire::ServerHello hello);
  void garbage_instead_of_greeting(std::string bytes);
  // Stops listening and cuts all connections; start() comes back on the same port.
  void stop();
  void start();

  [[nodiscard]] std::string address() const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::vector<wire::Request> requests() const;
  [[nodiscard]] int connections() const { return connections_; }

  // One plausible result per command.
  static wire::Response plain(const wire::Request& request);
  static wire::Response error(const wire::Request& request, wire::ErrorCode code);

 private:
  void listen_loop(int listener);
  void serve(int socket);

  mutable std::mutex mutex_;
  Behaviour behaviour_ = [](const wire::Request& request) { return plain(request); };
  wire::ServerHello hello_;
  std::string garbage_;
  std::vector<wire::Request> requests_;
  std::thread listener_thread_;
  std::vector<std::thread> sessions_;
  std::vector<int> sockets_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
};

}  // namespace starling::test
