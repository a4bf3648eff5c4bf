// The cells of one object in one layer, in the order of their names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "crdt/cell.h"
#include "crdt/cell_key.h"
#include "crdt/small_vector.h"
#include "server/replica/counts.h"

namespace starling::replica {

// A cell of a layer and, for elements and fields, what lay below that layer when it came here. That
// never changes while the cell is in the layer, except by a marker (see Tables::kill_scope).
struct LayerCell : CellDelta {
  LayerCell(CellDelta delta) : CellDelta(std::move(delta)) {}  // NOLINT: it is one
  Presence was = Presence::unknown;                            // this cell, below (R4.1)
  Presence twin_was = Presence::unknown;  // of a hash: the field's other half, below
};
static_assert(sizeof(LayerCell) == sizeof(CellDelta));

// A sorted map by name, with the face of std::map as far as it is used. Names lie in hash order, so
// kind and place tell nearly all of them apart: pages of those numbers with pointers to the cells,
// and a directory of pages; a lookup among a million cells touches a handful of lines of memory
// where a tree of nodes touches twenty. One cell needs no page.
// What is asked for twice in a row is searched once.
// A cell stays where it is in memory, as long as it is in any map. Insertion and extraction
// invalidate iterators; `version` tells of them.
class Cells {
 public:
  using value_type = std::pair<const CellName, LayerCell>;

 private:
  template <bool is_const>
  class Iterator;

 public:
  using iterator = Iterator<false>;
  using const_iterator = Iterator<true>;

  class node_type {
   public:
    node_type() = default;
    [[nodiscard]] const CellName& key() const { return value_->first; }
    [[nodiscard]] LayerCell& mapped() const { return value_->second; }
    [[nodiscard]] bool empty() const { return value_ == nullptr; }

   private:
    friend class Cells;
    explicit node_type(std::unique_ptr<value_type> value) : value_(std::move(value)) {}
    std::unique_ptr<value_type> value_;
  };
  struct Inserted {
    value_type* cell = nullptr;  // of that name
    node_type left;              // the one that was to be inserted, if another was there
  };

  Cells() = default;
  Cells(const Cells&) = delete;
  Cells& operator=(const Cells&) = delete;
  Cells(Cells&& other) noexcept { *this = std::move(other); }
  Cells& operator=(Cells&& other) noexcept;
  ~Cells();

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // Changes with every insertion and extraction.
  [[nodiscard]] std::uint32_t version() const { return version_; }

  [[nodiscard]] iterator begin();
  [[nodiscard]] iterator end();
  [[nodiscard]] const_iterator begin() const;
  [[nodiscard]] const_iterator end() const;
  // Requires !empty().
  [[nodiscard]] const value_type& back() const;
  [[nodiscard]] iterator find(const CellName& name);
  [[nodiscard]] const_iterator find(const CellName& name) const;
  [[nodiscard]] bool contains(const CellName& name) const;
  [[nodiscard]] iterator lower_bound(const CellName& name);
  [[nodiscard]] const_iterator lower_bound(const CellName& name) const;

  // Requires that the name is not there and `place` is its lower bound.
  iterator emplace(const_iterator place, const CellName& name, CellDelta delta);
  Inserted insert(node_type node);
  // Leaves the iterator at the cell after it.
  [[nodiscard]] node_type extract(iterator& cell);

  // If it has one cell alone: that; otherwise null.
  [[nodiscard]] const value_type* only() const {
    return pages_ == nullptr && only_.size() == 1 ? only_.front().cell : nullptr;
  }

 private:
  struct Slot {
    std::uint64_t order = 0;  // of kind and place
    value_type* cell = nullptr;
  };
  using Page = std::vector<Slot>;
  struct At {  // a slot, or the end of the last page
    std::size_t page = 0;
    std::size_t i = 0;
    friend bool operator==(const At&, const At&) = default;
  };
  static constexpr std::size_t page_slots = 128;

  [[nodiscard]] std::size_t page_count() const { return pages_ ? pages_->pages.size() : 1; }
  [[nodiscard]] std::span<const Slot> page(std::size_t i) const {
    return pages_ ? std::span<const Slot>(pages_->pages[i])
                  : std::span<const Slot>(only_.data(), only_.size());
  }
  [[nodiscard]] At bound(const CellName& name) const;
  [[nodiscard]] At found(const CellName& name) const { return found_at(bound(name), name); }
  [[nodiscard]] At found_at(At at, const CellName& name) const;
  // As `bound`, and the same name is found again at once. Not const: whoever only reads, may be
  // another thread.
  [[nodiscard]] At bound_again(const CellName& name);
  [[nodiscard]] At last() const { return {page_count() - 1, page(page_count() - 1).size()}; }
  // Returns where it came to lie: a full page is split first.
  At put(At at, std::unique_ptr<value_type> cell);
  void split(std::size_t page);
  void clear();

  struct Last {
    std::uint64_t order = 0;
    At at;
    std::uint32_t version = 0;
    bool known = false;  // and no slot of that order is before `at`
  };
  struct Pages {
    std::vector<std::uint64_t> firsts;  // the order of each page's first slot
    std::vector<Page> pages;
    Last last;
  };
  SmallVector<Slot, 1> only_;  // the one page, if there is no directory
  std::unique_ptr<Pages> pages_;
  std::size_t size_ = 0;
  std::uint32_t version_ = 0;
};

template <bool is_const>
class Cells::Iterator {
  using Map = std::conditional_t<is_const, const Cells, Cells>;

 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = Cells::value_type;
  using difference_type = std::ptrdiff_t;
  using reference = std::conditional_t<is_const, const value_type&, value_type&>;
  using pointer = std::conditional_t<is_const, const value_type*, value_type*>;

  Iterator() = default;
  operator Iterator<true>() const { return {*map_, at_}; }  // NOLINT: as those of std::map
  [[nodiscard]] reference operator*() const { return *map_->page(at_.page)[at_.i].cell; }
  [[nodiscard]] pointer operator->() const { return &**this; }
  Iterator& operator++() {
    ++at_.i;
    to_slot();
    return *this;
  }
  Iterator operator++(int) {
    Iterator before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

 private:
  friend class Cells;
  Iterator(Map& map, At at) : map_(&map), at_(at) {}

  // From the end of a page to the beginning of the next.
  void to_slot() {
    while (at_.i == map_->page(at_.page).size() && at_.page + 1 < map_->page_count()) {
      at_ = {at_.page + 1, 0};
    }
  }

  Map* map_ = nullptr;
  At at_;
};

inline Cells::iterator Cells::begin() { return {*this, {}}; }
inline Cells::iterator Cells::end() { return {*this, last()}; }
inline Cells::const_iterator Cells::begin() const { return {*this, {}}; }
inline Cells::const_iterator Cells::end() const { return {*this, last()}; }
inline Cells::iterator Cells::find(const CellName& name) {
  return {*this, found_at(bound_again(name), name)};
}
inline Cells::const_iterator Cells::find(const CellName& name) const {
  return {*this, found(name)};
}
inline bool Cells::contains(const CellName& name) const { return found(name) != last(); }
inline Cells::iterator Cells::lower_bound(const CellName& name) {
  return {*this, bound_again(name)};
}
inline Cells::const_iterator Cells::lower_bound(const CellName& name) const {
  return {*this, bound(name)};
}

}  // namespace starling::replica
