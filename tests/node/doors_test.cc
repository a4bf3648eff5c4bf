#include <doctest/doctest.h>

#include "server/net/client_door.h"
#include "server/net/peer_door.h"
#include "tests/node/fakes.h"

namespace starling::net {
namespace {

using test::client_messages;
using test::FakeConnection;
using test::Remote;

struct ClientBench {
  explicit ClientBench(ClientDoor::Limits limits = {}) : door(core, limits, counters, rejections) {}

  std::shared_ptr<Remote> connects() {
    auto remote = std::make_shared<Remote>();
    door.accept(std::make_unique<FakeConnection>(remote));
    return remote;
  }
  std::shared_ptr<Remote> connects_and_greets() {
    auto remote = connects();
    remote->says(wire::ClientMessage(wire::ClientHello{}));
    return remote;
  }
  // The core answers everything it was asked.
  void answer_all() {
    for (const auto* asked : core.of<replica::ClientRequest>()) {
      wire::Response response;
      response.id = asked->request.id;
      response.results.emplace_back(wire::Ok{});
      door.reply({asked->id, std::move(response)});
    }
    core.inputs.clear();
    door.flush();
  }
  [[nodiscard]] std::uint64_t rejected(Rejection reason) const {
    return rejections.count(Door::client, reason);
  }

