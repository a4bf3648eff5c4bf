// What memory holds of one object, found by one lookup whatever layers it lies in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <boost/intrusive/list_hook.hpp>

#include "crdt/cell_key.h"
#include "server/replica/counts.h"
#include "server/replica/packed.h"

namespace starling::replica {

class LayerObject;  // layer.h

// One object: its key, its part in each layer, and what was found out when it was loaded. It stays
// where it is in memory as long as any of this is there, so a layer's part names its key by it.
// A part lies in at most three layers at once: a dirty one, one that is frozen or thaws, and the
// clean one.
struct Held
    : Kept,
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  Held(ObjectKey its_key, std::uint64_t its_place)
      : Kept(false), key(std::move(its_key)), place(its_place) {}

  const ObjectKey key;
  const std::uint64_t place;  // place_of(key)
  std::array<LayerObject*, 3> parts{};

  // -- of an object that was loaded: then it is in the list of those --
  [[nodiscard]] bool resident() const { return is_linked(); }
  bool complete = false;  // every stored cell is in memory; otherwise it is too large for that
  bool used = false;      // since eviction came by last
  // Of everything below the live layer; nullopt until somebody asks. `through` is the number of
  // the last freeze whose cells are in it.
  std::optional<Counts> below;
  std::uint64_t through = 0;

  [[nodiscard]] bool idle() const {
    return !resident() && parts[0] == nullptr && parts[1] == nullptr && parts[2] == nullptr;
  }
};

// All of them, held or packed, by key. Linear hashing (Litwin, VLDB 1980) over small tables with
// linear probing: no insertion moves more than some thousand pointers, and a lookup touches two
// lines of memory. Runs on: core strand.
class HeldTable {
 public:
  HeldTable() : shards_(1) {}
  HeldTable(const HeldTable&) = delete;
  HeldTable& operator=(const HeldTable&) = delete;
  HeldTable(HeldTable&&) = delete;
  HeldTable& operator=(HeldTable&&) = delete;
  ~HeldTable();

  // At most one of the two.
  struct Found {
    Held* held = nullptr;
    Packed* packed = nullptr;
  };
  [[nodiscard]] Found find(const ObjectKey& key, std::uint64_t place) const;
  // Requires that it is not there.
  Held& add(const ObjectKey& key, std::uint64_t place);
  void erase(Held& held);
  void erase(Packed& packed);
  // One takes the place of the other, of the same key. Whoever is replaced is gone, or returned.
  Packed& replace(Held& held, Packed::Ptr packed);
  struct Unpacked {
    Held& held;
    Packed::Ptr packed;
  };
  Unpacked replace(Packed& packed);
  // Brings near what `find` will look at.
  void expect(std::uint64_t place) const;
  // The first at this place, if there is one.
  [[nodiscard]] const Kept* at(std::uint64_t place) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  static constexpr std::size_t bytes_each = sizeof(Held) + 40;  // without its key
  [[nodiscard]] std::size_t packed_bytes() const { return packed_bytes_; }
  [[nodiscard]] std::size_t bytes() const {
    return (size_ - packed_) * bytes_each + key_bytes_ + packed_bytes_;
  }

 private:
  struct Slot {
    std::uint64_t place = 0;
    Kept* kept = nullptr;  // the table's own
  };
  struct Shard {
    std::vector<Slot> slots;
    std::size_t used = 0;
  };
  static constexpr std::size_t shard_size = 4096;  // on average, once there are two
  static constexpr std::size_t slot_bytes = 28;    // with the free ones between

  [[nodiscard]] std::size_t shard_of(std::uint64_t place) const;
  [[nodiscard]] static std::size_t home(const Shard& shard, std::uint64_t place);
  [[nodiscard]] static std::size_t index_of(const Shard& shard, const Kept& kept,
                                            std::uint64_t place);
  void erase(Shard& shard, std::size_t hole);
  static void put(Shard& shard, Slot slot);
  static void grow(Shard& shard);
  void split();

  std::vector<Shard> shards_;
  std::size_t size_ = 0;
  std::size_t packed_ = 0;     // so many of them
  std::size_t key_bytes_ = 0;  // of those that are held, outside of their strings
  std::size_t packed_bytes_ = 0;
};

}  // namespace starling::replica
