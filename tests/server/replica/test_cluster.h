// A few replica cores that exchange their effects over a perfect network, in one thread and under
// virtual time. A test may look at every message, change it or take it away. (Loss, reordering and
// crashes at random are the simulator's.)
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "server/replica/replica.h"
#include "tests/server/replica/commands.h"
#include "tests/server/replica/test_store.h"

namespace starling::test {

using replica::Config;
using replica::ConnectionId;
using replica::Replica;

class TestCluster {
 public:
  struct Node {
    Config config;
    std::unique_ptr<TestStore> store;
    std::unique_ptr<Replica> replica;  // empty while it is down
    std::map<replica::RequestId, wire::Response> responses;
    std::vector<std::string> events;
    std::uint64_t wake_us = 0;
  };
  struct Sent {
    std::string from;
    std::string to;
    wire::PeerMessage message;
  };

  // False: the message is lost. It may be changed on its way.
  std::function<bool(const std::string& from, const std::string& to, wire::PeerMessage&)> network =
      [](const std::string&, const std::string&, wire::PeerMessage&) { return true; };
  std::map<std::string, std::string> aliases;  // other addresses of nodes
  std::vector<Sent> sent;                      // everything that left a node, lost or not
  replica::Now now{1'000'000, 1'790'000'000'000};

  // -- nodes --

  Node& add(const std::string& name, std::vector<std::string> join = {}, Config config = {}) {
    config.name = name;
    config.peer_address = name;
    config.client_address = name + ":client";
    config.join = std::move(join);
    config.random_seed = nodes_.size() + 1;
    config.allow_faults = true;
    Node& node = nodes_[name];
    node.config = std::move(config);
    node.store = std::make_unique<TestStore>();
    start(name);
    return node;
  }
  void start(const std::string& name) {
    Node& node = at(name);
    node.config.random_seed += 100;
    auto opened = Replica::open(*node.store, node.config, now);
    REQUIRE_MESSAGE(opened, opened.error().message);
    node.replica = std::move(*opened);
    node.wake_us = 0;
  }
  void kill(const std::string& name) {
    at(name).replica.reset();
    for (const auto& [id, end] : std::map(ends_)) {
      if (end.node == name) {
        drop(id);
      }
    }
  }
  void restart(const std::string& name) {
    kill(name);
    at(name).store = at(name).store->restarted();
    start(name);
  }
  // A second process on a copy of the directory.
  Node& clone(const std::string& name, const std::string& copy) {
    Node& node = nodes_[copy];
    node.config = at(name).config;
    node.config.name = copy;
    node.config.peer_address = copy;
    node.store = at(name).store->restarted();
    start(copy);
    return node;
  }
  Node& at(const std::string& name) { return nodes_.at(name); }
  replica::View view(const std::string& name) { return at(name).replica->view(now); }

  // -- time --

  void run_ms(std::uint64_t ms) {
    const std::uint64_t end = now.monotonic_us + ms * 1000;
    settle();
    while (now.monotonic_us < end) {
      now.monotonic_us += 1000;
      now.unix_ms += 1;
      for (auto& [name, node] : nodes_) {
        if (node.replica && node.wake_us <= now.monotonic_us) {
          node.replica->step(replica::TimerFired{}, now);
        }
      }
      settle();
    }
  }
  template <typename Truth>
  bool within_ms(std::uint64_t ms, const Truth& truth) {
    for (std::uint64_t waited = 0; waited < ms && !truth(); waited += 10) {
      run_ms(10);
    }
    return truth();
  }
  bool converge(std::uint64_t ms = 10'000) {
    return within_ms(ms, [&] {
      std::optional<VersionVector> first;
      for (const auto& [name, node] : nodes_) {
        if (node.replica) {
          const VersionVector v = node.replica->view(now).applied;
          if (!(first ? *first : first.emplace(v)).leq(v) || !v.leq(*first)) {
            return false;
          }
        }
      }
      return true;
    });
  }

  // -- clients --

  std::optional<wire::Response> ask(const std::string& name, wire::Request request,
                                    std::uint64_t patience_ms = 1000) {
    Node& node = at(name);
    const replica::RequestId id = ++last_request_;
    node.replica->step(replica::ClientRequest{id, std::move(request)}, now);
    within_ms(patience_ms, [&] {
      settle();
      return node.responses.contains(id);
    });
    const auto found = node.responses.find(id);
    return found == node.responses.end() ? std::nullopt : std::optional(found->second);
  }
  Result ask(const std::string& name, const Command& one) {
    wire::Request request;
    request.commands = {one};
    const auto response = ask(name, std::move(request));
    REQUIRE_MESSAGE(response, "no answer");
    return response->results.front();
  }
  std::string text(const std::string& name, const Command& one) {
    const Result result = ask(name, one);
    const auto* text = std::get_if<std::string>(&result);
    return text != nullptr ? *text : std::string();
  }
  std::optional<ErrorCode> refusal(const std::string& name, const Command& one) {
    const Result result = ask(name, one);
    const auto* error = std::get_if<wire::Error>(&result);
    return error != nullptr ? std::optional(error->code) : std::nullopt;
  }

  // -- looking --

