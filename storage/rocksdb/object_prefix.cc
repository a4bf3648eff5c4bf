#include "storage/rocksdb/object_prefix.h"

#include <cstdint>

#include "crdt/varint.h"
#include "storage/store.h"

namespace starling {
namespace {

class ObjectPrefix final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "starling.ObjectPrefix.0"; }
  bool InDomain(const rocksdb::Slice& key) const override {
    return object_prefix_of({key.data(), key.size()}).has_value();
  }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    const auto prefix = object_prefix_of({key.data(), key.size()});
    return prefix ? rocksdb::Slice(prefix->data(), prefix->size()) : key;
  }
};

// `key` is not greater than the least key that is greater than everything under `prefix`.
bool not_beyond(std::string_view key, std::string_view prefix) {
  if (key.starts_with(prefix) || key < prefix) {
    return true;
  }
  std::string successor(prefix);
  while (!successor.empty() && static_cast<std::uint8_t>(successor.back()) == 0xFF) {
    successor.pop_back();
  }
  if (successor.empty()) {
    return true;
  }
  successor.back() = static_cast<char>(static_cast<std::uint8_t>(successor.back()) + 1);
  return key <= successor;
}

}  // namespace

std::optional<std::string_view> object_prefix_of(std::string_view key) {
  if (key.starts_with(meta_prefix)) {
    return std::nullopt;
  }
  ByteReader in(key);
  in.be<std::uint16_t>();  // group
  in.be<std::uint16_t>();  // place
  in.be<std::uint32_t>();
  in.u8();     // database
  in.bytes();  // user key
  if (!in.ok()) {
    return std::nullopt;
  }
  return key.substr(0, key.size() - in.remaining());
}

bool within_one_object(std::string_view from, std::string_view to) {
  const auto prefix = object_prefix_of(from);
  return prefix && !to.empty() && not_beyond(to, *prefix);
}

std::shared_ptr<const rocksdb::SliceTransform> object_prefix_transform() {
  return std::make_shared<ObjectPrefix>();
}

}  // namespace starling
