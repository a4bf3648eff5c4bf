// Which part of a stored key names the object: bloom filters answer for it as well as for whole
// keys.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <rocksdb/slice_transform.h>

namespace starling {

// The bytes up to and including the user key (R3.7); nullopt for meta rows and for what is no cell
// key. Every key that begins with these bytes has the same object prefix.
[[nodiscard]] std::optional<std::string_view> object_prefix_of(std::string_view key);

// All keys in [from, to) belong to the object of `from`.
[[nodiscard]] bool within_one_object(std::string_view from, std::string_view to);

// Its name is stored with every file: change the name when the answer for any key changes.
[[nodiscard]] std::shared_ptr<const rocksdb::SliceTransform> object_prefix_transform();

}  // namespace starling
