#include "tests/sim/coverage.h"

#include "tests/sim/judge.h"

namespace starling::sim {
namespace {

constexpr const char* wanted[] = {
    // messages
    "message Hello", "message Push", "message Pull", "message PullNack", "message Ack",
    "message Heartbeat", "message MemberFacts", "message DigestRequest", "message DigestReply",
    "message Goodbye",
    // the network
    "fault frame lost", "fault frame duplicated", "fault frame reordered",
    "fault frame stuck in a partition", "fault partition", "fault isolated node",
    "fault one-way partition", "fault partition by command", "fault connections reset",
    "fault bad weather", "fault slow peer", "fault dial that fails",
    // nodes and clocks
    "fault kill", "fault power cut", "fault graceful stop", "fault crash between two effects",
    "fault crash inside a disk write", "fault crash during a start", "fault skewed clock",
    "fault jumping clock", "fault late joiner",
    // disks
    "fault checkpoint without room", "fault checkpoint cut short", "fault slow checkpoints",
    "fault stalled checkpoints", "fault disk nearly full",
    // clients
    "client request lost", "client answer lost", "client gone", "client retry",
    "client retry elsewhere", "client session token",
    // branches of the protocol
    "branch entries held", "branch entries dropped", "branch duplicate dropped",
    "branch pull answered", "branch pull refused below the floor", "branch answer repeated",
    "branch answer behind its session", "branch answer not ready", "branch answer no space",
    "branch marker active", "branch log truncated", "branch checkpoint", "branch checkpoint failed",
    "branch log sync", "branch write that a power cut may take", "branch key expired",
    "branch expired key hidden", "branch write takes the expired key away first",
    "branch deadline of no key", "branch later of concurrent deadlines",
    "branch concurrent raises or lowerings",
    // bounds
    "branch held entries fill most of their bound", "branch push fills most of the credit",
    "branch answer to a pull fills most of its bound", "branch more under way than the credit",
    "branch requests that wait fill most of their bound",
    // the conflict journal
    "branch conflict: overwritten", "branch conflict: hidden increments",
    "branch conflict: hidden type", "branch conflict line dropped",
    "branch conflict line survives a crash",
    // commands in turns
    "branch command ran in turns", "branch command wrote several entries",
    "branch part of a long command", "branch write waits for a long command's key",
    "branch entry of a peer waits for a long command's key", "client gone within its long command",
    "fault crash within a long command",
    // the Redis door
    "command SET", "command SET PX", "command SET KEEPTTL", "command INCRBY", "command DEL",
    "command SADD", "command SREM", "command SUNION", "command SUNIONSTORE", "command HSET",
    "command HDEL", "command HINCRBY", "command ZADD", "command ZADD GT", "command ZADD LT",
    "command ZINCRBY", "command ZREM", "command ZREMRANGEBYRANK", "command ZPOPMIN",
    "command ZRANGE", "command ZRANK", "command ZSCORE", "command ZCARD", "command PEXPIRE",
    "command PEXPIRE GT", "command PEXPIRE LT", "command PERSIST", "command PTTL",
    "command PEXPIRETIME", "command FLUSHDB", "command FLUSHALL", "command DBSIZE"};

}  // namespace

std::uint64_t& Coverage::counter(std::string_view what) {
  const auto found = counts_.find(what);
  return found != counts_.end() ? found->second : counts_[std::string(what)];
}

std::uint64_t Coverage::count(std::string_view what) const {
  const auto found = counts_.find(what);
  return found == counts_.end() ? 0 : found->second;
}

std::vector<std::string> everything_to_cover() {
  std::vector<std::string> all(std::begin(wanted), std::end(wanted));
  for (const char* last :
       {"every seed is as large as it says", "eventually all nodes have the same V",
        "eventually every request is answered", "eventually keys that have expired are gone",
        "finally equal answers", "finally scans name the keys that exist", "finally equal exports",
        "finally converged by its own report"}) {
    all.push_back(std::string("checker ") + last);
  }
  for (const std::string& checker : names_of_checkers()) {
    all.push_back("checker " + checker);
  }
  return all;
}

}  // namespace starling::sim
