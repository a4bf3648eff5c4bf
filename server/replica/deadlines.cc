#include "server/replica/deadlines.h"

#include <algorithm>
#include <utility>

#include "crdt/varint.h"
#include "server/replica/row_keys.h"
#include "storage/store.h"

namespace starling::replica {
void Deadlines::set(const ObjectKey& object, std::optional<std::int64_t> unix_ms) {
  const auto known = at_.find(object);
  if (known != at_.end()) {
    if (unix_ms == known->second) {
      return;
    }
    by_time_.erase({known->second, object});
    at_.erase(known);
  }
  if (unix_ms) {
    at_.try_emplace(object, *unix_ms);
    by_time_.emplace(*unix_ms, object);
  }
}

void Deadlines::add_older(const Deadlines& older) {
  for (const auto& [object, at] : older.at_) {
    if (!at_.contains(object)) {
      set(object, at);
    }
  }
}

void Deadlines::drop_after(std::int64_t unix_ms, Garbage& garbage) {
  Deadlines all = std::exchange(*this, {});
  for (const auto& [at, object] : all.by_time_) {
    if (at > unix_ms) {
      break;
    }
    set(object, at);
  }
  const std::size_t nodes = 2 * all.size();
  garbage.add(std::move(all), nodes);
}

std::optional<std::int64_t> Deadlines::first() const {
  return by_time_.empty() ? std::nullopt : std::optional(by_time_.begin()->first);
}

void Deadlines::take_due(std::int64_t now_ms, std::size_t count, std::vector<ObjectKey>& due) {
  while (due.size() < count && !by_time_.empty() && by_time_.begin()->first <= now_ms) {
    auto node = by_time_.extract(by_time_.begin());
    at_.erase(node.value().second);
    due.push_back(std::move(node.value().second));
  }
}

std::string deadline_rows_from(std::int64_t unix_ms) {
  std::string key = meta_key('x');
  put_be(key, static_cast<std::uint64_t>(std::max<std::int64_t>(unix_ms, 0)));
  return key;
}

std::string deadline_row(std::int64_t unix_ms, const ObjectKey& object) {
  return deadline_rows_from(unix_ms) + encode_object_prefix(0, object);
}

std::string deadline_rows_end() { return meta_key('x' + 1); }

std::optional<DeadlineRow> decode_deadline_row(std::string_view row) {
  ByteReader in(row.substr(std::min(row.size(), meta_prefix.size() + 1)));
  DeadlineRow decoded;
  decoded.unix_ms = static_cast<std::int64_t>(in.be<std::uint64_t>());
  in.be<std::uint16_t>();  // group
  in.be<std::uint16_t>();  // place
  in.be<std::uint32_t>();
  decoded.object.db = in.u8();
  decoded.object.key = in.bytes();
  return in.complete() ? std::optional(std::move(decoded)) : std::nullopt;
}

}  // namespace starling::replica
