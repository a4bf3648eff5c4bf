#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include <doctest/doctest.h>
#include <starling/client.h>

#include "tests/client/fake_server.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using test::FakeServer;

Options options_for(std::vector<std::string> endpoints) {
  return {.endpoints = std::move(endpoints), .deadline = 3s, .connect_timeout = 500ms};
}

TEST_CASE("every handle sends its command and gives its answer as a type") {
  FakeServer server;
  Client client(server.address());
  CHECK(client.string("k").set("v").has_value());
  CHECK(client.string("k").get().value() == "value of k");
  CHECK(client.counter("c").add(-7) == -7);
  CHECK(client.set("s").add({"a", "b"}) == 1);
  CHECK(client.set("s").has("a") == true);
  CHECK(client.set("s").members() == std::vector<std::string>{"one", "two"});
  CHECK(client.set("s").size() == 1);
  CHECK(client.hash("h").size() == 1);
  CHECK(client.hash("h").set("f", "v") == true);
  CHECK(client.hash("h").all() == Fields{{"one", "two"}});
  CHECK(client.flag("f").enable().has_value());
  CHECK(client.mv_register("m").values() == std::vector<std::string>{"one", "two"});
  CHECK(client.type("k") == "string");
  CHECK(client.connected_to() == "fake-1");

  const auto requests = server.requests();
  REQUIRE(requests.size() == 13);
  CHECK(requests[0].commands[0] == wire::Command{wire::CommandCode::set, 0, "k", {"v"}, 0});
  CHECK(requests[2].commands[0] == wire::Command{wire::CommandCode::incr, 0, "c", {}, -7});
  CHECK(requests[6].commands[0] == wire::Command{wire::CommandCode::set_size, 0, "s", {}, 0});
  CHECK(requests[7].commands[0] == wire::Command{wire::CommandCode::hash_size, 0, "h", {}, 0});
  CHECK(requests[8].commands[0] ==
        wire::Command{wire::CommandCode::hash_set, 0, "h", {"f", "v"}, 0});
}

TEST_CASE("every request that writes has an op id of its own, and reads have none") {
  FakeServer server;
  Client client(server.address());
  CHECK(client.string("k").set("1").has_value());
  CHECK(client.counter("c").add(1).has_value());
  CHECK(client.string("k").get().has_value());
  const auto requests = server.requests();
  REQUIRE(requests.size() == 3);
  REQUIRE(requests[0].op_id.has_value());
  REQUIRE(requests[1].op_id.has_value());
  CHECK(requests[0].op_id->session == requests[1].op_id->session);
  CHECK(requests[0].op_id->sequence != requests[1].op_id->sequence);
  CHECK_FALSE(requests[2].op_id.has_value());
}

TEST_CASE("a counter is read as a number, and says so when it holds text") {
  FakeServer server;
  std::atomic<int> calls = 0;
  server.behave([&](const wire::Request& request) {
    const std::vector<wire::Result> results{std::string("-17"), wire::Nil{}, std::string("text")};
    return wire::Response{.id = request.id,
                          .token = {},
                          .repeated = false,
                          .results = {results[static_cast<std::size_t>(calls++)]}};
  });
  Client client(server.address());
  CHECK(client.counter("c").get().value() == -17);
  CHECK(client.counter("c").get().value() == std::nullopt);
  CHECK(client.counter("c").get().error().code == ErrorCode::not_a_number);
}

TEST_CASE("an answer of the wrong shape is an error, not a crash") {
  FakeServer server;
  server.behave([](const wire::Request& request) {
    return wire::Response{.id = request.id,
                          .token = {},
                          .repeated = false,
                          .results = {std::vector<std::string>{"x"}}};
  });
  Client client(server.address());
  CHECK(client.counter("c").add(1).error().code == ErrorCode::protocol);
  CHECK(client.string("c").get().error().code == ErrorCode::protocol);
  CHECK(client.string("c").set("").error().code == ErrorCode::protocol);
}

TEST_CASE("an error of the node arrives as it is") {
  FakeServer server;
  server.behave([](const wire::Request& request) {
    return FakeServer::error(request, wire::ErrorCode::wrong_type);
  });
  Client client(server.address());
  const auto result = client.set("s").add({"a"});
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error() == Error{ErrorCode::wrong_type, "the fake node says no", false});
}

