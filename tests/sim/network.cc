#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

#include "tests/sim/describe.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace starling::sim {

std::uint64_t SimNetwork::travel_us(std::size_t from, std::size_t to) {
  return random_.between(weather.delay_min_us, weather.delay_max_us) + slow_[from] + slow_[to];
}

// ---------------------------------------------------------------- connections

void SimNetwork::dial(std::size_t from, std::size_t to, replica::DialId dial) {
  const bool unknown = to >= nodes_.endpoints();
  const bool refused = unknown || !nodes_.reachable(to);
  const bool lost = !unknown && (blocked(from, to) || blocked(to, from));
  const std::uint64_t takes_us = refused ? 2 * ms
                                 : lost  ? random_.between(500 * ms, 3 * second)
                                         : travel_us(from, to) + travel_us(to, from);
  const std::uint64_t lifetime = nodes_.lifetime(from);
  timeline_.after(takes_us, [this, from, to, dial, lifetime, failed = refused || lost] {
    if (!nodes_.reachable(from) || nodes_.lifetime(from) != lifetime) {
      return;
    }
    if (failed || !nodes_.reachable(to)) {
      coverage_.hit("fault dial that fails");
      nodes_.feed(from, replica::DialFailed{dial});
      return;
    }
    const std::size_t connection = connections_.size();
    Connection& link = connections_.emplace_back();
    link.side[0].node = from;
    link.side[0].lifetime = lifetime;
    link.side[1].node = to;
    link.side[1].lifetime = nodes_.lifetime(to);
    nodes_.feed(to, replica::PeerConnected{id_of(connection, 1), std::nullopt});
    nodes_.feed(from, replica::PeerConnected{id_of(connection, 0), dial});
  });
}

void SimNetwork::close(std::size_t from, replica::ConnectionId id) {
  const std::size_t connection = (id - 1) / 2;
  Side& side = connections_[connection].side[(id - 1) % 2];
  if (side.open && side.lifetime == nodes_.lifetime(from)) {
    side.open = false;
    transmit(connection, (id - 1) % 2, {}, true);
  }
}

void SimNetwork::crashed(std::size_t node, std::uint64_t lifetime, bool power) {
  for (std::size_t c = 0; c < connections_.size(); ++c) {
    for (const std::size_t s : {0u, 1u}) {
      Side& side = connections_[c].side[s];
      if (side.node == node && side.lifetime == lifetime && side.open) {
        side.open = false;
        if (!power) {
          transmit(c, s, {}, true);
        }
      }
    }
  }
}

void SimNetwork::reset_connections(std::size_t node) {
  for (std::size_t c = 0; c < connections_.size(); ++c) {
    Connection& link = connections_[c];
    if (link.side[0].node != node && link.side[1].node != node) {
      continue;
    }
    for (const std::size_t s : {0u, 1u}) {
      Side& side = link.side[s];
      if (side.open && alive(side)) {
        side.open = false;
        timeline_.after(random_.below(5 * ms), [this, c, s] {
          const Side& reset = connections_[c].side[s];
          if (alive(reset)) {
            nodes_.feed(reset.node, replica::PeerClosed{id_of(c, s)});
          }
        });
      }
    }
  }
}

// ---------------------------------------------------------------- frames

void SimNetwork::send(std::size_t from, replica::ConnectionId id,
                      const wire::PeerMessage& message) {
  const std::size_t connection = (id - 1) / 2;
  const std::size_t sender = (id - 1) % 2;
  Side& side = connections_[connection].side[sender];
  if (!side.open || side.lifetime != nodes_.lifetime(from)) {
    return;
  }
  ++messages_;
  coverage_.hit(std::string("message ") + name_of(message));
  const std::size_t to = connections_[connection].side[1 - sender].node;
  if (filter_ && filter_(from, to, message)) {
    return;
  }
  const auto* push = std::get_if<wire::Push>(&message);
  Packet packet{wire::encode(message), push != nullptr ? push->run.entries.size() : 0};
  trace_.mix(timeline_.now_us(), from * 64 + to, roll_hash(0, packet.frame));
  if (trace_.keeps_lines()) {
    trace_.show(timeline_.now_us(),
                nodes_.name(from) + " -> " + nodes_.name(to) + ": " + describe(message));
  }
  // A connection that lost its Hello would be no connection.
  const bool hello = std::holds_alternative<wire::Hello>(message);
  if (!hello && random_.chance(weather.loss)) {
    coverage_.hit("fault frame lost");
    return;
  }
  if (!hello && random_.chance(weather.duplication)) {
    coverage_.hit("fault frame duplicated");
    side.repeated = side.repeated || push != nullptr;
    transmit(connection, sender, packet, true);
  }
  const bool reorder = !hello && random_.chance(weather.reordering);
  if (reorder) {
    coverage_.hit("fault frame reordered");
  }
  side.unsent += packet.entries;
  transmit(connection, sender, std::move(packet), !reorder);
}

