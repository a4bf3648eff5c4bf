#include "tests/sim/oracle_act.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "tests/sim/door_command.h"

namespace starling::sim {

using wire::Error;
using wire::ErrorCode;
using wire::Result;

void Act::look() {
  const auto found = oracle_.by_key_.find(key_);
  object_ = found == oracle_.by_key_.end() ? Object{} : oracle_.look(found->second, view_);
  if (object_.expired) {
    Object hidden;
    hidden.deadline = object_.deadline;
    hidden.expired = true;
    object_ = std::move(hidden);
  }
}

void Act::note() {
  const auto hit = [&](bool happens, const char* branch) {
    if (happens) {
      answer_.branches.emplace_back(branch);
    }
  };
  hit(object_.expired, "branch expired key hidden");
  hit(object_.deadlines > 1, "branch later of concurrent deadlines");
  hit(!exists() && !object_.expired && object_.deadline.has_value(), "branch deadline of no key");
  hit(std::ranges::any_of(object_.members, [](const auto& one) { return one.second.disputed(); }),
      "branch concurrent raises or lowerings");
}

std::optional<std::int64_t> Act::deadline() const {
  constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
  return exists() && object_.deadline != never ? object_.deadline : std::nullopt;
}

// ---------------------------------------------------------------- coming and going

void Act::make_way() {
  if (object_.expired) {
    erase();
    answer_.branches.emplace_back("branch write takes the expired key away first");
  } else if (!exists() && object_.deadline) {
    take_deadline();
  }
}

void Act::create(ObjectType type) {
  make_way();
  if (!object_.has(type) && type != ObjectType::string) {
    oracle_.take(key_, view_, [&](const Oracle::Atom& atom) {
      return atom.part == Part::header && atom.type == type;
    });
    leave({.part = Part::header, .type = type});
  }
  answer_.wrote = true;
}

void Act::clear_for(ObjectType type, bool keep_deadline) {
  make_way();
  bool others = false;
  for (const ObjectType other :
       {ObjectType::string, ObjectType::hash, ObjectType::set, ObjectType::flag,
        ObjectType::mv_register, ObjectType::sorted_set}) {
    const bool collection =
        other == ObjectType::hash || other == ObjectType::set || other == ObjectType::sorted_set;
    others = others || (object_.has(other) && (other != type || collection));
  }
  if (others) {
    const auto kept = deadline();
    erase();
    if (keep_deadline && kept) {
      create(type);  // or the deadline would be that of no key
      set_deadline(*kept);
      return;
    }
  } else if (!keep_deadline && object_.deadline) {
    take_deadline();
  }
  create(type);
}

void Act::erase() {
  oracle_.take(key_, view_, [](const Oracle::Atom&) { return true; });
  object_ = {};
  ++answer_.kills;
  answer_.wrote = true;
}

void Act::settle(ObjectType type) {
  look();
  if (object_.has(type)) {
    return;
  }
  oracle_.take(key_, view_, [&](const Oracle::Atom& atom) {
    return atom.part == Part::header && atom.type == type;
  });
  if (!object_.has_any() && object_.deadline) {
    take_deadline();
  }
}

void Act::take_part(Part part, const std::string& sub) {
  oracle_.take(key_, view_,
               [&](const Oracle::Atom& atom) { return atom.part == part && atom.sub == sub; });
}

void Act::take_deadline() {
  take_part(Part::deadline);
  object_.deadline.reset();
  answer_.wrote = true;
}

void Act::set_deadline(std::int64_t unix_ms) {
  take_part(Part::deadline);
  leave({.part = Part::deadline, .delta = unix_ms});
  answer_.deadlines.push_back(unix_ms);
  object_.deadline = unix_ms;
}

void Act::leave(Oracle::Atom atom) {
  oracle_.leave(key_, view_, std::move(atom));
  answer_.wrote = true;
}

void Act::leave_value(Part part, ObjectType type, const std::string& sub, std::string bytes) {
  take_part(part, sub);
  leave({.part = part, .type = type, .sub = sub, .bytes = std::move(bytes)});
}

// ---------------------------------------------------------------- strings and numbers

Result Act::add(const Number& number, Part part, const std::string& sub, std::int64_t delta) {
  const auto before = number.integer();
  if (!before) {
    return Error{ErrorCode::not_a_number, {}};
  }
  const Int128 sum = static_cast<Int128>(*before) + delta;
  if (sum != clamped(sum)) {
    return Error{ErrorCode::overflow, {}};
  }
  const ObjectType type = part == Part::string_increment ? ObjectType::string : ObjectType::hash;
  create(type);
  leave({.part = part, .type = type, .sub = sub, .delta = delta});
  return static_cast<std::int64_t>(sum);
}

void Act::set_string(const std::string& text, bool keep_deadline) {
  clear_for(ObjectType::string, keep_deadline);
  take_part(Part::string_increment);
  leave_value(Part::string_value, ObjectType::string, {}, text);
}

// ---------------------------------------------------------------- sets and hashes

std::int64_t Act::add_elements(std::span<const std::string> elements) {
  const std::map<std::string, bool> before = object_.elements;
  create(ObjectType::set);
  std::set<std::string> added;
  for (const std::string& element : elements) {
    if (!before.contains(element)) {
      added.insert(element);
    }
    leave_value(Part::element, ObjectType::set, element, {});
  }
  return static_cast<std::int64_t>(added.size());
}

std::int64_t Act::remove_elements(std::span<const std::string> elements) {
  std::set<std::string> removed;
  for (const std::string& element : elements) {
    if (object_.elements.contains(element)) {
      removed.insert(element);
      take_part(Part::element, element);
    }
  }
  if (!removed.empty()) {
    answer_.wrote = true;
    settle(ObjectType::set);
  }
  return static_cast<std::int64_t>(removed.size());
}

std::int64_t Act::set_fields(std::span<const std::string> pairs) {
  const auto before = object_.fields;
  create(ObjectType::hash);
  std::set<std::string> fresh;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const std::string& field = pairs[i];
    if (!before.contains(field)) {
      fresh.insert(field);
    }
    take_part(Part::field_increment, field);
    leave_value(Part::field_value, ObjectType::hash, field, pairs[i + 1]);
  }
  return static_cast<std::int64_t>(fresh.size());
}

