#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/dispatch.hpp>
#include <asio/post.hpp>
#include <asio/prefer.hpp>
#include <asio/use_awaitable.hpp>
#include <starling/async_client.h>

#include "client/engine.h"

namespace starling {
namespace {

// Holds the engine weakly: the engine holds the handler, which holds this coroutine, and a context
// may be destroyed before either has ended.
asio::awaitable<Result<Reply>> execute_on(std::weak_ptr<Engine> engine,
                                          std::vector<Command> commands, CallOptions options) {
  asio::use_awaitable_t<> token;
  co_return co_await asio::async_initiate<asio::use_awaitable_t<>, void(Result<Reply>)>(
      [](auto handler, const std::weak_ptr<Engine>& on, std::vector<Command> todo,
         CallOptions how) {
        // Keeps the caller's context running until it has its answer.
        auto executor = asio::prefer(asio::get_associated_executor(handler),
                                     asio::execution::outstanding_work.tracked);
        const auto alive = on.lock();
        if (!alive) {
          asio::post(executor, [handler = std::move(handler)]() mutable {
            std::move(handler)(
                std::unexpected(Error{ErrorCode::closed, "the client was destroyed"}));
          });
          return;
        }
        alive->submit(std::move(todo), how,
                      [handler = std::move(handler), executor](Result<Reply> result) mutable {
                        asio::dispatch(executor, [handler = std::move(handler),
                                                  result = std::move(result)]() mutable {
                          std::move(handler)(std::move(result));
                        });
                      });
      },
      token, std::move(engine), std::move(commands), options);
}

asio::awaitable<Result<BatchReply>> run_on(std::weak_ptr<Engine> engine,
                                           std::vector<Command> commands, CallOptions options) {
  auto reply = co_await execute_on(std::move(engine), std::move(commands), options);
  if (!reply) {
    co_return std::unexpected(std::move(reply.error()));
  }
  co_return BatchReply(std::move(*reply));
}

}  // namespace

AsyncClient::AsyncClient(const asio::any_io_executor& executor, Options options)
    : engine_(Engine::start(executor, std::move(options))) {}

AsyncClient::~AsyncClient() { engine_->close(); }

asio::awaitable<Result<Reply>> AsyncClient::execute(std::vector<Command> commands,
                                                    CallOptions options) {
  return execute_on(engine_, std::move(commands), options);
}

asio::awaitable<Result<BatchReply>> AsyncClient::run(const Batch& batch, CallOptions options) {
  return run_on(engine_, batch.commands(), options);
}

std::string AsyncClient::token() const { return engine_->token(); }

Result<void> AsyncClient::join_token(std::string_view token) { return engine_->join_token(token); }

std::string AsyncClient::connected_to() const { return engine_->connected_to(); }

}  // namespace starling
