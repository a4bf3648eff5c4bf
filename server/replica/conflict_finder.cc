#include "server/replica/conflict_finder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "crdt/mutants.h"
#include "crdt/sorted_set.h"
#include "crdt/string.h"
#include "server/replica/counts.h"

namespace starling::replica {
namespace {

CellName end_of(CellKind kind) {
  return CellName::first_at(static_cast<CellKind>(static_cast<std::uint8_t>(kind) + 1));
}

bool is_member(const CellKey& key) { return key.cell.kind() == CellKind::scored_member; }

// As people read it.
std::string text_of(const CellKey& key, const Sibling& sibling) {
  return is_member(key) ? format_score(decode_score(sibling.bytes).value) : sibling.bytes;
}

// Raises and lowerings merge: the greatest or smallest of them is read, and nobody has lost.
bool merges(const CellKey& key, const Sibling& a, const Sibling& b) {
  if (!is_member(key)) {
    return false;
  }
  const Score one = decode_score(a.bytes);
  return one.rule != ScoreRule::plain && one.rule == decode_score(b.bytes).rule;
}

Total sum_of(const TotalPart& part) { return part.total - part.base; }

std::string text_of(const Total& total) {
  OriginTotals alone;
  TotalPart part;
  part.life = part.n = 1;
  part.total = total;
  alone.join(part);
  return StringView(DottedCell(), alone).text().value_or("0");
}

}  // namespace

std::optional<CellName> register_of(const CellName& name) {
  switch (name.kind()) {
    case CellKind::string_register:
    case CellKind::hash_field:
    case CellKind::scored_member:
      return name;
    case CellKind::string_totals:
      return CellName(CellKind::string_register, name.subkey());
    case CellKind::hash_totals:
    case CellKind::scored_totals:
      return twin_of(name);
    default:
      return std::nullopt;
  }
}

CellName increments_of(const CellName& register_name) {
  return register_name.kind() == CellKind::string_register
             ? CellName(CellKind::string_totals, register_name.subkey())
             : twin_of(register_name);
}

ConflictSide ConflictFinder::side_of(const TotalPart& part) const {
  const auto stream = streams_.find(part.origin);
  const Hlc hlc = stream == streams_.end() ? 0 : stream->second.hlc;
  return conflict_side({part.origin, part.life}, hlc, text_of(sum_of(part)));
}

void ConflictFinder::compare(const ObjectKey& object, const CellName& name, const DottedCell& base,
                             const OriginTotals& increments) const {
  if (base.siblings().size() < 2 && !increments.exists()) {
    return;
  }
  const CellKey key{object, name};
  compare_siblings(key, base);
  compare_increments(key, base, increments);
}

void ConflictFinder::compare_siblings(const CellKey& key, const DottedCell& base) const {
  const Sibling* winner = mutant("loser_blamed") ? base.siblings().data() : base.winner();
  for (const Sibling& sibling : base.siblings()) {
    // Who wrote the same has lost nothing.
    if (&sibling != winner && sibling.bytes != winner->bytes && !merges(key, sibling, *winner)) {
      note_({ConflictKind::overwritten, key,
             conflict_side(sibling.dot, sibling.hlc, text_of(key, sibling)),
             conflict_side(winner->dot, winner->hlc, text_of(key, *winner))});
    }
  }
}

void ConflictFinder::compare_increments(const CellKey& key, const DottedCell& base,
                                        const OriginTotals& increments) const {
  if (!increments.exists()) {
    return;
  }
  const Sibling* winner = base.winner();
  if (is_member(key) || winner == nullptr) {
    compare_sum(key, winner, 0, increments);
    return;
  }
  if (!StringView(base, increments).hides_increments()) {
    compare_sum(key, winner, parse_integer(winner->bytes).value_or(0), increments);
    return;
  }
  const CellKey totals{key.object, increments_of(key.cell)};
  for (const TotalPart& part : increments.parts()) {
    if (part.live()) {
      note_({ConflictKind::hidden, totals, side_of(part),
             conflict_side(winner->dot, winner->hlc, winner->bytes)});
    }
  }
}

// Totals are added in the order of origins: the last one that pushes the sum out of range has lost
// to what was there before, on every node that has the same.
void ConflictFinder::compare_sum(const CellKey& key, const Sibling* winner, Int128 base,
                                 const OriginTotals& increments) const {
  const Int128 sum = wrapping_add(base, increments.value().units);
  const std::int64_t limit = saturate(sum);
  if (limit == sum) {
    return;
  }
  const bool upwards = limit > 0;
  const TotalPart* last = nullptr;
  const TotalPart* before = nullptr;
  for (const TotalPart& part : increments.parts()) {
    if (part.live() && (upwards ? sum_of(part).units > 0 : sum_of(part).units < 0)) {
      before = last;
      last = &part;
    }
  }
  if (last == nullptr) {
    return;  // a sum that wrapped around: only a forger gets there
  }
  ConflictSide won;
  if (winner != nullptr) {
    won = conflict_side(winner->dot, winner->hlc, std::to_string(limit));
  } else {
    won = conflict_side(before != nullptr ? side_of(*before).dot : Dot{},
                        before != nullptr ? side_of(*before).hlc : 0, std::to_string(limit));
  }
  note_({ConflictKind::saturated,
         {key.object, increments_of(key.cell)},
         side_of(*last),
         std::move(won)});
}

void ConflictFinder::compare(const ObjectKey& object, const ShownFinder& shown) const {
  const auto types = shown.types();
  const auto side = [](const Creation& creation) {
    return conflict_side(creation.dot, creation.hlc, type_name(creation.type));
  };
  for (std::size_t i = 1; i < types.size(); ++i) {
    const CellName header(CellKind::header, std::string(1, static_cast<char>(types[i].type)));
    note_({ConflictKind::hidden_type, {object, header}, side(types[i]), side(types.front())});
  }
}

// ---------------------------------------------------------------- a frozen object

namespace {

// What lies under the key, from rows and frozen cells in step; both only go forward.
StoreResult<ShownFinder> look(const std::string& prefix, const Layer::Cells& cells,
                              RowIterator& rows, const ReadCell& read) {
  ShownFinder shown;
  const auto stored_name = [&]() -> std::optional<CellName> {
    while (rows.valid() && rows.key().starts_with(prefix)) {
      if (auto key = decode_cell_key(rows.key())) {
        return std::move(key->cell);
      }
      rows.next();  // quarantined
    }
    return std::nullopt;
  };
  rows.seek(prefix);
  auto cell = cells.begin();
  for (auto stored = stored_name(); stored || cell != cells.end(); stored = stored_name()) {
    const bool is_stored = stored && (cell == cells.end() || *stored <= cell->first);
    const CellName name = is_stored ? *stored : cell->first;
    if (cell != cells.end() && cell->first == name) {
      ++cell;
    }
    if (is_stored) {
      rows.next();
    }
    const auto value = read(name);
    if (!value) {
      return std::unexpected(value.error());
    }
    if (!*value || is_empty(**value) || shown.see(name, **value) != Tables::Walk::next_kind) {
      continue;
    }
    const CellName next = end_of(name.kind());
    cell = cells.lower_bound(next);
    if (const auto row = stored_name(); row && *row < next) {
      std::string key = prefix;
      append_cell_name(key, next);
      rows.seek(key);
    }
  }
  if (const auto status = rows.status(); !status) {
    return std::unexpected(status.error());
  }
  return shown;
}

}  // namespace

StoreResult<void> find_conflicts(const ConflictFinder& finder, const ObjectKey& object,
                                 const std::string& prefix, const Layer::Cells& cells,
                                 RowIterator& rows, const ReadCell& read) {
  for (const auto& [name, cell] : cells) {
    const auto base_name = register_of(name);
    if (!base_name || (name != *base_name && cells.contains(*base_name))) {
      continue;  // it is met at its register
    }
    const auto base = read(*base_name);
    if (!base) {
      return std::unexpected(base.error());
    }
    const auto increments = read(increments_of(*base_name));
    if (!increments) {
      return std::unexpected(increments.error());
    }
    if (*base && *increments) {
      finder.compare(object, *base_name, std::get<DottedCell>(**base),
                     std::get<OriginTotals>(**increments));
    }
  }
  const auto shown = look(prefix, cells, rows, read);
  if (!shown) {
    return std::unexpected(shown.error());
  }
  finder.compare(object, *shown);
  return {};
}

}  // namespace starling::replica
