// How many keys a database has, without walking them (R4.1): a row at W, and the difference that
// each dirty layer makes.
//
// For every dirty object two facts are kept: whether it existed below its layer, and whether it
// exists with it. Most writes know both for nothing; what they do not know is found out when
// somebody asks, once. A kill of a whole database is the exception, because it changes what lies
// below without touching it: if it covers everything that was ever applied here, nothing is left
// below (its entry resets all totals by name, R3.6); otherwise what is left is counted by a walk,
// if somebody asks before the next checkpoint has swept it.
#include <algorithm>
#include <utility>

#include "server/replica/checkpoint.h"
#include "server/replica/row_keys.h"
#include "server/replica/shown.h"
#include "server/replica/tables.h"

namespace starling::replica {
// ---------------------------------------------------------------- around changes

void Tables::hide(Layer::Object* object, const CellName& name, const LayerCell* live) {
  if (live != nullptr && shows(name, *live)) {
    --object->shown;
  }
}

void Tables::show(Layer::Object& object, const CellName& name, const LayerCell& live,
                  bool changed) {
  object.shown += shows(name, live) ? 1 : 0;
  if (object.shown > 0) {
    if (object.exists != Presence::present || object.existence_is_open()) {
      live_.note_existence(object, object.existed, Presence::present);
    }
  } else if (changed && is_value(name.kind())) {
    live_.note_existence(object, object.existed, Presence::unknown);
  }
}

Presence Tables::existed_below(const Held& held) const {
  const auto keys = live_.keys().find(held.key.db);
  if (keys != live_.keys().end() && keys->second.emptied) {
    return Presence::absent;
  }
  if (const Layer::Object* frozen = this->frozen(&held)) {
    return frozen->exists;
  }
  // The first cell of a clean object nearly always shows something.
  constexpr int patience = 16;
  int seen = 0;
  const Layer::Object* ingested = thawing_.object(&held);
  if (const Layer::Object* newest = ingested != nullptr ? ingested : clean_.object(&held)) {
    for (const auto& [name, cell] : newest->cells) {
      if (shows(name, cell)) {
        return Presence::present;
      }
      if (++seen == patience) {
        return Presence::unknown;
      }
    }
  }
  if (ingested != nullptr) {
    return Presence::unknown;
  }
  if (held.complete) {
    return Presence::absent;
  }
  return held.below && !held.below->zero() ? Presence::present : Presence::unknown;
}

void Tables::keys_were_killed(const Marker& marker, bool everything) {
  for (unsigned db = 0; db < 256; ++db) {
    const ObjectKey any{static_cast<std::uint8_t>(db), {}};
    if (!marker.covers(any)) {
      continue;
    }
    Layer::KeyChange& keys = live_.keys()[any.db];
    keys.emptied = keys.emptied || everything;
    if (keys.emptied) {
      keys_below_[any.db] = 0;
    } else {
      keys_below_.erase(any.db);
    }
  }
  for (Layer::Object& dirty : live_.objects()) {
    if (marker.covers(dirty.key())) {
      dirty.existed = live_.keys()[dirty.key().db].emptied ? Presence::absent : Presence::unknown;
    }
  }
  for (auto& [db, keys] : live_.keys()) {
    if (marker.covers({db, {}})) {
      keys.sum = 0;
      keys.open.clear();
    }
  }
  for (Layer::Object& dirty : live_.objects()) {
    if (marker.covers(dirty.key())) {
      reopen(dirty);
    }
  }
}

// Counted from nothing.
void Tables::reopen(Layer::Object& object) {
  object.exists = Presence::unknown;
  object.waits_for_look = false;
  live_.recount_shown(object);
}

// ---------------------------------------------------------------- checkpoints

void Tables::freeze_key_counts() {
  for (auto it = keys_below_.begin(); it != keys_below_.end();) {
    const auto found = live_.keys().find(it->first);
    if (found == live_.keys().end()) {
      ++it;
      continue;
    }
    const Layer::KeyChange& keys = found->second;
    const bool known = std::ranges::none_of(
        keys.open, [](const Layer::Object* object) { return object->existence_is_open(); });
    it->second += keys.sum;
    it = known ? std::next(it) : keys_below_.erase(it);
  }
}

// The frozen layer has gone back into the live one, its markers too.
void Tables::unfreeze_key_counts(Layer& frozen) {
  keys_below_.clear();
  for (const auto& [db, keys] : frozen.keys()) {
    if (keys.emptied) {
      live_.keys()[db].emptied = true;
    }
  }
  for (auto& [db, keys] : live_.keys()) {
    keys.sum = 0;
    keys.open.clear();
    if (keys.emptied) {
      keys_below_[db] = 0;
    }
  }
  for (Layer::Object& dirty : live_.objects()) {
    if (live_.keys()[dirty.key().db].emptied) {
      dirty.existed = Presence::absent;
    } else if (frozen.object(&dirty.held()) != nullptr) {
      dirty.existed = Presence::unknown;
    }
    reopen(dirty);
  }
}

// ---------------------------------------------------------------- asking

StoreResult<bool> Tables::exists(const ObjectKey& object) {
  ExistsFinder finder;
  const auto walked = merge_layers(
      object, CellName::first_at(CellKind{0}), CellKind{0xFF},
      [&](const CellName& name, const CellValue& value) { return finder.see(name, value); });
  return walked ? StoreResult<bool>(finder.exists()) : std::unexpected(walked.error());
}

StoreResult<std::int64_t> Tables::key_count(std::uint8_t db) {
  if (auto known = know_keys_below(db); !known) {
    return std::unexpected(known.error());
  }
  if (auto known = know_live_keys(db); !known) {
    return std::unexpected(known.error());
  }
  return keys_below_.at(db) + live_.keys()[db].sum;
}

StoreResult<void> Tables::know_keys_below(std::uint8_t db) {
  if (keys_below_.contains(db)) {
    return {};
  }
  const auto cut = store_.cut();
  const auto version = cut->get(derived_version_key());
  const auto row = cut->get(key_count_key(db));
  for (const auto* read : {&version, &row}) {
    if (!*read) {
      return std::unexpected(read->error());
    }
  }
  // It may be ingested although nobody has told us yet: then the row has it all.
  const bool in_row = frozen_ != nullptr && cut->position() == frozen_->position;
  const bool emptied = frozen_ != nullptr && !in_row && frozen_->cells.keys()[db].emptied;
  const bool killed = markers_.any_wide_over(db) || (frozen_ != nullptr && !in_row && !emptied &&
                                                     frozen_->markers.any_wide_over(db));
  StoreResult<std::int64_t> count = emptied ? 0 : decode_key_count(*row);
  if (killed || (!emptied && *version != derived_version)) {
    count = walk_keys_below(db);
  } else if (frozen_ != nullptr && !in_row) {
    const auto change = frozen_key_change(*cut, db, emptied);
    count = change ? *count + *change : change;
  }
  if (!count) {
    return std::unexpected(count.error());
  }
  keys_below_[db] = *count;
  return {};
}

// Nothing is noted in the frozen layer: the job reads it at the same time.
StoreResult<std::int64_t> Tables::frozen_key_change(const Cut& cut, std::uint8_t db, bool emptied) {
  const Layer::KeyChange& keys = frozen_->cells.keys()[db];
  std::int64_t change = keys.sum;
  const auto rows = cut.scan(encode_place(only_group, 0), meta_prefix);
  for (const Layer::Object* open : in_place_order(keys.open)) {
    const Layer::Object& dirty = *open;
    if (!dirty.existence_is_open()) {
      continue;
    }
    bool existed = dirty.existed == Presence::present;
    bool exists = dirty.exists == Presence::present;
    if (dirty.exists == Presence::unknown) {
      const auto looked = frozen_shows(dirty, cut, *rows, Apply::frozen_markers);
      if (!looked) {
        return std::unexpected(looked.error());
      }
      exists = *looked;
    }
    if (dirty.existed == Presence::unknown && !emptied) {
      const auto again = cut.scan(encode_object_prefix(only_group, dirty.key()), meta_prefix);
      const auto looked = stored_shows(dirty.key(), nullptr, *again, Apply::no_marker);
      if (!looked) {
        return std::unexpected(looked.error());
      }
      existed = *looked;
    }
    change += (exists ? 1 : 0) - (existed ? 1 : 0);
  }
  return change;
}

StoreResult<void> Tables::know_live_keys(std::uint8_t db) {
  Layer::KeyChange& keys = live_.keys()[db];
  if (keys.open.empty()) {
    return {};
  }
  const bool nothing_below = keys_below_.at(db) == 0;
  const auto cut = store_.cut();
  const auto rows = cut->scan(encode_place(only_group, 0), meta_prefix);
  for (Layer::Object* open : in_place_order(keys.open)) {
    Layer::Object& dirty = *open;
    Presence existed = dirty.existed;
    Presence exists = dirty.exists;
    if (existed == Presence::unknown && !nothing_below) {
      const auto looked = shows_below(dirty.key(), *cut, *rows);
      if (!looked) {
        return std::unexpected(looked.error());
      }
      existed = presence(*looked);
    } else if (existed == Presence::unknown) {
      existed = Presence::absent;
    }
    if (exists == Presence::unknown) {
      const auto looked = this->exists(dirty.key());
      if (!looked) {
        return std::unexpected(looked.error());
      }
      exists = presence(*looked);
    }
    live_.note_existence(dirty, existed, exists);
  }
  for (Layer::Object* looked_at : keys.open) {
    looked_at->waits_for_look = false;
  }
  keys.open.clear();
  return {};
}

// Everything below the live layer, key by key.
StoreResult<std::int64_t> Tables::walk_keys_below(std::uint8_t db) {
  std::int64_t count = 0;
  const auto cut = store_.cut();
  const auto rows = cut->scan(encode_place(only_group, 0), meta_prefix);
  std::vector<Layer::Object*> dirty;
  if (frozen_ != nullptr) {
    for (Layer::Object& object : frozen_->cells.objects()) {
      if (object.key().db == db) {
        dirty.push_back(&object);
      }
    }
  }
  for (const Layer::Object* object : in_place_order(dirty)) {
    const auto shown = frozen_shows(*object, *cut, *rows, Apply::wide_markers_too);
    if (!shown) {
      return std::unexpected(shown.error());
    }
    count += *shown ? 1 : 0;
  }
  const auto all = cut->scan(encode_place(only_group, 0), meta_prefix);
  while (all->valid()) {
    const auto key = decode_cell_key(all->key());
    if (!key) {
      return std::unexpected(damaged_row());
    }
    const ObjectKey& object = key->object;
    if (object.db == db && frozen(held(object)) == nullptr) {
      const auto shown = stored_shows(object, nullptr, *all, Apply::wide_markers_too);
      if (!shown) {
        return std::unexpected(shown.error());
      }
      count += *shown ? 1 : 0;
    }
    all->seek(prefix_end(encode_object_prefix(only_group, object)));
  }
  if (const auto status = all->status(); !status) {
    return std::unexpected(status.error());
  }
  return count;
}

// ---------------------------------------------------------------- looking below

std::vector<Layer::Object*> Tables::in_place_order(const std::vector<Layer::Object*>& objects) {
  std::vector<std::pair<std::string, Layer::Object*>> keyed;
  keyed.reserve(objects.size());
  for (Layer::Object* object : objects) {
    keyed.emplace_back(encode_object_prefix(only_group, object->key()), object);
  }
  std::ranges::sort(keyed);
  std::vector<Layer::Object*> sorted;
  sorted.reserve(objects.size());
  for (const auto& [prefix, object] : keyed) {
    sorted.push_back(object);
  }
  return sorted;
}

void Tables::apply(const ObjectKey& object, CellDelta& cell, Apply apply) const {
  if (apply == Apply::no_marker) {
    return;
  }
  const auto kill = [&](const VersionVector& killed) { cell.kill(killed); };
  if (frozen_ != nullptr) {
    frozen_->markers.for_each_over(object, kill);
  }
  if (apply == Apply::wide_markers_too) {
    markers_.for_each_wide_over(object, kill);
  }
}

// The rows of the object from where the iterator is, except those that `over` has a cell for.
StoreResult<bool> Tables::stored_shows(const ObjectKey& object, const Layer::Object* over,
                                       RowIterator& rows, Apply apply) const {
  const std::string prefix = encode_object_prefix(only_group, object);
  for (rows.seek(prefix); rows.valid() && rows.key().starts_with(prefix); rows.next()) {
    const auto key = decode_cell_key(rows.key());
    if (!key) {
      return std::unexpected(damaged_row());
    }
    if (!is_value(key->cell.kind()) || (over != nullptr && over->cells.contains(key->cell))) {
      continue;
    }
    auto value = decode(object, key->cell.kind(), rows.value());
    if (!value) {
      return std::unexpected(value.error());
    }
    CellDelta cell = CellDelta::whole(std::move(*value));
    this->apply(object, cell, apply);
    if (is_present(cell.value())) {
      return true;
    }
  }
  if (const auto status = rows.status(); !status) {
    return std::unexpected(status.error());
  }
  return false;
}

// The frozen layer over the state.
StoreResult<bool> Tables::frozen_shows(const Layer::Object& frozen, const Cut& cut,
                                       RowIterator& rows, Apply apply) const {
  const ObjectKey& object = frozen.key();
  for (const auto& [name, dirty] : frozen.cells) {
    if (!is_value(name.kind())) {
      continue;
    }
    CellDelta cell = dirty;
    if (!cell.is_whole()) {
      const auto stored = cut.get(encode_cell_key(only_group, {object, name}));
      if (!stored) {
        return std::unexpected(stored.error());
      }
      auto base = *stored ? decode(object, name.kind(), **stored) : empty_cell(name.kind());
      if (!base) {
        return std::unexpected(base.error());
      }
      CellDelta whole = CellDelta::whole(std::move(*base));
      this->apply(object, whole, apply);
      cell.join_onto(whole);
    }
    if (apply == Apply::wide_markers_too) {
      this->apply(object, cell, apply);
    }
    if (is_present(cell.value())) {
      return true;
    }
  }
  return stored_shows(object, &frozen, rows, apply);
}

StoreResult<bool> Tables::shows_below(const ObjectKey& object, const Cut& cut,
                                      RowIterator& rows) const {
  const Layer::Object* frozen = this->frozen(held(object));
  return frozen != nullptr ? frozen_shows(*frozen, cut, rows, Apply::wide_markers_too)
                           : stored_shows(object, nullptr, rows, Apply::wide_markers_too);
}

}  // namespace starling::replica
