// Sets: an add wins over a concurrent remove (semantics.md).
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "crdt/aw_set.h"
#include "crdt/string.h"
#include "server/resp/commands/families.h"
#include "server/resp/elements.h"
#include "server/resp/set_algebra.h"

namespace starling::resp {
namespace {

using replica::Object;
using replica::Presence;

using Strings = std::vector<std::string>;

std::optional<Object> set_at(Call& call, std::string_view key) {
  return call.object(key, ObjectType::set);
}

bool contains(const Object& object, std::string_view element) {
  return object.holds(ObjectType::set) &&
         set_contains(object.transaction().dotted(object.key(),
                                                  {CellKind::set_element, std::string(element)}));
}

// Adds it again if it is there: a concurrent remove has seen the earlier add, and not this one.
// Whether it is new.
bool add(Object& object, std::string_view element) {
  const bool present = contains(object, element);
  object.transaction().assign(object.cell(CellKind::set_element, element), {},
                              {.base = replica::presence(present)});
  return !present;
}

bool remove(Object& object, std::string_view element) {
  if (!contains(object, element)) {
    return false;
  }
  object.transaction().remove(object.cell(CellKind::set_element, element),
                              {.base = Presence::present});
  return true;
}

void reply_set(const Call& call, const Strings& names) {
  call.reply.set(names.size());
  for (const std::string& name : names) {
    call.reply.bulk(name);
    call.tx->step();
  }
}

// ---------------------------------------------------------------- one set

void sadd(Call& call) {
  auto object = set_at(call, call[1]);
  if (!object || !call.elements_fit(2)) {
    return;
  }
  object->create(ObjectType::set);
  std::int64_t added = 0;
  for (std::size_t i = 2; i < call.size(); ++i) {
    added += add(*object, call[i]) ? 1 : 0;
  }
  call.reply.integer(added);
}

void srem(Call& call) {
  auto object = set_at(call, call[1]);
  if (!object) {
    return;
  }
  std::int64_t removed = 0;
  for (std::size_t i = 2; i < call.size(); ++i) {
    removed += remove(*object, call[i]) ? 1 : 0;
  }
  if (removed > 0) {
    object->settle(ObjectType::set);
  }
  call.reply.integer(removed);
}

void sismember(Call& call) {
  if (const auto object = set_at(call, call[1])) {
    call.reply.integer(contains(*object, call[2]) ? 1 : 0);
  }
}

void smismember(Call& call) {
  const auto object = set_at(call, call[1]);
  if (!object) {
    return;
  }
  call.reply.array(call.size() - 2);
  for (std::size_t i = 2; i < call.size(); ++i) {
    call.reply.integer(contains(*object, call[i]) ? 1 : 0);
  }
}

void scard(Call& call) {
  if (const auto object = set_at(call, call[1])) {
    call.reply.integer(object->size(ObjectType::set));
  }
}

void smembers(Call& call) {
  if (const auto object = set_at(call, call[1])) {
    call.reply.set(static_cast<std::size_t>(object->size(ObjectType::set)));
    for_each_element(*object, ObjectType::set,
                     [&](const Element& element) { call.reply.bulk(element.name); });
  }
}

void sscan(Call& call) {
  scan_elements(call, ObjectType::set, 1,
                [&](const Element& element) { call.reply.bulk(element.name); });
}

void smove(Call& call) {
  Object source = call.object(call[1]);
  if (!source.exists()) {
    call.reply.integer(0);
    return;
  }
  const bool within = call[1] == call[2];
  if (!source.is(ObjectType::set) || (!within && !set_at(call, call[2]))) {
    if (!source.is(ObjectType::set)) {
      call.wrong_type();
    }
    return;
  }
  if (within || !contains(source, call[3])) {
    call.reply.integer(contains(source, call[3]) ? 1 : 0);
    return;
  }
  remove(source, call[3]);
  source.settle(ObjectType::set);
  Object target = call.object(call[2]);
  target.create(ObjectType::set);
  add(target, call[3]);
  call.reply.integer(1);
}

// ---------------------------------------------------------------- chance

void spop_one(Call& call, Object& object) {
  const auto chosen = Chooser(call, object, ObjectType::set).one();
  if (!chosen) {
    call.reply.nil();
    return;
  }
  remove(object, *chosen);
  object.settle(ObjectType::set);
  call.reply.bulk(*chosen);
}

// Two nodes that do not see each other may return the same element (semantics.md).
void spop(Call& call) {
  if (call.size() > 3) {
    call.syntax_error();
    return;
  }
  std::uint64_t count = 0;
  if (call.size() == 3) {
    const auto given = parse_integer(call[2]);
    if (!given || *given < 0) {
      call.reply.error("ERR value is out of range, must be positive");
      return;
    }
    count = static_cast<std::uint64_t>(*given);
  }
  auto object = set_at(call, call[1]);
  if (!object) {
    return;
  }
  if (call.size() == 2) {
    spop_one(call, *object);
    return;
  }
  const Strings chosen = Chooser(call, *object, ObjectType::set).different(count);
  remove_elements(*object, ObjectType::set, chosen);
  reply_set(call, chosen);
}

void srandmember(Call& call) {
  if (call.size() > 3) {
    call.syntax_error();
    return;
  }
  const auto count = call.size() == 3 ? random_count(call, 2) : std::optional<std::int64_t>(1);
  if (!count) {
    return;
  }
  const auto object = set_at(call, call[1]);
  if (!object) {
    return;
  }
  if (call.size() == 2) {
    const auto chosen = Chooser(call, *object, ObjectType::set).one();
    chosen ? call.reply.bulk(*chosen) : call.reply.nil();
    return;
  }
  if (const auto chosen = choose(call, *object, ObjectType::set, *count)) {
    call.reply.array(chosen->size());
    for (const std::string& name : *chosen) {
      call.reply.bulk(name);
    }
  }
}

// ---------------------------------------------------------------- several sets

// The sets under these keys; nullopt, and the error is answered, if one is of another type.
std::optional<std::vector<Object>> sets_at(Call& call, std::size_t first, std::size_t count) {
  std::vector<Object> sets;
  sets.reserve(count);
  for (std::size_t i = first; i < first + count; ++i) {
    auto object = set_at(call, call[i]);
    if (!object) {
      return std::nullopt;
    }
    sets.push_back(std::move(*object));
  }
  return sets;
}

// In all of them; at most that many.
Strings intersection(const std::vector<Object>& sets,
                     std::size_t most = std::numeric_limits<std::size_t>::max()) {
  const auto size = [](const Object& set) { return set.size(ObjectType::set); };
  const auto smallest = std::ranges::min_element(sets, {}, size);
  Strings found;
  for (std::string& name : element_names(*smallest, ObjectType::set)) {
    if (!smallest->transaction().step(sets.size())) {
      break;
    }
    const bool in_all = std::ranges::all_of(
        sets, [&](const Object& set) { return &set == &*smallest || contains(set, name); });
    if (in_all && found.size() < most) {
      found.push_back(std::move(name));
    }
  }
  return found;
}

Strings set_union(const std::vector<Object>& sets) {
  if (std::ranges::count_if(sets, &Object::exists) == 1) {
    return element_names(*std::ranges::find_if(sets, &Object::exists), ObjectType::set);
  }
  Strings found;
  std::unordered_set<std::string> met;
  for (const Object& set : sets) {
    for_each_element(set, ObjectType::set, [&](const Element& element) {
      if (met.insert(element.name).second) {
        found.push_back(element.name);
      }
    });
  }
  sets.front().transaction().discard(std::move(met), found.size());
  return found;
}

// In the first and in none of the others.
Strings difference(const std::vector<Object>& sets) {
  Strings found = element_names(sets.front(), ObjectType::set);
  for (std::size_t i = 1; i < sets.size(); ++i) {
    if (sets[i].exists()) {
      std::erase_if(found, [&](const std::string& name) {
        return sets[i].transaction().step() && contains(sets[i], name);
      });
    }
  }
  return found;
}

Strings combine(SetOperation operation, const std::vector<Object>& sets) {
  switch (operation) {
    case SetOperation::intersection:
      return intersection(sets);
    case SetOperation::union_:
      return set_union(sets);
    case SetOperation::difference:
      break;
  }
  return difference(sets);
}

template <SetOperation operation>
void combined(Call& call) {
  if (const auto sets = sets_at(call, 1, call.size() - 1)) {
    reply_set(call, combine(operation, *sets));
  }
}

// The target may be one of the sources: it is looked at again once they have been read.
template <SetOperation operation>
void store_combined(Call& call) {
  const auto sets = sets_at(call, 2, call.size() - 2);
  if (!sets) {
    return;
  }
  const Strings names = combine(operation, *sets);
  Object target = call.object(call[1]);
  if (names.empty()) {
    target.erase();
  } else {
    target.clear_for(ObjectType::set);
    for (const std::string& name : names) {
      add(target, name);
    }
  }
  call.reply.integer(static_cast<std::int64_t>(names.size()));
}

void sintercard(Call& call) {
  const auto keys = key_count(call, 1, "numkeys should be greater than 0");
  if (!keys) {
    return;
  }
  const auto limit = cardinality_limit(call, *keys + 2);
  if (!limit) {
    return;
  }
  if (const auto sets = sets_at(call, 2, *keys)) {
    call.reply.integer(static_cast<std::int64_t>(intersection(*sets, *limit).size()));
  }
}

}  // namespace

std::span<const Binding> set_commands() {
  static constexpr std::array bindings{
      Binding{"sadd", sadd},
      Binding{"srem", srem},
      Binding{"sismember", sismember},
      Binding{"smismember", smismember},
      Binding{"scard", scard},
      Binding{"smembers", smembers},
      Binding{"smove", smove},
      Binding{"spop", spop},
      Binding{"srandmember", srandmember},
      Binding{"sscan", sscan},
      Binding{"sinter", combined<SetOperation::intersection>},
      Binding{"sunion", combined<SetOperation::union_>},
      Binding{"sdiff", combined<SetOperation::difference>},
      Binding{"sinterstore", store_combined<SetOperation::intersection>},
      Binding{"sunionstore", store_combined<SetOperation::union_>},
      Binding{"sdiffstore", store_combined<SetOperation::difference>},
      Binding{"sintercard", sintercard},
  };
  return bindings;
}

}  // namespace starling::resp
