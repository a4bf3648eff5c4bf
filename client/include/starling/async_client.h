// The Starling client for Asio coroutines; what is said in client.h holds here too.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <starling/batch.h>
#include <starling/handles.h>
#include <starling/options.h>

namespace starling {

class Engine;

// Runs on the executor it is given, behind a strand of its own; awaited calls resume on the
// executor of the coroutine that awaits. The deadline of a call bounds it; Asio's cancellation does
// not end it earlier.
//
//   starling::AsyncClient client(co_await asio::this_coro::executor, {});
//   const auto hits = co_await client.counter("hits").add(1);   // Result<std::int64_t>
//
// Name the result before you test it: g++ 12 miscompiles `if (co_await
// client.counter("k").add(1))`.
class AsyncClient : public Verbs<AsyncClient> {
 public:
  AsyncClient(const asio::any_io_executor& executor, Options options);
  ~AsyncClient();  // calls under way fail with ErrorCode::closed
  AsyncClient(const AsyncClient&) = delete;
  AsyncClient& operator=(const AsyncClient&) = delete;

  template <typename T>
  asio::awaitable<Result<T>> call(Command command, CallOptions options = {}) {
    std::vector<Command> commands;
    commands.push_back(std::move(command));
    return decoded<T>(execute(std::move(commands), options));
  }

  asio::awaitable<Result<BatchReply>> run(const Batch& batch, CallOptions options = {});
  asio::awaitable<Result<Reply>> execute(std::vector<Command> commands, CallOptions options = {});

  [[nodiscard]] std::string token() const;
  Result<void> join_token(std::string_view token);
  [[nodiscard]] std::string connected_to() const;

 private:
  template <typename T>
  static asio::awaitable<Result<T>> decoded(asio::awaitable<Result<Reply>> pending) {
    auto reply = co_await std::move(pending);
    if (!reply) {
      co_return std::unexpected(std::move(reply.error()));
    }
    co_return decode<T>(std::move(reply->values.front()));
  }

  std::shared_ptr<Engine> engine_;
};

}  // namespace starling
