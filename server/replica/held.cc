#include "server/replica/held.h"

#include <algorithm>

#include "server/replica/linear_hashing.h"

namespace starling::replica {
namespace {

std::size_t heap_bytes(const std::string& key) {
  constexpr std::size_t short_string = 15;
  return key.size() > short_string ? key.size() : 0;
}

}  // namespace

// The low bits of a place choose the shard, higher ones the slot.
std::size_t HeldTable::shard_of(std::uint64_t place) const {
  return linear_shard(place, shards_.size());
}

std::size_t HeldTable::home(const Shard& shard, std::uint64_t place) {
  constexpr unsigned below = 24;  // what the choice of a shard may use
  return (place >> below) & (shard.slots.size() - 1);
}

Held* HeldTable::find(const ObjectKey& key, std::uint64_t place) const {
  const Shard& shard = shards_[shard_of(place)];
  if (shard.slots.empty()) {
    return nullptr;
  }
  for (std::size_t i = home(shard, place);; i = (i + 1) & (shard.slots.size() - 1)) {
    const Slot& slot = shard.slots[i];
    if (slot.held == nullptr) {
      return nullptr;
    }
    if (slot.place == place && slot.held->key == key) {
      return slot.held.get();
    }
  }
}

void HeldTable::expect(std::uint64_t place) const {
  const Shard& shard = shards_[shard_of(place)];
  if (!shard.slots.empty()) {
    __builtin_prefetch(&shard.slots[home(shard, place)]);
  }
}

const Held* HeldTable::at(std::uint64_t place) const {
  const Shard& shard = shards_[shard_of(place)];
  if (shard.slots.empty()) {
    return nullptr;
  }
  for (std::size_t i = home(shard, place);; i = (i + 1) & (shard.slots.size() - 1)) {
    const Slot& slot = shard.slots[i];
    if (slot.held == nullptr || slot.place == place) {
      return slot.held.get();
    }
  }
}

// There is always a free slot: a shard is at most three quarters full.
void HeldTable::put(Shard& shard, Slot slot) {
  std::size_t i = home(shard, slot.place);
  while (shard.slots[i].held != nullptr) {
    i = (i + 1) & (shard.slots.size() - 1);
  }
  shard.slots[i] = std::move(slot);
  ++shard.used;
}

void HeldTable::grow(Shard& shard) {
  constexpr std::size_t least = 8;
  std::vector<Slot> old =
      std::exchange(shard.slots, std::vector<Slot>(std::max(least, 2 * shard.slots.size())));
  shard.used = 0;
  for (Slot& slot : old) {
    if (slot.held != nullptr) {
      put(shard, std::move(slot));
    }
  }
}

void HeldTable::split() {
  const std::size_t from = next_to_split(shards_.size());
  const std::size_t fresh = shards_.size();
  shards_.emplace_back();
  Shard old = std::exchange(shards_[from], Shard());
  for (Slot& slot : old.slots) {
    if (slot.held != nullptr) {
      Shard& shard = shards_[shard_of(slot.place) == fresh ? fresh : from];
      if (4 * (shard.used + 1) > 3 * shard.slots.size()) {
        grow(shard);
      }
      put(shard, std::move(slot));
    }
  }
}

Held& HeldTable::add(const ObjectKey& key, std::uint64_t place) {
  if (size_ >= shards_.size() * shard_size) {
    split();
  }
  Shard& shard = shards_[shard_of(place)];
  if (4 * (shard.used + 1) > 3 * shard.slots.size()) {
    grow(shard);
  }
  auto made = std::make_unique<Held>(key, place);
  Held& held = *made;
  put(shard, {place, std::move(made)});
  ++size_;
  key_bytes_ += heap_bytes(held.key.key);
  return held;
}

// Those behind it that were pushed past its slot move up (Knuth, TAOCP 3, 6.4, algorithm R).
void HeldTable::erase(Held& held) {
  Shard& shard = shards_[shard_of(held.place)];
  const std::size_t mask = shard.slots.size() - 1;
  std::size_t hole = home(shard, held.place);
  while (shard.slots[hole].held.get() != &held) {
    hole = (hole + 1) & mask;
  }
  key_bytes_ -= heap_bytes(held.key.key);
  shard.slots[hole].held.reset();
  for (std::size_t i = (hole + 1) & mask; shard.slots[i].held != nullptr; i = (i + 1) & mask) {
    if (((i - home(shard, shard.slots[i].place)) & mask) >= ((i - hole) & mask)) {
      shard.slots[hole] = std::move(shard.slots[i]);
      hole = i;
    }
  }
  --shard.used;
  --size_;
}

}  // namespace starling::replica
