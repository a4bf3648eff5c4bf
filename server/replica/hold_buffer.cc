#include "server/replica/hold_buffer.h"

#include <utility>

#include "crdt/mutants.h"

namespace starling::replica {
namespace {

std::size_t size_of(const Run& run) { return run.entries.size() + 256; }

}  // namespace

bool HoldBuffer::hold(Run run) {
  auto& held = runs_[run.origin];
  const auto there = held.find(run.first);
  if (there != held.end() && there->second.last >= run.last) {
    return true;
  }
  if (bytes_ + size_of(run) > capacity_ && !mutant("hold_unbounded")) {
    if (held.empty()) {
      runs_.erase(run.origin);
    }
    return false;
  }
  if (there != held.end()) {
    bytes_ -= size_of(there->second);
    held.erase(there);
  }
  bytes_ += size_of(run);
  const std::uint64_t first = run.first;
  held.emplace(first, std::move(run));
  return true;
}

std::optional<Run> HoldBuffer::take(const Origin& origin, std::uint64_t next) {
  const auto held = runs_.find(origin);
  if (held == runs_.end() || held->second.begin()->first > next) {
    return std::nullopt;
  }
  Run run = std::move(held->second.begin()->second);
  held->second.erase(held->second.begin());
  bytes_ -= size_of(run);
  if (held->second.empty()) {
    runs_.erase(held);
  }
  return run;
}

}  // namespace starling::replica
