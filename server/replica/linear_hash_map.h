// A hash map that grows in small steps.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <iterator>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "server/replica/linear_hashing.h"

namespace starling::replica {

// std::unordered_map moves all of its elements when it grows: a million of them are 0.2 s in which
// nothing else happens on the strand. Linear hashing (Litwin, VLDB 1980) splits one shard at a time
// instead, so that no insertion moves more than some thousand elements.
// Elements stay where they are in memory, as those of std::unordered_map do. Any insertion
// invalidates iterators, an erasure those to the erased element. What was moved from may only be
// destroyed or assigned to.
// Thread rule: as std::unordered_map.
template <typename Key, typename Value, typename Hash = std::hash<Key>,
          typename Equal = std::equal_to<Key>>
class LinearHashMap {
  using Shard = std::unordered_map<Key, Value, Hash, Equal>;
  template <bool is_const>
  class Iterator;

 public:
  using value_type = typename Shard::value_type;
  using node_type = typename Shard::node_type;
  using iterator = Iterator<false>;
  using const_iterator = Iterator<true>;
  struct insert_return_type {
    iterator position;
    bool inserted = false;
    node_type node;
  };

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  [[nodiscard]] iterator begin() { return first_from(*this, skip_empty()); }
  [[nodiscard]] const_iterator begin() const { return first_from(*this, 0); }
  [[nodiscard]] iterator end() { return first_from(*this, shards_.size()); }
  [[nodiscard]] const_iterator end() const { return first_from(*this, shards_.size()); }
  // Some element, each time of another shard: whoever takes it away treats all alike.
  // Requires !empty().
  [[nodiscard]] iterator any() {
    do {
      hand_ = (hand_ + 1) % shards_.size();
    } while (shards_[hand_].empty());
    return first_from(*this, hand_);
  }

  template <typename K>
  [[nodiscard]] iterator find(const K& key) {
    return find_in(*this, key);
  }
  template <typename K>
  [[nodiscard]] const_iterator find(const K& key) const {
    return find_in(*this, key);
  }
  template <typename K>
  [[nodiscard]] bool contains(const K& key) const {
    return find(key) != end();
  }

  template <typename K, typename... Args>
  std::pair<iterator, bool> try_emplace(K&& key, Args&&... args) {
    make_room();
    const std::size_t shard = shard_of(Hash()(key));
    const auto [it, fresh] =
        shards_[shard].try_emplace(std::forward<K>(key), std::forward<Args>(args)...);
    entered(shard, fresh);
    return {iterator(*this, shard, it), fresh};
  }
  insert_return_type insert(node_type node) {
    make_room();
    const std::size_t shard = shard_of(Hash()(node.key()));
    auto inserted = shards_[shard].insert(std::move(node));
    entered(shard, inserted.inserted);
    return {iterator(*this, shard, inserted.position), inserted.inserted, std::move(inserted.node)};
  }
  [[nodiscard]] node_type extract(iterator element) {
    --size_;
    return shards_[element.shard_].extract(element.at_);
  }
  // The next one.
  iterator erase(iterator element) {
    --size_;
    iterator next(*this, element.shard_, shards_[element.shard_].erase(element.at_));
    next.to_element();
    return next;
  }
  template <typename K>
    requires(!std::is_same_v<std::remove_cvref_t<K>, iterator>)
  std::size_t erase(const K& key) {
    const iterator found = find(key);
    if (found == end()) {
      return 0;
    }
    erase(found);
    return 1;
  }

 private:
  static constexpr std::size_t shard_size = 4096;  // on average, once there are two

  template <bool is_const>
  class Iterator {
    using Map = std::conditional_t<is_const, const LinearHashMap, LinearHashMap>;
    using At =
        std::conditional_t<is_const, typename Shard::const_iterator, typename Shard::iterator>;

   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = typename Shard::value_type;
    using difference_type = std::ptrdiff_t;
    using reference = std::conditional_t<is_const, const value_type&, value_type&>;
    using pointer = std::conditional_t<is_const, const value_type*, value_type*>;

    Iterator() = default;
    [[nodiscard]] reference operator*() const { return *at_; }
    [[nodiscard]] pointer operator->() const { return &*at_; }
    Iterator& operator++() {
      ++at_;
      to_element();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    friend LinearHashMap;
    Iterator(Map& map, std::size_t shard, At at) : map_(&map), shard_(shard), at_(at) {}

    // The end is the end of the last shard.
    void to_element() {
      while (at_ == map_->shards_[shard_].end() && shard_ + 1 < map_->shards_.size()) {
        at_ = map_->shards_[++shard_].begin();
      }
    }

    Map* map_ = nullptr;
    std::size_t shard_ = 0;
    At at_{};
  };

  template <typename Self>
  static auto first_from(Self& self, std::size_t shard) {
    using It = Iterator<std::is_const_v<Self>>;
    if (shard == self.shards_.size()) {
      return It(self, shard - 1, self.shards_.back().end());
    }
    It it(self, shard, self.shards_[shard].begin());
    it.to_element();
    return it;
  }
  template <typename Self, typename K>
  static auto find_in(Self& self, const K& key) {
    using It = Iterator<std::is_const_v<Self>>;
    const std::size_t shard = self.shard_of(Hash()(key));
    const auto at = self.shards_[shard].find(key);
    return at == self.shards_[shard].end() ? self.end() : It(self, shard, at);
  }

  [[nodiscard]] std::size_t shard_of(std::size_t hash) const {
    return linear_shard(hash, shards_.size());
  }

  void make_room() {
    if (size_ < shards_.size() * shard_size) {
      return;
    }
    Shard& split = shards_[next_to_split(shards_.size())];
    const std::size_t fresh = shards_.size();
    Shard& next = shards_.emplace_back();
    for (auto it = split.begin(); it != split.end();) {
      const auto element = it++;
      if (shard_of(Hash()(element->first)) == fresh) {
        next.insert(split.extract(element));
      }
    }
  }

  void entered(std::size_t shard, bool fresh) {
    size_ += fresh ? 1 : 0;
    first_ = std::min(first_, shard);
  }
  // Those before it are empty: whoever takes away the first element again and again does not look
  // at them each time.
  [[nodiscard]] std::size_t skip_empty() {
    while (first_ + 1 < shards_.size() && shards_[first_].empty()) {
      ++first_;
    }
    return first_;
  }

  std::deque<Shard> shards_ = std::deque<Shard>(1);
  std::size_t size_ = 0;
  std::size_t first_ = 0;
  std::size_t hand_ = 0;
};

}  // namespace starling::replica
