// What a connection says about itself, and what CLIENT sees of the others.
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

// What one client is told for a pipeline of several requests.
std::vector<std::string> pipeline(TestServer& redis, const std::vector<Words>& requests) {
  std::string bytes;
  for (const Words& one : requests) {
    bytes += request(one);
  }
  redis.session.received(bytes);
  redis.backend.end_tick();
  const std::string output = std::exchange(redis.session.output(), {});
  ReplyReader reader(output);
  std::vector<std::string> replies;
  while (!reader.done()) {
    replies.push_back(reader.read());
  }
  return replies;
}

using Texts = std::vector<std::string>;

std::string field(const std::string& line, const std::string& name) {
  const std::size_t at = (" " + line).find(" " + name + "=");
  REQUIRE_MESSAGE(at != std::string::npos, line, " has no ", name);
  const std::size_t begin = at + name.size() + 1;
  return line.substr(begin, line.find_first_of(" \n", begin) - begin);
}

TEST_CASE("PING and ECHO answer what they are told") {
  TestServer redis;
  CHECK(redis.ask("PING") == "PONG");
  CHECK(redis.ask("ping hello") == "'hello'");
  CHECK(redis.ask("PING a b") == "-ERR wrong number of arguments for 'ping' command");
  CHECK(redis.ask("ECHO hello") == "'hello'");
}

TEST_CASE("each reply is in the protocol that holds when it is given") {
  TestServer redis;
  const auto replies = pipeline(
      redis, {{"CLIENT", "GETNAME"}, {"HELLO", "3"}, {"CLIENT", "GETNAME"}, {"HELLO", "2"}});
  REQUIRE(replies.size() == 4);
  CHECK(replies[1] ==
        "{'server': 'redis', 'version': '7.0.15', 'proto': 3, 'id': 1, 'mode': "
        "'standalone', 'role': 'master', 'modules': []}");
  CHECK(replies[3] ==
        "['server', 'redis', 'version', '7.0.15', 'proto', 2, 'id', 1, 'mode', "
        "'standalone', 'role', 'master', 'modules', []]");
  CHECK(redis.raw({"CLIENT", "GETNAME"}) == "$-1\r\n");
  redis.ask("HELLO 3");
  CHECK(redis.raw({"CLIENT", "GETNAME"}) == "_\r\n");
}

TEST_CASE("HELLO refuses as a whole") {
  TestServer redis;
  CHECK(redis.ask("HELLO 4") == "-NOPROTO unsupported protocol version");
  CHECK(redis.ask("HELLO abc") == "-ERR Protocol version is not an integer or out of range");
  const std::string bad_name =
      "-ERR Client names cannot contain spaces, newlines or special characters.";
  CHECK(redis.ask({"HELLO", "3", "SETNAME", "a b"}) == bad_name);
  CHECK(redis.ask("HELLO 3 SETNAME") == "-ERR Syntax error in HELLO option 'SETNAME'");
  CHECK(redis.ask("HELLO 3 AUTH nobody x nonsense").starts_with("-WRONGPASS "));
  CHECK(redis.ask("HELLO 3 SETNAME me nonsense") == "-ERR Syntax error in HELLO option 'nonsense'");
  CHECK(redis.ask("HELLO 3 SETNAME me AUTH nobody x") ==
        "-WRONGPASS invalid username-password pair or user is disabled.");
  CHECK(redis.session.protocol() == resp::Protocol::resp2);
  CHECK(redis.session.name.empty());
  redis.ask("HELLO 3 AUTH default x SETNAME me");
  CHECK(redis.ask("CLIENT GETNAME") == "'me'");
}

