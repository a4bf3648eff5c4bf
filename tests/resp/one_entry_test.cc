// Commands that undo each other, in one entry (MULTI), in one tick (a pipeline) and one by one: the
// later one sees the earlier one, however they arrive (architecture.md, R1.3). A restart replays
// what was logged through the gate, as a peer would take it in: it must show the same.
#include "tests/resp/test_server.h"

namespace starling::test {
namespace {

enum class Manner { transaction, pipeline, one_by_one };

constexpr Manner manners[] = {Manner::transaction, Manner::pipeline, Manner::one_by_one};

constexpr std::string_view name_of(Manner manner) {
  return manner == Manner::transaction ? "MULTI" : manner == Manner::pipeline ? "pipeline" : "each";
}

using Commands = std::vector<std::string_view>;

// A client of a node; nothing of it outlives the node's process.
struct Client {
  explicit Client(MemoryNode& node) : node(node), server(node, {}), session(server, "c", "s") {}

  MemoryNode& node;
  resp::Server server;
  resp::Session session;

  void say(const std::string& bytes) {
    session.received(bytes);
    node.end_tick();
    (void)server.take_outspoken();
  }
  std::string ask(std::string_view line) {
    session.output().clear();
    say(request(words(line)));
    return ReplyReader(session.output()).read();
  }
  void run(const Commands& commands, Manner manner) {
    std::string bytes = manner == Manner::transaction ? request({"MULTI"}) : "";
    for (const std::string_view command : commands) {
      if (manner == Manner::one_by_one) {
        say(request(words(command)));
      } else {
        bytes += request(words(command));
      }
    }
    say(bytes + (manner == Manner::transaction ? request({"EXEC"}) : ""));
  }
};

struct Shown {
  std::string_view question;
  std::string_view answer;
};

// After `before`, `commands` leave what `shown` says, in every manner and after a restart.
void check_family(const Commands& before, const Commands& commands,
                  const std::vector<Shown>& shown) {
  for (const Manner manner : manners) {
    CAPTURE(name_of(manner));
    MemoryNode node;
    {
      Client client(node);
      client.run(before, Manner::one_by_one);
      const std::uint64_t records = node.store.bounds().last;
      client.run(commands, manner);
      const std::uint64_t ticks = node.store.bounds().last - records;
      CHECK(ticks == (manner == Manner::one_by_one ? commands.size() : 1));
      for (const Shown& one : shown) {
        CHECK_MESSAGE(client.ask(one.question) == one.answer, one.question);
      }
    }
    node.restart();
    Client client(node);
    for (const Shown& one : shown) {
      CHECK_MESSAGE(client.ask(one.question) == one.answer, one.question, " after a restart");
    }
  }
}

TEST_CASE("SADD/SREM/SADD ends with the element, in one MULTI and in one tick") {
  check_family({}, {"SADD s x", "SREM s x", "SADD s x"}, {{"SMEMBERS s", "['x']"}});
}

TEST_CASE("INCR/DEL/INCR counts only the last, in one MULTI and in one tick") {
  check_family({"INCRBY n 100"}, {"INCRBY n 10", "DEL n", "INCR n"}, {{"GET n", "'1'"}});
}

TEST_CASE("SADD/DEL/SADD keeps only what came after the DEL, in one MULTI and in one tick") {
  check_family({"SADD s old"}, {"SADD s x y", "DEL s", "SADD s x"},
               {{"SMEMBERS s", "['x']"}, {"SCARD s", "1"}});
}

TEST_CASE("SET/RENAME/SET leaves both names, in one MULTI and in one tick") {
  check_family({"SET a old", "SET b old"}, {"SET a first", "RENAME a b", "SET a second"},
               {{"GET a", "'second'"}, {"GET b", "'first'"}, {"DBSIZE", "2"}});
}

TEST_CASE("EXPIRE/PERSIST leaves no deadline, in one MULTI and in one tick") {
  check_family({"SET k v EX 50"}, {"EXPIRE k 10", "PERSIST k"},
               {{"TTL k", "-1"}, {"GET k", "'v'"}});
}

}  // namespace
}  // namespace starling::test