TEST_CASE("a batch is one request; its slots give the answers") {
  FakeServer server;
  Client client(server.address());
  Batch batch;
  batch.string("greeting").set("hello");
  const auto visits = batch.counter("visits").add(3);
  const auto greeting = batch.string("greeting").get();
  const auto reply = client.run(batch);
  REQUIRE(reply.has_value());
  CHECK(reply->get(visits) == 3);
  CHECK(reply->get(greeting).value() == "value of greeting");
  REQUIRE(server.requests().size() == 1);
  CHECK(server.requests()[0].commands.size() == 3);
  CHECK(client.run(Batch{}).has_value());  // nothing to do is done
}

TEST_CASE("calls are pipelined: later ones are sent before the first is answered") {
  FakeServer server;
  std::atomic<int> seen = 0;
  std::vector<wire::Response> held;
  // Holds every answer back until all ten requests have come; so they cannot be sent one by one.
  server.behave([&](const wire::Request& request) -> FakeServer::Answer {
    ++seen;
    if (seen < 10) {
      return FakeServer::Silence{};
    }
    return FakeServer::plain(request);
  });
  Client client(options_for({server.address()}));
  std::vector<std::future<Result<Reply>>> futures;
  futures.reserve(10);
  for (int i = 0; i < 10; ++i) {
    futures.push_back(
        client.start({{.code = CommandCode::get, .key = std::to_string(i)}}, {.deadline = 1s}));
  }
  CHECK(futures.back().get().has_value());
  CHECK(server.requests().size() == 10);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(server.requests()[i].commands[0].key == std::to_string(i));
  }
}

TEST_CASE("threads share one connection") {
  FakeServer server;
  Client client(server.address());
  std::vector<std::thread> threads;
  threads.reserve(8);
  std::atomic<int> good = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        good += client.counter("c").add(1).has_value() ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  CHECK(good == 800);
  CHECK(server.connections() == 1);
}

TEST_CASE("a call without an answer ends at its deadline, and says whether it may have counted") {
  FakeServer server;
  server.behave([](const wire::Request&) { return FakeServer::Silence{}; });
  Client client(options_for({server.address()}));
  const auto begin = std::chrono::steady_clock::now();
  const auto read = client.string("k").with({.deadline = 100ms}).get();
  CHECK(read.error().code == ErrorCode::timeout);
  CHECK_FALSE(read.error().maybe_applied);
  const auto write = client.counter("k").with({.deadline = 100ms}).add(1);
  CHECK(write.error().code == ErrorCode::timeout);
  CHECK(write.error().maybe_applied);
  CHECK(std::chrono::steady_clock::now() - begin < 2s);
}

TEST_CASE("a dead port is reported with its address, at once where retrying is off") {
  FakeServer server;
  server.stop();
  auto options = options_for({server.address()});
  options.retry_for = 0ms;
  Client client(options);
  const auto begin = std::chrono::steady_clock::now();
  const auto result = client.string("k").get();
  CHECK(result.error().code == ErrorCode::unreachable);
  CHECK(result.error().message.find(server.address()) != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - begin < 1s);
}

TEST_CASE("a node that went silent is called anew by the next call, also where retrying is off") {
  FakeServer server;
  server.behave([](const wire::Request& request) -> FakeServer::Answer {
    if (request.commands[0].key == "hole") {
      return FakeServer::Silence{};
    }
    return FakeServer::plain(request);
  });
  auto options = options_for({server.address()});
  options.retry_for = 0ms;
  Client client(options);
  for (int i = 0; i < 10; ++i) {
    CHECK(client.string("hole").with({.deadline = 20ms}).get().error().code == ErrorCode::timeout);
    CHECK(client.string("k").get().has_value());
  }
}

TEST_CASE("with retrying on, a dead port is reported at the deadline") {
  FakeServer server;
  server.stop();
  Client client(options_for({server.address()}));
  const auto result = client.string("k").with({.deadline = 200ms}).get();
  CHECK(result.error().code == ErrorCode::unreachable);
}

TEST_CASE("a call waits for a node that comes back before the deadline") {
  FakeServer server;
  server.stop();
  Client client(options_for({server.address()}));
  auto future = client.start({{.code = CommandCode::get, .key = "k"}});
  std::this_thread::sleep_for(100ms);
  server.start();
  CHECK(future.get().has_value());
}

