// Objects in memory in the order of the state database.
#pragma once

#include <cstdint>
#include <vector>

#include "crdt/cell_key.h"

namespace starling::replica {

// Keys by bucket, in the order they came; a bucket is sorted when somebody visits it. So an insert
// costs a hash and a push_back, which every new dirty object pays, and a walk over everything n log
// n once.
// Invariant: no key twice. The keys are somebody else's and must stay where they are.
// Runs on: core strand.
class PlaceIndex {
 public:
  struct Placed {
    std::uint64_t place = 0;
    const ObjectKey* object = nullptr;
  };

  // `place`: that of the object.
  void add(const ObjectKey& object, std::uint64_t place);
  void remove(const ObjectKey& object, std::uint64_t place);  // slow

  // Walks forward from a place. Good until the next add or remove.
  class Walk {
   public:
    Walk(PlaceIndex& index, std::uint64_t place);
    [[nodiscard]] bool valid() const { return bucket_ < bucket_count; }
    [[nodiscard]] std::uint64_t place() const { return at().place; }
    [[nodiscard]] const ObjectKey& object() const { return *at().object; }
    void next();

   private:
    [[nodiscard]] const Placed& at() const { return index_->buckets_[bucket_].objects[i_]; }
    void to_object();

    PlaceIndex* index_;
    std::size_t bucket_ = bucket_count;
    std::size_t i_ = 0;
  };

 private:
  struct Bucket {
    std::vector<Placed> objects;
    std::size_t sorted = 0;  // this many of them, at the front
  };
  void sort(Bucket& bucket);

  std::vector<Bucket> buckets_;  // none, or all of them
};

}  // namespace starling::replica
