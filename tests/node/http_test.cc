#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "server/http/admin_server.h"
#include "server/http/pages.h"
#include "tests/node/fakes.h"
#include "tests/node/raw_socket.h"

namespace starling::http {
namespace {

using std::chrono::milliseconds;
using test::RawSocket;

struct Bench {
  explicit Bench(milliseconds timeout = milliseconds(10'000)) {
    auto socket = net::listen_on({"127.0.0.1", 0}, "--http");
    REQUIRE_MESSAGE(socket, socket.error());
    port = socket->address().port;
    auto opened = AdminServer::open(std::move(*socket), {.data = "/", .request_timeout = timeout},
                                    board, rejections);
    REQUIRE_MESSAGE(opened, opened.error());
    server = std::move(*opened);
  }

  // The core answers with this whenever it is asked.
  void serve(Snapshot snapshot) {
    auto shared = std::make_shared<const Snapshot>(std::move(snapshot));
    board.serve(
        [this, shared] { std::thread([this, shared] { board.publish(shared); }).detach(); });
    std::this_thread::sleep_for(milliseconds(1));
  }
  std::string ask(const std::string& bytes, milliseconds patience = milliseconds(300)) {
    RawSocket socket(port);
    socket.send(bytes);
    return socket.receive_all(patience);
  }
  std::string get(const std::string& path) {
    return ask("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
               milliseconds(5000));
  }

  test::ReadableLog log;
  Rejections rejections{log.log};
  SnapshotBoard board;
  std::uint16_t port = 0;
  std::unique_ptr<AdminServer> server;
};

Snapshot ready_snapshot() {
  Snapshot snapshot;
  snapshot.name = "n1";
  snapshot.cluster = "c";
  snapshot.view.ready = true;
  return snapshot;
}

SnapshotBoard::Answer answer(Snapshot snapshot, SnapshotBoard::Answer like = {}) {
  like.snapshot = std::make_shared<const Snapshot>(std::move(snapshot));
  return like;
}

TEST_CASE("while it recovers a node is alive, not ready, and says so") {
  Bench bench;
  CHECK(bench.get("/livez").starts_with("HTTP/1.1 200"));
  const std::string readyz = bench.get("/readyz");
  CHECK(readyz.starts_with("HTTP/1.1 503"));
  CHECK(readyz.contains("recovering"));
  CHECK(bench.get("/health").contains("\"status\":\"degraded\""));
  CHECK(bench.get("/metrics").contains("\nstarling_ready 0\n"));
}

TEST_CASE("a serving node answers all four pages") {
  Bench bench;
  bench.serve(ready_snapshot());
  CHECK(bench.get("/livez").ends_with("alive\n"));
  CHECK(bench.get("/readyz").ends_with("ready\n"));
  CHECK(bench.get("/health").contains("{\"status\":\"ok\",\"ready\":true,\"reasons\":[]"));
  const std::string metrics = bench.get("/metrics");
  CHECK(metrics.contains("Content-Type: text/plain; version=0.0.4"));
  CHECK(metrics.contains("\nstarling_info{name=\"n1\",cluster=\"c\",version=\""));
  CHECK(metrics.contains("\nstarling_ready 1\n"));
  CHECK(metrics.contains("\nstarling_conflicts_total{type=\"hash\"} 0\n"));
  CHECK(metrics.contains("\nstarling_rejected_total{door=\"client\",reason=\"bad_frame\"} 0\n"));
  CHECK(metrics.contains("\nstarling_rejected_total{door=\"resp\",reason=\"slow_reader\"} 0\n"));
}

TEST_CASE("a core that does not answer makes the node unready, not slow and not dead") {
  Bench bench;
  bench.board.serve([] {});
  bench.board.publish(std::make_shared<const Snapshot>(ready_snapshot()));
  std::this_thread::sleep_for(milliseconds(2100));
  const auto begun = std::chrono::steady_clock::now();
  CHECK(bench.get("/readyz").starts_with("HTTP/1.1 503"));
  CHECK(bench.get("/livez").starts_with("HTTP/1.1 200"));
  CHECK(std::chrono::steady_clock::now() - begun < milliseconds(2500));
}

TEST_CASE("what is not there or not allowed is refused with a status") {
  Bench bench;
  bench.serve(ready_snapshot());
  struct Row {
    std::string request;
    std::string status;
  };
  const std::string host = "Host: x\r\n";
  const std::vector<Row> table{
      {"GET / HTTP/1.1\r\n" + host + "\r\n", "404"},
      {"GET /../../etc/passwd HTTP/1.1\r\n" + host + "\r\n", "404"},
      {"GET /%2e%2e/health HTTP/1.1\r\n" + host + "\r\n", "404"},
      {"GET /health%00 HTTP/1.1\r\n" + host + "\r\n", "404"},
      {"GET //health HTTP/1.1\r\n" + host + "\r\n", "404"},
      {"GET http://x/health HTTP/1.1\r\n" + host + "\r\n", "404"},
      {"GET /health HTTP/1.1\r\n\r\n", "400"},  // no Host
      {"POST /health HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc", "405"},
      {"DELETE /health HTTP/1.1\r\n" + host + "\r\n", "405"},
      {"BREW /health HTTP/1.1\r\n" + host + "\r\n", "405"},
      {"GET /health HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", "400"},
      {"GET /health HTTP/1.1\r\n" + host + "Content-Length: abc\r\n\r\n", "400"},
      {"GET /health HTTP/1.1\r\n" + host + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "400"},
      {"GET /health HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
       "400"},
      {"GET /health HTTP/1.1\r\n" + host +
           "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "400"},
      {"POST /health HTTP/1.1\r\n" + host +
           "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
       "4"},
      {"GET /health HTTP/1.1\r\n" + host + "X: " + std::string(30'000, 'a') + "\r\n\r\n", "431"},
      {"GET /" + std::string(30'000, 'a') + " HTTP/1.1\r\n" + host + "\r\n", "4"},
  };
  for (const Row& row : table) {
    const std::string said = bench.ask(row.request);
    CAPTURE(row.request.substr(0, 100));
    CHECK_MESSAGE(said.starts_with("HTTP/1.1 " + row.status), said);
    CHECK_FALSE(said.contains("\"status\""));
  }
  // Not HTTP/1: closed or refused, never served.
  for (const std::string request : {"GET /health\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    CHECK_FALSE(bench.ask(request).contains("\"status\""));
  }
  CHECK(bench.get("/livez").starts_with("HTTP/1.1 200"));
  CHECK(bench.rejections.count(Door::http, Rejection::unknown_path) == 6);
  CHECK(bench.rejections.count(Door::http, Rejection::bad_request) >= 3);
}

TEST_CASE("HEAD has the headers only, and a connection serves many requests") {
  Bench bench;
  RawSocket socket(bench.port);
  for (int i = 0; i < 3; ++i) {
    socket.send("HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string said =
        socket.receive([](const std::string& text) { return text.contains("\r\n\r\n"); });
    CHECK(said.starts_with("HTTP/1.1 200"));
    CHECK(said.ends_with("\r\n\r\n"));
    CHECK_FALSE(socket.closed());
  }
}

TEST_CASE("slow clients are cut off in time and slow down nobody") {
  Bench bench(milliseconds(1000));
  bench.serve(ready_snapshot());
  std::vector<RawSocket> slow;
  for (int i = 0; i < 200; ++i) {
    slow.emplace_back(bench.port);
    slow.back().send("GET /health HTTP/1.1\r\nHo");
  }
  for (int i = 0; i < 20; ++i) {
    slow[0].send("s");  // it never is idle, and never done
    const auto begun = std::chrono::steady_clock::now();
    CHECK(bench.get("/health").starts_with("HTTP/1.1 200"));
    CHECK(std::chrono::steady_clock::now() - begun < milliseconds(500));
    std::this_thread::sleep_for(milliseconds(100));
  }
  CHECK(slow[0].receive_all(milliseconds(1000)).empty());
  CHECK(slow[0].closed());
  CHECK(bench.rejections.count(Door::http, Rejection::slow_sender) > 0);
}

TEST_CASE("health is ok, degraded or draining, with reasons") {
  Facts facts;
  facts.answer = answer(ready_snapshot());
  CHECK(health(facts).body.contains("\"status\":\"ok\""));
  Snapshot lonely = ready_snapshot();
  lonely.view.degraded_reasons.emplace_back("n2 is away");
  facts.answer = answer(lonely);
  CHECK(health(facts).body.contains(
      "\"status\":\"degraded\",\"ready\":true,\"reasons\":[\"n2 is away\"]"));
  CHECK(readyz(facts.answer).status == 200);  // no quorum is needed to serve
  Snapshot full = ready_snapshot();
  full.view.not_ready_reasons.emplace_back("the disk is nearly full: writes are refused");
  facts.answer = answer(full);
  CHECK(readyz(facts.answer).status == 503);
  CHECK(readyz(facts.answer).body == "the disk is nearly full: writes are refused\n");
  Snapshot stopping = ready_snapshot();
  stopping.stopping = true;
  facts.answer = answer(stopping);
  CHECK(health(facts).body.contains("\"status\":\"draining\""));
  CHECK(readyz(facts.answer).status == 503);
}

TEST_CASE("the load that health tells of is that of both doors") {
  Snapshot snapshot = ready_snapshot();
  snapshot.requests_per_second = 12.5;
  snapshot.cpu_cores = 0.75;
  snapshot.counters.clients = 2;
  snapshot.counters.resp_clients = 3;
  snapshot.counters.requests_in_flight = 4;
  snapshot.counters.resp_clients_waiting = 5;
  snapshot.counters.client_buffered_bytes = 600;
  snapshot.counters.resp_buffered_bytes = 70;
  Facts facts;
  facts.answer = answer(snapshot);
  CHECK_MESSAGE(health(facts).body.contains(
                    "\"load\":{\"requests_per_second\":12.5,\"clients\":5,\"resp_clients\":3,"
                    "\"requests_in_flight\":9,\"client_buffered_bytes\":670,"),
                health(facts).body);
  CHECK_MESSAGE(health(facts).body.contains("\"cpu_cores\":0.75,"), health(facts).body);
}

TEST_CASE("only a loop that is stuck for long is a reason to restart") {
  CHECK(livez(answer(ready_snapshot(), {.snapshot = {}, .age = std::chrono::seconds(29)})).status ==
        200);
  CHECK(livez(answer(ready_snapshot(), {.snapshot = {}, .age = std::chrono::seconds(31)})).status ==
        503);
}

TEST_CASE("lag is a metric for each peer") {
  test::ReadableLog log;
  const Rejections rejections(log.log);
  Snapshot snapshot = ready_snapshot();
  replica::PeerView peer;
  peer.name = "n2";
  peer.behind_ops = 17;
  snapshot.view.peers.push_back(peer);
  Facts facts;
  facts.answer = answer(snapshot);
  const std::string text = metrics(facts, rejections).body;
  CHECK(text.contains("\nstarling_peer_behind_ops{peer=\"n2\"} 17\n"));
}

TEST_CASE("a member that was never heard has no time at which it was: not 0") {
  test::ReadableLog log;
  const Rejections rejections(log.log);
  Snapshot snapshot = ready_snapshot();
  replica::PeerView stranger;
  stranger.name = "n2";
  snapshot.view.peers.push_back(stranger);
  replica::PeerView gone;
  gone.name = "n3";
  gone.heard = {.ms_ago = 8500, .clock_skew_ms = -250};
  snapshot.view.peers.push_back(gone);
  Facts facts;
  facts.answer = answer(snapshot);
  const std::string text = metrics(facts, rejections).body;
  CHECK_FALSE(text.contains("starling_peer_last_heard_seconds{peer=\"n2\"}"));
  CHECK_FALSE(text.contains("starling_peer_clock_skew_seconds{peer=\"n2\"}"));
  CHECK(text.contains("\nstarling_peer_last_heard_seconds{peer=\"n3\"} 8.5\n"));
  CHECK(text.contains("\nstarling_peer_clock_skew_seconds{peer=\"n3\"} -0.25\n"));
  const std::string page = health(facts).body;
  CHECK(page.contains("\"last_heard_ms\":null,\"clock_skew_ms\":null"));
  CHECK(page.contains("\"last_heard_ms\":8500,\"clock_skew_ms\":-250"));
}

}  // namespace
}  // namespace starling::http
