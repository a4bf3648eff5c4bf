// The Starling client, blocking. async_client.h is the same for coroutines.
//
//   starling::Client client("127.0.0.1:7001");
//   client.string("greeting").set("hello");                  // Result<void>
//   auto hits = client.counter("hits").add(1);               // Result<std::int64_t>
//   if (!hits) { std::cerr << hits.error().message; }
#pragma once

#include <future>
#include <memory>
#include <string>
#include <string_view>

#include <starling/batch.h>
#include <starling/handles.h>
#include <starling/options.h>

namespace starling {

// A session with a cluster through one node at a time, with failover to others. Calls of several
// threads, and calls begun with start(), are pipelined on one connection.
// Promises: calls see the writes of this client and everything it has read before, on whatever node
// (each request carries a session token); a write that is retried counts once at its node.
// Connects at the first call. Every function may be called from any thread.
class Client : public Verbs<Client> {
 public:
  explicit Client(Options options);
  explicit Client(std::string endpoint);
  ~Client();  // calls under way fail with ErrorCode::closed
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  template <typename T>
  Result<T> call(Command command, const CallOptions& options = {}) {
    auto reply = execute({std::move(command)}, options);
    if (!reply) {
      return std::unexpected(std::move(reply.error()));
    }
    return decode<T>(std::move(reply->values.front()));
  }

  Result<BatchReply> run(const Batch& batch, const CallOptions& options = {});
  // Begins and does not wait.
  std::future<Result<Reply>> start(std::vector<Command> commands, const CallOptions& options = {});
  Result<Reply> execute(std::vector<Command> commands, const CallOptions& options = {});

  // What this session has seen, as opaque bytes. Give it to another client (Options::token or
  // join_token) and that one sees at least the same.
  [[nodiscard]] std::string token() const;
  Result<void> join_token(std::string_view token);

  // The node that answered last; empty before the first answer.
  [[nodiscard]] std::string connected_to() const;

 private:
  struct Thread;
  std::unique_ptr<Thread> thread_;
};

}  // namespace starling