TEST_CASE("a listener that is silent or speaks something else is named") {
  FakeServer server;
  server.garbage_instead_of_greeting("HTTP/1.1 400 Bad Request\r\n\r\n");
  auto options = options_for({server.address()});
  options.retry_for = 0ms;
  {
    Client client(options);
    const auto result = client.string("k").get();
    CHECK(result.error().code == ErrorCode::protocol);
    CHECK(result.error().message.find("does not speak") != std::string::npos);
  }
  server.garbage_instead_of_greeting("");
  server.set_greeting(
      {.protocol = 77, .cluster = "c", .name = "n", .node = 1, .client_addresses = {}});
  Client client(options);
  CHECK(client.string("k").get().error().message.find("version 77") != std::string::npos);
}

TEST_CASE("reads fail over to the next endpoint when a connection breaks") {
  FakeServer first(1);
  FakeServer second(2);
  first.behave([](const wire::Request&) { return FakeServer::HangUp{}; });
  Client client(options_for({first.address(), second.address()}));
  CHECK(client.string("k").get().has_value());
  CHECK(client.connected_to() == "fake-2");
  CHECK(second.requests().size() == 1);
}

TEST_CASE("the other members are learned from the greeting") {
  FakeServer first(1);
  FakeServer second(2);
  first.set_greeting({.cluster = "c",
                      .name = "one",
                      .node = 1,
                      .client_addresses = {first.address(), second.address(), "0.0.0.0:7001"}});
  Client client(options_for({first.address()}));
  CHECK(client.string("k").get().has_value());
  first.stop();
  CHECK(client.string("k").get().has_value());
  CHECK(client.connected_to() == "fake-2");
}

TEST_CASE("a write whose answer was lost is repeated at the same node under the same op id") {
  FakeServer first(1);
  FakeServer second(2);
  std::atomic<int> calls = 0;
  first.behave([&](const wire::Request& request) -> FakeServer::Answer {
    if (++calls == 1) {
      return FakeServer::HangUp{};
    }
    auto response = FakeServer::plain(request);
    response.repeated = true;
    return response;
  });
  Client client(options_for({first.address(), second.address()}));
  const auto reply = client.execute({{.code = CommandCode::incr, .key = "c", .number = 1}});
  REQUIRE(reply.has_value());
  CHECK(reply->repeated);
  CHECK(second.requests().empty());
  const auto requests = first.requests();
  REQUIRE(requests.size() == 2);
  CHECK(requests[0].op_id == requests[1].op_id);
}

TEST_CASE("the same holds across a restart of that node") {
  FakeServer server;
  server.behave([](const wire::Request&) { return FakeServer::HangUp{}; });
  auto options = options_for({server.address()});
  options.home_patience = 2s;
  Client client(options);
  auto future = client.start({{.code = CommandCode::incr, .key = "c", .number = 1}});
  while (server.requests().empty()) {
    std::this_thread::sleep_for(1ms);
  }
  server.stop();
  std::this_thread::sleep_for(50ms);
  server.behave([](const wire::Request& request) { return FakeServer::plain(request); });
  server.start();
  CHECK(future.get().has_value());
  const auto requests = server.requests();
  for (const auto& request : requests) {
    CHECK(request.op_id == requests[0].op_id);
  }
}

TEST_CASE("a write that may have been applied does not go to another node unless allowed") {
  FakeServer first(1);
  FakeServer second(2);
  first.behave([](const wire::Request&) { return FakeServer::HangUp{}; });
  auto options = options_for({first.address(), second.address()});
  options.home_patience = 100ms;
  SUBCASE("not allowed") {
    Client client(options);
    const auto result = client.counter("c").add(1);
    CHECK(result.error().code == ErrorCode::unreachable);
    CHECK(result.error().maybe_applied);
    CHECK(second.requests().empty());
    CHECK(client.string("k").get().has_value());  // others go on there
  }
  SUBCASE("allowed: it goes there under the same op id, after its own node had its chance") {
    Client client(options);
    CHECK(client.counter("c").with({.retry_elsewhere = true}).add(1) == 1);
    REQUIRE(second.requests().size() == 1);
    CHECK(first.requests().size() >= 2);
    CHECK(second.requests()[0].op_id == first.requests()[0].op_id);
  }
  SUBCASE("another node on the same address is another node") {
    options.endpoints = {first.address()};
    options.home_patience = 5s;
    Client client(options);
    auto future = client.start({{.code = CommandCode::incr, .key = "c", .number = 1}});
    while (first.requests().empty()) {
      std::this_thread::sleep_for(1ms);
    }
    first.stop();
    first.set_greeting({.cluster = "c", .name = "new", .node = 99, .client_addresses = {}});
    first.behave([](const wire::Request& request) { return FakeServer::plain(request); });
    const auto before = first.requests().size();
    first.start();
    const auto result = future.get();
    CHECK(result.error().maybe_applied);
    CHECK(first.requests().size() == before);
  }
}

