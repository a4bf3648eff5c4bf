#include "server/replica/expiry.h"

#include <algorithm>
#include <utility>

#include "crdt/deadline.h"
#include "crdt/mutants.h"
#include "server/replica/object.h"

namespace starling::replica {
namespace {

// Per step; with a step every 10 ms this is 20,000 keys a second.
constexpr std::size_t keys_per_step = 200;
constexpr std::size_t max_turns = 10'000;  // beyond it, due keys wait in the index
constexpr std::uint64_t rank_us = 300'000;
constexpr std::uint64_t busy_us = 10'000;
constexpr std::uint64_t idle_us = 1'000'000;

}  // namespace

StoreResult<void> Expiry::step(Group& group, const Rank& rank, Now now, std::int64_t expiry_ms) {
  if (now.monotonic_us < due_us_) {
    return {};
  }
  due_us_ = now.monotonic_us + busy_us;
  Tables& tables = group.tables();
  if (turns_.size() < max_turns) {
    auto due = tables.take_due(expiry_ms, keys_per_step);
    if (!due) {
      return std::unexpected(due.error());
    }
    for (ObjectKey& object : *due) {
      turns_.emplace(now.monotonic_us + rank(object) * rank_us, std::move(object));
    }
  }
  std::vector<ObjectKey> mine;
  while (mine.size() < keys_per_step && !turns_.empty() &&
         turns_.begin()->first <= now.monotonic_us) {
    ObjectKey key = std::move(turns_.begin()->second);
    turns_.erase(turns_.begin());
    if (group.locks().allows(key.key, KeyLocks::Use::write)) {
      mine.push_back(std::move(key));
    } else {
      turns_.emplace(now.monotonic_us + busy_us, std::move(key));
    }
  }
  std::uint64_t killed = 0;
  if (!mine.empty()) {
    std::vector<std::pair<ObjectKey, std::int64_t>> later;
    const auto ran = group.run(
        [&](Transaction& transaction) {
          for (const ObjectKey& key : mine) {
            Object object(transaction, key);
            if (object.expired() || (mutant("hint_believed") && object.exists())) {
              object.erase();
              ++killed;
            } else if (const auto at =
                           deadline_of(transaction.dotted(object.cell(CellKind::deadline)))) {
              if (object.exists()) {
                later.emplace_back(key, *at);
              } else {
                transaction.remove(object.cell(CellKind::deadline));  // of no key
              }
            }
          }
        },
        now.unix_ms, expiry_ms);
    if (!ran) {
      // Nothing was kept: they are looked at again.
      for (ObjectKey& key : mine) {
        turns_.emplace(now.monotonic_us + idle_us, std::move(key));
      }
      return std::unexpected(StoreError{StoreError::Code::io, ran.error().message});
    }
    expired_ += killed;
    for (const auto& [key, at] : later) {
      tables.hint_deadline(key, at);
    }
  }
  schedule(tables, now, expiry_ms);
  return {};
}

void Expiry::schedule(const Tables& tables, Now now, std::int64_t expiry_ms) {
  std::uint64_t due = now.monotonic_us + idle_us;
  if (!turns_.empty()) {
    due = std::min(due, turns_.begin()->first);
  }
  if (const auto next = tables.next_deadline()) {
    const auto wait_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(*next - expiry_ms, 0));
    due = std::min(due, now.monotonic_us + std::min(wait_ms, idle_us / 1000) * 1000);
  }
  due_us_ = std::max(due, now.monotonic_us + busy_us);
}

}  // namespace starling::replica
