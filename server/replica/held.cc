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

HeldTable::Found HeldTable::find(const ObjectKey& key, std::uint64_t place) const {
  const Shard& shard = shards_[shard_of(place)];
  if (shard.slots.empty()) {
    return {};
  }
  for (std::size_t i = home(shard, place);; i = (i + 1) & (shard.slots.size() - 1)) {
    const Slot& slot = shard.slots[i];
    if (slot.kept == nullptr) {
      return {};
    }
    if (slot.place != place) {
      continue;
    }
    if (slot.kept->packed) {
      if (auto* packed = static_cast<Packed*>(slot.kept); packed->is(key)) {
        return {.packed = packed};
      }
    } else if (auto* held = static_cast<Held*>(slot.kept); held->key == key) {
      return {.held = held};
    }
  }
}

void HeldTable::expect(std::uint64_t place) const {
  const Shard& shard = shards_[shard_of(place)];
  if (!shard.slots.empty()) {
    __builtin_prefetch(&shard.slots[home(shard, place)]);
  }
}

const Kept* HeldTable::at(std::uint64_t place) const {
  const Shard& shard = shards_[shard_of(place)];
  if (shard.slots.empty()) {
    return nullptr;
  }
  for (std::size_t i = home(shard, place);; i = (i + 1) & (shard.slots.size() - 1)) {
    const Slot& slot = shard.slots[i];
    if (slot.kept == nullptr || slot.place == place) {
      return slot.kept;
    }
  }
}

// There is always a free slot: a shard is at most three quarters full.
void HeldTable::put(Shard& shard, Slot slot) {
  std::size_t i = home(shard, slot.place);
  while (shard.slots[i].kept != nullptr) {
    i = (i + 1) & (shard.slots.size() - 1);
  }
  shard.slots[i] = slot;
  ++shard.used;
}

void HeldTable::grow(Shard& shard) {
  constexpr std::size_t least = 8;
  const std::vector<Slot> old =
      std::exchange(shard.slots, std::vector<Slot>(std::max(least, 2 * shard.slots.size())));
  shard.used = 0;
  for (const Slot& slot : old) {
    if (slot.kept != nullptr) {
      put(shard, slot);
    }
  }
}

void HeldTable::split() {
  const std::size_t from = next_to_split(shards_.size());
  const std::size_t fresh = shards_.size();
  shards_.emplace_back();
  const Shard old = std::exchange(shards_[from], Shard());
  for (const Slot& slot : old.slots) {
    if (slot.kept != nullptr) {
      Shard& shard = shards_[shard_of(slot.place) == fresh ? fresh : from];
      if (4 * (shard.used + 1) > 3 * shard.slots.size()) {
        grow(shard);
      }
      put(shard, slot);
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
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the table's
  auto* const held = new Held(key, place);
  put(shard, {place, held});
  ++size_;
  key_bytes_ += heap_bytes(held->key.key);
  return *held;
}

std::size_t HeldTable::index_of(const Shard& shard, const Kept& kept, std::uint64_t place) {
  std::size_t i = home(shard, place);
  while (shard.slots[i].kept != &kept) {
    i = (i + 1) & (shard.slots.size() - 1);
  }
  return i;
}

Packed& HeldTable::replace(Held& held, Packed::Ptr packed) {
  Shard& shard = shards_[shard_of(held.place)];
  shard.slots[index_of(shard, held, held.place)].kept = packed.get();
  key_bytes_ -= heap_bytes(held.key.key);
  packed_bytes_ += packed->bytes() + slot_bytes;
  ++packed_;
  delete &held;  // NOLINT(cppcoreguidelines-owning-memory): the table's
  return *packed.release();
}

HeldTable::Unpacked HeldTable::replace(Packed& packed) {
  const std::uint64_t place = place_of(packed.db(), packed.key());
  Shard& shard = shards_[shard_of(place)];
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the table's
  auto* const held = new Held(packed.object(), place);
  shard.slots[index_of(shard, packed, place)].kept = held;
  key_bytes_ += heap_bytes(held->key.key);
  packed_bytes_ -= packed.bytes() + slot_bytes;
  --packed_;
  packed.unlink();
  return {*held, Packed::Ptr(&packed)};
}

void HeldTable::erase(Held& held) {
  Shard& shard = shards_[shard_of(held.place)];
  key_bytes_ -= heap_bytes(held.key.key);
  erase(shard, index_of(shard, held, held.place));
  delete &held;  // NOLINT(cppcoreguidelines-owning-memory): the table's
}

void HeldTable::erase(Packed& packed) {
  const std::uint64_t place = place_of(packed.db(), packed.key());
  Shard& shard = shards_[shard_of(place)];
  packed_bytes_ -= packed.bytes() + slot_bytes;
  --packed_;
  erase(shard, index_of(shard, packed, place));
  Packed::Delete()(&packed);
}

// Those behind it that were pushed past its slot move up (Knuth, TAOCP 3, 6.4, algorithm R).
void HeldTable::erase(Shard& shard, std::size_t hole) {
  const std::size_t mask = shard.slots.size() - 1;
  shard.slots[hole].kept = nullptr;
  for (std::size_t i = (hole + 1) & mask; shard.slots[i].kept != nullptr; i = (i + 1) & mask) {
    if (((i - home(shard, shard.slots[i].place)) & mask) >= ((i - hole) & mask)) {
      shard.slots[hole] = std::exchange(shard.slots[i], {});
      hole = i;
    }
  }
  --shard.used;
  --size_;
}

HeldTable::~HeldTable() {
  for (const Shard& shard : shards_) {
    for (const Slot& slot : shard.slots) {
      if (slot.kept == nullptr) {
        continue;
      }
      if (slot.kept->packed) {
        Packed::Delete()(static_cast<Packed*>(slot.kept));
      } else {
        delete static_cast<Held*>(slot.kept);  // NOLINT(cppcoreguidelines-owning-memory)
      }
    }
  }
}

}  // namespace starling::replica