  template <typename Message>
  std::vector<Message> messages(const std::string& from, const std::string& to) const {
    std::vector<Message> found;
    for (const Sent& one : sent) {
      const auto* message = std::get_if<Message>(&one.message);
      if (message != nullptr && one.from == from && one.to == to) {
        found.push_back(*message);
      }
    }
    return found;
  }
  bool said(const std::string& name, const std::string& part) {
    return std::ranges::any_of(at(name).events,
                               [&](const std::string& event) { return event.contains(part); });
  }
  // Live connections between two nodes, seen from the first.
  std::size_t connections(const std::string& a, const std::string& b) const {
    return static_cast<std::size_t>(std::ranges::count_if(ends_, [&](const auto& end) {
      return end.second.node == a && ends_.at(end.second.other).node == b;
    }));
  }

  // Everything that can happen at this instant.
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& [name, node] : nodes_) {
        while (node.replica && node.replica->wants_tick()) {
          moved = true;
          perform(name, node.replica->end_tick(now));
        }
      }
      while (!in_flight_.empty()) {
        moved = true;
        const auto [to, message] = std::move(in_flight_.front());
        in_flight_.pop_front();
        if (const auto end = ends_.find(to); end != ends_.end()) {
          at(end->second.node).replica->step(replica::PeerReceived{to, message, 100}, now);
        }
      }
    }
  }

 private:
  struct End {  // one side of a connection
    std::string node;
    ConnectionId other = 0;
  };

  void perform(const std::string& name, replica::Effects effects) {
    Node& node = at(name);
    for (const auto& fact : effects.facts) {
      REQUIRE(node.store->put_fact(fact.name, fact.value));
    }
    if (effects.record) {
      REQUIRE(node.store->append(effects.record->position, effects.record->record));
      node.replica->step(replica::LogSynced{*node.store->sync()}, now);
    }
    for (const auto& event : effects.events) {
      node.events.push_back(event.text);
    }
    for (auto& reply : effects.replies) {
      node.responses[reply.id] = std::move(reply.response);
    }
    for (auto& send : effects.sends) {
      const auto end = ends_.find(send.connection);
      if (end == ends_.end()) {
        continue;
      }
      const std::string& to = ends_.at(end->second.other).node;
      sent.push_back({name, to, send.message});
      if (network(name, to, send.message)) {
        in_flight_.emplace_back(end->second.other, std::move(send.message));
      }
    }
    for (const auto& dial : effects.dials) {
      connect(name, dial);
    }
    for (const auto& close : effects.closes) {
      drop_after_delivery(close.connection);
    }
    if (effects.checkpoint) {
      node.replica->step(effects.checkpoint->run(*node.store), now);
    }
    for (const auto& job : effects.cut_jobs) {
      node.replica->step(job->run(*node.store), now);
    }
    if (effects.truncate_below) {
      REQUIRE(node.store->truncate(*effects.truncate_below));
    }
    node.wake_us = effects.wake_at_us;
  }

  void connect(const std::string& from, const replica::Dial& dial) {
    const auto alias = aliases.find(dial.address);
    const auto target = nodes_.find(alias == aliases.end() ? dial.address : alias->second);
    if (target == nodes_.end() || !target->second.replica) {
      at(from).replica->step(replica::DialFailed{dial.dial}, now);
      return;
    }
    const ConnectionId here = ++last_connection_;
    const ConnectionId there = ++last_connection_;
    ends_[here] = {from, there};
    ends_[there] = {target->first, here};
    at(from).replica->step(replica::PeerConnected{here, dial.dial}, now);
    target->second.replica->step(replica::PeerConnected{there, std::nullopt}, now);
  }

  // A Goodbye that was sent before the close arrives before it.
  void drop_after_delivery(ConnectionId id) {
    const auto end = ends_.find(id);
    if (end == ends_.end()) {
      return;
    }
    const ConnectionId other = end->second.other;
    for (auto it = in_flight_.begin(); it != in_flight_.end();) {
      if (it->first == other) {
        const wire::PeerMessage message = std::move(it->second);
        it = in_flight_.erase(it);
        at(ends_.at(other).node).replica->step(replica::PeerReceived{other, message, 100}, now);
      } else {
        ++it;
      }
    }
    drop(id);
  }

  void drop(ConnectionId id) {
    const auto end = ends_.find(id);
    if (end == ends_.end()) {
      return;
    }
    const ConnectionId other = end->second.other;
    const std::string peer = ends_.at(other).node;
    const std::string node = end->second.node;
    ends_.erase(id);
    ends_.erase(other);
    std::erase_if(in_flight_, [&](const auto& m) { return m.first == id || m.first == other; });
    for (const auto& [name, connection] : {std::pair{peer, other}, {node, id}}) {
      if (at(name).replica) {
        at(name).replica->step(replica::PeerClosed{connection}, now);
      }
    }
  }

  std::map<std::string, Node> nodes_;
  std::map<ConnectionId, End> ends_;
  std::deque<std::pair<ConnectionId, wire::PeerMessage>> in_flight_;
  ConnectionId last_connection_ = 0;
  replica::RequestId last_request_ = 0;
};

}  // namespace starling::test
