// Messages to those who listen, on one node.
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

// What is waiting for a client, reply by reply.
std::vector<std::string> heard(resp::Session& session) {
  const std::string output = std::exchange(session.output(), {});
  ReplyReader reader(output);
  std::vector<std::string> replies;
  while (!reader.done()) {
    replies.push_back(reader.read());
  }
  return replies;
}

std::vector<std::string> say(resp::Session& session, std::string_view line) {
  session.received(request(words(line)));
  return heard(session);
}

using Texts = std::vector<std::string>;

struct Room {
  TestServer redis;
  resp::Session listener{redis.server, "listener", "server"};
};

TEST_CASE("each channel is confirmed by itself, with how many there are now") {
  Room room;
  CHECK(say(room.listener, "SUBSCRIBE a b a") ==
        Texts{"['subscribe', 'a', 1]", "['subscribe', 'b', 2]", "['subscribe', 'a', 2]"});
  CHECK(say(room.listener, "PSUBSCRIBE x*") == Texts{"['psubscribe', 'x*', 3]"});
  CHECK(say(room.listener, "UNSUBSCRIBE b nosuch") ==
        Texts{"['unsubscribe', 'b', 2]", "['unsubscribe', 'nosuch', 2]"});
  CHECK(say(room.listener, "PUNSUBSCRIBE") == Texts{"['punsubscribe', 'x*', 1]"});
  CHECK(say(room.listener, "UNSUBSCRIBE") == Texts{"['unsubscribe', 'a', 0]"});
  CHECK(say(room.listener, "UNSUBSCRIBE") == Texts{"['unsubscribe', nil, 0]"});
}

TEST_CASE("a message reaches those who listen, once for each channel and pattern") {
  Room room;
  say(room.listener, "SUBSCRIBE news");
  say(room.listener, "PSUBSCRIBE n* *s z*");
  CHECK(room.redis.ask("PUBLISH news hello") == "3");
  CHECK(heard(room.listener) == Texts{"['message', 'news', 'hello']",
                                      "['pmessage', '*s', 'news', 'hello']",
                                      "['pmessage', 'n*', 'news', 'hello']"});
  CHECK(room.redis.ask("PUBLISH other hello") == "0");
  CHECK(heard(room.listener).empty());
}

TEST_CASE("RESP3 pushes, and leaves the connection free for other commands") {
  Room room;
  say(room.listener, "HELLO 3");
  CHECK(say(room.listener, "SUBSCRIBE a") == Texts{">'subscribe', 'a', 1>"});
  CHECK(say(room.listener, "GET k") == Texts{"nil"});
  CHECK(say(room.listener, "PING") == Texts{"PONG"});
  room.redis.ask("PUBLISH a hello");
  CHECK(heard(room.listener) == Texts{">'message', 'a', 'hello'>"});
}

TEST_CASE("in RESP2 little else is allowed to those who listen") {
  Room room;
  say(room.listener, "SUBSCRIBE a");
  CHECK(say(room.listener, "GET k") ==
        Texts{"-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
              "RESET are allowed in this context"});
  CHECK(say(room.listener, "PING") == Texts{"['pong', '']"});
  CHECK(say(room.listener, "PING x") == Texts{"['pong', 'x']"});
  CHECK(say(room.listener, "RESET") == Texts{"RESET"});
  CHECK(room.redis.ask("PUBLISH a hello") == "0");
  CHECK(say(room.listener, "GET k") == Texts{"nil"});
}

TEST_CASE("a message to oneself comes behind the reply of the command that sent it") {
  Room room;
  say(room.listener, "HELLO 3");
  say(room.listener, "SUBSCRIBE a");
  room.listener.received(request({"MULTI"}) + request({"PUBLISH", "a", "hello"}) +
                         request({"PING"}) + request({"EXEC"}));
  CHECK(heard(room.listener) ==
        Texts{"OK", "QUEUED", "QUEUED", "[1, PONG]", ">'message', 'a', 'hello'>"});
}

TEST_CASE("messages arrive even where replies are turned off") {
  Room room;
  CHECK(say(room.listener, "CLIENT REPLY OFF").empty());
  CHECK(say(room.listener, "SUBSCRIBE a") == Texts{"['subscribe', 'a', 1]"});
  room.redis.ask("PUBLISH a hello");
  CHECK(heard(room.listener) == Texts{"['message', 'a', 'hello']"});
}

TEST_CASE("PUBSUB tells who listens to what, until they go") {
  TestServer redis;
  {
    resp::Session one(redis.server, "one", "server");
    resp::Session two(redis.server, "two", "server");
    say(one, "SUBSCRIBE a ab");
    say(two, "SUBSCRIBE a");
    say(two, "PSUBSCRIBE x* y*");
    say(one, "PSUBSCRIBE x*");
    CHECK(redis.sorted("PUBSUB CHANNELS") == Texts{"'a'", "'ab'"});
    CHECK(redis.sorted("PUBSUB CHANNELS ?b") == Texts{"'ab'"});
    CHECK(redis.ask("PUBSUB NUMSUB a zz") == "['a', 2, 'zz', 0]");
    CHECK(redis.ask("PUBSUB NUMPAT") == "2");
    CHECK(redis.ask("CLIENT LIST TYPE pubsub").find("addr=two") != std::string::npos);
  }
  CHECK(redis.ask("PUBSUB CHANNELS") == "[]");
  CHECK(redis.ask("PUBSUB NUMPAT") == "0");
  CHECK(redis.ask("PUBLISH a hello") == "0");
  CHECK(redis.ask("PUBSUB CHANNELS a b") ==
        "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.");
}

TEST_CASE("what one connection may listen to is bounded, and counted as its memory") {
  Room room;
  const std::size_t before = room.listener.held();
  say(room.listener, "SUBSCRIBE a");
  CHECK(room.listener.held() > before + resp::PubSub::bytes_besides_name);
  CHECK(room.redis.ask({"PUBLISH", std::string(resp::max_channel_bytes + 1, 'a'), ""}) ==
        "-ERR a channel's name has 4097 bytes; the limit is 4096");
  Words many{"SUBSCRIBE"};
  many.resize(1 + resp::PubSub::max_bytes_of_session / resp::PubSub::bytes_besides_name, "x");
  room.listener.received(request(many));
  CHECK(heard(room.listener) ==
        Texts{"-ERR too many subscriptions: one connection may hold 16777216 bytes of them"});
  say(room.listener, "UNSUBSCRIBE");
  CHECK(room.listener.subscribed_bytes == 0);
}

TEST_CASE("those who would hold too much unsent are cut off, not left with a gap") {
  Room room;
  say(room.listener, "SUBSCRIBE a");
  say(room.listener, "PSUBSCRIBE a* *");
  const std::string message(8u << 20, 'm');
  room.redis.ask("MULTI");  // one tick, and three times as much as goes into it
  for (int i = 0; i < 3; ++i) {
    room.redis.ask({"PUBLISH", "a", message});
  }
  CHECK(room.redis.ask("EXEC") == "[3, 3, 1]");  // of 8 MiB and a little each, 64 MiB hold seven
  CHECK(room.listener.closing());
  CHECK(room.listener.output().size() < resp::PubSub::max_unsent_bytes);
}

}  // namespace
}  // namespace starling::test
