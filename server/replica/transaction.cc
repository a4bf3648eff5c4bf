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
    if (const auto cell = object->second.find(key.cell); cell != object->second.end()) {
      return &cell->second;
    }
  }
  if (killed_.contains(key.object)) {
    return overlaid(key);
  }
  return tables_.read(key);
}

StoreResult<CellValue*> Transaction::overlaid(const CellKey& key) {
  auto& cells = overlay_[key.object];
  if (const auto it = cells.find(key.cell); it != cells.end()) {
    return &it->second;
  }
  const auto below = tables_.read(key);
  if (!below) {
    return std::unexpected(below.error());
  }
  CellValue value = **below;
  if (const auto killed = killed_.find(key.object); killed != killed_.end()) {
    kill_value(value, killed->second);
  }
  return &cells.emplace(key.cell, std::move(value)).first->second;
}

StoreResult<void> Transaction::for_each(const ObjectKey& object, CellKind first, CellKind last,
                                        const Tables::Visit& visit) {
  const auto overlay = overlay_.find(object);
  if (overlay == overlay_.end() && !killed_.contains(object)) {
    return tables_.for_each(object, first, last, visit);
  }
  // Both sides are sorted by name; the overlay's cell stands for the one below it.
  static const std::map<CellName, CellValue> nothing;
  const auto& cells = overlay == overlay_.end() ? nothing : overlay->second;
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
  if (const auto change = changes_.find(object); counts && change != changes_.end()) {
    *counts += change->second;
  }
  return counts;
}

StoreResult<void> Transaction::put(const CellKey& key, CellValue value) {
  if (is_counted(key.cell.kind)) {
    Item item;
    item.kind =
        key.cell.kind == CellKind::set_element ? CellKind::set_element : CellKind::hash_field;
    const bool totals = key.cell.kind == CellKind::hash_totals;
    const auto before = read(key);
    if (!before) {
      return std::unexpected(before.error());
    }
    (totals ? item.totals_was : item.base_was) = presence_of(**before);
    (totals ? item.totals_now : item.base_now) = presence_of(value);
    item.totals_touched = totals;
    if (item.kind == CellKind::hash_field) {
      const auto twin = read({key.object, twin_of(key.cell)});
      if (!twin) {
        return std::unexpected(twin.error());
      }
      (totals ? item.base_was : item.totals_was) = presence_of(**twin);
      (totals ? item.base_now : item.totals_now) = presence_of(**twin);
    }
    changes_[key.object] += *item.change();
  }
  overlay_[key.object].insert_or_assign(key.cell, std::move(value));
  return {};
}

StoreResult<void> Transaction::assign(const CellKey& key, std::string bytes) {
  Sibling sibling{next_dot(), has_payload(key.cell.kind) ? hlc_ : 0, bytes};
  DottedCell value;
  value.assign(std::move(sibling));
  if (auto done = put(key, std::move(value)); !done) {
    return done;
  }
  emit(key, Assign{std::move(bytes)});
  return {};
}

StoreResult<void> Transaction::remove(const CellKey& key) {
  if (auto done = put(key, empty_cell(key.cell.kind)); !done) {
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
  if (auto done = put(key, std::move(totals)); !done) {
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
  if (auto done = put(key, std::move(totals)); !done) {
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
    for (auto& [name, value] : cells->second) {
      kill_value(value, context_);
    }
  }
  for (const CellName& name : totals) {
    if (auto done = reset({object, name}); !done) {
      return done;
    }
  }
  changes_[object] = {};  // nothing of it is left
  return {};
}

}  // namespace starling::replica
