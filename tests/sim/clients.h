// Clients of a simulated cluster: sessions that write, read, lose answers and try again.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/commands.h"

namespace starling::sim {

// A session does one thing at a time, and joins what it is told into its token, as the client
// library does.
class Clients {
 public:
  Clients(Cluster& cluster, Random& random);

  void begin();
  void end() { quiet_ = true; }  // no new requests, no retries
  // Since `begin`: commands that reached a node, when the last did, the keys that they named, and
  // the types of keys that they wrote.
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] std::uint64_t latest_us() const { return latest_us_; }
  [[nodiscard]] const std::set<ObjectKey>& keys() const { return keys_; }
  [[nodiscard]] const std::set<ObjectType>& types() const { return types_; }

 private:
  struct Session {
    std::uint64_t id = 0;
    std::uint64_t sequence = 0;
    std::size_t home = 0;
    VersionVector token;
    bool busy = false;
    std::uint64_t attempt = 0;  // events of earlier attempts mean nothing
  };

  void next_request();
  void act(Session& session);
  void act_at_native_door(Session& session, wire::Request& request);
  void act_at_redis_door(wire::Request& request);
  void attempt(Session& session, std::size_t node, wire::Request request, int tries);
  void count(const wire::Request& request);
  void retry_later(Session& session, std::size_t node, wire::Request request, int tries,
                   const std::shared_ptr<replica::RequestId>& sent);

  Cluster& cluster_;
  Random& random_;
  std::uint64_t pace_us_;
  CommandMix commands_;
  std::vector<std::unique_ptr<Session>> sessions_;
  bool quiet_ = false;
  std::uint64_t operations_ = 0;
  std::uint64_t latest_us_ = 0;
  std::set<ObjectKey> keys_;
  std::set<ObjectType> types_;
};

}  // namespace starling::sim
