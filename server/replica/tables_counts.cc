// How many elements, fields and members an object has, without walking them (R4.1): a row at W, and
// the difference that each dirty layer makes.
#include <algorithm>
#include <utility>

#include "server/replica/checkpoint.h"
#include "server/replica/row_keys.h"
#include "server/replica/tables.h"

namespace starling::replica {
StoreResult<Counts> Tables::counts(const ObjectKey& object) {
  const auto resident = load(object);
  if (!resident) {
    return std::unexpected(resident.error());
  }
  if (auto known = know_live(object); !known) {
    return std::unexpected(known.error());
  }
  if (auto known = know_below(object, **resident); !known) {
    return std::unexpected(known.error());
  }
  Counts counts = *(*resident)->below;
  if (const Layer::Object* live = live_.object(object)) {
    counts += live->change;
  }
  return counts;
}

bool Tables::marked(const ObjectKey& object) const {
  return markers_.cover(object) || (frozen_ != nullptr && frozen_->markers.cover(object));
}

Presence Tables::presence_below(const CellKey& key) {
  if (alone_live(key)) {
    return Presence::absent;
  }
  if (const CellDelta* frozen = frozen_ ? frozen_->cells.find(key) : nullptr) {
    return presence_of(*frozen);  // later markers took what they cover to the live layer
  }
  if (alone_frozen(key)) {
    return Presence::absent;
  }
  if (const CellDelta* clean = this->clean(key)) {
    return presence_of(*clean);
  }
  return known_complete(key.object) ? Presence::absent : Presence::unknown;
}

void Tables::uncount(const CellKey& key, const LayerCell* live) {
  Layer::Object* object = is_counted(key.cell.kind()) ? live_.object(key.object) : nullptr;
  if (object == nullptr) {
    return;
  }
  CellName name = key.cell;
  if (live == nullptr && has_twin(key.cell.kind())) {
    name = twin_of(key.cell);
    const auto twin = object->cells.find(name);
    live = twin == object->cells.end() ? nullptr : &twin->second;
  }
  if (live == nullptr) {
    return;  // neither half is dirty yet
  }
  if (const auto change = item_of(object->cells, name, *live).change()) {
    object->change -= *change;
  } else {
    --object->open;
  }
}

void Tables::recount(const CellKey& key, const LayerCell& cell) {
  if (is_counted(key.cell.kind())) {
    recount(*live_.object(key.object), key.cell, cell);
  }
}

void Tables::recount(Layer::Object& object, const CellName& name, const LayerCell& cell) {
  if (!is_counted(name.kind())) {
    return;
  }
  if (const auto change = item_of(object.cells, name, cell).change()) {
    object.change += *change;
  } else {
    ++object.open;
  }
}

void Tables::rebase(const ObjectKey& object, Below below) {
  Layer::Object* live = live_.object(object);
  if (live == nullptr) {
    return;
  }
  const Presence registers = below == Below::killed ? Presence::absent : Presence::unknown;
  for (auto& [name, cell] : live->cells) {
    if (!is_totals(name.kind())) {
      cell.was = registers;
    } else {
      cell.twin_was = registers;
    }
    if (below == Below::unknown) {
      cell.was = Presence::unknown;
      cell.twin_was = Presence::unknown;
    }
  }
  live->change = {};
  live->open = 0;
  for (const auto& [name, cell] : live->cells) {
    if (counts_here(live->cells, name)) {
      recount({object, name}, cell);
    }
  }
}

// A marker lies over what is cold.
void Tables::below_was_killed(const ObjectKey& object, bool everything) {
  rebase(object, everything ? Below::killed : Below::unknown);
  const auto found = residents_.find(object);
  if (found == residents_.end() || !found->second.below) {
    return;
  }
  Resident& resident = found->second;
  fold_frozen(object, resident);
  if (!everything) {
    resident.below.reset();
  } else if (resident.below) {
    resident.below = resident.below->without_registers();
  }
}

// Brings `below` from the state to the layer that was frozen last, or gives it up.
void Tables::fold_frozen(const ObjectKey& object, Resident& resident) {
  const Layer::Object* frozen = frozen_ ? frozen_->cells.object(object) : thawing_.object(object);
  if (resident.below && frozen != nullptr && resident.through != freezes_) {
    if (frozen->open == 0) {
      *resident.below += frozen->change;
    } else {
      resident.below.reset();
    }
  }
  resident.through = freezes_;
}

StoreResult<void> Tables::know_live(const ObjectKey& object) {
  Layer::Object* live = live_.object(object);
  if (live == nullptr || live->open == 0) {
    return {};
  }
  for (auto& [name, cell] : live->cells) {
    if (!is_counted(name.kind()) || item_of(live->cells, name, cell).change()) {
      continue;
    }
    const CellKey key{object, name};
    if (auto whole = read_single(key); !whole) {  // notes what it was, too, if it was partial
      return std::unexpected(whole.error());
    }
    StoreResult<Presence> was = cell.was;
    if (*was == Presence::unknown) {
      was = stored_below(key);
    }
    StoreResult<Presence> twin_was = cell.twin_was;
    if (has_twin(name.kind()) && *twin_was == Presence::unknown &&
        !live->cells.contains(twin_of(name))) {
      twin_was = stored_below({object, twin_of(name)});
    }
    for (const auto* known : {&was, &twin_was}) {
      if (!*known) {
        return std::unexpected(known->error());
      }
    }
    uncount(key, &cell);
    cell.was = *was;
    cell.twin_was = *twin_was;
    recount(key, cell);
  }
  return {};
}

// Not by way of the clean layer: what came up from there is no longer in it.
StoreResult<Presence> Tables::stored_below(const CellKey& key) {
  if (alone_live(key)) {
    return Presence::absent;
  }
  const CellDelta* frozen = frozen_ ? frozen_->cells.find(key) : nullptr;
  CellDelta joined = frozen != nullptr ? *frozen : CellDelta(key.cell.kind());
  auto stored = base(key, nullptr);
  if (!stored) {
    return std::unexpected(stored.error());
  }
  joined.join_onto(CellDelta::whole(std::move(*stored)));
  apply_later_markers(key.object, joined);
  return presence_of(joined);
}

StoreResult<void> Tables::know_below(const ObjectKey& object, Resident& resident) {
  fold_frozen(object, resident);
  if (resident.below) {
    return {};
  }
  if (!resident.complete && !marked(object)) {
    auto counted = stored_counts(object);
    if (!counted) {
      return std::unexpected(counted.error());
    }
    resident.below = *counted;
  }
  if (!resident.below) {
    auto all = walk_counts(object);
    if (!all) {
      return std::unexpected(all.error());
    }
    if (const Layer::Object* live = live_.object(object)) {
      *all -= live->change;
    }
    resident.below = *all;
  }
  return {};
}

// The row of W and what the frozen layer adds to it. nullopt: the rows are of another version.
StoreResult<std::optional<Counts>> Tables::stored_counts(const ObjectKey& object) {
  const auto cut = store_.cut();
  const auto version = cut->get(derived_version_key());
  if (!version) {
    return std::unexpected(version.error());
  }
  if (*version != derived_version) {
    return std::nullopt;
  }
  const auto row = cut->get(counts_key(encode_object_prefix(only_group, object)));
  if (!row) {
    return std::unexpected(row.error());
  }
  std::optional<Counts> counts = *row ? decode_counts(**row) : Counts{};
  // It may be ingested although nobody has told us yet: then the row has it all.
  const bool in_row = frozen_ != nullptr && cut->position() == frozen_->position;
  const Layer::Object* frozen = frozen_ ? frozen_->cells.object(object) : nullptr;
  if (counts && frozen != nullptr && !in_row) {
    const auto change =
        change_of(frozen->cells, [&](const CellName& name) -> StoreResult<CellValue> {
          const auto bytes = cut->get(encode_cell_key(only_group, {object, name}));
          if (!bytes) {
            return std::unexpected(bytes.error());
          }
          return *bytes ? decode({object, name}, **bytes) : empty_cell(name.kind());
        });
    if (!change) {
      return std::unexpected(change.error());
    }
    *counts += *change;
  }
  return counts;
}

StoreResult<Counts> Tables::walk_counts(const ObjectKey& object) {
  Counts counts;
  StoreResult<void> fields_read;
  const auto walked =
      merge_layers(object, CellName::first_at(CellKind::set_element), CellKind::scored_totals,
                   [&](const CellName& name, const CellValue& value) {
                     if (is_present(value)) {
                       count_present(name, counts, [&](const CellName& field) {
                         const auto read = read_single({object, field});
                         if (!read) {
                           fields_read = std::unexpected(read.error());
                         }
                         return read && is_present(**read);
                       });
                     }
                     return fields_read ? Walk::on : Walk::stop;
                   });
  if (!walked || !fields_read) {
    return std::unexpected(!walked ? walked.error() : fields_read.error());
  }
  return counts;
}

}  // namespace starling::replica
