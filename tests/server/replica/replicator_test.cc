// Deltas between nodes (R6): two or three cores exchanging their effects.
#include "tests/server/replica/test_cluster.h"

namespace starling::test {
namespace {

using Reason = wire::Goodbye::Reason;

std::vector<Reason> goodbyes(const TestCluster& cluster, const std::string& from,
                             const std::string& to) {
  std::vector<Reason> reasons;
  for (const auto& goodbye : cluster.messages<wire::Goodbye>(from, to)) {
    reasons.push_back(goodbye.reason);
  }
  return reasons;
}

bool has(const std::vector<Reason>& reasons, Reason reason) {
  return std::ranges::find(reasons, reason) != reasons.end();
}

// a, b and, if named, c, all connected and ready.
void meet(TestCluster& cluster, std::initializer_list<const char*> others,
          const Config& config = {}) {
  cluster.add("a", {}, config);
  for (const char* name : others) {
    cluster.add(name, {"a"}, config);
  }
  cluster.run_ms(1000);
  for (const char* name : others) {
    REQUIRE(cluster.view(name).ready);
    REQUIRE(cluster.view(name).peers.size() == others.size());
  }
}

// ---------------------------------------------------------------- Hello

TEST_CASE("nodes that name one other find all, and what one writes all read") {
  TestCluster cluster;
  meet(cluster, {"b", "c"});
  CHECK(cluster.connections("b", "c") == 1);
  cluster.ask("c", set("k", "v"));
  REQUIRE(cluster.converge());
  CHECK(cluster.text("a", get("k")) == "v");
  CHECK(cluster.text("b", get("k")) == "v");
}

TEST_CASE("a node of another cluster is refused, and both say so") {
  TestCluster cluster;
  cluster.add("a");
  Config other;
  other.cluster = "another";
  cluster.add("b", {"a"}, other);
  cluster.run_ms(500);
  CHECK(has(goodbyes(cluster, "a", "b"), Reason::wrong_cluster));
  CHECK(cluster.said("a", "another"));
  CHECK(cluster.connections("a", "b") == 0);
  CHECK(cluster.view("a").peers.empty());
}

TEST_CASE("another protocol version is refused") {
  TestCluster cluster;
  cluster.network = [](const std::string& from, const std::string&, wire::PeerMessage& message) {
    if (auto* hello = std::get_if<wire::Hello>(&message); hello != nullptr && from == "b") {
      hello->protocol = wire::protocol_version + 1;
    }
    return true;
  };
  cluster.add("a");
  cluster.add("b", {"a"});
  cluster.run_ms(500);
  CHECK(has(goodbyes(cluster, "a", "b"), Reason::wrong_protocol));
  CHECK(cluster.said("a", "protocol"));
}

TEST_CASE("a node that reaches itself hangs up and does not try again") {
  TestCluster cluster;
  cluster.aliases["another name of a"] = "a";
  cluster.add("a", {"another name of a"});
  cluster.run_ms(10'000);
  CHECK(has(goodbyes(cluster, "a", "a"), Reason::self));
  CHECK(cluster.messages<wire::Hello>("a", "a").size() <= 2);
}

TEST_CASE("a second process with the identity of a node is refused, and health says so") {
  TestCluster cluster;
  meet(cluster, {"b"});
  cluster.clone("b", "copy").config.join = {"b"};
  cluster.restart("copy");
  cluster.run_ms(10'000);
  const bool refused = has(goodbyes(cluster, "b", "copy"), Reason::same_node) ||
                       has(goodbyes(cluster, "copy", "b"), Reason::same_node);
  CHECK(refused);
  const auto reasons = cluster.view("b").degraded_reasons;
  CHECK(std::ranges::any_of(reasons, [](const auto& r) { return r.contains("identity"); }));
}

TEST_CASE("two histories of one origin are a fork: no replication, and an alarm (I1)") {
  TestCluster cluster;
  meet(cluster, {"b"});
  cluster.ask("a", set("k", "v"));
  REQUIRE(cluster.converge());
  cluster.network = [](const std::string& from, const std::string&, wire::PeerMessage& message) {
    if (auto* hello = std::get_if<wire::Hello>(&message); hello != nullptr && from == "b") {
      for (auto& stream : hello->hashes) {
        stream.hash ^= 1;
      }
    }
    return true;
  };
  cluster.restart("b");
  cluster.run_ms(1000);
  CHECK(has(goodbyes(cluster, "a", "b"), Reason::fork));
  CHECK(cluster.said("a", "fork"));
  CHECK(cluster.connections("a", "b") == 0);
}

TEST_CASE("impostors under ever new names do not fill the memory of a node") {
  TestCluster cluster;
  auto& node = cluster.add("a");
  cluster.run_ms(10);
  wire::Hello hello;
  hello.cluster = Config().cluster;
  hello.node = cluster.view("a").node;
  hello.origin = {hello.node, 1, 1};
  for (ConnectionId connection = 1000; connection < 2000; ++connection) {
    hello.name = "impostor " + std::to_string(connection);
    node.replica->step(replica::PeerConnected{connection, std::nullopt}, cluster.now);
    node.replica->step(replica::PeerReceived{connection, hello, 100}, cluster.now);
    node.replica->step(replica::PeerClosed{connection}, cluster.now);
    cluster.run_ms(1);
  }
  const auto reasons = cluster.view("a").degraded_reasons;
  CHECK(reasons.size() >= 1);
  CHECK(reasons.size() <= 16);
  CHECK(reasons.back().contains("impostor 1999"));
  cluster.run_ms(11'000);
  CHECK(cluster.view("a").degraded_reasons.empty());
}

TEST_CASE("two processes with one identity do not keep a third node busy") {
  TestCluster cluster;
  meet(cluster, {"b"});
  cluster.clone("b", "copy");
  cluster.sent.clear();
  cluster.run_ms(10'000);
  CHECK(cluster.messages<wire::Hello>("copy", "a").size() < 50);
  CHECK(cluster.messages<wire::Hello>("b", "a").size() < 50);
}

// ---------------------------------------------------------------- connections

TEST_CASE("two nodes that dial each other at once keep one connection, the same on both sides") {
  TestCluster cluster;
  cluster.add("a", {"b"});
  cluster.add("b", {"a"});
  cluster.run_ms(2000);
  CHECK(cluster.connections("a", "b") == 1);
  cluster.ask("a", set("from a", "1"));
  cluster.ask("b", set("from b", "2"));
  REQUIRE(cluster.converge());
  cluster.run_ms(5000);
  CHECK(cluster.connections("a", "b") == 1);
}

TEST_CASE("a node that dies is dialled until it is back, and then gets what it missed") {
  TestCluster cluster;
  meet(cluster, {"b"});
  cluster.kill("b");
  cluster.run_ms(3000);
  cluster.ask("a", set("k", "while b was away"));
  CHECK_FALSE(cluster.view("a").peers.front().connected);
  cluster.at("b").config.join.clear();  // it was a member: it needs no --join
  cluster.start("b");
  REQUIRE(cluster.converge());
  CHECK(cluster.text("b", get("k")) == "while b was away");
}

TEST_CASE("when a member was last heard, and what it was sent, stays known while it is away") {
  TestCluster cluster;
  meet(cluster, {"b"});
  cluster.ask("a", set("k", "for b"));
  REQUIRE(cluster.converge());
  const auto of_b = [&] { return cluster.view("a").peers.front(); };
  const std::uint64_t sent = of_b().bytes_sent;
  REQUIRE(sent > 0);
  cluster.kill("b");
  cluster.run_ms(8000);
  CHECK_FALSE(of_b().connected);
  REQUIRE(of_b().heard.has_value());
  CHECK(of_b().heard->ms_ago >= 7000);
  CHECK(of_b().bytes_sent == sent);
  cluster.start("b");
  cluster.ask("a", set("k", "for b again"));
  REQUIRE(cluster.converge());
  CHECK(of_b().connected);
  CHECK(of_b().heard->ms_ago < 2000);
  CHECK(of_b().bytes_sent > sent);
}

TEST_CASE("of a member that was not heard since the start nobody knows when it was") {
  TestCluster cluster;
  meet(cluster, {"b"});
  cluster.kill("b");
  cluster.kill("a");
  cluster.start("a");
  cluster.run_ms(1000);
  CHECK(cluster.view("a").peers.front().name == "b");
  CHECK_FALSE(cluster.view("a").peers.front().heard.has_value());
}

TEST_CASE("a peer that is silent for too long is given up and dialled again") {
  TestCluster cluster;
  meet(cluster, {"b"});
  bool silent = true;
  cluster.network = [&](const std::string&, const std::string&, wire::PeerMessage&) {
    return !silent;
  };
  cluster.run_ms(6000);
  CHECK(cluster.said("a", "silent"));
  silent = false;
  cluster.ask("a", set("k", "v"));
  REQUIRE(cluster.converge());
}

TEST_CASE("a node that stops says goodbye and serves nothing more") {
  TestCluster cluster;
  meet(cluster, {"b"});
  cluster.at("b").replica->step(replica::StopRequested{}, cluster.now);
  cluster.settle();
  CHECK(has(goodbyes(cluster, "b", "a"), Reason::shutting_down));
  CHECK(cluster.refusal("b", get("k")) == ErrorCode::not_ready);
}

// ---------------------------------------------------------------- push, pull, credit

TEST_CASE("an origin pushes its own entries; nobody relays unasked (R6.1)") {
  TestCluster cluster;
  meet(cluster, {"b", "c"});
  cluster.sent.clear();
  cluster.ask("a", set("k", "v"));
  cluster.run_ms(500);
  CHECK(cluster.messages<wire::Push>("a", "b").size() == 1);
  CHECK(cluster.messages<wire::Push>("a", "c").size() == 1);
  CHECK(cluster.messages<wire::Push>("b", "c").empty());
  CHECK(cluster.messages<wire::Push>("c", "b").empty());
}

TEST_CASE("a lost push is pulled") {
  TestCluster cluster;
  meet(cluster, {"b"});
  cluster.network = [](const std::string&, const std::string&, wire::PeerMessage& message) {
    const auto* push = std::get_if<wire::Push>(&message);
    return push == nullptr || push->answers_pull;
  };
  cluster.ask("a", set("k", "v"));
  REQUIRE(cluster.converge(2000));
  CHECK_FALSE(cluster.messages<wire::Pull>("b", "a").empty());
}

TEST_CASE("what its writer cannot give is pulled from the others, in turn") {
  TestCluster cluster;
  meet(cluster, {"b", "c", "d"});
  cluster.ask("d", command(CommandCode::partition, "", {}));
  cluster.ask("a", set("k", "v"));
  cluster.run_ms(500);
  cluster.kill("a");
  // The first one that is asked does not answer.
  std::string deaf;
  cluster.network = [&](const std::string&, const std::string& to, wire::PeerMessage& message) {
    if (std::holds_alternative<wire::Pull>(message) && deaf.empty()) {
      deaf = to;
    }
    return !std::holds_alternative<wire::Pull>(message) || to != deaf;
  };
  cluster.ask("d", command(CommandCode::heal, "", {}));
  REQUIRE(cluster.within_ms(5000, [&] { return cluster.text("d", get("k")) == "v"; }));
  CHECK_FALSE(deaf.empty());
  CHECK_FALSE(cluster.messages<wire::Pull>("d", "b").empty());
  CHECK_FALSE(cluster.messages<wire::Pull>("d", "c").empty());
}

TEST_CASE("no more is under way than the credit allows (I8)") {
  Config small;
  small.memory_bytes = 32u << 20;  // a sixteenth of it: 2 MiB
  TestCluster cluster;
  meet(cluster, {"b"}, small);
  // b takes everything in but cannot say so.
  cluster.network = [](const std::string& from, const std::string&, wire::PeerMessage& message) {
    return from == "a" || std::holds_alternative<wire::Hello>(message);
  };
  cluster.sent.clear();
  for (int i = 0; i < 8; ++i) {
    cluster.ask("a", set("k" + std::to_string(i), std::string(1u << 20, 'x')));
  }
  cluster.run_ms(500);
  std::size_t bytes = 0;
  for (const auto& push : cluster.messages<wire::Push>("a", "b")) {
    bytes += push.run.entries.size();
  }
  CHECK(bytes >= 1u << 20);
  CHECK(bytes <= 2u << 20);
  cluster.network = [](const std::string&, const std::string&, wire::PeerMessage&) { return true; };
  REQUIRE(cluster.converge());
}

TEST_CASE("an entry that is larger than the credit goes alone") {
  Config small;
  small.memory_bytes = 32u << 20;
  TestCluster cluster;
  meet(cluster, {"b"}, small);
  cluster.ask("a", set("large", std::string(8u << 20, 'x')));
  cluster.ask("a", set("k", "v"));
  REQUIRE(cluster.converge());
  CHECK(cluster.text("b", get("large")).size() == 8u << 20);
}

TEST_CASE("an entry that is larger than the rest of the credit waits until nothing is under way") {
  Config small;
  small.window_bytes = 10'000;
  TestCluster cluster;
  meet(cluster, {"b"}, small);
  cluster.network = [](const std::string& from, const std::string&, wire::PeerMessage& message) {
    return from == "a" || !std::holds_alternative<wire::Ack>(message);
  };
  cluster.sent.clear();
  cluster.ask("a", set("small", "x"));
  cluster.ask("a", set("large", std::string(50'000, 'x')));
  cluster.run_ms(100);
  CHECK(cluster.messages<wire::Push>("a", "b").size() == 1);
  CHECK(cluster.view("a").peers.front().bytes_under_way > 0);
  cluster.network = [](const std::string&, const std::string&, wire::PeerMessage&) { return true; };
  REQUIRE(cluster.converge());
  CHECK(cluster.text("b", get("large")).size() == 50'000);
}

// a writes 40,000 bytes of which nobody hears anything; b goes on asking for them.
void write_unheard(TestCluster& cluster) {
  cluster.network = [](const std::string&, const std::string&, wire::PeerMessage& message) {
    return !std::holds_alternative<wire::Push>(message);
  };
  for (int i = 0; i < 40; ++i) {
    cluster.ask("a", set("k" + std::to_string(i), std::string(1000, 'x')));
  }
  cluster.sent.clear();
}

TEST_CASE("who pulls before an answer has arrived gets no more than one of them (I8)") {
  Config small;
  small.window_bytes = 10'000;
  TestCluster cluster;
  meet(cluster, {"b"}, small);
  write_unheard(cluster);
  cluster.run_ms(4000);
  CHECK(cluster.messages<wire::Pull>("b", "a").size() > 3);
  std::size_t bytes = 0;
  for (const auto& push : cluster.messages<wire::Push>("a", "b")) {
    bytes += push.run.entries.size();
  }
  CHECK(bytes > 15'000);
  CHECK(bytes <= 30'000);
  CHECK(cluster.view("a").peers.front().bytes_under_way <= 30'000);
}

TEST_CASE("a peer that does not acknowledge what it gets is connected to anew") {
  Config small;
  small.window_bytes = 10'000;
  TestCluster cluster;
  meet(cluster, {"b"}, small);
  write_unheard(cluster);
  cluster.run_ms(8000);
  CHECK_FALSE(cluster.messages<wire::Hello>("a", "b").empty());
  cluster.network = [](const std::string&, const std::string&, wire::PeerMessage&) { return true; };
  REQUIRE(cluster.converge());
}

TEST_CASE("a node whose memory is full takes nothing in, says credit 0, and goes on afterwards") {
  Config small;
  small.memory_bytes = 4u << 20;
  small.hold_bytes = 1u << 20;
  TestCluster cluster;
  cluster.add("a");
  cluster.add("b", {"a"}, small);
  cluster.run_ms(1000);
  cluster.at("b").store->fail_checkpoints = true;
  for (int i = 0; i < 100; ++i) {
    cluster.ask("a", set("k" + std::to_string(i), std::string(100'000, 'x')));
  }
  cluster.run_ms(3000);
  CHECK(cluster.view("b").table_bytes <= small.memory_bytes + 200'000);
  CHECK(cluster.view("b").held_bytes <= small.hold_bytes);
  const auto acks = cluster.messages<wire::Ack>("b", "a");
  REQUIRE_FALSE(acks.empty());
  CHECK(acks.back().credit_bytes == 0);
  cluster.sent.clear();
  cluster.run_ms(3000);
  CHECK(cluster.messages<wire::Push>("a", "b").empty());  // no traffic for nothing
  cluster.at("b").store->fail_checkpoints = false;
  REQUIRE(cluster.converge(60'000));
  CHECK(cluster.view("b").table_bytes <= small.memory_bytes);
}

TEST_CASE("writes that wait for a checkpoint are counted, and so is how long they waited (R5.2)") {
  Config small;
  small.memory_bytes = 4u << 20;
  TestCluster cluster;
  cluster.add("a", {}, small);
  cluster.run_ms(100);
  cluster.at("a").store->fail_checkpoints = true;
  for (int i = 0; i < 60; ++i) {
    wire::Request request;
    request.commands = {set("k" + std::to_string(i), std::string(100'000, 'x'))};
    (void)cluster.ask("a", std::move(request), 1);  // the later ones have to wait
  }
  CHECK(cluster.view("a").write_stalls == 1);
  cluster.run_ms(2000);
  CHECK(cluster.view("a").write_stall_us >= 2'000'000);
  cluster.at("a").store->fail_checkpoints = false;
  cluster.run_ms(3000);
  CHECK(std::holds_alternative<wire::Ok>(cluster.ask("a", set("k", "v"))));
  const std::uint64_t waited = cluster.view("a").write_stall_us;
  cluster.run_ms(1000);
  CHECK(cluster.view("a").write_stall_us == waited);
  CHECK(cluster.view("a").write_stalls == 1);
}

// ---------------------------------------------------------------- faults on purpose

TEST_CASE("a cut node exchanges nothing; healed, it has everything, and so have the others") {
  TestCluster cluster;
  meet(cluster, {"b", "c"});
  cluster.ask("a", command(CommandCode::partition, "", {"b"}));
  cluster.run_ms(200);
  CHECK(cluster.connections("a", "b") == 0);
  CHECK(cluster.connections("a", "c") == 1);
  cluster.ask("c", command(CommandCode::partition, ""));
  cluster.run_ms(200);
  cluster.ask("a", incr("n", 1));
  cluster.ask("b", incr("n", 2));
  cluster.ask("c", incr("n", 4));
  cluster.run_ms(3000);
  CHECK(cluster.text("a", get("n")) == "1");
  CHECK(cluster.text("b", get("n")) == "2");
  CHECK(cluster.text("c", get("n")) == "4");
  cluster.ask("c", command(CommandCode::heal, ""));
  cluster.ask("a", command(CommandCode::heal, ""));
  REQUIRE(cluster.converge());
  CHECK(cluster.text("b", get("n")) == "7");
}

TEST_CASE("only a cut of a member that is known by name, and only where faults are allowed") {
  TestCluster cluster;
  meet(cluster, {"b"});
  CHECK(cluster.refusal("a", command(CommandCode::partition, "", {"nobody"})) ==
        ErrorCode::bad_request);
  cluster.at("a").config.allow_faults = false;
  cluster.restart("a");
  CHECK(cluster.refusal("a", command(CommandCode::partition, "")) == ErrorCode::refused);
}

// ---------------------------------------------------------------- sessions, digests

TEST_CASE("a session that has seen more than the node waits for it, or is told that it is behind") {
  TestCluster cluster;
  meet(cluster, {"b"});
  cluster.ask("b", command(CommandCode::partition, ""));
  cluster.run_ms(100);
  wire::Request write;
  write.commands = {set("k", "v")};
  const auto written = cluster.ask("a", write);
  REQUIRE(written);
  wire::Request read;
  read.commands = {get("k")};
  read.token = written->token;
  const auto at_once = cluster.ask("b", read);
  REQUIRE(at_once);
  CHECK(std::get<wire::Error>(at_once->results[0]).code == ErrorCode::behind);
  read.deadline_ms = 300;
  const auto too_late = cluster.ask("b", read);
  REQUIRE(too_late);
  CHECK(std::get<wire::Error>(too_late->results[0]).code == ErrorCode::behind);
  cluster.ask("b", command(CommandCode::heal, ""));
  read.deadline_ms = 5000;
  const auto in_time = cluster.ask("b", read, 5000);
  REQUIRE(in_time);
  CHECK(std::get<std::string>(in_time->results[0]) == "v");
}

TEST_CASE("status with digests says that all agree, from what each has stored") {
  TestCluster cluster;
  meet(cluster, {"b", "c"});
  cluster.ask("a", set_add("s", {"x", "y"}));
  cluster.ask("b", incr("n"));
  REQUIRE(cluster.converge());
  const std::string status = cluster.text("c", command(CommandCode::status, "", {}, 1));
  CHECK(status.ends_with("\"converged\":true}"));
}

}  // namespace
}  // namespace starling::test
