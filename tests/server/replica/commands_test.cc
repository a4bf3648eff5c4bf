// What each native command answers (docs/client-protocol.md).
#include "server/replica/commands.h"

#include <limits>

#include "tests/server/replica/test_group.h"

namespace starling::test {
namespace {

constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();

bool is_ok(const Result& result) { return std::holds_alternative<Ok>(result); }
bool is_nil(const Result& result) { return std::holds_alternative<Nil>(result); }

TEST_CASE("get, set: a value or nothing; any bytes, also none") {
  TestGroup a(1);
  CHECK(is_nil(a.run(get("k"))));
  CHECK(is_ok(a.run(set("k", std::string("\0\xff", 2)))));
  CHECK(a.text(get("k")) == std::string("\0\xff", 2));
  a.run(set("k", ""));
  CHECK(a.text(get("k")).empty());
  CHECK(a.number(exists("k")) == 1);
}

TEST_CASE("incr: the sum, from nothing or from a number; not from text, not beyond 64 bits") {
  TestGroup a(1);
  CHECK(a.number(incr("n", 5)) == 5);
  CHECK(a.number(incr("n", -7)) == -2);
  CHECK(a.text(get("n")) == "-2");
  a.run(set("n", "40"));
  CHECK(a.number(incr("n", 2)) == 42);
  a.run(set("text", "4x"));
  CHECK(a.refusal(incr("text")) == ErrorCode::not_a_number);
  CHECK(a.number(incr("large", largest)) == largest);
  CHECK(a.refusal(incr("large")) == ErrorCode::overflow);
  CHECK(a.text(get("large")) == std::to_string(largest));
}

TEST_CASE("del, exists, type: any object") {
  TestGroup a(1);
  a.run({set("string", "v"), set_add("set", {"e"}), hash_set("hash", {"f", "v"}),
         command(CommandCode::flag_enable, "flag"), command(CommandCode::mv_set, "mv", {"v"})});
  for (const auto& [key, name] : {std::pair{"string", "string"},
                                  {"set", "set"},
                                  {"hash", "hash"},
                                  {"flag", "flag"},
                                  {"mv", "mvreg"}}) {
    CAPTURE(key);
    CHECK(a.text(type(key)) == name);
    CHECK(a.number(exists(key)) == 1);
    CHECK(a.number(del(key)) == 1);
    CHECK(a.number(del(key)) == 0);
    CHECK(a.number(exists(key)) == 0);
    CHECK(a.text(type(key)) == "none");
  }
}

TEST_CASE("sets: how many were new, how many were there, who is in") {
  TestGroup a(1);
  CHECK(a.number(set_add("s", {"b", "a", "b"})) == 2);
  CHECK(a.number(set_add("s", {"a", "c"})) == 1);
  CHECK(a.list(set_members("s")) == List{"a", "b", "c"});
  CHECK(a.number(set_has("s", "a")) == 1);
  CHECK(a.number(set_has("s", "z")) == 0);
  CHECK(a.number(set_size("s")) == 3);
  CHECK(a.number(set_remove("s", {"a", "z"})) == 1);
  CHECK(a.number(set_remove("s", {"b", "c"})) == 2);
  CHECK(a.number(exists("s")) == 0);
  CHECK(a.list(set_members("s")).empty());
}

TEST_CASE("hashes: fields are strings and counters of their own") {
  TestGroup a(1);
  CHECK(a.number(hash_set("h", {"f", "1", "g", "2"})) == 2);
  CHECK(a.number(hash_set("h", {"f", "3", "i", "4"})) == 1);
  CHECK(a.text(hash_get("h", "f")) == "3");
  CHECK(is_nil(a.run(hash_get("h", "nobody"))));
  CHECK(a.number(hash_incr("h", "f", 4)) == 7);
  CHECK(a.number(hash_incr("h", "new", -1)) == -1);
  CHECK(a.list(hash_get_all("h")) == List{"f", "7", "g", "2", "i", "4", "new", "-1"});
  CHECK(a.number(hash_size("h")) == 4);
  a.run(hash_set("h", {"text", "x"}));
  CHECK(a.refusal(hash_incr("h", "text")) == ErrorCode::not_a_number);
  CHECK(a.number(hash_del("h", {"f", "nobody", "new"})) == 2);
  CHECK(a.number(hash_del("h", {"g", "i", "text"})) == 3);
  CHECK(a.number(exists("h")) == 0);
}

TEST_CASE("flags and multi-value registers") {
  TestGroup a(1);
  CHECK(a.number(command(CommandCode::flag_get, "f")) == 0);
  CHECK(is_ok(a.run(command(CommandCode::flag_disable, "f"))));
  CHECK(is_ok(a.run(command(CommandCode::flag_enable, "f"))));
  CHECK(a.number(command(CommandCode::flag_get, "f")) == 1);
  CHECK(is_ok(a.run(command(CommandCode::flag_disable, "f"))));
  CHECK(a.number(command(CommandCode::flag_get, "f")) == 0);

  TestGroup b(2);
  CHECK(a.list(command(CommandCode::mv_get, "mv")).empty());
  a.run(command(CommandCode::mv_set, "mv", {"one"}));
  b.run(command(CommandCode::mv_set, "mv", {"two"}));
  a.pull_from(b);
  CHECK(a.list(command(CommandCode::mv_get, "mv")) == List{"one", "two"});
  a.run(command(CommandCode::mv_set, "mv", {"three"}));
  CHECK(a.list(command(CommandCode::mv_get, "mv")) == List{"three"});
}

TEST_CASE("a command on another type is refused and says both") {
  TestGroup a(1);
  const std::vector<std::pair<std::string, std::vector<Command>>> of_type{
      {"string", {get("k"), incr("k")}},
      {"set",
       {set_add("k", {"e"}), set_remove("k", {"e"}), set_has("k", "e"), set_members("k"),
        set_size("k")}},
      {"hash",
       {hash_set("k", {"f", "v"}), hash_get("k", "f"), hash_del("k", {"f"}), hash_get_all("k"),
        hash_incr("k", "f"), hash_size("k")}},
      {"flag",
       {command(CommandCode::flag_enable, "k"), command(CommandCode::flag_disable, "k"),
        command(CommandCode::flag_get, "k")}},
      {"mvreg", {command(CommandCode::mv_set, "k", {"v"}), command(CommandCode::mv_get, "k")}}};
  const std::vector<Command> makers{set("k", "v"), set_add("k", {"e"}), hash_set("k", {"f", "v"}),
                                    command(CommandCode::flag_enable, "k"),
                                    command(CommandCode::mv_set, "k", {"v"})};
  for (const Command& make : makers) {
    a.run(del("k"));
    a.run(make);
    const std::string there = a.text(type("k"));
    for (const auto& [name, commands] : of_type) {
      for (const Command& one : commands) {
        if (name != there) {
          CAPTURE(there);
          CAPTURE(static_cast<int>(one.code));
          const auto refused = a.execute({one});
          REQUIRE_FALSE(refused);
          CHECK(refused.error().code == ErrorCode::wrong_type);
          CHECK(refused.error().message.contains(there));
          CHECK(refused.error().message.contains(name));
        }
      }
    }
  }
  a.run(set("k", "text again"));  // SET replaces any type
  CHECK(a.text(get("k")) == "text again");
}

TEST_CASE("of two types that were created concurrently the later one is visible everywhere") {
  TestGroup a(1);
  TestGroup b(2);
  a.run(set_add("k", {"e"}));
  b.now_ms += 1000;
  b.run(hash_set("k", {"f", "v"}));
  a.pull_from(b);
  b.pull_from(a);
  for (TestGroup* group : {&a, &b}) {
    CHECK(group->text(type("k")) == "hash");
    CHECK(group->refusal(set_members("k")) == ErrorCode::wrong_type);
  }
  a.run(hash_del("k", {"f"}));
  CHECK(a.text(type("k")) == "set");
  a.run(del("k"));
  CHECK(a.text(type("k")) == "none");
}

TEST_CASE("limits: keys, values, elements, and the whole entry; nothing of it is kept") {
  TestGroup a(1, {.commands = {.max_value_bytes = 1000, .max_subkey_bytes = 100}});
  CHECK(a.refusal(set(std::string(max_key_size + 1, 'k'), "v")) == ErrorCode::too_large);
  CHECK(is_ok(a.run(set(std::string(max_key_size, 'k'), "v"))));
  CHECK(a.refusal(set("k", std::string(1001, 'v'))) == ErrorCode::too_large);
  CHECK(is_ok(a.run(set("k", std::string(1000, 'v')))));
  CHECK(a.refusal(set_add("s", {"fine", std::string(101, 'e')})) == ErrorCode::too_large);
  CHECK(a.refusal(hash_set("h", {std::string(101, 'f'), "v"})) == ErrorCode::too_large);
  CHECK(a.refusal(hash_set("h", {"f", std::string(1001, 'v')})) == ErrorCode::too_large);
  CHECK(a.number(hash_set("h", {"f", std::string(1000, 'v')})) == 1);
  CHECK(a.number(exists("s")) == 0);
}

TEST_CASE("an entry has at most 64 MiB") {
  TestGroup a(1);
  std::vector<Command> commands;
  for (int i = 0; i < 9; ++i) {
    commands.push_back(set("k" + std::to_string(i), std::string(8u << 20, 'x')));
  }
  const auto refused = a.execute(commands);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::too_large);
  CHECK(a.own().empty());
}

TEST_CASE("missing arguments are named, whatever the command") {
  TestGroup a(1);
  for (const CommandCode code :
       {CommandCode::set, CommandCode::set_add, CommandCode::set_remove, CommandCode::set_has,
        CommandCode::hash_set, CommandCode::hash_get, CommandCode::hash_del, CommandCode::hash_incr,
        CommandCode::mv_set, CommandCode::scan}) {
    CAPTURE(static_cast<int>(code));
    CHECK(a.refusal(command(code, "k")) == ErrorCode::bad_request);
  }
  CHECK(a.refusal(hash_set("h", {"f"})) == ErrorCode::bad_request);
}

TEST_CASE("scores are added as texts, to the last bit, and only if they are numbers") {
  TestGroup a(1);
  const auto zset_add = [](std::vector<std::string> args) {
    return command(CommandCode::zset_add, "z", std::move(args));
  };
  CHECK(a.number(zset_add({"m", "0.10000000000000001", "n", "-inf"})) == 2);
  CHECK(a.number(zset_add({"m", "1e308", "o", "5e-324"})) == 1);
  CHECK(a.text(command(CommandCode::type, "z")) == "zset");
  for (const char* score : {"nan", "", "1x", " 1", "1e400"}) {
    CHECK(a.refusal(zset_add({"p", "1", "q", score})) == ErrorCode::not_a_number);
  }
  CHECK(a.refusal(zset_add({"m"})) == ErrorCode::bad_request);
  CHECK(is_ok(a.run(set("s", "v"))));
  CHECK(a.refusal(command(CommandCode::zset_add, "s", {"m", "1"})) == ErrorCode::wrong_type);
}

TEST_CASE("a key expires after so many milliseconds, if there is one") {
  TestGroup a(1);
  const auto expire = [](const std::string& key, std::int64_t ms) {
    Command one = command(CommandCode::expire, key);
    one.number = ms;
    return one;
  };
  CHECK(is_ok(a.run(set("k", "v"))));
  CHECK(a.number(expire("k", 1000)) == 1);
  CHECK(a.number(expire("nothing", 1000)) == 0);
  for (const std::int64_t ms :
       {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::max()}) {
    CHECK(a.refusal(expire("k", ms)) == ErrorCode::bad_request);
  }
  a.now_ms += 900;
  CHECK(a.number(command(CommandCode::exists, "k")) == 1);
  a.now_ms += 200;
  CHECK(a.number(command(CommandCode::exists, "k")) == 0);
}

}  // namespace
}  // namespace starling::test
