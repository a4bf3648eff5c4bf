// What is written, and what is let into a log.
#include <algorithm>

#include "crdt/hybrid_clock.h"
#include "tests/sim/checkers.h"

namespace starling::sim {
namespace {

class OneMeaning final : public Checker {
 public:
  OneMeaning() : Checker("I1", "a dot means one entry, for ever and everywhere") {}

  void born(const Birth& birth) override {
    checked();
    if (birth.first.n < birth.expected) {
      if (birth.taken == nullptr || birth.taken->bytes != birth.bytes) {
        complain("dot " + history().shown(birth.first) + " has two meanings: " + birth.node.name +
                 " used it again for another entry");
      }
    } else if (birth.first.n > birth.expected) {
      complain(birth.node.name + " skipped dots of its origin: " + history().shown(birth.first) +
               " is not the next");
    } else if (birth.entry == nullptr) {
      complain("entry " + history().shown(birth.first) + " of " + birth.node.name +
               " does not decode");
    }
  }
};

class Dependencies final : public Checker {
 public:
  Dependencies() : Checker("R1.3", "an entry depends on exactly what its node had applied") {}

  void born(const Birth& birth) override {
    checked();
    if (birth.entry != nullptr && birth.entry->entry.deps != birth.seen) {
      complain("entry " + history().shown(birth.first) + " depends on something else than what " +
               birth.node.name + " had applied");
    }
  }
};

class ClockAdoption final : public Checker {
 public:
  ClockAdoption()
      : Checker("R6.2", "stamps grow, and no clock is pulled more than half a second ahead") {}

  void born(const Birth& birth) override {
    checked();
    if (birth.entry == nullptr) {
      return;
    }
    const Hlc hlc = birth.entry->entry.hlc;
    const auto adopted = static_cast<std::uint64_t>(max_clock_adoption.count());
    constexpr std::uint64_t rounding_ms = 2;
    if (hlc_unix_ms(hlc) > birth.node.latest_wall_ms + adopted + rounding_ms) {
      complain(birth.node.name + " stamps an entry " +
               std::to_string(hlc_unix_ms(hlc) - birth.node.latest_wall_ms) +
               " ms ahead of the latest time that its own clock ever showed");
    } else if (hlc <= birth.hlc_before) {
      complain(birth.node.name + " stamps an entry no later than the one before it");
    }
  }
};

class Gate final : public Checker {
 public:
  Gate() : Checker("I4", "entries enter a log in their origin's order, after all they had seen") {}

  void logging(NodeHistory& node, const Written& written) override {
    checked();
    const std::uint64_t n = node.applied.at(written.entry.origin);
    if (written.entry.first != n + 1) {
      complain(node.name + " applied " + history().shown(written.first()) +
               " when it had applied up to " + history().shown({written.entry.origin, n}));
    } else if (!written.entry.deps.leq(node.applied)) {
      complain(node.name + " applied " + history().shown(written.first()) +
               " before what that entry had seen");
    }
  }
};

class CommitFirst final : public Checker {
 public:
  CommitFirst() : Checker("R2.2", "nothing leaves a node before it is in its log") {}

  void logging(NodeHistory& node, const Written& written) override {
    checked();
    if (written.entry.origin.node != node.id && !written.committed) {
      complain("entry " + history().shown(written.first()) + " reached " + node.name +
               " before its origin had it in its log");
    }
  }
  void replied(NodeHistory& node, const wire::Response& response, const Written*,
               std::uint64_t) override {
    checked();
    if (!response.token.leq(node.applied)) {
      complain(node.name + " answers a client with what is not in its log yet");
    }
  }
  void said(NodeHistory& node, const wire::PeerMessage& message) override {
    const VersionVector* told = nullptr;
    if (const auto* hello = std::get_if<wire::Hello>(&message)) {
      told = &hello->applied;
    } else if (const auto* ack = std::get_if<wire::Ack>(&message)) {
      told = &ack->applied;
    } else if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
      told = &heartbeat->applied;
    } else if (const auto* push = std::get_if<wire::Push>(&message)) {
      if (push->run.last > node.applied.at(push->run.origin)) {
        complain(node.name + " sends an entry that is not in its log");
      }
    }
    if (told != nullptr) {
      checked();
      if (!told->leq(node.applied)) {
        complain(node.name + " tells a peer that it has what is not in its log");
      }
    }
  }
};

}  // namespace

Checkers checkers_of_entries() {
  Checkers all;
  all.push_back(std::make_unique<OneMeaning>());
  all.push_back(std::make_unique<Dependencies>());
  all.push_back(std::make_unique<ClockAdoption>());
  all.push_back(std::make_unique<Gate>());
  all.push_back(std::make_unique<CommitFirst>());
  return all;
}

}  // namespace starling::sim
