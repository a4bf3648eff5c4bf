#include "server/config.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace starling {
namespace {

const Host host{"host-1", std::uint64_t{4} << 30};

std::expected<Config, Farewell> parse(std::vector<std::string> args) {
  return parse_command_line(std::move(args), host);
}

struct Refused {
  std::vector<std::string> args;
  std::string sentence;  // a part of it
};

TEST_CASE("defaults: loopback doors, everysec, half of the memory, the name of the host") {
  const auto config = parse({"--data", "/d"});
  REQUIRE(config);
  CHECK(config->data == "/d");
  CHECK(config->name == "host-1");
  CHECK(config->cluster == "starling");
  CHECK(net::to_string(*config->client) == "127.0.0.1:7001");
  CHECK(net::to_string(*config->peer) == "127.0.0.1:7002");
  CHECK(net::to_string(*config->http) == "127.0.0.1:7080");
  CHECK(config->sync == replica::SyncMode::everysec);
  CHECK(config->memory_bytes == std::uint64_t{2} << 30);
  CHECK(config->max_value_bytes == 8u << 20);
  CHECK_FALSE(config->allow_faults);
  CHECK_FALSE(config->insecure);
}

TEST_CASE("every flag arrives") {
  const auto config = parse({"--data=/d",
                             "--name",
                             "n1",
                             "--cluster",
                             "c",
                             "--client",
                             "0.0.0.0:1",
                             "--peer",
                             "[::]:2",
                             "--http",
                             "off",
                             "--resp",
                             "off",
                             "--advertise",
                             "n1.example:2",
                             "--advertise-client",
                             "n1.example:9",
                             "--join",
                             "n2:7002,[::1]:7003",
                             "--sync",
                             "always",
                             "--memory",
                             "64M",
                             "--max-value",
                             "1MiB",
                             "--max-clients",
                             "7",
                             "--conflict-lines",
                             "9",
                             "--output-limit",
                             "2MB",
                             "--insecure",
                             "--allow-faults",
                             "--accept-loss",
                             "--checkpoint-bytes",
                             "1M",
                             "--checkpoint-age",
                             "50",
                             "--heartbeat-ms",
                             "20",
                             "--peer-timeout-ms",
                             "400",
                             "--hello-timeout-ms",
                             "300",
                             "--truncate-log"});
  REQUIRE_MESSAGE(config, config.error().text);
  CHECK(config->name == "n1");
  CHECK_FALSE(config->http);
  CHECK(net::to_string(*config->peer) == "[::]:2");
  CHECK(net::to_string(*config->advertise) == "n1.example:2");
  CHECK(config->join == std::vector<std::string>{"n2:7002", "[::1]:7003"});
  CHECK(config->sync == replica::SyncMode::always);
  CHECK(config->memory_bytes == 64u << 20);
  CHECK(config->max_value_bytes == 1u << 20);
  CHECK(config->max_clients == 7);
  CHECK(config->conflict_lines == 9);
  CHECK(config->output_limit_bytes == 2u << 20);
  CHECK(config->checkpoint_age.count() == 50);
  CHECK(config->heartbeat.count() == 20);
  CHECK(config->peer_timeout.count() == 400);
  CHECK(config->hello_timeout.count() == 300);
  CHECK((config->insecure && config->allow_faults && config->accept_loss && config->truncate_log));
}

TEST_CASE("what is refused is refused with flag, value and what is allowed") {
  const std::vector<Refused> table{
      {{}, "--data \"\" is required"},
      {{"--data", ""}, "--data \"\" is required"},
      {{"--data", "d", "--nonsense"}, "--nonsense"},
      {{"--data", "d", "stray"}, "stray"},
      {{"--data", "d", "--data", "e"}, "--data"},
      {{"--data", "d", "--name"}, "--name"},
      {{"--data", "d", "--name", "a b"}, "--name \"a b\" is not a name; allowed: 1 to 64 letters"},
      {{"--data", "d", "--name", std::string(65, 'x')}, "is not a name"},
      {{"--data", "d", "--name", "caf\xc3\xa9\n"}, "--name \"caf???\" is not a name"},
      {{"--data", "d", "--client", "7001"}, "--client \"7001\" has no port; write HOST:PORT"},
      {{"--data", "d", "--client", ":7001"}, "has no host"},
      {{"--data", "d", "--client", "127.0.0.1:70000"},
       "--client \"127.0.0.1:70000\" has no valid port; allowed: 0 to 65535"},
      {{"--data", "d", "--client", "127.0.0.1:-1"}, "allowed: 0 to 65535"},
      {{"--data", "d", "--client", "127.0.0.1:0x10"}, "allowed: 0 to 65535"},
      {{"--data", "d", "--client", "127.0.0.1:1e3"}, "allowed: 0 to 65535"},
      {{"--data", "d", "--client", "127.0.0.1: 1"}, "allowed: 0 to 65535"},
      {{"--data", "d", "--client", "::1:7001"}, "write [IPV6]:PORT"},
      {{"--data", "d", "--client", "[x]:7001"}, "has no IPv6 address"},
      {{"--data", "d", "--client", "a/b:7001"}, "has no valid host name"},
      {{"--data", "d", "--peer", "127.0.0.1:7001"}, "is already the address of --client"},
      {{"--data", "d", "--client", "0.0.0.0:7001"}, "Add --insecure"},
      {{"--data", "d", "--http", "example.org:80"}, "Add --insecure"},
      {{"--data", "d", "--resp", "0.0.0.0:6380"}, "Add --insecure"},
      {{"--data", "d", "--resp", "127.0.0.1:7001"}, "is already the address of --client"},
      {{"--data", "d", "--peer", "0.0.0.0:7002", "--insecure"}, "--advertise HOST:PORT"},
      {{"--data", "d", "--peer", "[::]:7002", "--insecure"}, "--advertise HOST:PORT"},
      {{"--data", "d", "--advertise", "0.0.0.0:1"}, "is not an address that other nodes can dial"},
      {{"--data", "d", "--advertise", "h:0"}, "has port 0; allowed: 1 to 65535"},
      {{"--data", "d", "--advertise", "off"}, "--advertise \"off\" has no port"},
      {{"--data", "d", "--resp", "6380"}, "--resp \"6380\" has no port; write HOST:PORT"},
      {{"--data", "d", "--join", ""}, "--join"},
      {{"--data", "d", "--join", "a:1,,b:2"}, "--join \"\" has no port"},
      {{"--data", "d", "--join", "a:0"}, "has port 0"},
      {{"--data", "d", "--join", "a:1", "--peer", "off"}, "needs a peer door"},
      {{"--data", "d", "--sync", "never"}, "allowed: os, everysec, always"},
      {{"--data", "d", "--memory", "10 MB"}, "--memory \"10 MB\" is not a size such as 64M"},
      {{"--data", "d", "--memory", "0x10"}, "allowed: 32M to 16T"},
      {{"--data", "d", "--memory", "1"}, "is out of range; allowed: 32M to 16T"},
      {{"--data", "d", "--memory", "-1"}, "is not a size"},
      {{"--data", "d", "--memory", "99999999999999999999"}, "is not a size"},
      {{"--data", "d", "--memory", "18446744073709551615T"}, "is out of range"},
      {{"--data", "d", "--max-value", "33M"}, "allowed: 1K to 32M"},
      {{"--data", "d", "--max-clients", "0"}, "allowed: 1 to 1000000"},
      {{"--data", "d", "--heartbeat-ms", "1.5"}, "allowed: 1 to 60000"},
  };
  for (const Refused& row : table) {
    const auto config = parse(row.args);
    CAPTURE(row.sentence);
    REQUIRE_FALSE(config);
    CHECK(config.error().code == 2);
    CHECK_MESSAGE(config.error().text.contains(row.sentence), config.error().text);
    CHECK(config.error().text.starts_with("kvd: "));
  }
}

TEST_CASE("any address works with --insecure, loopback without") {
  CHECK(parse({"--data", "d", "--client", "10.0.0.1:1", "--insecure"}));
  CHECK(parse({"--data", "d", "--client", "127.8.8.8:1"}));
  CHECK(parse({"--data", "d", "--client", "[::1]:1"}));
  CHECK(parse({"--data", "d", "--client", "localhost:1"}));
}

TEST_CASE("help and version are no errors") {
  const auto help = parse({"--help"});
  REQUIRE_FALSE(help);
  CHECK(help.error().code == 0);
  CHECK(help.error().text.contains("--advertise"));
  const auto version = parse({"--version"});
  REQUIRE_FALSE(version);
  CHECK(version.error().code == 0);
  CHECK(version.error().text == "kvd 0.1.0\n");
}

}  // namespace
}  // namespace starling
