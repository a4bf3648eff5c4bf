// How many elements, fields and members an object has, without walking them (R4.1): a row at W, and
// the difference that each dirty layer makes.
#include <algorithm>
#include <utility>

#include "server/replica/checkpoint.h"
#include "server/replica/row_keys.h"
#include "server/replica/tables.h"

namespace starling::replica {
StoreResult<Counts> Tables::counts(const ObjectKey& object) {
  const auto loaded = load(object);
  if (!loaded) {
    return std::unexpected(loaded.error());
  }
  return counts(**loaded);
}

StoreResult<Counts> Tables::counts(Held& held) {
  if (auto known = know_live(held); !known) {
    return std::unexpected(known.error());
  }
  if (auto known = know_below(held); !known) {
    return std::unexpected(known.error());
  }
  Counts counts = *held.below;
  if (const Layer::Object* live = live_.object(&held)) {
    counts += live->change;
  }
  return counts;
}

bool Tables::marked(const ObjectKey& object) const {
  return markers_.cover(object) || (frozen_ != nullptr && frozen_->markers.cover(object));
}

Presence Tables::presence_below(Held* held, const CellName& name) {
  if (alone_live(held, name.kind())) {
    return Presence::absent;
  }
  if (const CellDelta* frozen = frozen_ ? frozen_->cells.find(held, name) : nullptr) {
    return presence_of(*frozen);  // later markers took what they cover to the live layer
  }
  if (alone_frozen(held, name.kind())) {
    return Presence::absent;
  }
  if (const CellDelta* clean = this->clean(held, name)) {
    return presence_of(*clean);
  }
  return known_complete(held) ? Presence::absent : Presence::unknown;
}

void Tables::uncount(Layer::Object* object, const CellName& name, const LayerCell* live) {
  if (object == nullptr || !is_counted(name.kind())) {
    return;
  }
  const auto take_out = [&](const CellName& of, const LayerCell& cell) {
    if (const auto change = item_of(object->cells, of, cell).change()) {
      object->change -= *change;
    } else {
      --object->open;
    }
  };
  if (live != nullptr) {
    take_out(name, *live);
  } else if (has_twin(name.kind())) {
    const auto twin = object->cells.find(twin_of(name));
    if (twin != object->cells.end()) {
      take_out(twin->first, twin->second);
    }
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
  Layer::Object* live = live_.object(held(object));
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
      recount(*live, name, cell);
    }
  }
}

// A marker lies over what is cold.
void Tables::below_was_killed(const ObjectKey& object, bool everything) {
  rebase(object, everything ? Below::killed : Below::unknown);
  Held* const held = this->held(object);
  if (held == nullptr || !held->below) {
    return;
  }
  fold_frozen(*held);
  if (!everything) {
    held->below.reset();
  } else if (held->below) {
    held->below = held->below->without_registers();
  }
}

// Brings `below` from the state to the layer that was frozen last, or gives it up.
void Tables::fold_frozen(Held& held) {
  const Layer::Object* frozen = frozen_ ? this->frozen(&held) : thawing_.object(&held);
  if (held.below && frozen != nullptr && held.through != freezes_) {
    if (frozen->open == 0) {
      *held.below += frozen->change;
    } else {
      held.below.reset();
    }
  }
  held.through = freezes_;
}

StoreResult<void> Tables::know_live(Held& held) {
  Layer::Object* live = live_.object(&held);
  if (live == nullptr || live->open == 0) {
    return {};
  }
  for (auto& [name, cell] : live->cells) {
    if (!is_counted(name.kind()) || item_of(live->cells, name, cell).change()) {
      continue;
    }
    if (auto whole = read_single(held.key, &held, name);
        !whole) {  // notes what it was, too, if it was partial
      return std::unexpected(whole.error());
    }
    StoreResult<Presence> was = cell.was;
    if (*was == Presence::unknown) {
      was = stored_below(held, name);
    }
    StoreResult<Presence> twin_was = cell.twin_was;
    if (has_twin(name.kind()) && *twin_was == Presence::unknown &&
        !live->cells.contains(twin_of(name))) {
      twin_was = stored_below(held, twin_of(name));
    }
    for (const auto* known : {&was, &twin_was}) {
      if (!*known) {
        return std::unexpected(known->error());
      }
    }
    uncount(live, name, &cell);
    cell.was = *was;
    cell.twin_was = *twin_was;
    recount(*live, name, cell);
  }
  return {};
}

// Not by way of the clean layer: what came up from there is no longer in it.
StoreResult<Presence> Tables::stored_below(Held& held, const CellName& name) {
  if (alone_live(&held, name.kind())) {
    return Presence::absent;
  }
  const CellDelta* frozen = frozen_ ? frozen_->cells.find(&held, name) : nullptr;
  CellDelta joined = frozen != nullptr ? *frozen : CellDelta(name.kind());
  auto stored = base(held.key, name, nullptr);
  if (!stored) {
    return std::unexpected(stored.error());
  }
  joined.join_onto(CellDelta::whole(std::move(*stored)));
  apply_later_markers(held.key, joined);
  return presence_of(joined);
}

StoreResult<void> Tables::know_below(Held& held) {
  fold_frozen(held);
  if (held.below) {
    return {};
  }
  if (!held.complete && !marked(held.key)) {
    auto counted = stored_counts(held);
    if (!counted) {
      return std::unexpected(counted.error());
    }
    held.below = *counted;
  }
  if (!held.below) {
    auto all = walk_counts(held);
    if (!all) {
      return std::unexpected(all.error());
    }
    if (const Layer::Object* live = live_.object(&held)) {
      *all -= live->change;
    }
    held.below = *all;
  }
  return {};
}

// The row of W and what the frozen layer adds to it. nullopt: the rows are of another version.
StoreResult<std::optional<Counts>> Tables::stored_counts(const Held& held) {
  const ObjectKey& object = held.key;
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
  const Layer::Object* frozen = this->frozen(&held);
  if (counts && frozen != nullptr && !in_row) {
    const auto change =
        change_of(frozen->cells, [&](const CellName& name) -> StoreResult<CellValue> {
          const auto bytes = cut->get(encode_cell_key(only_group, {object, name}));
          if (!bytes) {
            return std::unexpected(bytes.error());
          }
          return *bytes ? decode(object, name.kind(), **bytes) : empty_cell(name.kind());
        });
    if (!change) {
      return std::unexpected(change.error());
    }
    *counts += *change;
  }
  return counts;
}

StoreResult<Counts> Tables::walk_counts(Held& held) {
  Counts counts;
  StoreResult<void> fields_read;
  const auto walked =
      merge_layers(held.key, CellName::first_at(CellKind::set_element), CellKind::scored_totals,
                   [&](const CellName& name, const CellValue& value) {
                     if (is_present(value)) {
                       count_present(name, counts, [&](const CellName& field) {
                         const auto read = read_single(held.key, &held, field);
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
