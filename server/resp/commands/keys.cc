// Keys, whatever they hold: existence, types, deadlines, names, walks over a database.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "crdt/deadline.h"
#include "crdt/mv_register.h"
#include "server/replica/keyspace.h"
#include "server/replica/valued.h"
#include "server/resp/commands/families.h"
#include "server/resp/elements.h"
#include "server/resp/expire_time.h"
#include "server/resp/session.h"

namespace starling::resp {
namespace {

using replica::Object;
using replica::Valued;

// ---------------------------------------------------------------- existence

void del(Call& call) {
  std::int64_t deleted = 0;
  for (std::size_t i = 1; i < call.size(); ++i) {
    Object object = call.object(call[i]);
    if (object.exists()) {
      object.erase();
      ++deleted;
    }
  }
  call.reply.integer(deleted);
}

// EXISTS and TOUCH: we keep no time of last access that TOUCH could move.
void exists(Call& call) {
  std::int64_t found = 0;
  for (std::size_t i = 1; i < call.size(); ++i) {
    found += call.object(call[i]).exists() ? 1 : 0;
  }
  call.reply.integer(found);
}

void type(Call& call) { call.reply.simple(type_name(call.object(call[1]).type())); }

// ---------------------------------------------------------------- copies

// Read to the end before anything is written: a long walk lets others have their turn, but not on
// top of what it has written.
template <typename Payload>
void write_elements(const Object& from, Object& to, CellKind kind, const Payload& payload) {
  std::vector<std::pair<std::string, std::string>> elements;
  for_each_element(from, from.type(), [&](const Element& element) {
    elements.emplace_back(element.name, payload(element));
  });
  to.clear_for(from.type());
  for (auto& [name, bytes] : elements) {
    from.transaction().assign(
        to.cell(kind, name), std::move(bytes),
        {.base = replica::Presence::absent, .totals = replica::Presence::absent});
  }
  from.transaction().discard(std::move(elements), elements.size());
}

// The value that readers see, written anew under another key, and its deadline with it. Acts on
// what this node sees: a concurrent write to the source stays there (semantics.md).
void write_copy(const Object& from, Object& to) {
  replica::Transaction& tx = from.transaction();
  const auto deadline = from.deadline();
  switch (from.type()) {
    case ObjectType::string: {
      std::string text = Valued::string(from).text().value_or("");
      to.clear_for(ObjectType::string);
      Valued::string(to).assign(std::move(text));
      break;
    }
    case ObjectType::hash:
      write_elements(from, to, CellKind::hash_field,
                     [](const Element& field) { return field.text(); });
      break;
    case ObjectType::set:
      write_elements(from, to, CellKind::set_element, [](const Element&) { return std::string(); });
      break;
    case ObjectType::sorted_set:
      write_elements(from, to, CellKind::scored_member,
                     [](const Element& member) { return encode_score({member.score()}); });
      break;
    case ObjectType::flag:
      to.clear_for(ObjectType::flag);
      tx.assign(to.cell(CellKind::flag), {});
      break;
    case ObjectType::mv_register: {
      const auto values = mv_values(tx.dotted(from.cell(CellKind::mv_register)));
      to.clear_for(ObjectType::mv_register);
      tx.assign(to.cell(CellKind::mv_register), values.empty() ? std::string() : values.back());
      break;
    }
    case ObjectType::none:
      break;
  }
  if (deadline) {
    to.expire_at(*deadline);
  }
}

void rename_to(Call& call, bool only_if_free) {
  Object from = call.object(call[1]);
  if (!from.exists()) {
    call.reply.error("ERR no such key");
    return;
  }
  const auto answer = [&](bool renamed) {
    only_if_free ? call.reply.integer(renamed ? 1 : 0) : call.reply.ok();
  };
  if (call[1] == call[2]) {
    answer(false);
    return;
  }
  Object to = call.object(call[2]);
  if (only_if_free && to.exists()) {
    answer(false);
    return;
  }
  write_copy(from, to);
  from.erase();
  answer(true);
}

void rename_(Call& call) { rename_to(call, false); }
void renamenx(Call& call) { rename_to(call, true); }

// A database number, or the error is answered.
std::optional<std::uint8_t> database(const Call& call, std::size_t argument) {
  const auto number = call.integer(argument);
  if (!number) {
    return std::nullopt;
  }
  if (*number < 0 || *number >= static_cast<std::int64_t>(call.server.options().databases)) {
    call.reply.error("ERR DB index is out of range");
    return std::nullopt;
  }
  return static_cast<std::uint8_t>(*number);
}

constexpr std::string_view same_objects = "ERR source and destination objects are the same";

void copy(Call& call) {
  std::uint8_t db = call.db;
  bool replace = false;
  for (std::size_t i = 3; i < call.size(); ++i) {
    if (is_word(call[i], "REPLACE")) {
      replace = true;
    } else if (is_word(call[i], "DB") && i + 1 < call.size()) {
      const auto given = database(call, ++i);
      if (!given) {
        return;
      }
      db = *given;
    } else {
      call.syntax_error();
      return;
    }
  }
  if (db == call.db && call[1] == call[2]) {
    call.reply.error(same_objects);
    return;
  }
  const Object from = call.object(call[1]);
  if (!from.exists()) {
    call.reply.integer(0);
    return;
  }
  Object to(*call.tx, {db, std::string(call[2])});
  if (to.exists() && !replace) {
    call.reply.integer(0);
    return;
  }
  write_copy(from, to);
  call.reply.integer(1);
}

void move(Call& call) {
  const auto db = database(call, 2);
  if (!db) {
    return;
  }
  if (*db == call.db) {
    call.reply.error(same_objects);
    return;
  }
  Object from = call.object(call[1]);
  Object to(*call.tx, {*db, std::string(call[1])});
  if (!from.exists() || to.exists()) {
    call.reply.integer(0);
    return;
  }
  write_copy(from, to);
  from.erase();
  call.reply.integer(1);
}

// ---------------------------------------------------------------- deadlines

struct ExpireCondition {
  bool none = false;     // NX: only if there is no deadline
  bool some = false;     // XX
  bool greater = false;  // GT: only later; no deadline is the latest
  bool less = false;     // LT
};

std::optional<ExpireCondition> expire_condition(const Call& call) {
  ExpireCondition condition;
  for (std::size_t i = 3; i < call.size(); ++i) {
    if (is_word(call[i], "NX")) {
      condition.none = true;
    } else if (is_word(call[i], "XX")) {
      condition.some = true;
    } else if (is_word(call[i], "GT")) {
      condition.greater = true;
    } else if (is_word(call[i], "LT")) {
      condition.less = true;
    } else {
      call.reply.error("ERR Unsupported option " + std::string(call[i].substr(0, 128)));
      return std::nullopt;
    }
  }
  if (condition.none && (condition.some || condition.greater || condition.less)) {
    call.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return std::nullopt;
  }
  if (condition.greater && condition.less) {
    call.reply.error("ERR GT and LT options at the same time are not compatible");
    return std::nullopt;
  }
  return condition;
}

void expire(Call& call, ExpireUnit unit) {
  const auto condition = expire_condition(call);
  if (!condition) {
    return;
  }
  const auto deadline = expire_time(call, 2, unit, false);
  if (!deadline) {
    return;
  }
  Object object = call.object(call[1]);
  const auto now = object.deadline();
  if (!object.exists() || (condition->none && now) || (condition->some && !now) ||
      (condition->greater && (!now || *deadline <= *now)) ||
      (condition->less && now && *deadline >= *now)) {
    call.reply.integer(0);
    return;
  }
  if (*deadline <= call.tx->now_ms()) {
    object.erase();
  } else {
    object.expire_at(*deadline);
  }
  call.reply.integer(1);
}

void expire_in_seconds(Call& call) { expire(call, {.seconds = true, .from_now = true}); }
void expire_in_ms(Call& call) { expire(call, {.seconds = false, .from_now = true}); }
void expire_at_second(Call& call) { expire(call, {.seconds = true, .from_now = false}); }
void expire_at_ms(Call& call) { expire(call, {.seconds = false, .from_now = false}); }

void tell_deadline(Call& call, ExpireUnit unit) {
  const Object object = call.object(call[1]);
  if (!object.exists()) {
    call.reply.integer(-2);
    return;
  }
  const auto deadline = object.deadline();
  if (!deadline) {
    call.reply.integer(-1);
    return;
  }
  const std::int64_t time =
      unit.from_now ? std::max<std::int64_t>(*deadline - call.tx->now_ms(), 0) : *deadline;
  call.reply.integer(unit.seconds ? (time + 500) / 1000 : time);
}

void ttl(Call& call) { tell_deadline(call, {.seconds = true, .from_now = true}); }
void pttl(Call& call) { tell_deadline(call, {.seconds = false, .from_now = true}); }
void expiretime(Call& call) { tell_deadline(call, {.seconds = true, .from_now = false}); }
void pexpiretime(Call& call) { tell_deadline(call, {.seconds = false, .from_now = false}); }

// A deadline of its own, so that it wins over a concurrent EXPIRE.
void persist(Call& call) {
  Object object = call.object(call[1]);
  const bool had = object.deadline().has_value();
  if (had) {
    object.expire_at(never_expires);
  }
  call.reply.integer(had ? 1 : 0);
}

// ---------------------------------------------------------------- walks

void scan(Call& call) {
  const auto cursor = scan_cursor(call, 1);
  if (!cursor) {
    return;
  }
  std::int64_t count = 10;
  std::optional<Glob> pattern;
  std::optional<std::string> wanted;
  for (std::size_t i = 2; i < call.size(); i += 2) {
    if (is_word(call[i], "COUNT") && i + 1 < call.size()) {
      const auto given = call.integer(i + 1);
      if (!given) {
        return;
      }
      if (*given < 1) {
        call.syntax_error();
        return;
      }
      count = *given;
    } else if (is_word(call[i], "MATCH") && i + 1 < call.size()) {
      if (!pattern_fits(call, call[i + 1])) {
        return;
      }
      pattern.emplace(call[i + 1]);
    } else if (is_word(call[i], "TYPE") && i + 1 < call.size()) {
      wanted = upper_case(call[i + 1]);
    } else {
      call.syntax_error();
      return;
    }
  }
  constexpr std::int64_t most = 100'000;  // of a second in which nobody else is served
  replica::KeyPage page =
      replica::scan(*call.tx, call.db, *cursor, static_cast<std::size_t>(std::min(count, most)));
  std::erase_if(page.keys, [&](const replica::ListedKey& key) {
    return (pattern && !pattern->matches(key.key)) ||
           (wanted && upper_case(type_name(key.type)) != *wanted);
  });
  call.reply.array(2);
  call.reply.bulk(std::to_string(page.next));
  call.reply.array(page.keys.size());
  for (const replica::ListedKey& key : page.keys) {
    call.reply.bulk(key.key);
  }
}

// Every key of a database that readers see.
template <typename Visit>
void for_each_key(const Call& call, std::uint8_t db, const Visit& visit) {
  constexpr std::size_t page_size = 128;
  constexpr std::size_t cells_per_key = 4;  // to go from key to key is that dear
  std::uint64_t cursor = 0;
  do {
    if (!call.tx->step(cursor == 0 ? 0 : page_size * cells_per_key)) {
      return;
    }
    replica::KeyPage page = replica::scan(*call.tx, db, cursor, page_size);
    for (replica::ListedKey& key : page.keys) {
      visit(std::move(key.key));
    }
    cursor = page.next;
  } while (cursor != 0);
}

void keys(Call& call) {
  if (!pattern_fits(call, call[1])) {
    return;
  }
  const Glob pattern(call[1]);
  std::vector<std::string> found;
  for_each_key(call, call.db, [&](std::string key) {
    if (pattern.matches(key)) {
      found.push_back(std::move(key));
    }
  });
  call.reply.array(found.size());
  for (const std::string& key : found) {
    call.reply.bulk(key);
    call.tx->step(0);
  }
  const std::size_t count = found.size();
  call.tx->discard(std::move(found), count);
}

void dbsize(Call& call) { call.reply.integer(replica::key_count(*call.tx, call.db)); }

void randomkey(Call& call) {
  const auto key =
      replica::random_key(*call.tx, call.db, [&] { return call.server.backend().random(); });
  key ? call.reply.bulk(key->key) : call.reply.nil();
}

// ---------------------------------------------------------------- flushing

// SYNC and ASYNC are the same here: a flush is one kill, swept by the next checkpoint.
bool flush_option(const Call& call) {
  if (call.size() == 1 ||
      (call.size() == 2 && (is_word(call[1], "SYNC") || is_word(call[1], "ASYNC")))) {
    return true;
  }
  call.syntax_error();
  return false;
}

void flushdb(Call& call) {
  if (flush_option(call)) {
    replica::kill_database(*call.tx, call.db);
    call.reply.ok();
  }
}

void flushall(Call& call) {
  if (flush_option(call)) {
    replica::kill_group(*call.tx);
    call.reply.ok();
  }
}

// ---------------------------------------------------------------- OBJECT

// How Redis would keep it, by its default limits; clients ask for it, and some decide by it.
std::string_view encoding(const Object& object) {
  constexpr std::int64_t small = 128;
  switch (object.type()) {
    case ObjectType::string: {
      const std::string text = Valued::string(object).text().value_or("");
      return parse_integer(text) ? "int" : text.size() <= 44 ? "embstr" : "raw";
    }
    case ObjectType::hash:
      return object.size(ObjectType::hash) <= small ? "listpack" : "hashtable";
    case ObjectType::sorted_set:
      return object.size(ObjectType::sorted_set) <= small ? "listpack" : "skiplist";
    case ObjectType::set: {
      bool integers = object.size(ObjectType::set) <= 512;
      if (integers) {
        for (const std::string& element : element_names(object, ObjectType::set)) {
          integers = integers && parse_integer(element);
        }
      }
      return integers ? "intset" : "hashtable";
    }
    default:
      return "cells";  // types that Redis does not have
  }
}

void object_encoding(Call& call) {
  const Object object = call.object(call[2]);
  object.exists() ? call.reply.bulk(encoding(object)) : call.reply.nil();
}

void object_refcount(Call& call) {
  call.object(call[2]).exists() ? call.reply.integer(1) : call.reply.nil();
}

// Since the last write that is known without reading all of it; reads leave no trace here.
void object_idletime(Call& call) {
  const Object object = call.object(call[2]);
  if (!object.exists()) {
    call.reply.nil();
    return;
  }
  Hlc newest = object.types().front().created;
  if (object.type() == ObjectType::string) {
    if (const Sibling* winner = call.tx->dotted(object.cell(CellKind::string_register)).winner()) {
      newest = std::max(newest, winner->hlc);
    }
  }
  const auto written = static_cast<std::int64_t>(hlc_unix_ms(newest));
  call.reply.integer(newest == 0 ? 0
                                 : std::max<std::int64_t>(call.tx->now_ms() - written, 0) / 1000);
}

void object_freq(Call& call) {
  if (!call.object(call[2]).exists()) {
    call.reply.nil();
    return;
  }
  call.reply.error(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
      "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

void object_help(Call& call) {
  constexpr std::array<std::string_view, 5> lines{
      "OBJECT <subcommand> [<arg> ...]:",
      "ENCODING <key>: how Redis would encode the value.",
      "FREQ <key>: refused, because accesses are not counted.",
      "IDLETIME <key>: seconds since the last known write.",
      "REFCOUNT <key>: always 1.",
  };
  call.reply.array(lines.size());
  for (const std::string_view line : lines) {
    call.reply.simple(line);
  }
}

}  // namespace

std::span<const Binding> key_commands() {
  static constexpr std::array bindings{
      Binding{"del", del},
      Binding{"unlink", del},
      Binding{"exists", exists},
      Binding{"touch", exists},
      Binding{"type", type},
      Binding{"rename", rename_},
      Binding{"renamenx", renamenx},
      Binding{"copy", copy},
      Binding{"move", move},
      Binding{"expire", expire_in_seconds},
      Binding{"pexpire", expire_in_ms},
      Binding{"expireat", expire_at_second},
      Binding{"pexpireat", expire_at_ms},
      Binding{"ttl", ttl},
      Binding{"pttl", pttl},
      Binding{"expiretime", expiretime},
      Binding{"pexpiretime", pexpiretime},
      Binding{"persist", persist},
      Binding{"scan", scan},
      Binding{"keys", keys},
      Binding{"dbsize", dbsize},
      Binding{"randomkey", randomkey},
      Binding{"flushdb", flushdb},
      Binding{"flushall", flushall},
      Binding{"object|encoding", object_encoding},
      Binding{"object|refcount", object_refcount},
      Binding{"object|idletime", object_idletime},
      Binding{"object|freq", object_freq},
      Binding{"object|help", object_help},
  };
  return bindings;
}

}  // namespace starling::resp
