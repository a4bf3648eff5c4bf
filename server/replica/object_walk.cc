#include "server/replica/object_walk.h"

#include <array>
#include <utility>

#include "server/replica/checkpoint.h"
#include "server/replica/row_keys.h"

namespace starling::replica {
namespace {

std::string after_kind(const std::string& prefix, CellKind kind) {
  return prefix + static_cast<char>(static_cast<std::uint8_t>(kind) + 1);
}

}  // namespace

ObjectWalk::ObjectWalk(Tables& tables, std::uint64_t from_place)
    : tables_(tables), cut_(tables.store_.cut()) {
  if (from_place >> place_bits != 0) {
    return;
  }
  rows_ = cut_->scan(encode_place(only_group, from_place), meta_prefix);
  live_.emplace(tables.live_.places(), from_place);
  if (tables.frozen_ != nullptr) {
    frozen_.emplace(tables.frozen_->cells.places(), from_place);
  }
  read_stored();
  choose();
}

void ObjectWalk::fail(StoreError error) {
  status_ = std::unexpected(std::move(error));
  object_ = nullptr;
}

void ObjectWalk::read_stored() {
  stored_.reset();
  if (!rows_->valid()) {
    status_ = rows_->status();
    return;
  }
  auto key = decode_cell_key(rows_->key());
  if (!key) {
    status_ = std::unexpected(damaged_row());
    return;
  }
  stored_ = std::move(key->object);
  stored_place_ = place_of(*stored_);
  stored_prefix_ = encode_object_prefix(only_group, *stored_);
}

// The first of the three; places are rarely equal between different objects.
void ObjectWalk::choose() {
  object_ = nullptr;
  from_rows_ = false;
  if (!status_) {
    return;
  }
  const auto offer = [&](const ObjectKey& object, std::uint64_t place) {
    const bool first =
        object_ == nullptr || place < place_ ||
        (place == place_ && object != *object_ &&
         encode_object_prefix(only_group, object) < encode_object_prefix(only_group, *object_));
    if (first) {
      object_ = &object;
      place_ = place;
    }
    return first;
  };
  if (live_->valid()) {
    offer(live_->object(), live_->place());
  }
  if (frozen_ && frozen_->valid()) {
    offer(frozen_->object(), frozen_->place());
  }
  if (stored_) {
    from_rows_ = offer(*stored_, stored_place_);
  }
}

void ObjectWalk::next() {
  const ObjectKey& done = *object_;
  const bool live = live_->valid() && live_->object() == done;
  const bool frozen = frozen_ && frozen_->valid() && frozen_->object() == done;
  const bool stored = stored_ && *stored_ == done;
  if (live) {
    live_->next();
  }
  if (frozen) {
    frozen_->next();
  }
  if (stored) {
    // Most objects have a few rows, over which a step is cheaper than a seek.
    constexpr int steps = 8;
    int step = 0;
    while (rows_->valid() && rows_->key().starts_with(stored_prefix_)) {
      if (++step < steps) {
        rows_->next();
      } else {
        rows_->seek(prefix_end(stored_prefix_));
      }
    }
    read_stored();
  }
  choose();
}

StoreResult<void> ObjectWalk::cells(const Tables::Visit& visit) {
  if (from_rows_) {
    return stored_cells(visit);
  }
  return tables_.merge_layers(*object_, CellName::first_at(CellKind{0}), CellKind{0xFF}, visit);
}

StoreResult<void> ObjectWalk::stored_cells(const Tables::Visit& visit) {
  while (rows_->valid() && rows_->key().starts_with(stored_prefix_)) {
    auto key = decode_cell_key(rows_->key());
    if (!key) {
      return std::unexpected(damaged_row());
    }
    auto value = tables_.base_of(key->object, key->cell.kind(), rows_->value());
    if (!value) {
      return std::unexpected(value.error());
    }
    const Tables::Walk walk = is_empty(*value) ? Tables::Walk::on : visit(key->cell, *value);
    if (walk == Tables::Walk::stop) {
      break;
    }
    if (walk == Tables::Walk::next_kind && is_element(key->cell.kind())) {
      rows_->seek(after_kind(stored_prefix_, key->cell.kind()));
    } else {
      rows_->next();
    }
  }
  return rows_->status();
}

}  // namespace starling::replica
