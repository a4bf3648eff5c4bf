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

void Transaction::assign(const CellKey& key, std::string bytes) {
  // Blind: the new value does not depend on the old one, so nothing is read.
  Sibling sibling{next_dot(), has_payload(key.cell.kind) ? hlc_ : 0, bytes};
  DottedCell value;
  value.assign(std::move(sibling));
  overlay_[key.object].insert_or_assign(key.cell, std::move(value));
  emit(key, Assign{std::move(bytes)});
}

void Transaction::remove(const CellKey& key) {
  overlay_[key.object].insert_or_assign(key.cell, empty_cell(key.cell.kind));
  emit(key, Remove{});
}

StoreResult<void> Transaction::increment(const CellKey& key, const Total& delta) {
  auto value = overlaid(key);
  if (!value) {
    return std::unexpected(value.error());
  }
  auto& totals = std::get<OriginTotals>(**value);
  const Dot dot = next_dot();
  const TotalPart part = totals.increment(origin_, dot.n, delta);
  totals.join(part);
  emit(key, Increment{part.life, part.total, delta});
  return {};
}

StoreResult<void> Transaction::reset(const CellKey& key) {
  const auto seen = read(key);
  if (!seen) {
    return std::unexpected(seen.error());
  }
  auto observed = std::get<OriginTotals>(**seen).observed();
  if (observed.empty()) {
    return {};
  }
  auto value = overlaid(key);
  if (!value) {
    return std::unexpected(value.error());
  }
  const Dot dot = next_dot();
  for (const ObservedTotal& total : observed) {
    std::get<OriginTotals>(**value).reset(total, dot);
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
  return {};
}

}  // namespace starling::replica
