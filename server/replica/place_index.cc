#include "server/replica/place_index.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace starling::replica {
namespace {

// The order of encode_object_prefix. Places are rarely equal.
bool before(const PlaceIndex::Placed& a, const PlaceIndex::Placed& b) {
  return a.place != b.place
             ? a.place < b.place
             : encode_object_prefix(0, *a.object) < encode_object_prefix(0, *b.object);
}

}  // namespace

void PlaceIndex::add(const ObjectKey& object, std::uint64_t place) {
  if (buckets_.empty()) {
    buckets_.resize(bucket_count);
  }
  buckets_[bucket_of(place)].objects.push_back({place, &object});
}

void PlaceIndex::remove(const ObjectKey& object, std::uint64_t place) {
  if (buckets_.empty()) {
    return;
  }
  Bucket& bucket = buckets_[bucket_of(place)];
  std::erase_if(bucket.objects, [&](const Placed& p) { return p.object == &object; });
  bucket.sorted = 0;
}

void PlaceIndex::sort(Bucket& bucket) {
  const auto middle = bucket.objects.begin() + static_cast<std::ptrdiff_t>(bucket.sorted);
  if (middle == bucket.objects.end()) {
    return;
  }
  std::sort(middle, bucket.objects.end(), before);
  std::vector<Placed> merged;
  merged.reserve(bucket.objects.size());
  std::merge(bucket.objects.begin(), middle, middle, bucket.objects.end(),
             std::back_inserter(merged), before);
  bucket.objects = std::move(merged);
  bucket.sorted = bucket.objects.size();
}

PlaceIndex::Walk::Walk(PlaceIndex& index, std::uint64_t place) : index_(&index) {
  if (index.buckets_.empty() || place >> place_bits != 0) {
    return;
  }
  bucket_ = bucket_of(place);
  Bucket& bucket = index.buckets_[bucket_];
  index.sort(bucket);
  const auto first = std::ranges::lower_bound(bucket.objects, place, {}, &Placed::place);
  i_ = static_cast<std::size_t>(first - bucket.objects.begin());
  to_object();
}

void PlaceIndex::Walk::next() {
  ++i_;
  to_object();
}

void PlaceIndex::Walk::to_object() {
  while (bucket_ < bucket_count && i_ == index_->buckets_[bucket_].objects.size()) {
    i_ = 0;
    if (++bucket_ < bucket_count) {
      index_->sort(index_->buckets_[bucket_]);
    }
  }
}

}  // namespace starling::replica
