// What nodes take away because its time is over.
#include <algorithm>
#include <optional>
#include <string>

#include "tests/sim/checkers.h"

namespace starling::sim {
namespace {

std::string shown(const ObjectKey& key) { return "\"" + key.key + "\""; }

class TwoClocks final : public Checker {
 public:
  TwoClocks()
      : Checker("TTL", "expiry goes by no clock that is ahead of the own one, or of all others") {}

  void expired(const Expired& event) override {
    checked();
    if (event.expiry_ms > static_cast<std::int64_t>(event.wall_ms)) {
      complain(event.node.name + " expires keys by a time that is " +
               std::to_string(event.expiry_ms - static_cast<std::int64_t>(event.wall_ms)) +
               " ms ahead of its own clock");
      return;
    }
    if (const auto latest = latest_of_others(event); latest && event.expiry_ms > *latest) {
      complain(event.node.name + " expires keys by its own clock, " +
               std::to_string(event.expiry_ms - *latest) +
               " ms ahead of every other that it is connected to");
    }
  }

 private:
  // What the clocks of connected members say now, by what they told.
  std::optional<std::int64_t> latest_of_others(const Expired& event) const {
    std::optional<std::int64_t> latest;
    for (const auto& [index, ahead_ms] : event.node.clocks_ahead_ms) {
      const std::uint64_t id = history().node(index).id;
      const bool connected = std::ranges::any_of(
          event.view.peers, [&](const auto& peer) { return peer.node == id && peer.connected; });
      if (connected) {
        constexpr std::int64_t rounding_ms = 1;
        const std::int64_t time = static_cast<std::int64_t>(event.now_us / 1000) + ahead_ms;
        latest = std::max(latest.value_or(time + rounding_ms), time + rounding_ms);
      }
    }
    return latest;
  }
};

class TimeIsOver final : public Checker {
 public:
  TimeIsOver() : Checker("TTL", "nothing is taken away before its deadline") {}

  void expired(const Expired& event) override {
    checked();
    const auto deadline = [&](const ObjectKey& key) {
      return history().oracle().deadline(key, event.entry.entry.deps);
    };
    for (const ObjectKey& key : event.keys) {
      const auto at = deadline(key);
      if (!at || !at->of_a_key) {
        complain(event.node.name + " expires " + shown(key) + ", which does not expire");
      } else if (at->unix_ms > event.expiry_ms) {
        complain(event.node.name + " expires " + shown(key) + " " +
                 std::to_string(at->unix_ms - event.expiry_ms) + " ms before its deadline");
      }
    }
    for (const ObjectKey& key : event.left_over) {
      if (const auto at = deadline(key); at && at->of_a_key) {
        complain(event.node.name + " takes the deadline off " + shown(key) + ", which exists");
      }
    }
  }
};

}  // namespace

Checkers checkers_of_expiry() {
  Checkers all;
  all.push_back(std::make_unique<TwoClocks>());
  all.push_back(std::make_unique<TimeIsOver>());
  return all;
}

}  // namespace starling::sim
