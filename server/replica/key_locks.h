// Keys that a long command is working on, from its first turn to its last.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

#include "crdt/entry.h"
#include "crdt/mutants.h"

namespace starling::replica {

// What such a command reads must stand still, and nobody may see what it has half written: others
// that touch these keys wait on this node, whether they come from its clients or from its peers. No
// promise to other nodes hangs on it: it is not a lock in their sense.
// A name is locked in every database, so that COPY and MOVE need no care.
// Runs on: core strand.
class KeyLocks {
 public:
  enum class Use : std::uint8_t { read, write };

  [[nodiscard]] bool any() const { return !locks_.empty(); }
  [[nodiscard]] bool allows(std::string_view key, Use use) const {
    const auto lock = locks_.find(std::string(key));
    return lock == locks_.end() || (use == Use::read && !lock->second.written);
  }
  // An entry of a peer may be applied: it writes no key that is locked.
  [[nodiscard]] bool allow(const Entry& entry) const {
    return !any() || mutant("locks_ignored") || std::ranges::none_of(entry.ops, [&](const Op& op) {
      const auto* kill = std::get_if<Kill>(&op.change);
      return (kill != nullptr && kill->level != ScopeLevel::key) ||
             !allows(op.key.object.key, Use::write);
    });
  }

  // Each key must allow it.
  void lock(std::span<const std::string> keys, Use use) {
    for (const std::string& key : keys) {
      Lock& lock = locks_[key];
      ++lock.holders;
      lock.written = use == Use::write;
    }
  }
  void unlock(std::span<const std::string> keys) {
    for (const std::string& key : keys) {
      if (const auto lock = locks_.find(key); --lock->second.holders == 0) {
        locks_.erase(lock);
      }
    }
    released_ = true;
  }
  // Since the last call: what waited may go on.
  [[nodiscard]] bool take_released() { return std::exchange(released_, false); }

 private:
  struct Lock {
    std::size_t holders = 0;
    bool written = false;
  };
  std::unordered_map<std::string, Lock> locks_;
  bool released_ = false;
};

}  // namespace starling::replica
