#include "tests/sim/history.h"

#include <algorithm>
#include <utility>

namespace starling::sim {
namespace {

std::string name_of(const Dot& dot) {
  return std::to_string(dot.origin.node % 10'000) + "." + std::to_string(dot.origin.nonce % 1000) +
         ":" + std::to_string(dot.n);
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  try {
    std::size_t used = 0;
    const std::int64_t value = std::stoll(std::string(text), &used);
    return used == text.size() && std::to_string(value) == text ? std::optional(value)
                                                                : std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<std::string> History::add(const Origin& origin, std::uint64_t first,
                                        std::uint64_t last, std::string_view bytes) {
  auto& log = log_[origin];
  if (const auto known = log.find(first); known != log.end()) {
    if (known->second.bytes != bytes) {
      return "I1: dot " + name_of({origin, first}) + " was used for two different entries";
    }
    return std::nullopt;
  }
  OriginStream& stream = streams_[origin];
  if (first != stream.n + 1) {
    return "I1: entry " + name_of({origin, first}) + " does not follow its origin's last, " +
           std::to_string(stream.n);
  }
  const auto entry = decode_entry(bytes, origin, stream);
  if (!entry) {
    return "an entry of " + name_of({origin, first}) + " does not decode";
  }
  log[first] = {last, std::string(bytes), entry->deps};
  ++entries_;
  if (entry->op_id) {
    by_op_id_[*entry->op_id].push_back({origin, last});
  }
  VersionVector context = entry->deps;
  for (std::size_t i = 0; i < entry->ops.size(); ++i) {
    by_key_[entry->ops[i].key.object].push_back(
        {entry->dot(i), entry->hlc, context, entry->ops[i]});
    context.advance(entry->dot(i));
  }
  return std::nullopt;
}

std::optional<std::string> History::check_vector(const VersionVector& v) const {
  for (const auto& c : v.components()) {
    const auto log = log_.find(c.origin);
    if (log == log_.end()) {
      return "I4: V names an origin that wrote nothing";
    }
    auto entry = log->second.upper_bound(c.n);
    if (entry == log->second.begin() || (--entry)->second.last != c.n) {
      return "I4: V ends inside or behind the entries of its origin, at " +
             name_of({c.origin, c.n});
    }
    if (!entry->second.deps.leq(v)) {
      return "I4: " + name_of({c.origin, c.n}) + " was applied before what it had seen";
    }
  }
  return std::nullopt;
}

std::vector<const History::Write*> History::live(const Writes& writes, const CellName& cell,
                                                 const VersionVector& v) const {
  std::vector<const Write*> live;
  for (const Write& write : writes) {
    if (!std::holds_alternative<Assign>(write.op.change) || write.op.key.cell != cell ||
        !v.covers(write.dot)) {
      continue;
    }
    const bool killed = std::ranges::any_of(writes, [&](const Write& other) {
      const bool kills =
          std::holds_alternative<Kill>(other.op.change) ||
          (other.op.key.cell == cell && (std::holds_alternative<Assign>(other.op.change) ||
                                         std::holds_alternative<Remove>(other.op.change)));
      return kills && v.covers(other.dot) && other.context.covers(write.dot);
    });
    if (!killed) {
      live.push_back(&write);
    }
  }
  return live;
}

std::vector<const History::Write*> History::counted(const Writes& writes, const CellName& cell,
                                                    const VersionVector& v) const {
  std::vector<const Write*> counted;
  for (const Write& write : writes) {
    if (!std::holds_alternative<Increment>(write.op.change) || write.op.key.cell != cell ||
        !v.covers(write.dot)) {
      continue;
    }
    const bool reset = std::ranges::any_of(writes, [&](const Write& other) {
      return std::holds_alternative<Reset>(other.op.change) && other.op.key.cell == cell &&
             v.covers(other.dot) && other.context.covers(write.dot);
    });
    if (!reset) {
      counted.push_back(&write);
    }
  }
  return counted;
}

std::set<CellName> History::cells(const Writes& writes, const VersionVector& v) const {
  std::set<CellName> cells;
  for (const Write& write : writes) {
    if (!std::holds_alternative<Kill>(write.op.change) && v.covers(write.dot)) {
      cells.insert(write.op.key.cell);
    }
  }
  return cells;
}

std::optional<std::string> History::text(const Writes& writes, const CellName& base,
                                         const CellName& increments, const VersionVector& v) const {
  const auto siblings = live(writes, base, v);
  const auto added = counted(writes, increments, v);
  if (siblings.empty() && added.empty()) {
    return std::nullopt;
  }
  std::int64_t sum = 0;
  for (const Write* write : added) {
    sum += saturate(std::get<Increment>(write->op.change).delta.units);
  }
  if (siblings.empty()) {
    return std::to_string(sum);
  }
  const Write* winner = *std::ranges::max_element(siblings, [](const Write* a, const Write* b) {
    return std::pair(a->hlc, a->dot) < std::pair(b->hlc, b->dot);
  });
  const std::string& bytes = std::get<Assign>(winner->op.change).bytes;
  const auto number = integer_of(bytes);
  return number && !added.empty() ? std::to_string(*number + sum) : bytes;
}

ObjectType History::visible(const Writes& writes, const VersionVector& v) const {
  std::map<ObjectType, Hlc> created;
  std::map<ObjectType, Hlc> first_cell;
  for (const CellName& cell : cells(writes, v)) {  // in key order: headers first
    if (cell.kind == CellKind::header) {
      const auto siblings = live(writes, cell, v);
      if (!siblings.empty()) {
        const Write* winner =
            *std::ranges::max_element(siblings, [](const Write* a, const Write* b) {
              return std::pair(a->hlc, a->dot) < std::pair(b->hlc, b->dot);
            });
        created[static_cast<ObjectType>(cell.subkey[0])] = winner->hlc;
      }
      continue;
    }
    const ObjectType type = object_type(cell.kind);
    if (is_totals(cell.kind)) {
      if (!counted(writes, cell, v).empty()) {
        first_cell.try_emplace(type, 0);
      }
      continue;
    }
    const auto siblings = live(writes, cell, v);
    if (!siblings.empty()) {
      Hlc oldest = siblings.front()->hlc;
      for (const Write* sibling : siblings) {
        oldest = std::min(oldest, sibling->hlc);
      }
      first_cell.try_emplace(type, has_payload(cell.kind) ? oldest : 0);
    }
  }
  std::pair<Hlc, ObjectType> best{0, ObjectType::none};
  for (const auto& [type, hlc] : first_cell) {
    const auto header = created.find(type);
    best = std::max(best, std::pair(header != created.end() ? header->second : hlc, type));
  }
  return best.second;
}

wire::Result History::expected(const wire::Command& command, const VersionVector& v) const {
  using wire::CommandCode;
  static const Writes nothing;
  const auto found = by_key_.find({command.db, command.key});
  const Writes& writes = found == by_key_.end() ? nothing : found->second;
  const ObjectType type = visible(writes, v);
  const auto wrong = [&](ObjectType wanted) { return type != ObjectType::none && type != wanted; };
  const wire::Error wrong_type{wire::ErrorCode::wrong_type, {}};
  switch (command.code) {
    case CommandCode::type:
      return std::string(type_name(type));
    case CommandCode::get: {
      if (wrong(ObjectType::string)) {
        return wrong_type;
      }
      auto value = text(writes, {CellKind::string_register, ""}, {CellKind::string_totals, ""}, v);
      return value ? wire::Result(*value) : wire::Result(wire::Nil{});
    }
    case CommandCode::set_members: {
      if (wrong(ObjectType::set)) {
        return wrong_type;
      }
      std::vector<std::string> members;
      for (const CellName& cell : cells(writes, v)) {
        if (cell.kind == CellKind::set_element && !live(writes, cell, v).empty()) {
          members.push_back(cell.subkey);
        }
      }
      return members;
    }
    case CommandCode::hash_get_all: {
      if (wrong(ObjectType::hash)) {
        return wrong_type;
      }
      std::set<std::string> fields;
      for (const CellName& cell : cells(writes, v)) {
        if (object_type(cell.kind) == ObjectType::hash) {
          fields.insert(cell.subkey);
        }
      }
      std::vector<std::string> flat;
      for (const std::string& field : fields) {
        if (auto value =
                text(writes, {CellKind::hash_field, field}, {CellKind::hash_totals, field}, v)) {
          flat.push_back(field);
          flat.push_back(*value);
        }
      }
      return flat;
    }
    case CommandCode::flag_get:
      if (wrong(ObjectType::flag)) {
        return wrong_type;
      }
      return std::int64_t{live(writes, {CellKind::flag, ""}, v).empty() ? 0 : 1};
    case CommandCode::mv_get: {
      if (wrong(ObjectType::mv_register)) {
        return wrong_type;
      }
      std::set<std::string> values;
      for (const Write* sibling : live(writes, {CellKind::mv_register, ""}, v)) {
        values.insert(std::get<Assign>(sibling->op.change).bytes);
      }
      return std::vector<std::string>(values.begin(), values.end());
    }
    default:
      return wire::Nil{};
  }
}

Digest History::digest(const VersionVector& v) const {
  Digest sum;
  for (const auto& [object, writes] : by_key_) {
    for (const CellName& cell : cells(writes, v)) {
      if (is_totals(cell.kind)) {
        std::map<Origin, TotalPart> parts;
        for (const Write* write : counted(writes, cell, v)) {
          TotalPart& part = parts[write->dot.origin];
          part.origin = write->dot.origin;
          part.life = 1;
          part.n = std::max(part.n, write->dot.n);
          part.total = part.total + std::get<Increment>(write->op.change).delta;
        }
        OriginTotals totals;
        for (const auto& [origin, part] : parts) {
          totals.join(part);
        }
        sum += digest_of({object, cell}, totals);
        continue;
      }
      DottedCell siblings;
      for (const Write* write : live(writes, cell, v)) {
        siblings.assign({write->dot, has_payload(cell.kind) ? write->hlc : 0,
                         std::get<Assign>(write->op.change).bytes});
      }
      sum += digest_of({object, cell}, siblings);
    }
  }
  return sum;
}

std::vector<Dot> History::entries_of(const OpId& id) const {
  const auto found = by_op_id_.find(id);
  return found == by_op_id_.end() ? std::vector<Dot>{} : found->second;
}

}  // namespace starling::sim