  test::NotingCore core;
  test::ReadableLog log;
  ShellCounters counters;
  Rejections rejections{log.log};
  ClientDoor door;
};

wire::ClientMessage request(std::uint64_t id, std::size_t value_size = 0) {
  wire::Request request;
  request.id = id;
  wire::Command command;
  command.key = "k";
  command.args.emplace_back(value_size, 'x');
  request.commands.push_back(std::move(command));
  return wire::ClientMessage(std::move(request));
}

std::string error_of(const Remote& remote) {
  const auto messages = client_messages(remote.sent);
  if (messages.empty()) {
    return "nothing";
  }
  const auto* response = std::get_if<wire::Response>(&messages.back());
  if (response == nullptr || response->id != 0 || response->results.size() != 1) {
    return "no refusal";
  }
  const auto* error = std::get_if<wire::Error>(&response->results[0]);
  return error == nullptr ? "no error" : error->message;
}

TEST_CASE("a client greets, asks and is answered in one write per tick") {
  ClientBench bench;
  const auto remote = bench.connects_and_greets();
  REQUIRE(client_messages(remote->sent).size() == 1);
  CHECK(std::get<wire::ServerHello>(client_messages(remote->sent)[0]).name == "n1");
  remote->sent.clear();
  remote->says(request(11));
  remote->says(request(12));
  CHECK(bench.counters.requests_in_flight == 2);
  bench.answer_all();
  const auto messages = client_messages(remote->sent);
  REQUIRE(messages.size() == 2);
  CHECK(std::get<wire::Response>(messages[0]).id == 11);
  CHECK(std::get<wire::Response>(messages[1]).id == 12);
  CHECK(bench.counters.requests_in_flight == 0);
}

TEST_CASE("requests cut at every byte are the same requests") {
  ClientBench bench;
  const auto remote = bench.connects();
  const std::string bytes = wire::encode(wire::ClientMessage(wire::ClientHello{})) +
                            wire::encode(request(1)) + wire::encode(request(2));
  for (const char byte : bytes) {
    remote->says(std::string_view(&byte, 1));
  }
  CHECK(bench.core.of<replica::ClientRequest>().size() == 2);
}

TEST_CASE("garbage is answered with a sentence, counted, and the connection ends") {
  struct Row {
    std::string bytes;
    Rejection reason;
    std::string sentence;
  };
  wire::ClientHello old;
  old.protocol = wire::protocol_version + 1;
  std::string damaged = wire::encode(wire::ClientMessage(wire::ClientHello{}));
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  const std::vector<Row> table{
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Rejection::bad_frame, ""},
      {"*1\r\n$4\r\nPING\r\n", Rejection::bad_frame, ""},
      {std::string(8, '\0'), Rejection::bad_frame, ""},
      {std::string(8, '\xff'), Rejection::bad_frame, ""},
      {damaged, Rejection::bad_frame, ""},
      {wire::encode_frame(std::string(16, '\xff')), Rejection::bad_message, ""},
      {wire::encode(request(1)), Rejection::bad_message, "the first message must be a ClientHello"},
      {wire::encode(wire::ClientMessage(old)), Rejection::wrong_protocol,
       "use programs of the same"},
  };
  for (const Row& row : table) {
    ClientBench bench;
    const auto remote = bench.connects();
    remote->says(row.bytes);
    CAPTURE(row.bytes);
    CHECK(bench.rejected(row.reason) == 1);
    CHECK(remote->finished);
    const std::string said = error_of(*remote);
    CHECK_MESSAGE(said.contains(row.sentence), said);
    CHECK(said.size() > 10);
    CHECK(bench.core.of<replica::ClientRequest>().empty());
    bench.core.clock_us += 3'000'000;
    bench.door.sweep();
    CHECK(remote->closed);
    CHECK(bench.door.empty());
  }
}

TEST_CASE("after the hello anything but a request ends the connection") {
  ClientBench bench;
  const auto remote = bench.connects_and_greets();
  remote->says(wire::ClientMessage(wire::ClientHello{}));
  CHECK(error_of(*remote) == "after the hello only requests are expected");
  CHECK(bench.rejected(Rejection::bad_message) == 1);
}

TEST_CASE("who does not greet in time is sent away") {
  ClientBench bench;
  const auto silent = bench.connects();
  const auto polite = bench.connects_and_greets();
  bench.core.clock_us += 9'000'000;
  bench.door.sweep();
  CHECK_FALSE(silent->finished);
  bench.core.clock_us += 2'000'000;
  bench.door.sweep();
  CHECK(silent->finished);
  CHECK(error_of(*silent) == "no ClientHello came in time");
  CHECK_FALSE(polite->finished);
}

TEST_CASE("one client too many is told so; room that is made is used") {
  ClientDoor::Limits limits;
  limits.clients = 2;
  ClientBench bench(limits);
  const auto first = bench.connects_and_greets();
  const auto second = bench.connects_and_greets();
  const auto third = bench.connects();
  CHECK(third->finished);
  CHECK(error_of(*third).contains("has 2 clients already"));
  CHECK(bench.rejected(Rejection::too_many) == 1);
  first->handler->ended();
  const auto fourth = bench.connects_and_greets();
  CHECK_FALSE(fourth->finished);
  CHECK(client_messages(fourth->sent).size() == 1);
}

TEST_CASE("of those sent away only a few linger") {
  ClientDoor::Limits limits;
  limits.clients = 1;
  limits.lingering = 3;
  ClientBench bench(limits);
  const auto first = bench.connects_and_greets();
  std::vector<std::shared_ptr<Remote>> others;
  others.reserve(100);
  for (int i = 0; i < 100; ++i) {
    others.push_back(bench.connects());
  }
  CHECK(std::ranges::count_if(others, [](const auto& r) { return !r->closed; }) == 3);
  CHECK(bench.rejected(Rejection::too_many) == 100);
}

TEST_CASE("beyond the cap on requests in flight the socket is not read until half are answered") {
  ClientDoor::Limits limits;
  limits.in_flight = 4;
  ClientBench bench(limits);
  const auto remote = bench.connects_and_greets();
  std::string bytes;
  for (std::uint64_t id = 1; id <= 10; ++id) {
    bytes += wire::encode(request(id));
  }
  remote->says(bytes);
  CHECK(bench.core.of<replica::ClientRequest>().size() == 4);
  CHECK(remote->paused);
  bench.answer_all();
  CHECK(bench.core.of<replica::ClientRequest>().size() == 4);
  CHECK(remote->paused);
  bench.answer_all();
  CHECK(bench.core.of<replica::ClientRequest>().size() == 2);
  CHECK_FALSE(remote->paused);
  bench.answer_all();
  CHECK(client_messages(remote->sent).size() == 11);
}

TEST_CASE("who does not read is cut off alone") {
  ClientDoor::Limits limits;
  limits.unsent = 1000;
  ClientBench bench(limits);
  const auto slow = bench.connects_and_greets();
  const auto other = bench.connects_and_greets();
  slow->stuck = true;
  for (std::uint64_t id = 0; id < 40; ++id) {
    slow->says(request(id));
  }
  other->says(request(1));
  bench.answer_all();
  CHECK(slow->closed);
  CHECK_FALSE(other->closed);
  CHECK(bench.rejected(Rejection::slow_reader) == 1);
  CHECK(client_messages(other->sent).size() == 2);
  CHECK(bench.counters.client_buffered_bytes == 0);
}

TEST_CASE("when all together hold too much, the largest is cut off") {
  ClientDoor::Limits limits;
  limits.held = 100'000;
  ClientBench bench(limits);
  const auto large = bench.connects_and_greets();
  const auto small = bench.connects_and_greets();
  const std::string big = wire::encode(request(1, 200'000));
  large->says(std::string_view(big).substr(0, 70'000));
  small->says(std::string_view(big).substr(0, 20'000));
  CHECK_FALSE(large->closed);
  small->says(std::string_view(big).substr(20'000, 20'000));
  CHECK(large->closed);
  CHECK_FALSE(small->closed);
  CHECK(bench.rejected(Rejection::memory) == 1);
  CHECK(bench.counters.client_buffered_bytes == 40'000);
}

TEST_CASE("a client that goes takes back what it waits for") {
  ClientBench bench;
  const auto remote = bench.connects_and_greets();
  remote->says(request(1));
  remote->says(request(2));
  remote->handler->broken();
  const auto gone = bench.core.of<replica::ClientGone>();
  REQUIRE(gone.size() == 1);
  CHECK(gone[0]->ids.size() == 2);
  CHECK(bench.counters.requests_in_flight == 0);
  bench.answer_all();  // too late, and harmless
  CHECK(bench.door.empty());
}

TEST_CASE("a client that stops writing still gets its answers") {
  ClientBench bench;
  const auto remote = bench.connects_and_greets();
  remote->says(request(1));
  remote->handler->ended();
  CHECK_FALSE(remote->closed);
  bench.answer_all();
  CHECK(client_messages(remote->sent).size() == 2);
  CHECK(remote->finished);
}

TEST_CASE("answers may come in any order") {
  ClientBench bench;
  const auto remote = bench.connects_and_greets();
  for (std::uint64_t id = 0; id < 5; ++id) {
    remote->says(request(id));
  }
  std::ranges::reverse(bench.core.inputs);
  bench.answer_all();
  CHECK(client_messages(remote->sent).size() == 6);
  CHECK(bench.counters.requests_in_flight == 0);
}

TEST_CASE("draining answers what is in flight, then closes") {
  ClientBench bench;
  const auto idle = bench.connects_and_greets();
  const auto busy = bench.connects_and_greets();
  busy->says(request(1));
  bench.door.drain();
  CHECK(idle->finished);
  CHECK_FALSE(busy->finished);
  bench.answer_all();
  CHECK(busy->finished);
  CHECK(client_messages(busy->sent).size() == 2);
}

TEST_CASE("what a client asks while the tick is full waits in line for the next") {
  ClientBench bench;
  const auto first = bench.connects_and_greets();
  const auto second = bench.connects_and_greets();
  bench.core.full = true;
  second->says(request(2));
  first->says(request(1));
  CHECK(bench.core.inputs.empty());
  CHECK(first->paused);
  bench.core.full = false;
  bench.door.flush();
  const auto asked = bench.core.of<replica::ClientRequest>();
  REQUIRE(asked.size() == 2);
  CHECK(asked.front()->request.id == 2);
  CHECK_FALSE(first->paused);
  bench.answer_all();
  CHECK(client_messages(first->sent).size() == 2);
}

struct PeerBench {
  explicit PeerBench(PeerDoor::Limits limits = {}) : door(core, limits, counters, rejections) {}

  std::shared_ptr<Remote> connects(std::optional<replica::DialId> dial = std::nullopt) {
    auto remote = std::make_shared<Remote>();
    auto connection = std::make_unique<FakeConnection>(remote);
    dial ? door.dialed(*dial, std::move(connection)) : door.accept(std::move(connection));
    return remote;
  }

  test::NotingCore core;
  test::ReadableLog log;
  ShellCounters counters;
  Rejections rejections{log.log};
  PeerDoor door;
};

wire::PeerMessage hello() {
  wire::Hello hello;
  hello.cluster = "c";
  hello.name = "n2";
  return wire::PeerMessage(std::move(hello));
}

TEST_CASE("the core hears of a connection, then of its messages, then of its end") {
  PeerBench bench;
  const auto remote = bench.connects(7);
  remote->says(hello());
  remote->says(wire::PeerMessage(wire::Heartbeat{}));
  remote->handler->ended();
  REQUIRE(bench.core.inputs.size() == 4);
  CHECK(std::get<replica::PeerConnected>(bench.core.inputs[0]).dial == 7);
  const auto& first = std::get<replica::PeerReceived>(bench.core.inputs[1]);
  CHECK(std::holds_alternative<wire::Hello>(first.message));
  CHECK(first.bytes == wire::encode(hello()).size());
  CHECK(std::get<replica::PeerClosed>(bench.core.inputs[3]).connection == first.connection);
  CHECK(bench.door.empty());
}

TEST_CASE("a peer that talks nonsense is closed and counted") {
  PeerBench bench;
  const auto bad_frame = bench.connects();
  bad_frame->says(std::string(8, '\xff'));
  CHECK(bad_frame->closed);
  CHECK(bench.rejections.count(Door::peer, Rejection::bad_frame) == 1);
  const auto bad_message = bench.connects();
  bad_message->says(wire::encode_frame(std::string(16, '\xff')));
  CHECK(bad_message->closed);
  CHECK(bench.rejections.count(Door::peer, Rejection::bad_message) == 1);
  CHECK(bench.core.of<replica::PeerClosed>().size() == 2);
}

TEST_CASE("a peer is heard also while clients fill every tick") {
  PeerBench bench;
  const auto remote = bench.connects();
  bench.core.full = true;
  remote->says(hello());
  CHECK_FALSE(remote->paused);
  CHECK(bench.core.of<replica::PeerReceived>().size() == 1);
}

TEST_CASE("before its hello a peer may not send much") {
  PeerBench bench;
  const auto remote = bench.connects();
  std::string header(8, '\0');
  header[2] = 0x20;  // 2 MiB
  remote->says(header);
  CHECK(remote->closed);
}

TEST_CASE("a silent stranger at the peer door is closed") {
  PeerBench bench;
  const auto silent = bench.connects();
  const auto member = bench.connects();
  member->says(hello());
  bench.core.clock_us += 11'000'000;
  bench.door.sweep();
  CHECK(silent->closed);
  CHECK_FALSE(member->closed);
}

TEST_CASE("last words leave before the core's close does") {
  PeerBench bench;
  const auto remote = bench.connects();
  remote->says(hello());
  const auto id = bench.core.of<replica::PeerConnected>()[0]->connection;
  bench.door.send({id, wire::PeerMessage(wire::Goodbye{})});
  bench.door.close({id});
  bench.door.flush();
  CHECK(remote->finished);
  CHECK(remote->sent == wire::encode(wire::PeerMessage(wire::Goodbye{})));
  remote->handler->ended();
  CHECK(bench.core.of<replica::PeerClosed>().empty());  // it knows
  CHECK(bench.door.empty());
}

TEST_CASE("a peer that never reads is closed before it costs much") {
  PeerDoor::Limits limits;
  limits.unsent = 10'000;
  PeerBench bench(limits);
  const auto remote = bench.connects();
  remote->says(hello());
  remote->stuck = true;
  const auto id = bench.core.of<replica::PeerConnected>()[0]->connection;
  for (int i = 0; i < 1000 && !remote->closed; ++i) {
    bench.door.send({id, wire::PeerMessage(wire::Heartbeat{})});
    bench.door.flush();
  }
  CHECK(remote->closed);
  CHECK(bench.rejections.count(Door::peer, Rejection::slow_reader) == 1);
  CHECK(bench.core.of<replica::PeerClosed>().size() == 1);
}

}  // namespace
}  // namespace starling::net
