// Kills of whole keys, databases and everything that cold cells have not felt yet.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "crdt/cell_key.h"
#include "crdt/entry.h"
#include "crdt/version_vector.h"
#include "server/replica/linear_hash_map.h"
#include "server/replica/object_key_hash.h"

namespace starling::replica {

// A wide kill that cold cells have not felt yet (R3.6): readers apply it, the next checkpoint
// sweeps it and ends it in the same file.
struct Marker {
  ScopeLevel level = ScopeLevel::key;
  ObjectKey scope;  // as much of it as the level needs
  VersionVector killed;

  [[nodiscard]] bool covers(const ObjectKey& object) const {
    switch (level) {
      case ScopeLevel::key:
        return object == scope;
      case ScopeLevel::database:
        return object.db == scope.db;
      case ScopeLevel::group:
        return true;
    }
    return false;
  }
};

// Of keys there may be as many as peers have deleted since the last checkpoint, so they are found
// by name. Wide ones are one for each database at most, and one more.
class Markers {
 public:
  // Joins what is already there for the same scope.
  void add(Marker marker) {
    if (marker.level == ScopeLevel::key) {
      const auto [same, fresh] = of_keys_.try_emplace(marker.scope, marker.killed);
      if (!fresh) {
        same->second.join(marker.killed);
      }
      return;
    }
    const auto same = std::ranges::find_if(
        wide_, [&](const Marker& m) { return m.level == marker.level && m.scope == marker.scope; });
    if (same == wide_.end()) {
      wide_.push_back(std::move(marker));
    } else {
      same->killed.join(marker.killed);
    }
  }
  void add(const Markers& others) {
    for (const auto& [key, killed] : others.of_keys_) {
      add({ScopeLevel::key, key, killed});
    }
    for (const Marker& marker : others.wide_) {
      add(marker);
    }
  }

  // Calls `visit` with the context of every one that covers the object.
  template <typename Visit>
  void for_each_over(const ObjectKey& object, const Visit& visit) const {
    if (const auto own = of_keys_.find(object); own != of_keys_.end()) {
      visit(own->second);
    }
    for_each_wide_over(object, visit);
  }
  template <typename Visit>
  void for_each_wide_over(const ObjectKey& object, const Visit& visit) const {
    for (const Marker& marker : wide_) {
      if (marker.covers(object)) {
        visit(marker.killed);
      }
    }
  }
  [[nodiscard]] bool cover(const ObjectKey& object) const {
    return of_keys_.contains(object) || any_wide_over(object.db);
  }
  [[nodiscard]] bool any_wide_over(std::uint8_t db) const {
    return std::ranges::any_of(wide_,
                               [&](const Marker& marker) { return marker.covers({db, {}}); });
  }
  [[nodiscard]] bool any_wide() const { return !wide_.empty(); }
  [[nodiscard]] const auto& of_keys() const { return of_keys_; }

  [[nodiscard]] bool empty() const { return of_keys_.empty() && wide_.empty(); }
  [[nodiscard]] std::size_t size() const { return of_keys_.size() + wide_.size(); }

 private:
  LinearHashMap<ObjectKey, VersionVector, ObjectKeyHash> of_keys_;
  std::vector<Marker> wide_;
};

}  // namespace starling::replica
