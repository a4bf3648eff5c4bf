// Random values as honest replicas produce them: a dot fixes its payload, (life, n) fixes a total.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rapidcheck.h>

#include "crdt/cell.h"
#include "tests/crdt/replica.h"

namespace starling::test {

inline std::uint64_t number(std::uint64_t low, std::uint64_t high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<std::uint64_t>(low, high + 1));
}
inline bool coin() { return number(0, 1) == 1; }

// Two nodes with three epochs each.
inline Origin random_origin() {
  return origin_of(number(1, 2), static_cast<std::uint32_t>(number(1, 3)));
}
inline Dot random_dot() {
  const Origin origin = random_origin();
  return {origin, number(1, 5)};
}

inline VersionVector random_vector(bool with_seals) {
  VersionVector vector;
  if (with_seals && coin()) {
    vector.seal(number(1, 2), static_cast<std::uint32_t>(number(1, 3)));
  }
  for (std::uint64_t i = number(0, 5); i > 0; --i) {
    vector.advance(random_dot());
  }
  return vector;
}

inline Sibling sibling_of(const Dot& dot) {
  return {dot, hlc_at(dot.n),
          std::to_string(dot.origin.node) + "." + std::to_string(dot.origin.epoch) + ":" +
              std::to_string(dot.n)};
}
inline Total total_at(std::uint64_t life, std::uint64_t n) {
  Total total = Total::of(static_cast<std::int64_t>(life * 100 + n));
  if (life == 3) {
    total.real = {static_cast<double>(n) / 4, 0};
  }
  return total;
}

inline void change_randomly(CellDelta& delta, CellKind kind) {
  if (!is_totals(kind)) {
    const VersionVector context = random_vector(true);
    const Dot dot = random_dot();
    // An op never kills itself.
    coin() && !context.covers(dot) ? delta.assign(sibling_of(dot), context) : delta.kill(context);
    return;
  }
  const Origin origin = random_origin();
  const std::uint64_t life = coin() ? 1 : 3;
  const std::uint64_t n = number(life, 6);
  if (coin()) {
    TotalPart part;
    part.origin = origin;
    part.life = life;
    part.n = n;
    part.total = total_at(life, n);
    delta.add(part);
  } else {
    delta.reset({origin, life, n, total_at(life, n)}, random_dot());
  }
}

inline CellDelta random_delta(CellKind kind) {
  CellDelta delta(kind);
  for (std::uint64_t i = number(0, 4); i > 0; --i) {
    change_randomly(delta, kind);
  }
  return delta;
}

// A version vector that honest ops of an entry may carry.
inline Entry random_entry(const Origin& self, const OriginStream& stream) {
  Entry entry;
  entry.origin = self;
  entry.first = stream.n + 1;
  entry.hlc = number(0, 1u << 30);
  entry.deps = stream.deps;
  entry.deps.join(random_vector(true));
  entry.deps.advance({self, stream.n});
  if (coin()) {
    entry.op_id = OpId{number(0, 1u << 30), number(0, 300)};
    entry.outcome = coin() ? "done" : "";
  }
  const std::vector<CellKind> dotted{
      CellKind::header, CellKind::string_register, CellKind::set_element, CellKind::hash_field,
      CellKind::flag,   CellKind::mv_register,     CellKind::deadline,    CellKind::scored_member};
  const std::vector<CellKind> summed{CellKind::string_totals, CellKind::hash_totals,
                                     CellKind::scored_totals};
  for (std::uint64_t i = number(1, 4); i > 0; --i) {
    const std::uint64_t n = entry.first + entry.ops.size();
    Op op;
    op.key.object = {static_cast<std::uint8_t>(number(0, 1)),
                     coin() ? "k" : std::string(number(0, 40), 'q')};
    const std::string subkey = coin() ? "" : "sub";
    op.key.cell = {dotted[number(0, dotted.size() - 1)], subkey};
    switch (number(0, 5)) {
      case 0:
        op.change = Assign{std::string(number(0, 300), 'v')};
        break;
      case 1:
        op.change = Remove{};
        break;
      case 2:
        op.change = Remove{random_vector(true)};
        break;
      case 3:
        op.key.cell = {summed[number(0, summed.size() - 1)], subkey};
        op.change = Increment{number(1, n), total_at(coin() ? 1 : 3, n), Total::of(-1)};
        break;
      case 4: {
        op.key.cell = {CellKind::string_totals, subkey};
        Reset reset;
        for (const auto& c : entry.deps.components()) {
          const std::uint64_t seen = number(1, c.n);
          reset.observed.push_back({c.origin, number(1, seen), seen, total_at(3, seen)});
        }
        op.change = std::move(reset);
        break;
      }
      default:
        op.key.cell = {};
        op.change = Kill{static_cast<ScopeLevel>(number(0, 2))};
    }
    entry.ops.push_back(std::move(op));
  }
  return entry;
}

}  // namespace starling::test
