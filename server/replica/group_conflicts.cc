// Which entries may bring a conflict, and where it is looked for.
#include <algorithm>
#include <iterator>
#include <ranges>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "crdt/mutants.h"
#include "server/replica/counts.h"
#include "server/replica/group.h"
#include "server/replica/shown.h"

namespace starling::replica {
namespace {

// What the layers hold under a key, by their first and last names: kinds lie in the order of types.
struct Kinds {
  bool increments = false;     // of strings, fields or members
  bool several_types = false;  // perhaps with nothing in them

  explicit Kinds(const Tables::Glance& glance) {
    ObjectType type = ObjectType::none;
    for (const Layer::Object* layer : glance.layers) {
      if (layer == nullptr) {
        continue;
      }
      const auto first = std::ranges::find_if(
          layer->cells, [](const auto& cell) { return is_value(cell.first.kind()); });
      if (first == layer->cells.end()) {
        continue;
      }
      const CellKind last = layer->cells.back().first.kind();
      for (const ObjectType other : {object_type(first->first.kind()), object_type(last)}) {
        several_types = several_types || (type != ObjectType::none && other != type);
        type = other;
      }
      increments = increments || is_totals(last);
    }
    increments = increments || several_types;
  }
};

// Nearly every write: nothing else is live in its cell, so that in a register nothing has lost.
bool stands_alone(const Layer::Object& live, const CellName& name) {
  const auto cell = live.cells.find(name);
  if (cell == live.cells.end() || !cell->second.is_whole()) {
    return false;
  }
  const auto* dotted = std::get_if<DottedCell>(&cell->second.value());
  return dotted != nullptr && dotted->siblings().size() < 2;
}

bool is_register(CellKind kind) {
  return kind == CellKind::string_register || kind == CellKind::hash_field ||
         kind == CellKind::scored_member;
}

std::vector<CellName> names_of(std::span<const Layer::Object* const> layers) {
  std::vector<CellName> names;
  for (const Layer::Object* layer : layers) {
    if (layer != nullptr) {
      for (const auto& [name, cell] : layer->cells) {
        names.push_back(name);
      }
    }
  }
  return names;
}

}  // namespace

StoreResult<void> Group::restore_conflicts() {
  const auto cut = store_.cut();
  const auto rows = cut->scan(dropped_conflicts_key(), conflict_keys_end());
  for (; rows->valid(); rows->next()) {
    conflicts_.restore(rows->key(), rows->value());
  }
  conflicts_.restored();
  return rows->status();
}

void Group::note_conflicts_of(const Entry& entry) {
  if (recovering_ && mutant("replay_notes_nothing")) {
    return;
  }
  for (const Op& op : entry.ops) {
    // A kill makes nothing meet; what it spares has met before.
    if (!std::holds_alternative<Kill>(op.change) && is_value(op.key.cell.kind())) {
      look_for_conflicts(op.key);
    }
  }
}

// Until the checkpoint job has decided, two writes may lie one on the other in memory and on disk.
// If somebody has read them together since, what comes next may be the answer to that, and the
// loser is gone. While a log is replayed nobody reads, so the replica does; and so it does for what
// a replay has left undecided, which may have been shown before the crash (seed 1948).
void Group::note_conflicts_before(const Entry& entry) {
  for (const Op& op : entry.ops) {
    const auto* kill = std::get_if<Kill>(&op.change);
    if (kill == nullptr) {
      if (tables_.is_undecided(op.key.object)) {
        note_undecided(op.key);
      }
    } else if (kill->level == ScopeLevel::key) {
      note_undecided(op.key.object);
    } else if (!mutant("flush_decides_nothing")) {
      const bool one = kill->level == ScopeLevel::database;
      for (const ObjectKey& object :
           tables_.undecided(one ? std::optional(op.key.object.db) : std::nullopt)) {
        note_undecided(object);
      }
    }
  }
}

void Group::note_undecided(const ObjectKey& object) {
  for (const CellName& name : names_of(tables_.undecided(object))) {
    note_undecided(CellKey{object, name});
  }
}

void Group::note_undecided(const CellKey& key) {
  const bool unread = recovering_ || replay_left_undecided_;
  if (is_value(key.cell.kind()) && (!unread || tables_.read(key))) {
    look_for_conflicts(key);
  }
}

void Group::look_for_conflicts(const CellKey& key) {
  const ConflictFinder::Note note = [this](Conflict line) { conflicts_.note(std::move(line)); };
  const ConflictFinder finder(streams_, note);
  static const OriginTotals no_increments;
  const Tables::Glance glance = tables_.glance(key.object);
  if (!glance.complete) {
    tables_.leave_undecided(key.object);
    const CellValue* base = is_register(key.cell.kind()) ? tables_.in_memory(key) : nullptr;
    if (base != nullptr) {
      finder.compare(key.object, key.cell, std::get<DottedCell>(*base), no_increments);
    }
    return;
  }
  const Layer::Object* live = glance.layers.front();
  const Kinds kinds(glance);
  if (!kinds.increments && !kinds.several_types && live != nullptr &&
      stands_alone(*live, key.cell)) {
    return;
  }
  if (const auto name = register_of(key.cell)) {
    const auto base = tables_.read({key.object, *name});
    if (!base) {
      return;  // whoever reads it next says so
    }
    const auto kept = std::get<DottedCell>(**base);
    const auto increments = tables_.read({key.object, increments_of(*name)});
    if (increments) {
      finder.compare(key.object, *name, kept, std::get<OriginTotals>(**increments));
    }
  }
  if (kinds.several_types) {
    ShownFinder shown;
    const auto seen = tables_.for_each(
        key.object, CellName::first_at(CellKind{0}), CellKind{0xFF},
        [&](const CellName& cell, const CellValue& value) { return shown.see(cell, value); });
    if (seen) {
      finder.compare(key.object, shown);
    }
  }
}

}  // namespace starling::replica
