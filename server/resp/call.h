// One command being run: its arguments, where its reply goes, what it may touch.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/replica/object.h"
#include "server/resp/command_table.h"
#include "server/resp/reply_writer.h"

namespace starling::resp {

class Server;
class Session;

// What every command function gets. A command that runs on data reads and writes `tx`, and checks
// all that can be wrong before its first write: inside MULTI the commands after an error still
// count, so what a failed one wrote would stay. An error of the store needs no check: it sticks to
// the transaction, and the dispatcher answers it instead of whatever was written here.
// Runs on: core strand.
struct Call {
  Server& server;
  Session& session;
  const CommandFacts& facts;
  std::span<const std::string_view> args;  // the command's name first; its arity was checked
  ReplyWriter& reply;
  // Null outside of a transaction: only commands on data are sure to have one.
  replica::Transaction* tx = nullptr;
  std::uint8_t db = 0;

  [[nodiscard]] std::size_t size() const { return args.size(); }
  [[nodiscard]] std::string_view operator[](std::size_t i) const { return args[i]; }
  // As in error texts: "set", "client|list".
  [[nodiscard]] std::string name() const { return std::string(facts.name); }

  [[nodiscard]] replica::Object object(std::string_view key) const;
  // The object for a command that works on one type; nullopt, and the error is answered, if the key
  // holds another.
  [[nodiscard]] std::optional<replica::Object> object(std::string_view key, ObjectType wanted);

  // Redis's own texts.
  void wrong_type() const {
    reply.error("WRONGTYPE Operation against a key holding the wrong kind of value");
  }
  void syntax_error() const { reply.error("ERR syntax error"); }
  void not_an_integer() const { reply.error("ERR value is not an integer or out of range"); }
  void not_a_float() const { reply.error("ERR value is not a valid float"); }
  void wrong_arity() const;
  void wrong_subcommand() const;  // unknown, or a wrong number of words behind it
  void invalid_expire() const;

  // Reads an integer argument, or answers why it is none.
  [[nodiscard]] std::optional<std::int64_t> integer(std::size_t i) const;

  // A value or element that is too long for this node is answered with an error that names the
  // limit; nothing of the command may be written then.
  [[nodiscard]] bool value_fits(std::size_t bytes) const;
  [[nodiscard]] bool elements_fit(std::size_t first, std::size_t step = 1) const;
};

using Handler = void (*)(Call&);

// Ties a command of the table to its function.
struct Binding {
  std::string_view name;  // "set", or "client|list" for a subcommand
  Handler run;
};

[[nodiscard]] std::string upper_case(std::string_view text);
// Equal without regard to case, as option words are.
[[nodiscard]] bool is_word(std::string_view argument, std::string_view upper_case_word);
[[nodiscard]] std::string lower(std::string_view text);  // of ASCII

// A double as Redis reads scores: decimal, hexadecimal, exponents, "inf"; no NaN, no spaces.
[[nodiscard]] std::optional<double> parse_score(std::string_view text);

}  // namespace starling::resp
