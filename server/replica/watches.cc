#include "server/replica/watches.h"

#include <variant>

namespace starling::replica {

Watches::Stamp Watches::watch(const ObjectKey& key) {
  Watched& watched = keys_[key];
  ++watched.watchers;
  return watched.stamp;
}

void Watches::unwatch(const ObjectKey& key) {
  const auto found = keys_.find(key);
  if (found != keys_.end() && --found->second.watchers == 0) {
    keys_.erase(found);
  }
}

bool Watches::changed(const ObjectKey& key, Stamp since) const {
  const auto found = keys_.find(key);
  return found == keys_.end() || found->second.stamp != since;
}

void Watches::wrote(const Op& op) {
  if (keys_.empty()) {
    return;
  }
  const auto* kill = std::get_if<Kill>(&op.change);
  if (kill == nullptr || kill->level == ScopeLevel::key) {
    if (const auto found = keys_.find(op.key.object); found != keys_.end()) {
      ++found->second.stamp;
    }
    return;
  }
  for (auto& [key, watched] : keys_) {
    if (kill->level == ScopeLevel::group || key.db == op.key.object.db) {
      ++watched.stamp;
    }
  }
}

}  // namespace starling::replica
