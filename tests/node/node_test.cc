#include "server/node.h"

#include <future>
#include <signal.h>
#include <thread>

#include <doctest/doctest.h>

#include "server/host.h"
#include "tests/node/fakes.h"
#include "tests/node/raw_socket.h"
#include "tests/support/temp_dir.h"

namespace starling {
namespace {

using std::chrono::milliseconds;
using test::RawSocket;

Config config_in(const std::filesystem::path& data) {
  auto config =
      parse_command_line({"--data", data, "--name", "n1", "--client", "127.0.0.1:0", "--peer",
                          "127.0.0.1:0", "--resp", "off", "--http", "off", "--memory", "64M"},
                         {});
  REQUIRE(config);
  return *config;
}

// A whole node on a thread of its own.
class RunningNode {
 public:
  explicit RunningNode(Config config) {
    std::promise<std::string> ready;
    auto line = ready.get_future();
    thread_ = std::thread([this, config = std::move(config), ready = std::move(ready)]() mutable {
      auto node = Node::open(std::move(config), log.log);
      if (!node) {
        ready.set_value(node.error());
        return;
      }
      node_ = node->get();
      (*node)->run([&](const std::string& text) { ready.set_value(text); });
    });
    ready_line = line.get();
  }
  ~RunningNode() { stop(); }

  void stop() {
    if (thread_.joinable()) {
      node_->stop();
      thread_.join();
    }
  }
  [[nodiscard]] std::uint16_t port(const std::string& door) const {
    const auto at = ready_line.find(door + "=127.0.0.1:");
    REQUIRE(at != std::string::npos);
    return static_cast<std::uint16_t>(std::stoi(ready_line.substr(at + door.size() + 11)));
  }

  test::ReadableLog log;
  std::string ready_line;

