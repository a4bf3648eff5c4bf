#include <csignal>
#include <thread>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <starling/client.h>

#include "client/engine.h"

namespace starling {

// The engine and the thread it runs on. The thread takes no signals: those are the program's.
struct Client::Thread {
  explicit Thread(Options options)
      : work(asio::make_work_guard(context)),
        engine(Engine::start(context.get_executor(), std::move(options))) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread = std::thread([this] { context.run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~Thread() {
    engine->close();
    work.reset();
    thread.join();
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::shared_ptr<Engine> engine;
  std::thread thread;
};

Client::Client(Options options) : thread_(std::make_unique<Thread>(std::move(options))) {}

Client::Client(std::string endpoint) : Client(Options{.endpoints = {std::move(endpoint)}}) {}

Client::~Client() = default;

std::future<Result<Reply>> Client::start(std::vector<Command> commands,
                                         const CallOptions& options) {
  std::promise<Result<Reply>> promise;
  auto future = promise.get_future();
  thread_->engine->submit(std::move(commands), options,
                          [promise = std::move(promise)](Result<Reply> result) mutable {
                            promise.set_value(std::move(result));
                          });
  return future;
}

Result<Reply> Client::execute(std::vector<Command> commands, const CallOptions& options) {
  return start(std::move(commands), options).get();
}

Result<BatchReply> Client::run(const Batch& batch, const CallOptions& options) {
  auto reply = execute(batch.commands(), options);
  if (!reply) {
    return std::unexpected(std::move(reply.error()));
  }
  return BatchReply(std::move(*reply));
}

std::string Client::token() const { return thread_->engine->token(); }

Result<void> Client::join_token(std::string_view token) {
  return thread_->engine->join_token(token);
}

std::string Client::connected_to() const { return thread_->engine->connected_to(); }

}  // namespace starling
