// kvctl without a node: its table, parser, batch words, NDJSON, completion and status reader.
#include <algorithm>
#include <set>

#include <doctest/doctest.h>

#include "client/cli/completion.h"
#include "client/cli/help.h"
#include "client/cli/input.h"
#include "client/cli/json.h"
#include "client/cli/ndjson.h"
#include "client/cli/output.h"
#include "client/cli/parse.h"
#include "client/cli/status_view.h"
#include "client/cli/terminal.h"

namespace starling::cli {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

std::vector<Command> built(Words args) {
  const auto parsed = parse(std::move(args));
  REQUIRE(parsed.has_value());
  const auto commands = parsed->call.command->build(parsed->call.args, parsed->globals.db);
  REQUIRE(commands.has_value());
  return *commands;
}

TEST_CASE("the table is whole: every command runs or builds, is explained and has an example") {
  std::set<std::string_view> names;
  for (const CommandSpec& command : command_table()) {
    CAPTURE(command.name);
    CHECK(names.insert(command.name).second);
    CHECK((command.run != nullptr) != (command.build != nullptr));
    CHECK_FALSE(command.summary.empty());
    CHECK(command.examples.contains("kvctl"));
    bool optional_seen = false;
    for (const Positional& positional : command.positionals) {
      CHECK_FALSE((optional_seen && !positional.optional));
      optional_seen = optional_seen || positional.optional;
    }
    const std::string help = help_for(command);
    for (const OptionSpec& option : command.options) {
      CHECK(help.contains(option.help.substr(0, 10)));
    }
    CHECK(overview().contains(command.summary));
    CHECK(bash_completion().contains(command.name));
  }
}

TEST_CASE("options stand before and after the command, its arguments are never taken for options") {
  for (const Words& args : {Words{"-n", "h:1", "get", "k", "-o", "json"},
                            Words{"get", "--output=json", "k", "--node", "h:1"},
                            Words{"--node=h:1", "--output", "json", "get", "k"}}) {
    const auto parsed = parse(args);
    REQUIRE(parsed.has_value());
    CHECK(parsed->call.command->name == "get");
    CHECK(parsed->call.args == Words{"k"});
    CHECK(parsed->globals.nodes == Words{"h:1"});
    CHECK(parsed->globals.json);
  }
}

TEST_CASE("conflicts: of one key or of all, and how many") {
  const auto all = parse({"conflicts"});
  REQUIRE(all.has_value());
  CHECK(all->call.args.empty());
  const auto some = parse({"conflicts", "greeting", "--limit", "5", "--db", "3"});
  REQUIRE(some.has_value());
  CHECK(some->call.args == Words{"greeting"});
  CHECK(some->call.option("--limit") == "5");
  CHECK(some->globals.db == 3);
  CHECK_FALSE(parse({"conflicts", "a", "b"}).has_value());
}

TEST_CASE("values keep brackets, dashes, commas, names of commands and control bytes") {
  CHECK(built({"set", "k", "[1,2]"})[0].args == Words{"[1,2]"});
  CHECK(built({"set", "get", "status"})[0].key == "get");
  CHECK(built({"set", "k", "--", "-v"})[0].args == Words{"-v"});
  CHECK(built({"set", "--", "--key", "--"})[0].args == Words{"--"});
  CHECK(built({"set", "k", "-"})[0].args == Words{"-"});
  CHECK(built({"set", "k", ""})[0].args == Words{""});
  CHECK(built({"set", "k", "\x01x"})[0].args == Words{"\x01x"});
  CHECK(built({"set", "k", "a=b,c"})[0].args == Words{"a=b,c"});
  CHECK(built({"set-add", "s", "get", "set", "-1"})[0].args == Words{"get", "set", "-1"});
  CHECK(built({"set", "k", "-5"})[0].args == Words{"-5"});
}

TEST_CASE("numbers: increments, decrements, and what is none") {
  CHECK(built({"incr", "k"})[0].number == 1);
  CHECK(built({"incr", "k", "-5"})[0].number == -5);
  CHECK(built({"decr", "k", "5"})[0].number == -5);
  CHECK(built({"decr", "k", "-5"})[0].number == 5);
  CHECK(built({"incr", "k", "9223372036854775807"})[0].number == INT64_MAX);
  for (const std::string text : {"x", "1.5", "9223372036854775808", "", "1 "}) {
    CAPTURE(text);
    const auto parsed = parse({"incr", "k", text});
    REQUIRE(parsed.has_value());
    CHECK_FALSE(parsed->call.command->build(parsed->call.args, 0).has_value());
  }
  const auto lowest = parse({"decr", "k", "-9223372036854775808"});
  CHECK_FALSE(lowest->call.command->build(lowest->call.args, 0).has_value());
}

TEST_CASE("every data command builds what the protocol says") {
  CHECK(built({"del", "a", "b"}).size() == 2);
  CHECK(built({"--db", "3", "get", "k"})[0].db == 3);
  CHECK(built({"hset", "h", "f", "v", "g", "w"})[0].args == Words{"f", "v", "g", "w"});
  CHECK(built({"hincr", "h", "f"})[0] == Command{CommandCode::hash_incr, 0, "h", {"f"}, 1});
  CHECK(built({"flag", "f"})[0].code == CommandCode::flag_get);
  CHECK(built({"flag", "f", "on"})[0].code == CommandCode::flag_enable);
  CHECK(built({"flag", "f", "off"})[0].code == CommandCode::flag_disable);
  CHECK(built({"mv", "m"})[0].code == CommandCode::mv_get);
  CHECK(built({"mv", "m", "v"})[0] == Command{CommandCode::mv_set, 0, "m", {"v"}, 0});
  CHECK(built({"set-has", "s", "e"})[0] == Command{CommandCode::set_has, 0, "s", {"e"}, 0});
  CHECK(built({"set-size", "s"})[0] == Command{CommandCode::set_size, 0, "s", {}, 0});
  CHECK(built({"hash-size", "h"})[0] == Command{CommandCode::hash_size, 0, "h", {}, 0});
}

TEST_CASE("mistakes are named, and what was meant is suggested") {
  const auto why = [](Words args) {
    const auto parsed = parse(std::move(args));
    REQUIRE_FALSE(parsed.has_value());
    return parsed.error();
  };
  CHECK(why({"gte", "k"}).contains("did you mean get?"));
  CHECK(why({"get", "k", "--outptu", "json"}).contains("did you mean --output?"));
  CHECK(why({"get"}) == "get: KEY is missing");
  CHECK(why({"get", "a", "b"}).contains("'b' is one argument too many"));
  CHECK(why({"hset", "h", "f"}) == "hset: VALUE is missing");
  CHECK(why({"set", "k"}) == "set: VALUE is missing");
  CHECK(why({"set", "k", "v", "-f", "x"}).contains("not both"));
  CHECK(why({"get", "k", "-o", "xml"}).contains("text or json"));
  CHECK(why({"get", "k", "--timeout", "5"}).contains("10s or 500ms"));
  CHECK(why({"get", "k", "--db", "256"}).contains("0 to 255"));
  CHECK(why({"get", "k", "--timeout"}).contains("--timeout"));
}

TEST_CASE("help can be asked for anywhere, even where arguments are missing") {
  CHECK(parse({"get", "--help"})->help);
  CHECK(parse({"-h"})->help);
  CHECK(parse({})->call.command == nullptr);
}

TEST_CASE("durations") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("10s") == 10s);
  CHECK(parse_duration("2m") == 2min);
  CHECK(parse_duration("1h") == 1h);
  for (const std::string text : {"", "10", "s", "-1s", "1.5s", "10 s", "99999999999999999999s"}) {
    CHECK_FALSE(parse_duration(text).has_value());
  }
}