std::int64_t Act::remove_fields(std::span<const std::string> fields) {
  std::set<std::string> removed;
  for (const std::string& field : fields) {
    if (object_.fields.contains(field)) {
      removed.insert(field);
      take_part(Part::field_value, field);
      take_part(Part::field_increment, field);
    }
  }
  if (!removed.empty()) {
    answer_.wrote = true;
    settle(ObjectType::hash);
  }
  return static_cast<std::int64_t>(removed.size());
}

Result Act::add_to_field(const std::string& field, std::int64_t delta) {
  const auto number = object_.fields.find(field);
  return add(number == object_.fields.end() ? Number{} : number->second, Part::field_increment,
             field, delta);
}

std::vector<std::string> Act::elements() const {
  std::vector<std::string> elements;
  for (const auto& [element, in] : object_.elements) {
    elements.push_back(element);
  }
  return elements;
}

std::vector<std::string> Act::fields() const {
  std::vector<std::string> flat;
  for (const auto& [field, number] : object_.fields) {
    flat.push_back(field);
    flat.push_back(*number.text());
  }
  return flat;
}

// ---------------------------------------------------------------- databases

void Act::flush(std::optional<std::uint8_t> db) {
  for (const auto& [key, atoms] : oracle_.by_key_) {
    if (!db || key.db == *db) {
      oracle_.take(key, view_, [](const Oracle::Atom&) { return true; });
    }
  }
  answer_.wrote = true;
}

// Those that have expired are counted until somebody has killed them.
std::int64_t Act::count_keys() const {
  return std::ranges::count_if(oracle_.by_key_, [&](const auto& one) {
    return one.first.db == key_.db && oracle_.look(one.second, view_).has_any();
  });
}

wire::Result act(Oracle& oracle, const wire::Command& command, const Oracle::View& view,
                 Oracle::Answer& answer) {
  Act act(oracle, {command.db, command.key}, view, answer);
  if (!is_door(command)) {
    return act_at_native_door(act, command);
  }
  auto result = act_at_redis_door(act, command);
  answer.known = answer.known && result.has_value();
  return result.value_or(wire::Nil{});
}

}  // namespace starling::sim
