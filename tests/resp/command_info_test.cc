// What COMMAND tells of the table.
#include <algorithm>
#include <functional>

#include "server/resp/command_keys.h"
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

TEST_CASE("COMMAND INFO tells flags, keys and categories as Redis does") {
  TestServer redis;
  CHECK(redis.ask("COMMAND INFO get") ==
        "[['get', 2, [readonly, fast], 1, 1, 1, [@string, @read, @fast], [], [['flags', [RO, "
        "access], "
        "'begin_search', ['type', 'index', 'spec', ['index', 1]], 'find_keys', ['type', 'range', "
        "'spec', ['lastkey', 0, 'keystep', 1, 'limit', 0]]]], []]]");
  CHECK(redis.ask("COMMAND INFO client|id nosuch") ==
        "[['client|id', 2, [noscript, loading, stale], 0, 0, 0, [@connection, @slow], [], [], []], "
        "nil]");
  redis.speak_resp3();
  CHECK(redis.ask("COMMAND INFO watch").find("<noscript, loading, stale, fast, allow_busy>") !=
        std::string::npos);
}

TEST_CASE("COMMAND counts, lists and describes the commands there are") {
  TestServer redis;
  const auto names = redis.sorted("COMMAND LIST");
  CHECK(std::ranges::find(names, "'get'") != names.end());
  CHECK(std::ranges::find(names, "'client|id'") != names.end());
  const auto is_subcommand = [](const std::string& name) {
    return name.find('|') != std::string::npos;
  };
  const auto commands = std::ranges::count_if(names, std::not_fn(is_subcommand));
  CHECK(redis.ask("COMMAND COUNT") == std::to_string(commands));
  CHECK(redis.sorted("COMMAND LIST FILTERBY PATTERN CLIENT|I*") ==
        std::vector<std::string>{"'client|id'", "'client|info'"});
  CHECK(redis.sorted("COMMAND LIST FILTERBY ACLCAT transaction") ==
        std::vector<std::string>{"'discard'", "'exec'", "'multi'", "'unwatch'", "'watch'"});
  CHECK(redis.ask("COMMAND LIST FILTERBY ACLCAT foo") == "[]");
  CHECK(redis.ask("COMMAND LIST FILTERBY FOO x") == "-ERR syntax error");
  redis.speak_resp3();
  CHECK(redis.ask("COMMAND DOCS getset nosuch").starts_with("{'getset': {'summary': '"));
  CHECK(redis.ask("COMMAND DOCS zrank").find("'complexity': 'O(log M)'") != std::string::npos);
  CHECK(redis.ask("COMMAND DOCS pubsub").find("'pubsub|numsub': {'summary'") != std::string::npos);
}

TEST_CASE("every command that COMMAND names can be asked about") {
  TestServer redis;
  for (const std::string& quoted : redis.sorted("COMMAND LIST")) {
    const std::string name = quoted.substr(1, quoted.size() - 2);
    CHECK(redis.ask({"COMMAND", "INFO", name}).starts_with("[['" + name + "'"));
  }
}

TEST_CASE("COMMAND GETKEYS finds the keys of a request") {
  TestServer redis;
  CHECK(redis.ask("COMMAND GETKEYS mset a 1 b 2") == "['a', 'b']");
  CHECK(redis.ask("COMMAND GETKEYS lcs a b") == "['a', 'b']");
  CHECK(redis.ask("COMMAND GETKEYS nosuch a") == "-ERR Invalid command specified");
  CHECK(redis.ask("COMMAND GETKEYS ping a") == "-ERR The command has no key arguments");
  CHECK(redis.ask("COMMAND GETKEYS set a") ==
        "-ERR Invalid number of arguments specified for command");
  CHECK(redis.ask("COMMAND GETKEYSANDFLAGS get a") == "[['a', [RO, access]]]");
}

TEST_CASE("keys behind their number are found, and a wrong number is refused") {
  const auto keys = [](std::string_view line) {
    const Words said = words(line);
    const std::vector<std::string_view> args(said.begin(), said.end());
    return resp::keys_of(*resp::find_command(args[0]), args);
  };
  using Places = std::vector<std::size_t>;
  CHECK(keys("zunionstore d 2 a b weights 1 2") == Places{1, 3, 4});
  CHECK(keys("sintercard 1 a limit 5") == Places{2});
  CHECK(keys("eval text 0") == Places{});
  CHECK_FALSE(keys("zunionstore d 3 a b"));
  CHECK_FALSE(keys("zunionstore d 0 a b"));
  CHECK_FALSE(keys("zunionstore d x a b"));
  CHECK_FALSE(keys("zunionstore d 9223372036854775807 a b"));
}

}  // namespace
}  // namespace starling::test
