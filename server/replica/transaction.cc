#include "server/replica/transaction.h"

#include <utility>

namespace starling::replica {
namespace {

void kill_value(CellValue& value, const VersionVector& context) {
  if (auto* dotted = std::get_if<DottedCell>(&value)) {
    dotted->kill(context);
  }
}

}  // namespace

StoreResult<const CellValue*> Transaction::read(const CellKey& key) {
  if (const auto object = overlay_.find(key.object); object != overlay_.end()) {
    const auto& cells = object->second.cells;
    if (const auto cell = cells.find(key.cell); cell != cells.end()) {
      return &cell->second;
    }
  }
  const auto killed = killed_.find(key.object);
  return killed == killed_.end() ? tables_.read(key) : under_kill(key, killed->second);
}

StoreResult<const CellValue*> Transaction::under_kill(const CellKey& key,
                                                      const VersionVector& killed) {
  const auto below = tables_.read(key);
  if (!below) {
    return below;
  }
  CellValue value = **below;
  kill_value(value, killed);
  return &overlay_[key.object].cells.emplace(key.cell, std::move(value)).first->second;
}

StoreResult<void> Transaction::for_each(const ObjectKey& object, CellKind first, CellKind last,
                                        const Tables::Visit& visit) {
  const auto overlay = overlay_.find(object);
  if (overlay == overlay_.end() && !killed_.contains(object)) {
    return tables_.for_each(object, first, last, visit);
  }
  // Both sides are sorted by name; the overlay's cell stands for the one below it.
  static const std::map<CellName, CellValue> nothing;
  const auto& cells = overlay == overlay_.end() ? nothing : overlay->second.cells;
  const auto killed = killed_.find(object);
  auto mine = cells.lower_bound({first, ""});
  Tables::Walk walk = Tables::Walk::on;
  CellKind skipped{0};  // cells of this kind are not wanted any more
  const auto show = [&](const CellName& name, const CellValue& value) {
    if (name.kind == skipped) {
      return Tables::Walk::next_kind;
    }
    if (!is_empty(value)) {
      walk = visit(name, value);
      if (walk == Tables::Walk::next_kind) {
        skipped = name.kind;
      }
      return walk;
    }
    return Tables::Walk::on;
  };
  const auto show_mine_before = [&](const CellName* name) {
    while (walk != Tables::Walk::stop && mine != cells.end() && mine->first.kind <= last &&
           (name == nullptr || mine->first < *name)) {
      const CellKind kind = mine->first.kind;
      if (show(mine->first, mine->second) == Tables::Walk::next_kind) {
        mine = cells.lower_bound({static_cast<CellKind>(static_cast<std::uint8_t>(kind) + 1), ""});
      } else {
        ++mine;
      }
    }
  };
  const auto below =
      tables_.for_each(object, first, last, [&](const CellName& name, const CellValue& value) {
        show_mine_before(&name);
        if (walk == Tables::Walk::stop) {
          return walk;
        }
        if (mine != cells.end() && mine->first == name) {
          return Tables::Walk::on;  // shown in its turn
        }
        if (killed == killed_.end()) {
          return show(name, value);
        }
        CellValue left = value;
        kill_value(left, killed->second);
        return show(name, left);
      });
  if (!below) {
    return below;
  }
  show_mine_before(nullptr);
  return {};
}

Dot Transaction::next_dot() { return {origin_, first_ + ops_.size()}; }

void Transaction::emit(const CellKey& key, Change change) {
  bytes_ += key.object.key.size() + key.cell.subkey.size() + 16;
  if (const auto* assign = std::get_if<Assign>(&change)) {
    bytes_ += assign->bytes.size();
  } else if (const auto* reset = std::get_if<Reset>(&change)) {
    bytes_ += reset->observed.size() * 24;
  }
  context_.advance(next_dot());
  ops_.push_back({key, std::move(change)});
}

StoreResult<Counts> Transaction::counts(const ObjectKey& object) {
  StoreResult<Counts> counts;
  if (!killed_.contains(object)) {
    counts = tables_.counts(object);
  }
  if (const auto overlay = overlay_.find(object); counts && overlay != overlay_.end()) {
    *counts += overlay->second.change;
  }
  return counts;
}

StoreResult<void> Transaction::put(const CellKey& key, CellValue value, Seen seen) {
  Counts change;
  if (is_counted(key.cell.kind)) {
    const auto look = [&](Presence& half, CellKind kind) -> StoreResult<void> {
      if (half == Presence::unknown) {
        const auto cell = read({key.object, {kind, key.cell.subkey}});
        if (!cell) {
          return std::unexpected(cell.error());
        }
        half = presence_of(**cell);
      }
      return {};
    };
    const bool element = key.cell.kind == CellKind::set_element;
    Item item;
    item.kind = element ? CellKind::set_element : CellKind::hash_field;
    item.totals_touched = key.cell.kind == CellKind::hash_totals;
    if (auto looked = look(seen.base, item.kind); !looked) {
      return looked;
    }
    if (!element) {
      if (auto looked = look(seen.totals, CellKind::hash_totals); !looked) {
        return looked;
      }
    }
    item.base_was = item.base_now = seen.base;
    item.totals_was = item.totals_now = seen.totals;
    (item.totals_touched ? item.totals_now : item.base_now) = presence_of(value);
    change = *item.change();
  }
  Object& object = overlay_[key.object];
  object.change += change;
  object.cells.insert_or_assign(key.cell, std::move(value));
  return {};
}

StoreResult<void> Transaction::assign(const CellKey& key, std::string bytes, Seen seen) {
  Sibling sibling{next_dot(), has_payload(key.cell.kind) ? hlc_ : 0, bytes};
  DottedCell value;
  value.assign(std::move(sibling));
  if (auto done = put(key, std::move(value), seen); !done) {
    return done;
  }
  emit(key, Assign{std::move(bytes)});
  return {};
}

StoreResult<void> Transaction::remove(const CellKey& key, Seen seen) {
  if (auto done = put(key, empty_cell(key.cell.kind), seen); !done) {
    return done;
  }
  emit(key, Remove{});
  return {};
}

StoreResult<void> Transaction::increment(const CellKey& key, const Total& delta) {
  const auto seen = read(key);
  if (!seen) {
    return std::unexpected(seen.error());
  }
  OriginTotals totals = std::get<OriginTotals>(**seen);
  const TotalPart part = totals.increment(origin_, next_dot().n, delta);
  totals.join(part);
  if (auto done = put(key, std::move(totals), {}); !done) {
    return done;
  }
  emit(key, Increment{part.life, part.total, delta});
  return {};
}

StoreResult<void> Transaction::reset(const CellKey& key) {
  const auto seen = read(key);
  if (!seen) {
    return std::unexpected(seen.error());
  }
  OriginTotals totals = std::get<OriginTotals>(**seen);
  auto observed = totals.observed();
  if (observed.empty()) {
    return {};
  }
  for (const ObservedTotal& total : observed) {
    totals.reset(total, next_dot());
  }
  if (auto done = put(key, std::move(totals), {}); !done) {
    return done;
  }
  emit(key, Reset{std::move(observed)});
  return {};
}

StoreResult<void> Transaction::kill(const ObjectKey& object) {
  // Totals cannot be killed by context alone: they are enumerated (R3.6).
  std::vector<CellName> totals;
  const auto found = for_each(object, CellKind{0}, CellKind{0xFF},
                              [&](const CellName& name, const CellValue& value) {
                                if (!is_totals(name.kind)) {
                                  return Tables::Walk::next_kind;
                                }
                                if (is_present(value)) {
                                  totals.push_back(name);
                                }
                                return Tables::Walk::on;
                              });
  if (!found) {
    return found;
  }
  emit({object, {}}, Kill{ScopeLevel::key});
  killed_[object].join(context_);
  if (const auto cells = overlay_.find(object); cells != overlay_.end()) {
    for (auto& [name, value] : cells->second.cells) {
      kill_value(value, context_);
    }
  }
  for (const CellName& name : totals) {
    if (auto done = reset({object, name}); !done) {
      return done;
    }
  }
  overlay_[object].change = {};  // nothing of it is left
  return {};
}

}  // namespace starling::replica
