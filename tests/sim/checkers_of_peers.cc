// What nodes tell each other, and what they keep for each other.
#include <algorithm>
#include <map>

#include "tests/sim/checkers.h"

namespace starling::sim {
namespace {

using replica::Config;
using replica::ConnectionId;
using replica::Send;

class EqualDigests final : public Checker {
 public:
  EqualDigests() : Checker("I6", "equal version vectors have equal digests") {}

  void digested(NodeHistory& node, const VersionVector& applied, const Digest& digest) override {
    checked();
    std::string key;
    put_version_vector(key, applied);
    const auto [known, fresh] = digests_.try_emplace(std::move(key), digest);
    if (!(known->second == digest)) {
      complain(node.name + " has another digest than an equal version vector had before");
    }
  }
  void said(NodeHistory& node, const wire::PeerMessage& message) override {
    if (const auto* reply = std::get_if<wire::DigestReply>(&message)) {
      digested(node, reply->applied, reply->digest);
    }
  }

 private:
  std::map<std::string, Digest> digests_;  // by encoded V
};

class BoundedMemory final : public Checker {
 public:
  BoundedMemory() : Checker("I8", "entries that came too early are held within their bound") {}

  void looked(NodeHistory& node, const replica::View& view,
              const replica::Config& config) override {
    checked();
    hit("branch held entries fill most of their bound",
        view.held_bytes * 4 > config.hold_bytes * 3 ? 1 : 0);
    if (view.held_bytes > config.hold_bytes) {
      complain(node.name + " holds back " + std::to_string(view.held_bytes) + " bytes, " +
               std::to_string(config.hold_bytes) + " are its bound");
    }
  }
};

// Follows what each side of a connection has sent, what its peer says of it, and how much that
// lets it send.
class BoundedLinks final : public Checker {
 public:
  BoundedLinks()
      : Checker("I8", "no more is under way to a peer than its credit and one answer to a pull") {}

  void sending(NodeHistory& node, const std::vector<Send>& sends, const Config& config) override {
    std::map<ConnectionId, std::size_t> answers;  // until here: what comes later was not asked for
    for (std::size_t i = 0; i < sends.size(); ++i) {
      const auto* push = std::get_if<wire::Push>(&sends[i].message);
      if (push != nullptr && push->answers_pull) {
        answers[sends[i].connection] = i + 1;
      }
    }
    for (std::size_t i = 0; i < sends.size(); ++i) {
      Link& link = links_[sends[i].connection];
      if (std::holds_alternative<wire::Hello>(sends[i].message)) {
        link.credit = config.window();
      }
      const auto* push = std::get_if<wire::Push>(&sends[i].message);
      if (push == nullptr) {
        continue;
      }
      checked();
      const std::uint64_t bytes = push->run.entries.size();
      i < answers[sends[i].connection] ? answer(node, link, *push, config)
                                       : this->push(node, link, bytes, config);
      link.sent += bytes;
    }
  }

  void heard(NodeHistory&, ConnectionId connection, const wire::PeerMessage& message) override {
    if (const auto* ack = std::get_if<wire::Ack>(&message)) {
      Link& link = links_[connection];
      link.acknowledged = std::max(link.acknowledged, ack->received_bytes);
      link.credit = ack->credit_bytes;
    }
  }

  void unsent(NodeHistory& node, ConnectionId connection, std::uint64_t bytes) override {
    const std::uint64_t told = links_[connection].under_way();
    if (bytes > told) {
      complain(node.name + " has " + std::to_string(bytes) +
               " bytes of entries on the way to a peer, which by what that acknowledges are " +
               std::to_string(told));
    }
  }

  void looked(NodeHistory&, const replica::View& view, const Config& config) override {
    for (const replica::PeerView& peer : view.peers) {
      hit("branch more under way than the credit", peer.bytes_under_way > config.window() ? 1 : 0);
    }
  }

 private:
  struct Link {
    std::uint64_t sent = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t credit = 0;
    // Of the answer to a pull that is being given.
    std::uint64_t answer = 0;
    std::uint64_t runs = 0;

    [[nodiscard]] std::uint64_t under_way() const { return sent - std::min(sent, acknowledged); }
  };

  void push(NodeHistory& node, const Link& link, std::uint64_t bytes, const Config& config) const {
    const std::uint64_t allowed = std::min(link.credit, config.window());
    if (allowed == 0 || (link.under_way() > 0 && link.under_way() + bytes > allowed)) {
      complain(node.name + " pushes " + std::to_string(bytes) + " bytes to a peer while " +
               std::to_string(link.under_way()) + " are under way, and its credit is " +
               std::to_string(allowed));
    }
    hit("branch push fills most of the credit",
        (link.under_way() + bytes) * 4 > allowed * 3 ? 1 : 0);
  }

  void answer(NodeHistory& node, Link& link, const wire::Push& push, const Config& config) const {
    if (link.runs == 0 && link.under_way() > config.window()) {
      complain(node.name + " answers a pull while " + std::to_string(link.under_way()) +
               " bytes are under way to that peer, " + std::to_string(config.window()) +
               " are what it may have there");
    }
    ++link.runs;
    link.answer += push.run.entries.size();
    if (link.runs > 1 && link.answer > config.pull_answer()) {
      complain(node.name + " answers one pull with " + std::to_string(link.answer) + " bytes, " +
               std::to_string(config.pull_answer()) + " are the bound");
    }
    if (push.answers_pull) {
      hit("branch answer to a pull fills most of its bound",
          link.answer * 4 > config.pull_answer() * 3 ? 1 : 0);
      link.runs = link.answer = 0;
    }
  }

  std::map<ConnectionId, Link> links_;  // a connection has two ends, each with a name of its own
};

class BoundedWaiting final : public Checker {
 public:
  BoundedWaiting() : Checker("I8", "requests that wait are held within their bound") {}

  void looked(NodeHistory& node, const replica::View& view, const Config& config) override {
    checked();
    const std::uint64_t most = config.most_waiting();
    if (view.waiting_requests > 1 && view.waiting_bytes > most) {
      complain(node.name + " lets requests of " + std::to_string(view.waiting_bytes) +
               " bytes wait, " + std::to_string(most) + " are its bound");
    }
    hit("branch requests that wait fill most of their bound",
        view.waiting_bytes * 4 > most * 3 ? 1 : 0);
  }
};

}  // namespace

Checkers checkers_of_peers() {
  Checkers all;
  all.push_back(std::make_unique<EqualDigests>());
  all.push_back(std::make_unique<BoundedMemory>());
  all.push_back(std::make_unique<BoundedLinks>());
  all.push_back(std::make_unique<BoundedWaiting>());
  return all;
}

}  // namespace starling::sim
