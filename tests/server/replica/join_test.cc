// When a node serves (R5.7).
#include "tests/server/replica/test_cluster.h"

namespace starling::test {
namespace {

bool any_contains(const std::vector<std::string>& texts, const std::string& part) {
  return std::ranges::any_of(texts, [&](const auto& text) { return text.contains(part); });
}

TEST_CASE("a new node without --join serves at once") {
  TestCluster cluster;
  cluster.add("a");
  CHECK(cluster.view("a").ready);
  cluster.ask("a", set("k", "v"));
  CHECK(cluster.text("a", get("k")) == "v");
}

TEST_CASE("a new node that joins serves nothing until it has what its first contact had") {
  TestCluster cluster;
  cluster.add("a");
  cluster.ask("a", set("k", "v"));
  bool hold_back = true;
  cluster.network = [&](const std::string&, const std::string&, wire::PeerMessage& message) {
    return !hold_back || !std::holds_alternative<wire::Push>(message);
  };
  cluster.add("b", {"a"});
  cluster.run_ms(2000);
  CHECK_FALSE(cluster.view("b").ready);
  CHECK(any_contains(cluster.view("b").not_ready_reasons, "catching up"));
  CHECK(cluster.refusal("b", get("k")) == ErrorCode::not_ready);
  CHECK(cluster.refusal("b", set("k", "w")) == ErrorCode::not_ready);
  CHECK_FALSE(cluster.refusal("b", command(CommandCode::status, "")));
  hold_back = false;
  REQUIRE(cluster.within_ms(3000, [&] { return cluster.view("b").ready; }));
  CHECK(cluster.text("b", get("k")) == "v");
}

TEST_CASE("a new node that reaches nobody says so, and waits") {
  TestCluster cluster;
  cluster.add("b", {"a"});
  cluster.run_ms(10'000);
  CHECK_FALSE(cluster.view("b").ready);
  CHECK(any_contains(cluster.view("b").not_ready_reasons, "no member"));
  cluster.add("a");
  REQUIRE(cluster.within_ms(10'000, [&] { return cluster.view("b").ready; }));
}

TEST_CASE("a node that was ready once is ready at once after a restart, whoever is away") {
  TestCluster cluster;
  cluster.add("a");
  cluster.add("b", {"a"});
  cluster.run_ms(1000);
  cluster.kill("a");
  cluster.restart("b");
  CHECK(cluster.view("b").ready);
  CHECK_FALSE(cluster.refusal("b", set("k", "v")));
}

TEST_CASE("a node that stopped before it was ready goes on catching up") {
  TestCluster cluster;
  cluster.add("a");
  cluster.ask("a", set("k", "v"));
  bool hold_back = true;
  cluster.network = [&](const std::string&, const std::string&, wire::PeerMessage& message) {
    return !hold_back || !std::holds_alternative<wire::Push>(message);
  };
  cluster.add("b", {"a"});
  cluster.run_ms(500);
  cluster.restart("b");
  CHECK_FALSE(cluster.view("b").ready);
  hold_back = false;
  REQUIRE(cluster.within_ms(3000, [&] { return cluster.view("b").ready; }));
}

TEST_CASE("two fresh nodes that name each other have nothing to wait for") {
  TestCluster cluster;
  cluster.add("a", {"b"});
  cluster.add("b", {"a"});
  REQUIRE(
      cluster.within_ms(3000, [&] { return cluster.view("a").ready && cluster.view("b").ready; }));
}

TEST_CASE("a joiner below everybody's floor stays not ready and says that it needs bootstrap") {
  Config truncating;
  truncating.truncate_log = true;
  truncating.checkpoint_age = std::chrono::milliseconds(10);
  TestCluster cluster;
  cluster.add("a", {}, truncating);
  for (int i = 0; i < 200; ++i) {
    cluster.ask("a", incr("n"));
    cluster.run_ms(20);
  }
  REQUIRE(cluster.at("a").store->bounds().first > 1);
  cluster.restart("a");  // or it would push from memory what the log no longer has
  cluster.add("b", {"a"});
  cluster.run_ms(3000);
  CHECK_FALSE(cluster.view("b").ready);
  CHECK(any_contains(cluster.view("b").not_ready_reasons, "bootstrap"));
  CHECK(cluster.refusal("b", get("n")) == ErrorCode::not_ready);
}

TEST_CASE("a directory belongs to one cluster") {
  TestStore store;
  Config config;
  config.name = "a";
  REQUIRE(Replica::open(store, config, {1, 1'790'000'000'000}));
  config.cluster = "another";
  const auto opened = Replica::open(store, config, {1, 1'790'000'000'000});
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == StoreError::Code::refused);
}

TEST_CASE("every start takes a new origin, also where the clock went back (R1.2)") {
  TestStore store;
  Config config;
  config.name = "a";
  std::vector<Origin> origins;
  for (const std::uint64_t ms :
       {1'790'000'000'000ULL, 1'790'000'000'000ULL, 1'700'000'000'000ULL}) {
    config.random_seed = origins.size();
    const auto opened = Replica::open(store, config, {1, ms});
    REQUIRE(opened);
    origins.push_back((*opened)->view({1, ms}).origin);
  }
  CHECK(origins[0].node == origins[2].node);
  CHECK(origins[0].epoch < origins[1].epoch);
  CHECK(origins[1].epoch < origins[2].epoch);
}

}  // namespace
}  // namespace starling::test
