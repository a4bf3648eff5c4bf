#include "tests/sim/oracle.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "tests/sim/door_command.h"
#include "tests/sim/oracle_act.h"

namespace starling::sim {
namespace {

using wire::Command;
using wire::Result;

constexpr std::array all_types{ObjectType::string, ObjectType::hash,        ObjectType::set,
                               ObjectType::flag,   ObjectType::mv_register, ObjectType::sorted_set};
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

std::optional<std::int64_t> as_integer(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || std::to_string(value) != text) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::int64_t clamped(Int128 value) {
  constexpr Int128 low = std::numeric_limits<std::int64_t>::min();
  constexpr Int128 high = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp(value, low, high));
}

EntryId Oracle::add_entry(OracleEntry entry) {
  entries_.push_back(std::move(entry));
  return static_cast<EntryId>(entries_.size() - 1);
}

bool Oracle::sees(const View& view, EntryId id) const {
  return id == view.pending || view.seen->at(entries_[id].origin) >= entries_[id].last;
}

bool Oracle::shows(const View& view, const Atom& atom) const {
  return sees(view, atom.entry) &&
         std::ranges::none_of(atom.taken_by, [&](EntryId taker) { return sees(view, taker); });
}

std::optional<std::string> Oracle::Number::text() const {
  if (!incremented) {
    return winner;
  }
  const auto base = winner ? as_integer(*winner) : 0;
  return base ? std::to_string(clamped(*base + sum)) : *winner;
}

std::optional<std::int64_t> Oracle::Number::integer() const {
  const auto base = winner ? as_integer(*winner) : 0;
  return base ? std::optional(clamped(*base + sum)) : std::nullopt;
}

bool Oracle::Object::has(ObjectType type) const {
  switch (type) {
    case ObjectType::string:
      return string.exists();
    case ObjectType::hash:
      return !fields.empty();
    case ObjectType::set:
      return !elements.empty();
    case ObjectType::flag:
      return flag;
    case ObjectType::mv_register:
      return !mv.empty();
    case ObjectType::sorted_set:
      return !members.empty();
    case ObjectType::none:
      break;
  }
  return false;
}

bool Oracle::Object::has_any() const {
  return std::ranges::any_of(all_types, [&](ObjectType type) { return has(type); });
}

// By its header; without one by the oldest sibling of the first cell that shows and keeps a time.
Hlc Oracle::Object::created(ObjectType type) const {
  if (const auto header = headers.find(type); header != headers.end()) {
    return header->second;
  }
  if (type == ObjectType::string) {
    return string.oldest;
  }
  if (type == ObjectType::hash) {
    const Number* first = nullptr;  // in the order of rows (decision 0005)
    std::uint32_t first_place = 0;
    for (const auto& [field, number] : fields) {
      if (number.winner && (first == nullptr || place_of(field) < first_place)) {
        first = &number;
        first_place = place_of(field);
      }
    }
    if (first != nullptr) {
      return first->oldest;
    }
  }
  if (type == ObjectType::sorted_set) {
    const Member* first = nullptr;  // in the order of rows
    std::uint32_t first_place = 0;
    for (const auto& [name, member] : members) {
      if (!member.bases.empty() && (first == nullptr || place_of(name) < first_place)) {
        first = &member;
        first_place = place_of(name);
      }
    }
    if (first != nullptr) {
      return first->oldest;
    }
  }
  if (type == ObjectType::mv_register) {
    Hlc oldest = UINT64_MAX;
    for (const auto& [bytes, hlc] : mv) {
      oldest = std::min(oldest, hlc);
    }
    return oldest;
  }
  return 0;
}

ObjectType Oracle::Object::visible() const {
  std::pair<Hlc, ObjectType> best{0, ObjectType::none};
  for (const ObjectType type : all_types) {
    if (!expired && has(type)) {
      best = std::max(best, std::pair(created(type), type));
    }
  }
  return best.second;
}

void Oracle::show(Object& object, const Atom& atom) const {
  const OracleEntry& entry = entries_[atom.entry];
  const Hlc hlc = entry.hlc;
  const Rank rank(hlc, entry.origin, entry.first);
  const auto value = [&](Number& number) {
    number.oldest = number.winner ? std::min(number.oldest, hlc) : hlc;
    if (!number.winner || rank > number.rank) {
      number.winner = atom.bytes;
      number.rank = rank;
    }
  };
  const auto increment = [&](Number& number) {
    number.incremented = true;
    number.sum += atom.delta;
  };
  switch (atom.part) {
    case Part::string_value:
      return value(object.string);
    case Part::string_increment:
      return increment(object.string);
    case Part::element:
      object.elements[atom.sub] = true;
      return;
    case Part::field_value:
      return value(object.fields[atom.sub]);
    case Part::field_increment:
      return increment(object.fields[atom.sub]);
    case Part::flag:
      object.flag = true;
      return;
    case Part::mv_value: {
      const auto [it, fresh] = object.mv.try_emplace(atom.bytes, hlc);
      it->second = std::min(it->second, hlc);
      return;
    }
    case Part::score: {
      Member& member = object.members[atom.sub];
      member.oldest = member.bases.empty() ? hlc : std::min(member.oldest, hlc);
      member.bases.push_back({rank, atom.real, atom.rule});
      return;
    }
    case Part::score_increment:
      object.members[atom.sub].sum += atom.real;
      return;
    case Part::deadline:
      object.deadline = std::max(object.deadline.value_or(atom.delta), atom.delta);
      ++object.deadlines;
      return;
    case Part::header: {
      Hlc& created = object.headers[atom.type];
      created = std::max(created, hlc);
    }
  }
}

Oracle::Object Oracle::look(const Atoms& atoms, const View& view) const {
  Object object;
  for (const Atom& atom : atoms) {
    if (shows(view, atom)) {
      show(object, atom);
    }
  }
  object.expired = object.deadline && *object.deadline <= view.time_ms && object.has_any();
  return object;
}

// The later base; among raises the greatest, among lowerings the smallest of those that nobody has
// taken away. What was added unseen comes on top.
double Oracle::Member::score() const {
  if (bases.empty()) {
    return sum;
  }
  const Base& winner = *std::ranges::max_element(bases, {}, &Base::rank);
  double score = winner.score;
  for (const Base& base : bases) {
    if (winner.rule == Rule::greatest && base.rule == Rule::greatest) {
      score = std::max(score, base.score);
    } else if (winner.rule == Rule::smallest && base.rule == Rule::smallest) {
      score = std::min(score, base.score);
    }
  }
  return std::isfinite(score) ? score + sum : score;
}

void Oracle::leave(const ObjectKey& key, const View& view, Atom atom) {
  if (view.pending != no_entry) {
    atom.entry = view.pending;
    by_key_[key].push_back(std::move(atom));
    left_.push_back(key);
  }
}

void Oracle::undo() {
  for (auto it = taken_.rbegin(); it != taken_.rend(); ++it) {
    by_key_[it->key][it->atom].taken_by.pop_back();
  }
  for (const ObjectKey& key : left_) {
    by_key_[key].pop_back();
  }
  keep();
}

void Oracle::keep() {
  taken_.clear();
  left_.clear();
}

Oracle::Answer Oracle::execute(const std::vector<Command>& commands, const VersionVector& seen,
                               std::int64_t time_ms, EntryId as) {
  // Without an entry, one that exists only while the commands run.
  const bool temporary = as == no_entry;
  if (temporary) {
    OracleEntry entry;
    entry.origin.epoch = UINT32_MAX;  // nobody has seen it
    entry.last = UINT64_MAX;
    entry.hlc = UINT64_MAX;
    as = add_entry(std::move(entry));
  }
  const View view{&seen, time_ms, as};
  keep();
  Answer answer;
  for (const Command& command : commands) {
    Result result = act(*this, command, view, answer);
    // One that fails in a MULTI changes nothing, and the others go on; a native request fails
    // whole.
    if (std::holds_alternative<wire::Error>(result) && !is_door(command)) {
      answer.results = {std::move(result)};
      answer.wrote = false;
      undo();
      break;
    }
    answer.results.push_back(std::move(result));
  }
  if (temporary) {
    if (answer.wrote && commands.size() == 1) {
      const ObjectKey key{commands.front().db, commands.front().key};
      answer.leaves = shown(key, {&seen, before_all_time, as});
    }
    undo();
    entries_.pop_back();
  }
  return answer;
}

void Oracle::expire(const std::vector<ObjectKey>& keys, const std::vector<ObjectKey>& left_over,
                    const VersionVector& seen, EntryId as) {
  const View view{&seen, before_all_time, as};
  for (const ObjectKey& key : keys) {
    take(key, view, [](const Atom&) { return true; });
  }
  for (const ObjectKey& key : left_over) {
    take(key, view, [](const Atom& atom) { return atom.part == Part::deadline; });
  }
  keep();
}

bool same(const Result& got, const Result& wanted) {
  const auto* error = std::get_if<wire::Error>(&wanted);
  if (error == nullptr) {
    return got == wanted;
  }
  const auto* other = std::get_if<wire::Error>(&got);
  return other != nullptr && other->code == error->code;
}

bool same(const std::vector<Result>& got, const std::vector<Result>& wanted) {
  return std::ranges::equal(got, wanted,
                            [](const Result& a, const Result& b) { return same(a, b); });
}

bool Oracle::Member::disputed() const {
  if (bases.empty()) {
    return false;
  }
  const Rule rule = std::ranges::max_element(bases, {}, &Base::rank)->rule;
  return rule != Rule::plain && std::ranges::count(bases, rule, &Base::rule) > 1;
}

std::vector<std::string> Oracle::keys(std::uint8_t db, const VersionVector& seen) const {
  std::vector<std::string> keys;
  for (const auto& [key, atoms] : by_key_) {
    if (key.db == db && look(atoms, {&seen}).has_any()) {
      keys.push_back(key.key);
    }
  }
  return keys;
}

std::optional<Oracle::Deadline> Oracle::deadline(const ObjectKey& key,
                                                 const VersionVector& seen) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    return std::nullopt;
  }
  const Object object = look(found->second, {&seen});
  return object.deadline && *object.deadline != never
             ? std::optional(Deadline{*object.deadline, object.has_any()})
             : std::nullopt;
}

std::map<ObjectKey, Oracle::Deadline> Oracle::deadlines(const VersionVector& seen) const {
  std::map<ObjectKey, Deadline> all;
  for (const auto& [key, atoms] : by_key_) {
    if (const auto found = deadline(key, seen)) {
      all.emplace(key, *found);
    }
  }
  return all;
}

bool Oracle::risen(const ObjectKey& key, const std::string& bytes,
                   const VersionVector& seen) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    return false;
  }
  const View view{&seen};
  bool taken = false;
  for (const Atom& atom : found->second) {
    if ((atom.bytes == bytes || atom.sub == bytes) && sees(view, atom.entry)) {
      if (shows(view, atom)) {
        return false;
      }
      taken = true;
    }
  }
  return taken;
}

}  // namespace starling::sim
