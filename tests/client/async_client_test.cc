#include <chrono>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <doctest/doctest.h>
#include <starling/async_client.h>

#include "tests/client/fake_server.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using test::FakeServer;

asio::awaitable<void> use_it(std::string address, int* done) {
  const auto executor = co_await asio::this_coro::executor;
  AsyncClient client(executor, {.endpoints = {address}});
  CHECK((co_await client.string("k").set("v")).has_value());
  CHECK((co_await client.counter("c").add(5)) == 5);
  Batch batch;
  const auto sum = batch.counter("c").add(2);
  const auto reply = co_await client.run(batch);
  REQUIRE(reply.has_value());
  CHECK(reply->get(sum) == 2);
  ++*done;
}

TEST_CASE("coroutines use the same handles; the context ends when the client does") {
  FakeServer server;
  asio::io_context context;
  int done = 0;
  asio::co_spawn(context, use_it(server.address(), &done), asio::detached);
  asio::co_spawn(context, use_it(server.address(), &done), asio::detached);
  context.run();
  CHECK(done == 2);
}

asio::awaitable<void> count_answers(AsyncClient* client, int* answers) {
  const auto sum = co_await client->counter("c").add(1);  // see async_client.h
  *answers += sum ? 1 : 0;
}

TEST_CASE("many coroutines on one client are pipelined") {
  FakeServer server;
  asio::io_context context;
  AsyncClient client(context.get_executor(), {.endpoints = {server.address()}});
  int answers = 0;
  for (int i = 0; i < 2'000; ++i) {
    asio::co_spawn(context, count_answers(&client, &answers), asio::detached);
  }
  while (answers < 2'000) {
    REQUIRE(context.run_one_for(5s) == 1);
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("a context that is destroyed with calls under way takes them along") {
  FakeServer server;
  server.behave([](const wire::Request&) { return FakeServer::Silence{}; });
  int answers = 0;
  asio::io_context context;
  AsyncClient client(context.get_executor(), {.endpoints = {server.address()}});
  asio::co_spawn(context, count_answers(&client, &answers), asio::detached);
  context.run_for(100ms);
  CHECK(answers == 0);
}

asio::awaitable<void> await_late(asio::awaitable<Result<std::int64_t>> call, ErrorCode* code) {
  const auto result = co_await std::move(call);
  *code = result.error().code;
}

TEST_CASE("a call that is awaited after its client is gone says so") {
  asio::io_context context;
  auto client = std::make_unique<AsyncClient>(context.get_executor(), Options{});
  auto call = client->counter("c").add(1);
  client.reset();
  context.run();
  context.restart();
  ErrorCode code{};
  asio::co_spawn(context, await_late(std::move(call), &code), asio::detached);
  context.run();
  CHECK(code == ErrorCode::closed);
}

}  // namespace
}  // namespace starling