TEST_CASE("words of a batch line") {
  CHECK(split_words("set k v") == Words{"set", "k", "v"});
  CHECK(split_words("  set\tk   'a b' ") == Words{"set", "k", "a b"});
  CHECK(split_words(R"(set k "a\n\x41\"b")") == Words{"set", "k", "a\nA\"b"});
  CHECK(split_words(R"(set k a\ b'c'"d")") == Words{"set", "k", "a bcd"});
  CHECK(split_words("set k ''") == Words{"set", "k", ""});
  CHECK(split_words("# a comment")->empty());
  CHECK(split_words("set k a#b") == Words{"set", "k", "a#b"});
  CHECK(split_words("").value().empty());
  for (const std::string line : {"set 'k", "set \"k", "set k\\", R"(set "\x4")", R"(set "\xzz")"}) {
    CAPTURE(line);
    CHECK_FALSE(split_words(line).has_value());
  }
}

TEST_CASE("base64 goes both ways for every length and every byte") {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    CHECK(from_base64(base64(bytes)) == bytes);
    bytes += static_cast<char>(i * 7);
  }
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("fooba") == "Zm9vYmE=");
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK_FALSE(from_base64("Zm9*").has_value());
  CHECK_FALSE(from_base64("Z").has_value());
  CHECK_FALSE(from_base64("Zm9vYh==").has_value());  // bits that no encoder leaves
}

