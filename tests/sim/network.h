// The network between simulated nodes: connections that delay, break, and, on request, lose, repeat
// and reorder single frames. All frames pass the shipping codec.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/replica/effects.h"
#include "tests/sim/coverage.h"
#include "tests/sim/random.h"
#include "tests/sim/timeline.h"
#include "tests/sim/trace.h"

namespace starling::sim {

// What the network knows of the nodes that it joins.
class Endpoints {
 public:
  virtual ~Endpoints() = default;
  [[nodiscard]] virtual std::size_t endpoints() const = 0;
  [[nodiscard]] virtual const std::string& name(std::size_t node) const = 0;
  [[nodiscard]] virtual bool reachable(std::size_t node) const = 0;  // its process runs
  // Grows with every start and every crash: connections of earlier lifetimes are broken.
  [[nodiscard]] virtual std::uint64_t lifetime(std::size_t node) const = 0;
  virtual void feed(std::size_t node, replica::Input input) = 0;
  virtual void heard(std::size_t node, std::size_t from, replica::ConnectionId connection,
                     const wire::PeerMessage& message) = 0;
  virtual void broken(std::string complaint) = 0;
};

class SimNetwork {
 public:
  struct Weather {
    // Of a TCP connection: delay, in order, until it breaks.
    std::uint64_t delay_min_us = 200;
    std::uint64_t delay_max_us = 2 * ms;
    // Of single frames behind the Hello: what a real connection does not do, and the protocol
    // survives all the same.
    double loss = 0;
    double duplication = 0;
    double reordering = 0;
  };

  SimNetwork(Endpoints& nodes, Timeline& timeline, Random& random, Coverage& coverage, Trace& trace)
      : nodes_(nodes), timeline_(timeline), random_(random), coverage_(coverage), trace_(trace) {}

  Weather weather;

  // -- faults --
  void block(std::size_t from, std::size_t to);  // one way
  void unblock(std::size_t from, std::size_t to);
  void split(const std::set<std::size_t>& side);  // both ways between this side and the rest
  void heal();
  [[nodiscard]] bool blocked(std::size_t from, std::size_t to) const {
    return blocked_.contains({from, to});
  }
  void slow(std::size_t node, std::uint64_t delay_us) { slow_[node] = delay_us; }
  void reset_connections(std::size_t node);
  // Messages for which this is true are thrown away (directed schedules).
  using Filter = std::function<bool(std::size_t from, std::size_t to, const wire::PeerMessage&)>;
  void drop(Filter filter) { filter_ = std::move(filter); }

  // -- nodes --
  void dial(std::size_t from, std::size_t to, replica::DialId dial);
  void send(std::size_t from, replica::ConnectionId id, const wire::PeerMessage& message);
  void close(std::size_t from, replica::ConnectionId id);
  // All its connections break. A killed process has a kernel that says so to its peers; a machine
  // without power says nothing.
  void crashed(std::size_t node, std::uint64_t lifetime, bool power);
  // Where the other end of this connection is.
  [[nodiscard]] std::size_t other_end(replica::ConnectionId id) const {
    return connections_[(id - 1) / 2].side[id % 2].node;
  }
  // Bytes of entries that this end has sent and that have not arrived. Empty once something came
  // twice: then its peer acknowledges more than was sent.
  [[nodiscard]] std::optional<std::uint64_t> unsent(replica::ConnectionId id) const {
    const Side& side = connections_[(id - 1) / 2].side[(id - 1) % 2];
    return side.repeated ? std::nullopt : std::optional(side.unsent);
  }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }

 private:
  struct Packet {
    std::string frame;          // empty: the end of the connection
    std::uint64_t entries = 0;  // bytes of these in it
  };
  struct Side {
    std::size_t node = 0;
    std::uint64_t lifetime = 0;
    bool open = true;
    std::uint64_t last_delivery_us = 0;  // of what it sent
    std::deque<Packet> parked;           // what it sent into a partition
    std::uint64_t unsent = 0;
    bool repeated = false;
  };
  struct Connection {
    Side side[2];
  };

  void transmit(std::size_t connection, std::size_t from, Packet packet, bool in_order);
  void arrive(std::size_t connection, std::size_t from, Packet packet);
  [[nodiscard]] std::uint64_t travel_us(std::size_t from, std::size_t to);
  [[nodiscard]] bool alive(const Side& side) const {
    return nodes_.reachable(side.node) && nodes_.lifetime(side.node) == side.lifetime;
  }
  // Sides are 0, which dialled, and 1.
  static replica::ConnectionId id_of(std::size_t connection, std::size_t side) {
    return connection * 2 + side + 1;
  }

  Endpoints& nodes_;
  Timeline& timeline_;
  Random& random_;
  Coverage& coverage_;
  Trace& trace_;
  std::deque<Connection> connections_;
  std::set<std::pair<std::size_t, std::size_t>> blocked_;
  std::map<std::size_t, std::uint64_t> slow_;
  Filter filter_;
  std::uint64_t messages_ = 0;
};

}  // namespace starling::sim