 private:
  Node* node_ = nullptr;
  std::thread thread_;
};

std::string hello() { return wire::encode(wire::ClientMessage(wire::ClientHello{})); }

std::string request(std::uint64_t id, wire::CommandCode code, std::string key,
                    std::vector<std::string> args = {}) {
  wire::Request request;
  request.id = id;
  wire::Command command;
  command.code = code;
  command.key = std::move(key);
  command.args = std::move(args);
  request.commands.push_back(std::move(command));
  return wire::encode(wire::ClientMessage(std::move(request)));
}

std::vector<wire::ClientMessage> exchange(RawSocket& socket, const std::string& bytes,
                                          std::size_t answers) {
  socket.send(bytes);
  return test::client_messages(socket.receive(
      [&](const std::string& text) { return test::client_messages(text).size() >= answers; }));
}

TEST_CASE("a node serves, stops in order, and has everything after its next start") {
  const test::TempDir directory;
  const auto value_of = [](const wire::ClientMessage& message) {
    return std::get<std::string>(std::get<wire::Response>(message).results.at(0));
  };
  {
    RunningNode node(config_in(directory / "d"));
    CHECK(node.ready_line.starts_with("ready name=n1 client=127.0.0.1:"));
    CHECK(node.ready_line.ends_with(" resp=off http=off"));
    RawSocket client(node.port("client"));
    const auto answers = exchange(client,
                                  hello() + request(1, wire::CommandCode::set, "k", {"v"}) +
                                      request(2, wire::CommandCode::get, "k"),
                                  3);
    REQUIRE(answers.size() == 3);
    CHECK(std::get<wire::ServerHello>(answers[0]).name == "n1");
    CHECK(value_of(answers[2]) == "v");
    node.stop();
    (void)client.receive_all(milliseconds(1000));
    CHECK(client.closed());
  }
  RunningNode again(config_in(directory / "d"));
  RawSocket client(again.port("client"));
  const auto answers = exchange(client, hello() + request(1, wire::CommandCode::get, "k"), 2);
  REQUIRE(answers.size() == 2);
  CHECK(value_of(answers[1]) == "v");
}

TEST_CASE("a reply larger than any socket buffer arrives whole") {
  const test::TempDir directory;
  RunningNode node(config_in(directory / "d"));
  RawSocket client(node.port("client"));
  const std::string value(8u << 20, 'x');
  const auto answers =
      exchange(client, hello() + request(1, wire::CommandCode::set, "k", {value}), 2);
  REQUIRE(answers.size() == 2);
  const auto got = exchange(client, request(2, wire::CommandCode::get, "k"), 1);
  REQUIRE(got.size() == 1);
  CHECK(std::get<std::string>(std::get<wire::Response>(got[0]).results.at(0)) == value);
}

TEST_CASE("garbage at a door ends that connection only") {
  const test::TempDir directory;
  RunningNode node(config_in(directory / "d"));
  RawSocket steady(node.port("client"));
  REQUIRE(exchange(steady, hello(), 1).size() == 1);
  for (const char* const door : {"client", "peer"}) {
    for (const std::string& bytes :
         {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'),
          std::string("\x10\0\0\0\0\0\0\0aaaaaaaaaaaaaaaa", 24)}) {
      RawSocket stranger(node.port(door));
      stranger.send(bytes);
      (void)stranger.receive_all(milliseconds(1000));
      CHECK(stranger.closed());
    }
    RawSocket cut(node.port(door));
    cut.send(hello().substr(0, 11));
  }
  CHECK(exchange(steady, request(1, wire::CommandCode::set, "k", {"v"}), 1).size() == 1);
  CHECK(node.log.text().contains("door=client reason=bad_frame"));
  CHECK(node.log.text().contains("door=peer reason=bad_frame"));
}

TEST_CASE("connections come and go without leaving files open") {
  const test::TempDir directory;
  RunningNode node(config_in(directory / "d"));
  const auto before = process_usage().open_files;
  for (int i = 0; i < 500; ++i) {
    RawSocket client(node.port("client"));
    if (i % 2 == 0) {
      client.send(hello());
    }
  }
  for (int i = 0; i < 100 && process_usage().open_files > before; ++i) {
    std::this_thread::sleep_for(milliseconds(20));
  }
  CHECK(process_usage().open_files <= before);
}

TEST_CASE("a busy port is named, with its flag and what to do, and leaves the directory alone") {
  const test::TempDir directory;
  RunningNode node(config_in(directory / "d"));
  Config second = config_in(directory / "e");
  second.client->port = node.port("client");
  test::ReadableLog log;
  const auto opened = Node::open(second, log.log);
  REQUIRE_FALSE(opened);
  CHECK_MESSAGE(opened.error().starts_with("--client 127.0.0.1:"), opened.error());
  CHECK(opened.error().contains("Address already in use"));
  CHECK(opened.error().contains("port 0 takes a free one"));
  CHECK_FALSE(std::filesystem::exists(directory / "e"));
}

TEST_CASE("a directory in use is refused, and the one who has it does not notice") {
  const test::TempDir directory;
  RunningNode node(config_in(directory / "d"));
  test::ReadableLog log;
  const auto opened = Node::open(config_in(directory / "d"), log.log);
  REQUIRE_FALSE(opened);
  CHECK_MESSAGE(opened.error().contains((directory / "d").string()), opened.error());
  RawSocket client(node.port("client"));
  CHECK(exchange(client, hello() + request(1, wire::CommandCode::set, "k", {"v"}), 2).size() == 2);
}

TEST_CASE("another cluster's directory is refused") {
  const test::TempDir directory;
  {
    const RunningNode node(config_in(directory / "d"));
  }
  Config other = config_in(directory / "d");
  other.cluster = "elsewhere";
  test::ReadableLog log;
  const auto opened = Node::open(other, log.log);
  REQUIRE_FALSE(opened);
  CHECK_MESSAGE(opened.error().contains("elsewhere"), opened.error());
}

TEST_CASE("a member that cannot be resolved keeps nobody from stopping") {
  const test::TempDir directory;
  Config config = config_in(directory / "d");
  {
    RunningNode first(config);
  }  // from now on it is a member and ready without the other
  config.join = {"no-such-host.invalid:7002", "127.0.0.1:1"};
  RunningNode node(config);
  CHECK(node.ready_line.starts_with("ready"));
  const auto begun = std::chrono::steady_clock::now();
  node.stop();
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(8));
}

}  // namespace
}  // namespace starling
