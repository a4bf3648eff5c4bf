// What there is to know about each Redis command before it runs: data, no code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace starling::resp {

// Redis's command flags, in the order in which COMMAND INFO names them.
namespace flag {
enum CommandFlag : std::uint32_t {
  no_flags = 0,
  write = 1U << 0U,
  readonly = 1U << 1U,
  denyoom = 1U << 2U,  // refused when memory is short
  admin = 1U << 3U,
  pubsub = 1U << 4U,
  noscript = 1U << 5U,
  blocking = 1U << 6U,
  loading = 1U << 7U,  // allowed while the node still loads
  stale = 1U << 8U,    // allowed while the node is behind its peers
  skip_monitor = 1U << 9U,
  skip_slowlog = 1U << 10U,
  fast = 1U << 11U,
  no_auth = 1U << 12U,            // allowed before AUTH
  no_mandatory_keys = 1U << 13U,  // takes keys, but need not be given any
  no_async_loading = 1U << 14U,
  no_multi = 1U << 15U,  // refused within MULTI
  allow_busy = 1U << 16U,
  movablekeys = 1U << 17U,  // first_key, last_key and key_step do not tell all keys
};
}  // namespace flag
using CommandFlag = flag::CommandFlag;

struct FlagName {
  CommandFlag flag;
  std::string_view name;
};
inline constexpr FlagName flag_names[] = {
    {flag::write, "write"},
    {flag::readonly, "readonly"},
    {flag::denyoom, "denyoom"},
    {flag::admin, "admin"},
    {flag::pubsub, "pubsub"},
    {flag::noscript, "noscript"},
    {flag::blocking, "blocking"},
    {flag::loading, "loading"},
    {flag::stale, "stale"},
    {flag::skip_monitor, "skip_monitor"},
    {flag::skip_slowlog, "skip_slowlog"},
    {flag::fast, "fast"},
    {flag::no_auth, "no_auth"},
    {flag::no_mandatory_keys, "no_mandatory_keys"},
    {flag::no_async_loading, "no_async_loading"},
    {flag::no_multi, "no_multi"},
    {flag::allow_busy, "allow_busy"},
    {flag::movablekeys, "movablekeys"},
};

// The families of commands, as COMMAND DOCS names them; starling holds what Redis does not have.
enum class Group : std::uint8_t {
  string,
  generic,
  hash,
  set,
  sorted_set,
  transactions,
  pubsub,
  connection,
  server,
  scripting,
  cluster,
  starling,
};
[[nodiscard]] std::string_view group_name(Group group);

// How two servers' replies to one command are compared; docs/redis-compatibility.md says what each
// of them allows. Errors and nil are compared as such, whatever the shape.
enum class ReplyShape : std::uint8_t {
  none,  // the connection ends
  ok,
  status,  // a simple string other than OK
  integer,
  integer_or_nil,
  bulk,
  bulk_or_nil,
  text,    // lines for people, or name:value lines
  number,  // a double, in RESP2 or by tradition as a bulk string
  number_or_nil,
  array,   // in this order
  scored,  // members by score, with scores where they are asked for; in this order
  set,     // in any order, whatever the reply type
  map,     // pairs in any order
  random,  // judged by membership and count
  scan,    // a cursor and a part of something unordered
  seconds_left,
  milliseconds_left,
  push,   // subscriptions: out of band in RESP3
  mixed,  // depends on the options or on the subcommand
};
[[nodiscard]] std::string_view reply_shape_name(ReplyShape shape);

// Name, arity, flags, key positions, since and group are those of Redis 7.0.15, byte for byte.
struct CommandFacts {
  std::string_view name;  // in lower case; of a subcommand the whole of it, as in "config|get"
  int arity;              // with the name; -n: n or more
  std::uint32_t flags;
  int first_key, last_key, key_step;  // all 0: no keys; last_key < 0 counts from the end
  Group group;
  std::string_view since;
  std::string_view summary;
  ReplyShape reply;
  std::span<const CommandFacts> subcommands;
  std::string_view arguments;  // the syntax in one line, without the name

  [[nodiscard]] constexpr bool has(CommandFlag flag) const { return (flags & flag) != 0; }
  // parts: how many words the request has, the command's name included.
  [[nodiscard]] constexpr bool takes(std::size_t parts) const {
    return arity >= 0 ? parts == static_cast<std::size_t>(arity)
                      : parts >= static_cast<std::size_t>(-arity);
  }
};

// All commands, subcommands within them.
[[nodiscard]] std::span<const CommandFacts> command_table();

// Upper and lower case are the same; null for what does not exist. find_command does not see
// subcommands.
[[nodiscard]] const CommandFacts* find_command(std::string_view name);
[[nodiscard]] const CommandFacts* find_subcommand(const CommandFacts& container,
                                                  std::string_view name);

}  // namespace starling::resp