TEST_CASE("a node that is not ready is left for one that is; nothing was done there") {
  FakeServer first(1);
  FakeServer second(2);
  first.behave([](const wire::Request& request) {
    return FakeServer::error(request, wire::ErrorCode::not_ready);
  });
  Client client(options_for({first.address(), second.address()}));
  CHECK(client.counter("c").add(1) == 1);
  CHECK(client.connected_to() == "fake-2");
}

TEST_CASE("when no node is ready, that is the answer") {
  FakeServer first(1);
  FakeServer second(2);
  for (auto* server : {&first, &second}) {
    server->behave([](const wire::Request& request) {
      return FakeServer::error(request, wire::ErrorCode::not_ready);
    });
  }
  auto options = options_for({first.address(), second.address()});
  Client patient(options);
  // On a slow machine the deadline may meet a question whose answer is on its way: a timeout.
  ErrorCode answer = ErrorCode::timeout;
  std::size_t tries = 0;
  for (; tries < 10 && answer == ErrorCode::timeout; ++tries) {
    answer = patient.counter("c").with({.deadline = 300ms}).add(1).error().code;
  }
  CHECK(answer == ErrorCode::not_ready);
  CHECK(first.requests().size() + second.requests().size() < 40 * tries);  // it hammers nobody
  options.retry_for = 0ms;
  Client impatient(options);
  CHECK(impatient.counter("c").add(1).error().code == ErrorCode::not_ready);
}

TEST_CASE("a busy node is asked again, a little later") {
  FakeServer server;
  std::atomic<int> calls = 0;
  server.behave([&](const wire::Request& request) {
    return ++calls < 4 ? FakeServer::error(request, wire::ErrorCode::busy)
                       : FakeServer::plain(request);
  });
  Client client(options_for({server.address()}));
  CHECK(client.counter("c").add(1) == 1);
  CHECK(calls == 4);
}

TEST_CASE("the session token is joined from every answer and sent with every request") {
  FakeServer first(1);
  FakeServer second(2);
  const Origin origin{.node = 1, .epoch = 1, .nonce = 1};
  first.behave([&](const wire::Request& request) {
    auto response = FakeServer::plain(request);
    response.token.advance({origin, 5});
    return response;
  });
  Client client(options_for({first.address(), second.address()}));
  CHECK(client.string("k").set("v").has_value());
  first.stop();
  CHECK(client.string("k").get().has_value());  // at the other node
  REQUIRE(second.requests().size() == 1);
  CHECK(second.requests()[0].token.at(origin) == 5);
  CHECK(second.requests()[0].deadline_ms > 0);

  Client other(options_for({second.address()}));
  CHECK(other.join_token(client.token()).has_value());
  CHECK(other.string("k").get().has_value());
  CHECK(second.requests().back().token.at(origin) == 5);
  CHECK(other.join_token("nonsense").error().code == ErrorCode::bad_request);
}

TEST_CASE("too many waiting requests are refused at once, with a word why") {
  FakeServer server;
  server.behave([](const wire::Request&) { return FakeServer::Silence{}; });
  auto options = options_for({server.address()});
  options.queue_bytes = 10'000;
  options.deadline = 300ms;
  Client client(options);
  std::vector<std::future<Result<Reply>>> futures;
  futures.reserve(10);
  for (int i = 0; i < 10; ++i) {
    futures.push_back(
        client.start({{.code = CommandCode::set, .key = "k", .args = {std::string(2'000, 'x')}}}));
  }
  std::set<ErrorCode> codes;
  for (auto& future : futures) {
    codes.insert(future.get().error().code);
  }
  CHECK(codes == std::set{ErrorCode::busy, ErrorCode::timeout});
}

TEST_CASE("a request larger than an entry may be is refused here") {
  FakeServer server;
  Client client(server.address());
  const auto result = client.string("k").set(std::string((64u << 20) + 1, 'x'));
  CHECK(result.error().code == ErrorCode::too_large);
}

TEST_CASE("destroying a client ends its calls") {
  FakeServer server;
  server.behave([](const wire::Request&) { return FakeServer::Silence{}; });
  auto client = std::make_unique<Client>(server.address());
  auto future = client->start({{.code = CommandCode::get, .key = "k"}});
  while (server.requests().empty()) {
    std::this_thread::sleep_for(1ms);
  }
  client.reset();
  CHECK(future.get().error().code == ErrorCode::closed);
}

}  // namespace
}  // namespace starling
