// Commands and their answers as plain values. Most programs use the typed handles of client.h and
// never look in here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <starling/error.h>

namespace starling {

// The numbers are those on the wire; docs/client-protocol.md says what each command takes.
enum class CommandCode : std::uint16_t {
  get = 1,
  set = 2,
  incr = 3,
  del = 10,
  exists = 11,
  type = 12,
  expire = 13,
  set_add = 20,
  set_remove = 21,
  set_has = 22,
  set_members = 23,
  set_size = 24,
  hash_set = 30,
  hash_get = 31,
  hash_del = 32,
  hash_get_all = 33,
  hash_incr = 34,
  hash_size = 35,
  flag_enable = 40,
  flag_disable = 41,
  flag_get = 42,
  mv_set = 50,
  mv_get = 51,
  zset_add = 55,
  scan = 60,
  export_ = 61,
  why = 70,
  explain = 71,
  conflicts = 72,
  status = 80,
  partition = 90,
  heal = 91,
};

struct Command {
  CommandCode code = CommandCode::get;
  std::uint8_t db = 0;
  std::string key{};
  std::vector<std::string> args{};
  std::int64_t number = 0;
  friend bool operator==(const Command&, const Command&) = default;
};

struct Done {  // the answer of a command that has nothing else to say
  friend bool operator==(const Done&, const Done&) = default;
};
// monostate: there is no such thing.
using Value =
    std::variant<std::monostate, Done, std::int64_t, std::string, std::vector<std::string>>;

struct Reply {
  // The node had already applied a request with this OperationId: nothing was done a second time,
  // and the values are those of the first time.
  bool repeated = false;
  std::vector<Value> values{};  // one per command
};

// Names one request for ever. The library makes one up for every request that writes; bring your
// own to make a retry safe across a restart of *your* program. A node remembers at least the last
// 1,000 requests of each of the last 10,000 sessions, for an hour.
struct OperationId {
  std::uint64_t session = 0;  // random, or derived from what is being done
  std::uint64_t sequence = 0;
  friend bool operator==(const OperationId&, const OperationId&) = default;
};

using Fields = std::map<std::string, std::string>;

// One page of a scan: call again with `cursor` until that comes back empty.
struct Page {
  std::string cursor;
  std::vector<std::string> items;
};

// Turns an answer into the type that the command promises. An answer of another shape is an Error
// with ErrorCode::protocol.
template <typename T>
[[nodiscard]] Result<T> decode(Value value);
template <>
Result<void> decode<void>(Value value);
template <>
Result<bool> decode<bool>(Value value);
template <>
Result<std::int64_t> decode<std::int64_t>(Value value);
template <>
Result<std::string> decode<std::string>(Value value);
template <>
Result<std::optional<std::string>> decode<std::optional<std::string>>(Value value);
template <>
Result<std::optional<std::int64_t>> decode<std::optional<std::int64_t>>(Value value);
template <>
Result<std::vector<std::string>> decode<std::vector<std::string>>(Value value);
template <>
Result<Fields> decode<Fields>(Value value);
template <>
Result<Page> decode<Page>(Value value);

}  // namespace starling
