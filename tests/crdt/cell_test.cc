#include "crdt/cell.h"

#include <doctest/doctest.h>

#include "tests/crdt/lattice_laws.h"
#include "tests/crdt/random_values.h"

namespace starling::test {
namespace {

struct ComparableDelta {
  CellDelta delta;
  friend bool operator==(const ComparableDelta& x, const ComparableDelta& y) {
    return x.delta.value() == y.delta.value() && x.delta.killed() == y.delta.killed() &&
           x.delta.is_whole() == y.delta.is_whole();
  }
  friend std::ostream& operator<<(std::ostream& out, const ComparableDelta& x) {
    if (const auto* cell = std::get_if<DottedCell>(&x.delta.value())) {
      for (const Sibling& s : cell->siblings()) {
        out << s.bytes << ' ';
      }
    }
    out << "killed";
    for (const auto& c : x.delta.killed().components()) {
      out << ' ' << c.origin.node << '.' << c.origin.epoch << ':' << c.n;
    }
    return out;
  }
};

ComparableDelta joined(const ComparableDelta& newer, const ComparableDelta& older) {
  ComparableDelta result = newer;
  result.delta.join_onto(older.delta);
  return result;
}

// Changes of one cell in an order the gate allows: every context covers less than what was applied
// before, and all of the writer's own.
struct CellChange {
  Sibling sibling;
  bool kills_only = false;
  VersionVector context;
};
std::vector<CellChange> random_gated_changes() {
  std::vector<CellChange> changes;
  VersionVector applied;
  for (std::uint64_t i = number(0, 10); i > 0; --i) {
    const Origin origin = random_origin();
    CellChange change;
    change.context = applied;
    change.context.meet(random_vector(false));
    change.context.advance({origin, applied.at(origin)});
    change.sibling = sibling_of({origin, applied.at(origin) + 1});
    change.kills_only = coin();
    applied.advance(change.sibling.dot);
    changes.push_back(std::move(change));
  }
  return changes;
}
void apply(CellDelta& delta, const CellChange& change) {
  change.kills_only ? delta.kill(change.context) : delta.assign(change.sibling, change.context);
}

OriginTable table_of(const CellValue& value) {
  OriginTable table;
  if (const auto* totals = std::get_if<OriginTotals>(&value)) {
    for (const TotalPart& part : totals->parts()) {
      table.intern(part.reset_by.origin);
      table.intern(part.origin);
    }
  } else {
    for (const Sibling& sibling : std::get<DottedCell>(value).siblings()) {
      table.intern(sibling.dot.origin);
    }
  }
  return table;
}

}  // namespace

TEST_CASE("deltas of dotted cells are a lattice") {
  check_join_laws(
      "dotted deltas", [] { return ComparableDelta{random_delta(CellKind::string_register)}; },
      joined);
  for (const CellKind kind : {CellKind::scored_member, CellKind::deadline}) {
    check_join_laws(
        "deltas of scores and deadlines", [&] { return ComparableDelta{random_delta(kind)}; },
        joined);
  }
}

TEST_CASE("deltas of totals are a lattice") {
  check_join_laws(
      "total deltas", [] { return ComparableDelta{random_delta(CellKind::string_totals)}; },
      joined);
  check_join_laws(
      "deltas of increments of scores",
      [] { return ComparableDelta{random_delta(CellKind::scored_totals)}; }, joined);
}

TEST_CASE("a change is the join of one operand: applying it twice changes nothing") {
  check_property("a change applied twice", 10'000, [] {
    CellDelta once = random_delta(CellKind::string_register);
    const CellChange change{sibling_of(random_dot()), false, {}};
    apply(once, change);
    CellDelta twice = once;
    apply(twice, change);
    RC_ASSERT(ComparableDelta{once} == ComparableDelta{twice});
    CellDelta operand(CellKind::string_register);
    apply(operand, change);
    RC_ASSERT(joined({operand}, {once}) == ComparableDelta{once});
  });
}

TEST_CASE("pending changes joined onto the whole cell give what applying them one by one gives") {
  check_property("partial joins onto whole", 10'000, [] {
    const std::vector<CellChange> changes = random_gated_changes();
    const std::size_t stored = number(0, changes.size());
    const std::size_t cut = number(stored, changes.size());
    CellDelta whole = CellDelta::whole(empty_cell(CellKind::string_register));
    CellDelta first(CellKind::string_register);
    CellDelta second(CellKind::string_register);
    CellDelta one_by_one = whole;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      apply(i < stored ? whole : i < cut ? first : second, changes[i]);
      apply(one_by_one, changes[i]);
    }
    // Either side of the two joins may be done first.
    CellDelta pending = second;
    pending.join_onto(first);
    pending.join_onto(whole);
    CellDelta stepwise = first;
    stepwise.join_onto(whole);
    CellDelta last = second;
    last.join_onto(stepwise);
    RC_ASSERT(pending.is_whole());
    RC_ASSERT(pending.value() == one_by_one.value());
    RC_ASSERT(last.value() == one_by_one.value());
  });
}