TEST_CASE("a line of an export becomes the commands that bring it back") {
  const auto commands = [](std::string_view line) {
    const auto parsed = parse_ndjson(line, 0);
    REQUIRE_MESSAGE(parsed.has_value(), parsed.error());
    return parsed->commands;
  };
  CHECK(commands(R"({"db":0,"key":"k","type":"string","value":"v"})")[0] ==
        Command{CommandCode::set, 0, "k", {"v"}, 0});
  CHECK(commands(R"({"db":7,"key":{"b64":"AP8="},"type":"string","value":{"b64":"/w=="}})")[0] ==
        Command{CommandCode::set, 7, std::string("\0\xff", 2), {"\xff"}, 0});
  CHECK(commands(R"({"key":"k","type":"string","value":42})")[0].args == Words{"42"});
  CHECK(commands(R"({"key":"k","type":"counter","value":-42})")[0].number == -42);
  CHECK(commands(R"({"key":"k","type":"set","value":["a",{"b64":"AA=="}]})")[0].args ==
        Words{"a", std::string(1, '\0')});
  CHECK(commands(R"({"key":"k","type":"set","value":[]})").empty());
  CHECK(commands(R"({"key":"k","type":"hash","value":{"f":"v","g":"w"}})")[0].args ==
        Words{"f", "v", "g", "w"});
  CHECK(commands(R"({"key":"k","type":"hash","value":[["f",{"b64":"/w=="}]]})")[0].args ==
        Words{"f", "\xff"});
  CHECK(commands(R"({"key":"k","type":"flag","value":true})")[0].code == CommandCode::flag_enable);
  CHECK(commands(R"({"key":"k","type":"mvreg","value":["a"]})")[0].args == Words{"a"});
  const auto siblings = parse_ndjson(R"({"key":"k","type":"mvreg","value":["a","b"]})", 0);
  CHECK(siblings->drops_siblings);
  CHECK(siblings->commands[0].args == Words{"b"});
  CHECK(
      commands(R"({"key":"k","type":"zset","value":[["m","0.1"],[{"b64":"/w=="},2],["n","-inf"]]})")
          [0] == Command{CommandCode::zset_add, 0, "k", {"m", "0.1", "\xff", "2", "n", "-inf"}, 0});
  CHECK(parse_ndjson(R"({"key":"k","type":"string","value":"v","ttl_ms":5})", 0)->ttl_ms == 5);
  CHECK_FALSE(parse_ndjson(R"({"key":"k","type":"string","value":"v","ttl_ms":null})", 0)->ttl_ms);
}

