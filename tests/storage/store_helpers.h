// What the store's tests share: unwrapping results, keys as the state database has them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <doctest/doctest.h>

#include "crdt/cell_key.h"
#include "storage/store.h"

namespace starling::test {

using Rows = std::map<std::string, std::string, std::less<>>;

// The value, or the test fails with the error's message.
template <typename T>
T must(StoreResult<T> result) {
  if (!result) {
    FAIL(result.error().message);
  }
  if constexpr (!std::is_void_v<T>) {
    return *std::move(result);
  }
}

template <typename T>
std::string message_of(const StoreResult<T>& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().message;
}

inline std::string member_key(std::string_view set, std::string_view element) {
  return encode_cell_key(0, {{0, std::string(set)}, {CellKind::set_element, std::string(element)}});
}

inline void append(Store& store, std::string_view record) {
  must(store.append(store.bounds().last + 1, record));
}

// An absent value erases the row.
using Changes = std::map<std::string, std::optional<std::string>, std::less<>>;

inline std::unique_ptr<CheckpointWriter> written(Store& store, std::uint64_t position,
                                                 const Changes& changes) {
  auto writer = must(store.begin_checkpoint(position));
  for (const auto& [key, value] : changes) {
    must(value ? writer->put(key, *value) : writer->erase(key));
  }
  return writer;
}

inline void checkpoint(Store& store, std::uint64_t position, const Changes& changes) {
  must(written(store, position, changes)->ingest());
}

inline Rows rows_of(const Cut& cut, std::string_view from = {}, std::string_view to = {}) {
  Rows rows;
  const auto it = cut.scan(from, to);
  for (; it->valid(); it->next()) {
    const bool ascending = rows.empty() || rows.rbegin()->first < it->key();
    REQUIRE(ascending);
    rows.emplace(it->key(), it->value());
  }
  must(it->status());
  return rows;
}

inline Rows rows_of(const Store& store) { return rows_of(*store.cut()); }

}  // namespace starling::test