TEST_CASE(
    "dropping the kill context of a whole cell is sound, because the gate lets nothing older in") {
  check_property("kill contexts may be dropped once whole", 10'000, [] {
    CellDelta forgets = CellDelta::whole(empty_cell(CellKind::string_register));
    CellDelta remembers(CellKind::string_register);  // partial for ever: keeps every context
    for (const CellChange& change : random_gated_changes()) {
      apply(forgets, change);
      apply(remembers, change);
      RC_ASSERT(forgets.value() == remembers.value());
      RC_ASSERT(forgets.killed().empty());
    }
  });
}

TEST_CASE(
    "a partial delta must keep its kill context: without it the stored sibling would come back") {
  VersionVector seen;
  seen.advance({a, 1});
  CellDelta stored = CellDelta::whole(empty_cell(CellKind::string_register));
  stored.assign({{a, 1}, 1, "old"}, {});
  CellDelta pending(CellKind::string_register);
  pending.kill(seen);
  CHECK(is_empty(pending.value()));
  CHECK(pending.killed() == seen);
  pending.join_onto(stored);
  CHECK(is_empty(pending.value()));
}

TEST_CASE("a write whose kill is already known does not come back into a partial delta") {
  VersionVector seen;
  seen.advance({a, 2});
  CellDelta pending(CellKind::string_register);
  pending.kill(seen);
  pending.assign({{a, 1}, 1, "old"}, {});
  CHECK(is_empty(pending.value()));
  pending.assign({{b, 1}, 1, "unseen"}, {});
  CHECK_FALSE(is_empty(pending.value()));
}

TEST_CASE("a whole delta is not changed by joining it onto what it was made of") {
  CellDelta base = CellDelta::whole(empty_cell(CellKind::string_register));
  CellDelta whole = base;
  whole.assign({{a, 1}, 1, "x"}, {});
  const CellValue before = whole.value();
  whole.join_onto(base);
  CHECK(whole.value() == before);
}

TEST_CASE("a kill of a scope leaves totals alone: they are reset by name") {
  CellDelta totals(CellKind::string_totals);
  totals.add({.origin = a,
              .life = 1,
              .n = 1,
              .total = Total::of(5),
              .base_n = 0,
              .base = {},
              .reset_by = {}});
  VersionVector all;
  all.advance({a, 9});
  totals.kill(all);
  CHECK(is_present(totals.value()));
}

TEST_CASE("empty and absent are the same, and residue is stored but not present") {
  CHECK(is_empty(empty_cell(CellKind::flag)));
  OriginTotals totals;
  totals.join(totals.increment(a, 1, Total::of(5)));
  totals.reset(totals.observed()[0], {a, 2});
  CHECK_FALSE(is_empty(CellValue(totals)));
  CHECK_FALSE(is_present(CellValue(totals)));
  CHECK(canonical_live(CellKind::string_totals, CellValue(totals)).empty());
}

TEST_CASE("a stored cell comes back, and equal cells have equal bytes") {
  check_property("stored cells come back", 10'000, [] {
    const CellKind kind = coin() ? CellKind::string_register : CellKind::hash_totals;
    const CellValue value = random_delta(kind).value();
    const OriginTable table = table_of(value);
    const std::string bytes = encode_stored(kind, value, table);
    const auto decoded = decode_stored(kind, bytes, table);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(*decoded == value);
    RC_ASSERT(encode_stored(kind, *decoded, table) == bytes);
    RC_ASSERT(canonical_live(kind, *decoded) == canonical_live(kind, value));
  });
}

TEST_CASE("a set element takes four bytes: version, origin and dot") {
  DottedCell cell;
  cell.assign({{a, 300}, 0, ""});
  OriginTable table;
  table.intern(a);
  CHECK(encode_stored(CellKind::set_element, CellValue(cell), table).size() == 4);
}

TEST_CASE("bytes that are not a cell are an error and never an absent cell") {
  OriginTable table;
  table.intern(a);
  const auto refused = [&](CellKind kind, const std::string& bytes) {
    return !decode_stored(kind, bytes, table).has_value();
  };
  CHECK(refused(CellKind::flag, ""));
  CHECK(refused(CellKind::flag, std::string("\x01\x00\x01", 3)));          // another version
  CHECK(refused(CellKind::flag, std::string("\x00\x01\x01", 3)));          // an origin nobody knows
  CHECK(refused(CellKind::flag, std::string("\x00\x00\x00", 3)));          // dot 0
  CHECK(refused(CellKind::flag, std::string("\x00\x00\x01\x00\x02", 5)));  // one origin twice
  CHECK(refused(CellKind::flag, std::string("\x00\x00", 2)));              // cut short
  CHECK(
      refused(CellKind::string_totals, std::string("\x00\x00\x00\x01\x00\x02\x00", 7)));  // life 0
}

TEST_CASE("an origin table gives every origin one number") {
  OriginTable table;
  CHECK(table.intern(a) == 0);
  CHECK(table.intern(b) == 1);
  CHECK(table.intern(a) == 0);
  CHECK(table.find(b) == 1);
  CHECK_FALSE(table.find(origin_of(9)).has_value());
  CHECK(*table.origin(1) == b);
  CHECK(table.origin(2) == nullptr);
}

TEST_CASE("memory held outside the cell is counted") {
  DottedCell cell;
  CHECK(heap_size(CellValue(cell)) == 0);
  cell.assign({{a, 1}, 1, std::string(1000, 'x')});
  CHECK(heap_size(CellValue(cell)) >= 1000);
}

}  // namespace starling::test