TEST_CASE("AUTH says what Redis says while nobody has a password") {
  TestServer redis;
  CHECK(redis.ask("AUTH x") ==
        "-ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  CHECK(redis.ask("AUTH default x") == "OK");
  CHECK(redis.ask("AUTH nobody x") ==
        "-WRONGPASS invalid username-password pair or user is disabled.");
  CHECK(redis.ask("AUTH a b c") == "-ERR syntax error");
}

TEST_CASE("databases keep their keys apart") {
  TestServer redis;
  redis.ask("SET k zero");
  CHECK(redis.ask("SELECT 15") == "OK");
  CHECK(redis.ask("GET k") == "nil");
  redis.ask("SET k fifteen");
  redis.ask("SELECT 0");
  CHECK(redis.ask("GET k") == "'zero'");
  CHECK(redis.ask("SELECT 16") == "-ERR DB index is out of range");
  CHECK(redis.ask("SELECT -1") == "-ERR DB index is out of range");
  CHECK(redis.ask("SELECT abc") == "-ERR value is not an integer or out of range");
}

TEST_CASE("SELECT within MULTI counts for the commands behind it") {
  TestServer redis;
  CHECK(pipeline(redis, {{"MULTI"}, {"SELECT", "2"}, {"SET", "k", "v"}, {"EXEC"}, {"GET", "k"}}) ==
        Texts{"OK", "QUEUED", "QUEUED", "[OK, OK]", "'v'"});
  CHECK(redis.session.db == 2);
}

TEST_CASE("RESET makes a connection as new") {
  TestServer redis;
  CHECK(pipeline(redis, {{"HELLO", "3", "SETNAME", "me"},
                         {"SELECT", "3"},
                         {"WATCH", "k"},
                         {"MULTI"},
                         {"RESET"},
                         {"EXEC"},
                         {"CLIENT", "GETNAME"}})
            .size() == 7);
  CHECK(redis.session.protocol() == resp::Protocol::resp2);
  CHECK(redis.session.db == 0);
  CHECK(redis.session.name.empty());
  CHECK(redis.session.watched.empty());
  CHECK(redis.ask("EXEC") == "-ERR EXEC without MULTI");
}

TEST_CASE("QUIT is answered, and nothing behind it is run") {
  TestServer redis;
  CHECK(pipeline(redis, {{"QUIT"}, {"SET", "k", "v"}}) == Texts{"OK"});
  CHECK(redis.session.closing());
}

TEST_CASE("replies can be turned off, and skipped") {
  TestServer redis;
  CHECK(pipeline(redis,
                 {{"CLIENT", "REPLY", "OFF"}, {"PING"}, {"CLIENT", "REPLY", "ON"}, {"PING"}}) ==
        Texts{"OK", "PONG"});
  CHECK(pipeline(redis, {{"CLIENT", "REPLY", "SKIP"}, {"PING", "1"}, {"PING", "2"}}) ==
        Texts{"'2'"});
  CHECK(redis.ask("CLIENT REPLY FOO") == "-ERR syntax error");
  CHECK(pipeline(redis, {{"MULTI"}, {"CLIENT", "REPLY", "SKIP"}, {"EXEC"}, {"PING"}}) ==
        Texts{"OK", "QUEUED", "[-ERR replies cannot be turned off inside a transaction]", "PONG"});
}

TEST_CASE("names are visible ASCII") {
  TestServer redis;
  const std::string bad_name =
      "-ERR Client names cannot contain spaces, newlines or special characters.";
  CHECK(redis.ask({"CLIENT", "SETNAME", "a b"}) == bad_name);
  CHECK(redis.ask({"CLIENT", "SETNAME", "a\r\nb"}) == bad_name);
  CHECK(redis.ask("CLIENT SETNAME web") == "OK");
  CHECK(field(redis.ask("CLIENT INFO"), "name") == "web");
  CHECK(redis.ask({"CLIENT", "SETNAME", ""}) == "OK");
  CHECK(redis.ask("CLIENT GETNAME") == "nil");
}

TEST_CASE("CLIENT LIST shows who is there and what they do") {
  TestServer redis;
  resp::Session other(redis.server, "10.0.0.1:99", "server");
  other.received(request({"SELECT", "4"}));
  redis.backend.time.monotonic_us += 5'000'000;
  const std::string lines = redis.ask("CLIENT LIST ID " + std::to_string(other.id()));
  CHECK(field(lines, "addr") == "10.0.0.1:99");
  CHECK(field(lines, "db") == "4");
  CHECK(field(lines, "age") == "5");
  CHECK(field(lines, "idle") == "5");
  CHECK(field(lines, "cmd") == "select");
  CHECK(field(lines, "flags") == "N");
  CHECK(redis.ask("CLIENT LIST TYPE pubsub") == "''");
  CHECK(redis.ask("CLIENT LIST TYPE foo") == "-ERR Unknown client type 'foo'");
  CHECK(redis.ask("CLIENT LIST TYPE") == "-ERR syntax error");
  CHECK(redis.ask("CLIENT LIST ID x") == "-ERR Invalid client ID");
  CHECK(redis.ask("CLIENT FOO") == "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.");
}

TEST_CASE("CLIENT KILL ends whom it names, in both forms") {
  TestServer redis;
  resp::Session one(redis.server, "10.0.0.1:1", "server");
  resp::Session two(redis.server, "10.0.0.1:2", "server");
  resp::Session three(redis.server, "10.0.0.1:3", "server");
  CHECK(redis.ask("CLIENT KILL 1.2.3.4:5") == "-ERR No such client");
  CHECK(redis.ask("CLIENT KILL 10.0.0.1:1") == "OK");
  CHECK(one.closing());
  CHECK(redis.ask("CLIENT KILL ID 0") == "-ERR client-id should be greater than 0");
  CHECK(redis.ask("CLIENT KILL USER nobody") == "-ERR No such user 'nobody'");
  CHECK(redis.ask("CLIENT KILL ADDR 10.0.0.1:2 ID " + std::to_string(three.id())) == "0");
  CHECK(redis.ask("CLIENT KILL ADDR 10.0.0.1:2 ID " + std::to_string(two.id())) == "1");
  CHECK(two.closing());
  CHECK_FALSE(three.closing());
  CHECK(redis.ask("CLIENT KILL TYPE normal") == "1");
  CHECK(three.closing());
  CHECK_FALSE(redis.session.closing());
  CHECK(redis.ask("CLIENT KILL TYPE normal SKIPME no") == "1");
  CHECK(redis.session.closing());
}

TEST_CASE("a killed client is not heard any more, not even what it had said already") {
  TestServer redis;
  resp::Session other(redis.server, "10.0.0.1:1", "server");
  redis.ask("CLIENT PAUSE 1000 WRITE");
  other.received(request({"SET", "k", "v"}));
  CHECK(other.waits());
  redis.ask("CLIENT KILL 10.0.0.1:1");
  redis.backend.pass_ms(2000);
  redis.server.go_on();
  CHECK(redis.ask("GET k") == "nil");
}

TEST_CASE("a pause holds up what it names, and all of it is answered in order afterwards") {
  TestServer redis;
  resp::Session other(redis.server, "other", "server");
  CHECK(redis.ask("CLIENT PAUSE 100 WRITE") == "OK");
  other.received(request({"GET", "k"}) + request({"SET", "k", "v"}) + request({"GET", "k"}));
  CHECK(other.output() == "$-1\r\n");
  redis.backend.pass_ms(50);
  redis.server.go_on();
  CHECK(other.output() == "$-1\r\n");
  redis.backend.pass_ms(50);
  redis.server.go_on();
  CHECK(other.output() == "$-1\r\n+OK\r\n$1\r\nv\r\n");

  redis.ask("CLIENT PAUSE 100");
  other.output().clear();
  other.received(request({"PING"}));
  CHECK(other.output().empty());
  redis.backend.pass_ms(100);
  redis.server.go_on();
  CHECK(other.output() == "+PONG\r\n");

  redis.ask("CLIENT PAUSE 100 WRITE");
  CHECK(redis.ask("CLIENT UNPAUSE") == "OK");
  CHECK(redis.ask("SET k w") == "OK");
  CHECK(redis.ask("CLIENT PAUSE abc") == "-ERR timeout is not an integer or out of range");
  CHECK(redis.ask("CLIENT PAUSE -1") == "-ERR timeout is negative");
  CHECK(redis.ask("CLIENT PAUSE 9223372036854775807") ==
        "-ERR timeout is not an integer or out of range");
  CHECK(redis.ask("CLIENT PAUSE 1 foo") == "-ERR CLIENT PAUSE mode must be WRITE or ALL");
}

TEST_CASE("an EXEC that would write waits for the end of the pause as a whole") {
  TestServer redis;
  CHECK(pipeline(redis, {{"MULTI"}, {"SET", "k", "v"}, {"CLIENT", "PAUSE", "100", "WRITE"}}) ==
        Texts{"OK", "QUEUED", "QUEUED"});
  resp::Session other(redis.server, "other", "server");
  other.received(request({"CLIENT", "PAUSE", "100", "WRITE"}));
  CHECK(pipeline(redis, {{"EXEC"}}).empty());
  redis.backend.pass_ms(100);
  redis.server.go_on();
  CHECK(std::exchange(redis.session.output(), {}) == "*2\r\n+OK\r\n+OK\r\n");
}

TEST_CASE("CLIENT HELP names every subcommand there is") {
  TestServer redis;
  const std::string help = redis.ask("CLIENT HELP");
  CHECK(help.find("CLIENT <subcommand>") != std::string::npos);
  CHECK(help.find("SETNAME ") != std::string::npos);
  CHECK(help.find("UNPAUSE") != std::string::npos);
}

}  // namespace
}  // namespace starling::test