void SimNetwork::transmit(std::size_t connection, std::size_t from, Packet packet, bool in_order) {
  Side& side = connections_[connection].side[from];
  const std::size_t to = connections_[connection].side[1 - from].node;
  if (blocked(side.node, to)) {
    coverage_.hit("fault frame stuck in a partition");
    side.parked.push_back(std::move(packet));
    return;
  }
  std::uint64_t when = timeline_.now_us() + travel_us(side.node, to);
  if (in_order) {
    when = std::max(when, side.last_delivery_us + 1);
    side.last_delivery_us = when;
  } else {
    when += random_.below(20 * weather.delay_max_us);
  }
  timeline_.at(when, [this, connection, from, packet = std::move(packet)]() mutable {
    arrive(connection, from, std::move(packet));
  });
}

void SimNetwork::arrive(std::size_t connection, std::size_t from, Packet packet) {
  Side& sender = connections_[connection].side[from];
  Side& receiver = connections_[connection].side[1 - from];
  if (blocked(sender.node, receiver.node)) {
    sender.parked.push_back(std::move(packet));
    return;
  }
  sender.unsent -= std::min(sender.unsent, packet.entries);
  if (!alive(receiver)) {
    // A machine that is down says nothing; one that is up again answers with a reset.
    if (nodes_.reachable(receiver.node) && !packet.frame.empty() && sender.open) {
      receiver.open = false;
      transmit(connection, 1 - from, {}, true);
    }
    return;
  }
  if (!receiver.open) {
    return;
  }
  if (packet.frame.empty()) {
    receiver.open = false;
    nodes_.feed(receiver.node, replica::PeerClosed{id_of(connection, 1 - from)});
    return;
  }
  wire::FrameReader reader(wire::max_frame_body);
  reader.feed(packet.frame);
  const auto body = reader.next();
  if (!body || !*body) {
    nodes_.broken("a frame does not come out as it went in");
    return;
  }
  auto message = wire::decode_peer(**body);
  if (!message) {
    nodes_.broken("a message does not decode: " + std::string(wire::message(message.error())));
    return;
  }
  nodes_.heard(receiver.node, sender.node, id_of(connection, 1 - from), *message);
  nodes_.feed(receiver.node, replica::PeerReceived{id_of(connection, 1 - from), std::move(*message),
                                                   packet.frame.size()});
}

// ---------------------------------------------------------------- partitions

void SimNetwork::block(std::size_t from, std::size_t to) {
  if (from != to) {
    blocked_.insert({from, to});
  }
}

// What TCP kept trying to deliver gets through now.
void SimNetwork::unblock(std::size_t from, std::size_t to) {
  if (blocked_.erase({from, to}) == 0) {
    return;
  }
  for (std::size_t c = 0; c < connections_.size(); ++c) {
    for (const std::size_t s : {0u, 1u}) {
      if (connections_[c].side[s].node == from && connections_[c].side[1 - s].node == to) {
        for (Packet& packet : std::exchange(connections_[c].side[s].parked, {})) {
          transmit(c, s, std::move(packet), true);
        }
      }
    }
  }
}

void SimNetwork::split(const std::set<std::size_t>& side) {
  for (std::size_t a = 0; a < nodes_.endpoints(); ++a) {
    for (std::size_t b = 0; b < nodes_.endpoints(); ++b) {
      if (side.contains(a) != side.contains(b)) {
        block(a, b);
      }
    }
  }
}

void SimNetwork::heal() {
  for (const auto& [from, to] : std::set(blocked_)) {
    unblock(from, to);
  }
}

}  // namespace starling::sim
