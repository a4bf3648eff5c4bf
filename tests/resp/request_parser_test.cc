#include "server/resp/request_parser.h"

#include <random>
#include <vector>

#include <doctest/doctest.h>

namespace starling::resp {
namespace {

using Status = RequestParser::Status;
using Words = std::vector<std::string>;

// What a connection sees of a stream: requests, refusals, and where it breaks.
struct Session {
  explicit Session(RequestParser::Limits limits = {}) : parser(limits) {}

  void receive(std::string_view bytes) {
    pending.append(bytes);
    while (!broken) {
      const Status status = parser.next(pending);
      switch (status) {
        case Status::request:
          requests.emplace_back(parser.arguments().begin(), parser.arguments().end());
          break;
        case Status::too_large:
          requests.push_back({"(too large)", parser.error()});
          break;
        case Status::broken:
          requests.push_back({"(broken)", parser.error()});
          broken = true;
          break;
        case Status::incomplete:
          break;
      }
      pending.erase(0, parser.consumed());
      if (status == Status::incomplete) {
        return;
      }
    }
  }

  RequestParser parser;
  std::string pending;
  std::vector<Words> requests;
  bool broken = false;
};

std::vector<Words> parse(std::string_view bytes, RequestParser::Limits limits = {}) {
  Session session(limits);
  session.receive(bytes);
  return session.requests;
}

std::string broken_by(std::string_view bytes) {
  const auto requests = parse(bytes);
  REQUIRE_FALSE(requests.empty());
  REQUIRE(requests.back().size() == 2);
  CHECK(requests.back()[0] == "(broken)");
  return requests.back()[1];
}

TEST_CASE("arrays of bulk strings and inline words are requests") {
  CHECK(parse("*1\r\n$4\r\nPING\r\n") == std::vector<Words>{{"PING"}});
  CHECK(parse("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n") == std::vector<Words>{{"SET", "k", ""}});
  CHECK(parse("PING\n") == std::vector<Words>{{"PING"}});
  CHECK(parse("\r\n\n  \r\nSET  key\tvalue \r\n") == std::vector<Words>{{"SET", "key", "value"}});
  CHECK(parse("PING\r\n*1\r\n$4\r\nQUIT\r\nGET k\r\n") ==
        std::vector<Words>{{"PING"}, {"QUIT"}, {"GET", "k"}});
}

TEST_CASE("arguments are bytes: line ends, NUL and 0xFF come through") {
  const std::string value("\r\n\0\xFF$3\r\n", 9);
  CHECK(parse("*2\r\n$4\r\nECHO\r\n$9\r\n" + value + "\r\n") ==
        std::vector<Words>{{"ECHO", value}});
}

TEST_CASE("an empty array is ignored silently, a negative one too") {
  CHECK(parse("*0\r\n*-1\r\n*-10\r\nPING\r\n") == std::vector<Words>{{"PING"}});
}

TEST_CASE("inline words may be quoted") {
  CHECK(parse("SET \"a b\" 'c d'\r\n") == std::vector<Words>{{"SET", "a b", "c d"}});
  CHECK(parse(R"(ECHO "\x41\n\\\"\q" 'it\'s \n')"
              "\n") == std::vector<Words>{{"ECHO", "A\n\\\"q", "it's \\n"}});
  CHECK(parse("ECHO \"\"\n") == std::vector<Words>{{"ECHO", ""}});
  CHECK(parse("ECHO a\"b c\"\n") == std::vector<Words>{{"ECHO", "ab c"}});
}

TEST_CASE("what is not the protocol breaks the stream, in Redis's words") {
  CHECK(broken_by("*abc\r\n") == "Protocol error: invalid multibulk length");
  CHECK(broken_by("* 1\r\n") == "Protocol error: invalid multibulk length");
  CHECK(broken_by("*+1\r\n") == "Protocol error: invalid multibulk length");
  CHECK(broken_by("*01\r\n") == "Protocol error: invalid multibulk length");
  CHECK(broken_by("*\r\n") == "Protocol error: invalid multibulk length");
  CHECK(broken_by("*-\r\n") == "Protocol error: invalid multibulk length");
  CHECK(broken_by("*-0\r\n") == "Protocol error: invalid multibulk length");
  CHECK(broken_by("*2147483648\r\n") == "Protocol error: invalid multibulk length");
  CHECK(broken_by("*9223372036854775808\r\n") == "Protocol error: invalid multibulk length");
  CHECK(broken_by("*1\r\n$-1\r\n") == "Protocol error: invalid bulk length");
  CHECK(broken_by("*1\r\n$abc\r\n") == "Protocol error: invalid bulk length");
  CHECK(broken_by("*1\r\n$\r\n") == "Protocol error: invalid bulk length");
  CHECK(broken_by("*1\r\n$536870913\r\n") == "Protocol error: invalid bulk length");
  CHECK(broken_by("*1\r\n$18446744073709551616\r\n") == "Protocol error: invalid bulk length");
  CHECK(broken_by("*1\r\nx4\r\nPING\r\n") == "Protocol error: expected '$', got 'x'");
  CHECK(broken_by("*1\r\n*1\r\n") == "Protocol error: expected '$', got '*'");
  CHECK(broken_by("*1\r\n\r\n") == "Protocol error: expected '$', got '\r'");
  CHECK(broken_by("ECHO \"a\r\n") == "Protocol error: unbalanced quotes in request");
  CHECK(broken_by("ECHO 'a\r\n") == "Protocol error: unbalanced quotes in request");
  CHECK(broken_by("ECHO \"a\"b\r\n") == "Protocol error: unbalanced quotes in request");
  CHECK(broken_by("*" + std::string(70'000, '1')) == "Protocol error: too big mbulk count string");
  CHECK(broken_by("*1\r\n$" + std::string(70'000, '1')) ==
        "Protocol error: too big bulk count string");
  CHECK(broken_by(std::string(70'000, 'x')) == "Protocol error: too big inline request");
}

TEST_CASE("a line over the limit breaks the stream whether or not its end is here") {
  const RequestParser::Limits limits{.line = 10};
  CHECK(parse("0123456789\n", limits) == std::vector<Words>{{"0123456789"}});
  CHECK(parse("0123456789a\n", limits)[0][0] == "(broken)");
  CHECK(parse("0123456789a", limits)[0][0] == "(broken)");
}

TEST_CASE("a good request before the break is still answered") {
  const auto requests = parse("PING\r\n*x\r\nPING\r\n");
  REQUIRE(requests.size() == 2);
  CHECK(requests[0] == Words{"PING"});
  CHECK(requests[1][0] == "(broken)");
}

TEST_CASE("lines that end in LF alone stay incomplete within an array") {
  Session session;
  session.receive("*1\n$4\nPING\n");
  CHECK(session.requests.empty());
  CHECK_FALSE(session.parser.at_boundary());
}

TEST_CASE("a long argument that only was announced takes no memory") {
  Session session({.argument = 512u << 20, .request = 600u << 20});
  session.receive("*1\r\n$536870912\r\n");
  CHECK(session.requests.empty());
  CHECK(session.pending.size() < 100);
}

TEST_CASE("an argument over the limit is thrown away as it arrives, and the stream goes on") {
  Session session({.argument = 100});
  session.receive("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000\r\n");
  for (int i = 0; i < 10; ++i) {
    session.receive(std::string(100, 'v'));
    CHECK(session.pending.size() < 10);
  }
  CHECK(session.requests.empty());
  session.receive("\r\nPING\r\n");
  REQUIRE(session.requests.size() == 2);
  CHECK(session.requests[0] ==
        Words{"(too large)", "an argument of 1000 bytes is over the limit of 100"});
  CHECK(session.requests[1] == Words{"PING"});
}

TEST_CASE("a request over the limit is thrown away as a whole") {
  const std::string part = "$60\r\n" + std::string(60, 'x') + "\r\n";
  CHECK(parse("*3\r\n" + part + part + part + "PING\r\n", {.request = 150}) ==
        std::vector<Words>{{"(too large)", "the request has more than 150 bytes"}, {"PING"}});
}

TEST_CASE("a count of arguments over the limit is refused before anything is kept for it") {
  CHECK(parse("*17\r\n", {.arguments = 16})[0][0] == "(broken)");
  CHECK(parse("*16\r\n", {.arguments = 16}).empty());
}

TEST_CASE("between two requests the parser knows that nothing is lost if the client leaves") {
  Session session;
  CHECK(session.parser.at_boundary());
  session.receive("*1\r\n$4\r\nPI");
  CHECK_FALSE(session.parser.at_boundary());
  session.receive("NG\r\n");
  CHECK(session.parser.at_boundary());
  session.receive("*0\r\n");
  CHECK(session.parser.at_boundary());
}

TEST_CASE("however the bytes are cut, the same requests come out") {
  const std::string script =
      "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$10\r\n01234\r\n789\r\nPING\r\n\r\n*0\r\n"
      "*2\r\n$3\r\nGET\r\n$1\r\nk\r\nECHO \"a b\" 'c'\n*2\r\n$3\r\nGET\r\n$30\r\n" +
      std::string(30, 'z') + "\r\n*1\r\n$4\r\nQUIT\r\nECHO \"open\r\n";
  const RequestParser::Limits limits{.argument = 20};
  const auto whole = parse(script, limits);
  REQUIRE(whole.size() == 7);
  for (std::size_t cut = 0; cut <= script.size(); ++cut) {
    CAPTURE(cut);
    Session session(limits);
    session.receive(script.substr(0, cut));
    session.receive(script.substr(cut));
    CHECK(session.requests == whole);
  }
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Session session(limits);
    for (std::size_t at = 0; at < script.size();) {
      const std::size_t size = std::min<std::size_t>(random() % 7, script.size() - at);
      session.receive(script.substr(at, size));
      at += size;
    }
    CHECK(session.requests == whole);
  }
}

TEST_CASE("random bytes never do harm") {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const std::string_view alphabet = "*$0123456789-\r\n\"'\\x ab";
    Session session({.line = 64, .arguments = 32, .bulk = 64, .argument = 32, .request = 128});
    for (int piece = 0; piece < 200 && !session.broken; ++piece) {
      std::string bytes(random() % 12, '\0');
      for (char& c : bytes) {
        c = seed % 2 == 0 ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
      }
      session.receive(bytes);
      REQUIRE(session.pending.size() < 512);
    }
  }
}

}  // namespace
}  // namespace starling::resp
