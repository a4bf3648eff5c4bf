#include "server/resp/key_flags.h"

#include <algorithm>
#include <array>

namespace starling::resp {
namespace {

struct Alike {
  KeyFlags flags;
  std::string_view commands;  // a space around each
};

// As redis-server 7.0.15 tells them; the differential test compares.
constexpr std::array<Alike, 16> groups{{
    {{"RO", ""},
     " strlen exists type touch object|idletime object|freq object|encoding object|refcount "
     "hexists "
     "hlen hstrlen scard sismember zcard watch memory|usage "},
    {{"OW insert", ""}, " setnx msetnx "},
    {{"OW update", ""}, " setex psetex mset "},
    {{"RW access update", ""},
     " getset getex incr decr incrby decrby incrbyfloat move hincrby hincrbyfloat zincrby eval "
     "evalsha fcall "},
    {{"RW access update variable_flags", ""}, " set "},
    {{"RW access delete", ""}, " getdel spop zmpop zpopmax zpopmin "},
    {{"RW insert", ""}, " append hsetnx sadd "},
    {{"RW update", ""}, " setrange expire pexpire expireat pexpireat persist hmset hset zadd "},
    {{"RW delete", ""}, " hdel srem zrem zremrangebylex zremrangebyrank zremrangebyscore "},
    {{"RM delete", ""}, " del unlink "},
    {{"RW access delete", "OW update"}, " rename "},
    {{"RW access delete", "OW insert"}, " renamenx "},
    {{"RW access delete", "RW insert"}, " smove "},
    {{"RO access", "OW update"}, " copy "},
    {{"OW update", "RO access"},
     " sdiffstore sunionstore zdiffstore zinterstore zrangestore zunionstore "},
    {{"RW update", "RO access"}, " sinterstore "},
}};

bool holds(std::string_view commands, std::string_view name) {
  for (std::size_t at = commands.find(name); at != std::string_view::npos;
       at = commands.find(name, at + 1)) {
    if (commands[at - 1] == ' ' && commands[at + name.size()] == ' ') {
      return true;
    }
  }
  return false;
}

}  // namespace

KeyFlags key_flags(const CommandFacts& facts) {
  const auto* found = std::ranges::find_if(
      groups, [&](const Alike& group) { return holds(group.commands, facts.name); });
  // The others read.
  return found == groups.end() ? KeyFlags{"RO access", ""} : found->flags;
}

}  // namespace starling::resp
