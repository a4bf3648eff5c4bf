// Requests that wait are bounded, in number and in bytes (R5.2).
#include "server/replica/waiting_requests.h"

#include "tests/server/replica/test_cluster.h"

namespace starling::test {
namespace {

using replica::ClientRequest;
using replica::WaitingRequests;

ClientRequest waiting_write(std::uint64_t id, std::size_t bytes) {
  ClientRequest request;
  request.id = id;
  request.request.commands = {set("k" + std::to_string(id), std::string(bytes, 'x'))};
  return request;
}

bool add_write(WaitingRequests& waiting, std::uint64_t id, std::size_t bytes) {
  ClientRequest request = waiting_write(id, bytes);
  return waiting.add(request, 0);
}

TEST_CASE("requests wait in the order in which they came, as many as there is room for") {
  WaitingRequests waiting(10'000);
  std::uint64_t id = 0;
  while (add_write(waiting, id + 1, 1000)) {
    ++id;
    REQUIRE(id < 20);
  }
  CHECK(id > 5);
  CHECK(waiting.bytes() <= 10'000);
  CHECK(waiting.take().request.id == 1);
  CHECK(add_write(waiting, id + 1, 1000));
  waiting.forget({2, id + 1});
  CHECK(waiting.take().request.id == 3);
  while (waiting.size() > 0) {
    (void)waiting.take();
  }
  CHECK(waiting.bytes() == 0);
}

TEST_CASE("a request that is larger than the room for all waits alone") {
  WaitingRequests waiting(10'000);
  CHECK(add_write(waiting, 1, 20'000));
  CHECK_FALSE(add_write(waiting, 2, 1));
  CHECK(waiting.take().request.id == 1);
  CHECK(add_write(waiting, 2, 1));
}

TEST_CASE("requests without commands and arguments are counted too") {
  WaitingRequests waiting(1u << 30);
  std::size_t count = 0;
  for (ClientRequest empty; waiting.add(empty, 0); empty = {}) {
    ++count;
  }
  CHECK(count == 10'000);
}

TEST_CASE("while memory is full the writes that wait are bounded, and the others are told so") {
  Config small;
  small.memory_bytes = 8u << 20;
  TestCluster cluster;
  auto& node = cluster.add("a", {}, small);
  cluster.run_ms(10);
  node.store->fail_checkpoints = true;
  for (std::uint64_t id = 1; id <= 400; ++id) {
    node.replica->step(waiting_write(1'000'000 + id, 100'000), cluster.now);
    cluster.settle();
  }
  CHECK(cluster.view("a").waiting_bytes > 0);
  CHECK(cluster.view("a").waiting_bytes <= small.memory_bytes / 8);
  std::size_t busy = 0;
  for (const auto& [id, response] : node.responses) {
    const auto* error = std::get_if<wire::Error>(&response.results.front());
    REQUIRE((error == nullptr || error->code == ErrorCode::busy));
    busy += error == nullptr ? 0 : 1;
  }
  CHECK(busy > 100);
  CHECK(busy < 400);
  node.store->fail_checkpoints = false;
  REQUIRE(cluster.within_ms(5'000, [&] { return node.responses.size() == 400; }));
  CHECK(cluster.view("a").waiting_bytes == 0);
  CHECK(cluster.view("a").table_bytes <= small.memory_bytes);
}

}  // namespace
}  // namespace starling::test
