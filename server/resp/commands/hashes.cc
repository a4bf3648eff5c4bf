// Hashes: every field is a register with the increments over it, merged on its own.
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "crdt/string.h"
#include "server/replica/valued.h"
#include "server/resp/commands/families.h"
#include "server/resp/elements.h"

namespace starling::resp {
namespace {

using replica::Object;
using replica::Valued;

std::optional<Object> hash_at(Call& call, std::string_view key) {
  return call.object(key, ObjectType::hash);
}

void reply_field(const Call& call, const Object& object, std::string_view name) {
  const auto text = Valued::field(object, name).text();
  text ? call.reply.bulk(*text) : call.reply.nil();
}

std::int64_t size_of(const Object& object) { return object.size(ObjectType::hash); }

// ---------------------------------------------------------------- reading

void hget(Call& call) {
  if (const auto object = hash_at(call, call[1])) {
    reply_field(call, *object, call[2]);
  }
}

void hmget(Call& call) {
  const auto object = hash_at(call, call[1]);
  if (!object) {
    return;
  }
  call.reply.array(call.size() - 2);
  for (std::size_t i = 2; i < call.size(); ++i) {
    reply_field(call, *object, call[i]);
  }
}

void hexists(Call& call) {
  if (const auto object = hash_at(call, call[1])) {
    call.reply.integer(Valued::field(*object, call[2]).exists() ? 1 : 0);
  }
}

void hlen(Call& call) {
  if (const auto object = hash_at(call, call[1])) {
    call.reply.integer(size_of(*object));
  }
}

void hstrlen(Call& call) {
  if (const auto object = hash_at(call, call[1])) {
    const auto text = Valued::field(*object, call[2]).text();
    call.reply.integer(static_cast<std::int64_t>(text.value_or("").size()));
  }
}

void hgetall(Call& call) {
  if (const auto object = hash_at(call, call[1])) {
    call.reply.map(static_cast<std::size_t>(size_of(*object)));
    for_each_element(*object, ObjectType::hash, [&](const Element& field) {
      call.reply.bulk(field.name);
      call.reply.bulk(field.text());
    });
  }
}

void hkeys(Call& call) {
  if (const auto object = hash_at(call, call[1])) {
    call.reply.array(static_cast<std::size_t>(size_of(*object)));
    for_each_element(*object, ObjectType::hash,
                     [&](const Element& field) { call.reply.bulk(field.name); });
  }
}

void hvals(Call& call) {
  if (const auto object = hash_at(call, call[1])) {
    call.reply.array(static_cast<std::size_t>(size_of(*object)));
    for_each_element(*object, ObjectType::hash,
                     [&](const Element& field) { call.reply.bulk(field.text()); });
  }
}

void hscan(Call& call) {
  scan_elements(call, ObjectType::hash, 2, [&](const Element& field) {
    call.reply.bulk(field.name);
    call.reply.bulk(field.text());
  });
}

void hrandfield(Call& call) {
  random_pairs(
      call, ObjectType::hash, "WITHVALUES",
      [&](const Object& object, std::string_view name) { reply_field(call, object, name); });
}

// ---------------------------------------------------------------- writing

// Sets all pairs of field and value; how many fields are new. nullopt, and it is answered, if that
// cannot be.
std::optional<std::int64_t> set_fields(Call& call) {
  if (call.size() % 2 != 0) {
    call.wrong_arity();
    return std::nullopt;
  }
  auto object = hash_at(call, call[1]);
  if (!object || !call.elements_fit(2, 2)) {
    return std::nullopt;
  }
  object->create(ObjectType::hash);
  std::int64_t added = 0;
  for (std::size_t i = 2; i < call.size(); i += 2) {
    Valued field = Valued::field(*object, call[i]);
    added += field.exists() ? 0 : 1;
    field.assign(std::string(call[i + 1]));
  }
  return added;
}

void hset(Call& call) {
  if (const auto added = set_fields(call)) {
    call.reply.integer(*added);
  }
}

void hmset(Call& call) {
  if (set_fields(call)) {
    call.reply.ok();
  }
}

void hsetnx(Call& call) {
  auto object = hash_at(call, call[1]);
  if (!object) {
    return;
  }
  Valued field = Valued::field(*object, call[2]);
  if (field.exists()) {
    call.reply.integer(0);
    return;
  }
  if (!call.elements_fit(2, 2)) {
    return;
  }
  object->create(ObjectType::hash);
  field.assign(std::string(call[3]));
  call.reply.integer(1);
}

void hdel(Call& call) {
  auto object = hash_at(call, call[1]);
  if (!object) {
    return;
  }
  std::int64_t removed = 0;
  for (std::size_t i = 2; i < call.size(); ++i) {
    Valued field = Valued::field(*object, call[i]);
    if (field.exists()) {
      field.erase();
      ++removed;
    }
  }
  if (removed > 0) {
    object->settle(ObjectType::hash);
  }
  call.reply.integer(removed);
}

// ---------------------------------------------------------------- counting

void hincrby(Call& call) {
  const auto delta = call.integer(3);
  if (!delta) {
    return;
  }
  auto object = hash_at(call, call[1]);
  if (!object) {
    return;
  }
  const auto before = Valued::field(*object, call[2]).view().integer();
  if (!before || Valued::field(*object, call[2]).view().hides_increments()) {
    call.reply.error("ERR hash value is not an integer");
    return;
  }
  const Int128 sum = static_cast<Int128>(*before) + *delta;
  if (sum != saturate(sum)) {
    call.reply.error("ERR increment or decrement would overflow");
    return;
  }
  if (!call.elements_fit(2, 2)) {
    return;
  }
  object->create(ObjectType::hash);
  Valued::field(*object, call[2]).add(Total::of(*delta));
  call.reply.integer(static_cast<std::int64_t>(sum));
}

void hincrbyfloat(Call& call) {
  const auto delta = parse_decimal(call[3]);
  if (!delta) {
    const auto infinite = parse_score(call[3]);
    infinite ? call.reply.error("ERR value is NaN or Infinity") : call.not_a_float();
    return;
  }
  auto object = hash_at(call, call[1]);
  if (!object) {
    return;
  }
  const Valued field = Valued::field(*object, call[2]);
  const auto before = parse_long(field.text().value_or("0"));
  if (!before || field.view().hides_increments()) {
    call.reply.error("ERR hash value is not a float");
    return;
  }
  if (!std::isfinite(static_cast<double>(*before + delta->hi))) {
    call.reply.error("ERR increment would produce NaN or Infinity");
    return;
  }
  if (!call.elements_fit(2, 2)) {
    return;
  }
  object->create(ObjectType::hash);
  Valued::field(*object, call[2]).add(Total::of_real(*delta));
  reply_field(call, *object, call[2]);
}

}  // namespace

std::span<const Binding> hash_commands() {
  static constexpr std::array bindings{
      Binding{"hset", hset},
      Binding{"hsetnx", hsetnx},
      Binding{"hmset", hmset},
      Binding{"hget", hget},
      Binding{"hmget", hmget},
      Binding{"hgetall", hgetall},
      Binding{"hdel", hdel},
      Binding{"hexists", hexists},
      Binding{"hlen", hlen},
      Binding{"hstrlen", hstrlen},
      Binding{"hkeys", hkeys},
      Binding{"hvals", hvals},
      Binding{"hincrby", hincrby},
      Binding{"hincrbyfloat", hincrbyfloat},
      Binding{"hrandfield", hrandfield},
      Binding{"hscan", hscan},
  };
  return bindings;
}

}  // namespace starling::resp