TEST_CASE("lines that are wrong are refused with a reason") {
  for (const std::string line : {"",
                                 "nonsense",
                                 "[]",
                                 "{}",
                                 R"({"key":"k","type":"string"})",
                                 R"({"key":1,"type":"string","value":"v"})",
                                 R"({"key":"k","type":"tree","value":1})",
                                 R"({"key":"k","type":"string","value":1.5})",
                                 R"({"key":"k","type":"string","value":null})",
                                 R"({"key":"k","type":"counter","value":9223372036854775808})",
                                 R"({"key":"k","type":"set","value":{"a":1}})",
                                 R"({"key":"k","type":"hash","value":[["f"]]})",
                                 R"({"key":"k","type":"flag","value":1})",
                                 R"({"key":{"b64":"*"},"type":"flag","value":true})",
                                 R"({"db":256,"key":"k","type":"flag","value":true})",
                                 R"({"db":-1,"key":"k","type":"flag","value":true})",
                                 R"({"key":"k","type":"flag","value":true,"ttl":1})",
                                 R"({"key":"k","type":"flag","value":true,"ttl_ms":0})",
                                 R"({"key":"k","type":"flag","value":true,"ttl_ms":-1})",
                                 R"({"key":"k","type":"flag","value":true,"ttl_ms":"1"})",
                                 R"({"key":"k","type":"zset","value":{"m":1}})",
                                 R"({"key":"k","type":"zset","value":["m"]})",
                                 R"({"key":"k","type":"zset","value":[["m",null]]})",
                                 "{\"key\":\"\xff\",\"type\":\"flag\",\"value\":true}",
                                 R"({"key":"k","type":"string","value":"v"} trailing)"}) {
    CAPTURE(line);
    const auto parsed = parse_ndjson(line, 0);
    CHECK_FALSE(parsed.has_value());
    if (!parsed) {
      CHECK_FALSE(parsed.error().empty());
    }
  }
}

TEST_CASE("answers as JSON") {
  CHECK(json_result(Show::value, "k", std::string("v")) == R"({"key":"k","result":"v"})");
  CHECK(json_result(Show::value, "k", std::monostate{}) == R"({"key":"k","result":null})");
  CHECK(json_value(Show::value, std::string("\xff")) == R"({"b64":"/w=="})");
  CHECK(json_value(Show::yes_no, std::int64_t{1}) == "true");
  CHECK(json_value(Show::number, std::int64_t{-3}) == "-3");
  CHECK(json_value(Show::list, Words{"a", "\xfe"}) == R"(["a",{"b64":"/g=="}])");
  CHECK(json_value(Show::fields, Words{"f", "v"}) == R"({"f":"v"})");
  CHECK(json_value(Show::fields, Words{"f", "\xff"}) == R"([["f",{"b64":"/w=="}]])");
}

TEST_CASE("what goes to a terminal cannot drive it") {
  CHECK(escaped("plain ünïcode ✓") == "plain ünïcode ✓");
  CHECK(escaped("\x1b[31m\n\t\r\x7f") == "\\x1b[31m\\n\\t\\r\\x7f");
  CHECK(escaped("\xff\xc2\x9b") == "\\xff\\xc2\\x9b");
  CHECK(is_utf8("\xf0\x9f\x90\xa6"));
  for (const std::string bytes :
       {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"}) {
    CHECK_FALSE(is_utf8(bytes));
  }
}

TEST_CASE("a status is read with what it has, and converged is computed where it is not said") {
  CHECK_FALSE(parse_status("nonsense").has_value());
  CHECK_FALSE(parse_status("[]").has_value());
  CHECK(parse_status("{}").has_value());
  const auto view =
      parse_status(R"({"cluster":"c","name":"a","ready":true,"digest":"d","reasons":["r"],
    "members":[{"name":"b","state":"up","version_equal":true,"digest":"d"},
               {"name":"c","state":"cut","version_equal":false,"behind_ops":3}]})");
  REQUIRE(view.has_value());
  CHECK(view->members.size() == 3);  // itself first
  CHECK(view->members[0].self);
  CHECK(view->converged);
  CHECK(view->reasons == Words{"r"});
  CHECK_FALSE(parse_status(R"({"name":"a","digest":"d","members":[
    {"name":"b","state":"up","version_equal":true,"digest":"e"}]})")
                  ->converged);
  CHECK_FALSE(parse_status(R"({"name":"a","converged":false,"members":[]})")->converged);
}

TEST_CASE("exit codes are those that scripts depend on") {
  CHECK(exit_code(ErrorCode::unreachable) == 4);
  CHECK(exit_code(ErrorCode::protocol) == 4);
  CHECK(exit_code(ErrorCode::timeout) == 5);
  CHECK(exit_code(ErrorCode::not_ready) == 6);
  CHECK(exit_code(ErrorCode::refused) == 7);
  CHECK(exit_code(ErrorCode::too_large) == 7);
  CHECK(exit_code(ErrorCode::wrong_type) == 8);
  CHECK(exit_code(ErrorCode::not_a_number) == 8);
}

}  // namespace
}  // namespace starling::cli
