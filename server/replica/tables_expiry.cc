// Which keys have a deadline that is over: the hints of the dirty layers, and the rows of the
// state.
#include <utility>

#include "crdt/deadline.h"
#include "server/replica/checkpoint.h"
#include "server/replica/tables.h"

namespace starling::replica {

StoreResult<std::vector<ObjectKey>> Tables::take_due(std::int64_t now_ms, std::size_t count) {
  std::vector<ObjectKey> due;
  deadlines_.take_due(now_ms, count, due);
  frozen_deadlines_.take_due(now_ms, count, due);
  if (due.size() == count || (next_row_ && *next_row_ > now_ms)) {
    return due;
  }
  const auto cut = store_.cut();
  const auto version = cut->get(derived_version_key());
  if (!version) {
    return std::unexpected(version.error());
  }
  if (*version != derived_version) {
    next_row_.reset();  // the next checkpoint derives the index anew
    return due;
  }
  next_row_ = never_expires;
  const auto rows =
      cut->scan(indexed_row_.empty() ? deadline_rows_from(0) : indexed_row_, deadline_rows_end());
  for (; rows->valid(); rows->next()) {
    auto row = decode_deadline_row(rows->key());
    if (!row) {
      continue;  // derived: nothing is lost but a little space
    }
    if (row->unix_ms > now_ms || due.size() == count) {
      next_row_ = row->unix_ms;
      break;
    }
    indexed_through_ = row->unix_ms;
    indexed_row_ = std::string(rows->key()) + '\0';
    due.push_back(std::move(row->object));
  }
  if (const auto status = rows->status(); !status) {
    return std::unexpected(status.error());
  }
  return due;
}

std::optional<std::int64_t> Tables::next_deadline() const {
  std::optional<std::int64_t> next = next_row_;
  for (const auto& first : {deadlines_.first(), frozen_deadlines_.first()}) {
    if (first && (!next || *first < *next)) {
      next = first;
    }
  }
  return next;
}

}  // namespace starling::replica
