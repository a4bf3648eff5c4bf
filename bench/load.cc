#include "bench/load.h"

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <starling/async_client.h>

namespace starling::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Shared {
  LoadOptions options;
  LoadReport report;
  Clock::time_point begin;
  Clock::time_point end;
  std::uint64_t issued = 0;
  std::uint64_t random = 0;

  std::uint64_t next_random() {  // xorshift64*
    random ^= random >> 12;
    random ^= random << 25;
    random ^= random >> 27;
    return random * 0x2545F4914F6CDD1DULL;
  }

  Command command() {
    const std::string name = std::to_string(next_random() % options.keys);
    const std::string value(options.value_bytes, 'x');
    if (options.workload == "get") {
      return {CommandCode::get, 0, "key:" + name, {}, 0};
    }
    if (options.workload == "incr") {
      return {CommandCode::incr, 0, "counter:" + name, {}, 1};
    }
    if (options.workload == "set-add") {
      return {CommandCode::set_add, 0, "set", {"element:" + name}, 0};
    }
    if (options.workload == "hset") {
      return {CommandCode::hash_set, 0, "hash", {"field:" + name, value}, 0};
    }
    return {CommandCode::set, 0, "key:" + name, {value}, 0};
  }
};

// One request after the other. With a rate, request i of all workers is due at begin + i / rate.
// Both outlive the coroutine: run_load owns them and waits.
asio::awaitable<void> work(Shared* state, AsyncClient* connection) {
  Shared& shared = *state;
  AsyncClient& client = *connection;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    Clock::time_point due = Clock::now();
    const std::uint64_t index = shared.issued++;
    if (shared.options.rate > 0) {
      due = shared.begin +
            std::chrono::duration_cast<Clock::duration>(
                std::chrono::duration<double>(static_cast<double>(index) / shared.options.rate));
      if (due > Clock::now()) {
        timer.expires_at(due);
        co_await timer.async_wait(asio::use_awaitable);
      }
    }
    if (due >= shared.end) {
      co_return;
    }
    std::vector<Command> commands;
    commands.push_back(shared.command());
    const auto reply = co_await client.execute(std::move(commands));
    if (!reply) {
      if (shared.report.errors++ == 0) {
        shared.report.first_error = reply.error().message;
      }
      continue;
    }
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - due);
    shared.report.latency_us.add(static_cast<std::uint64_t>(took.count()));
  }
}

}  // namespace

LoadReport run_load(const LoadOptions& options) {
  asio::io_context context(1);
  Shared shared;
  shared.options = options;
  shared.random = options.seed * 0x9E3779B97F4A7C15ULL + 1;
  Options client_options;
  client_options.endpoints = {options.node};
  client_options.learn_endpoints = false;
  client_options.name = "kvbench";
  std::vector<std::unique_ptr<AsyncClient>> clients;
  for (unsigned i = 0; i < options.clients; ++i) {
    clients.push_back(std::make_unique<AsyncClient>(context.get_executor(), client_options));
  }
  shared.begin = Clock::now();
  shared.end = shared.begin + std::chrono::duration_cast<Clock::duration>(
                                  std::chrono::duration<double>(options.seconds));
  unsigned running = options.clients * options.pipeline;
  for (auto& client : clients) {
    for (unsigned i = 0; i < options.pipeline; ++i) {
      asio::co_spawn(context, work(&shared, client.get()), [&](const std::exception_ptr&) {
        if (--running == 0) {
          context.stop();
        }
      });
    }
  }
  context.run();
  shared.report.seconds = std::chrono::duration<double>(Clock::now() - shared.begin).count();
  return shared.report;
}

}  // namespace starling::bench
