// A small object that is clean and whole, in one piece of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/intrusive/list_hook.hpp>

#include "crdt/cell_key.h"

namespace starling::replica {

// What memory has of an object: Packed, or Held (held.h).
struct Kept {
  explicit Kept(bool as_rows) : packed(as_rows) {}
  const bool packed;
};

// Its key and its cells as they are stored, which is a fifth of what they take as cells that can be
// written: nearly all of a large database lies in memory like this (decision 0016). To forget one
// is always right: the state database has the same.
class Packed : public Kept,
               public boost::intrusive::list_base_hook<
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  struct Delete {
    void operator()(Packed* packed) const;
  };
  using Ptr = std::unique_ptr<Packed, Delete>;

  struct Row {
    CellKind kind;
    std::string_view subkey;
    std::string_view cell;  // as encode_stored
  };
  static void put_row(std::string& rows, const Row& row);

  static Ptr make(const ObjectKey& key, std::string_view rows);
  Packed(const Packed&) = delete;
  Packed& operator=(const Packed&) = delete;
  Packed(Packed&&) = delete;
  Packed& operator=(Packed&&) = delete;

  [[nodiscard]] std::uint8_t db() const { return db_; }
  [[nodiscard]] std::string_view key() const { return {data(), key_size_}; }
  [[nodiscard]] ObjectKey object() const { return {db_, std::string(key())}; }
  [[nodiscard]] bool is(const ObjectKey& object) const {
    return db_ == object.db && key() == object.key;
  }
  void for_each(const std::function<void(const Row&)>& visit) const;
  // Its row of a kind that has one per object; empty if there is none.
  [[nodiscard]] std::string_view cell(CellKind kind) const;
  [[nodiscard]] std::size_t bytes() const { return bytes_of(key_size_ + rows_size_); }

  // A string that was never incremented, perhaps with a deadline: nothing else is in it.
  bool plain = false;
  bool used = false;  // since eviction came by last

 private:
  Packed(const ObjectKey& key, std::string_view rows);
  ~Packed() = default;
  [[nodiscard]] static std::size_t bytes_of(std::size_t data) {
    constexpr std::size_t allocation = 16;
    return sizeof(Packed) + data + allocation;
  }
  [[nodiscard]] const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  [[nodiscard]] std::string_view rows() const { return {data() + key_size_, rows_size_}; }

  std::uint8_t db_;
  std::uint32_t key_size_;
  std::uint32_t rows_size_;
};

}  // namespace starling::replica
