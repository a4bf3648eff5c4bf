#include "tests/sim/oracle.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

namespace starling::sim {
namespace {

using wire::Command;
using wire::CommandCode;
using wire::Error;
using wire::ErrorCode;
using wire::Nil;
using wire::Ok;
using wire::Result;

std::optional<std::int64_t> as_integer(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || std::to_string(value) != text) {
    return std::nullopt;
  }
  return value;
}

std::int64_t clamped(Int128 value) {
  constexpr Int128 low = std::numeric_limits<std::int64_t>::min();
  constexpr Int128 high = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp(value, low, high));
}

}  // namespace

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
    case ObjectType::sorted_set:  // not in the schedules yet
    case ObjectType::none:
      break;
  }
  return false;
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
  for (const ObjectType type : {ObjectType::string, ObjectType::hash, ObjectType::set,
                                ObjectType::flag, ObjectType::mv_register}) {
    if (has(type)) {
      best = std::max(best, std::pair(created(type), type));
    }
  }
  return best.second;
}

Oracle::Object Oracle::look(const Atoms& atoms, const View& view) const {
  Object object;
  const auto value = [&](Number& number, const Atom& atom) {
    const OracleEntry& entry = entries_[atom.entry];
    const std::tuple rank(entry.hlc, entry.origin, entry.first);
    number.oldest = number.winner ? std::min(number.oldest, entry.hlc) : entry.hlc;
    if (!number.winner || rank > number.rank) {
      number.winner = atom.bytes;
      number.rank = rank;
    }
  };
  const auto increment = [&](Number& number, const Atom& atom) {
    number.incremented = true;
    number.sum += atom.delta;
  };
  for (const Atom& atom : atoms) {
    if (!shows(view, atom)) {
      continue;
    }
    const Hlc hlc = entries_[atom.entry].hlc;
    switch (atom.part) {
      case Part::string_value:
        value(object.string, atom);
        break;
      case Part::string_increment:
        increment(object.string, atom);
        break;
      case Part::element:
        object.elements[atom.sub] = true;
        break;
      case Part::field_value:
        value(object.fields[atom.sub], atom);
        break;
      case Part::field_increment:
        increment(object.fields[atom.sub], atom);
        break;
      case Part::flag:
        object.flag = true;
        break;
      case Part::mv_value: {
        const auto [it, fresh] = object.mv.try_emplace(atom.bytes, hlc);
        it->second = std::min(it->second, hlc);
        break;
      }
      case Part::header: {
        Hlc& created = object.headers[atom.type];
        created = std::max(created, hlc);
        break;
      }
    }
  }
  return object;
}

template <typename Which>
void Oracle::take(const ObjectKey& key, const View& view, const Which& which) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || view.pending == no_entry) {
    return;
  }
  for (std::size_t i = 0; i < found->second.size(); ++i) {
    Atom& atom = found->second[i];
    if (which(atom) && shows(view, atom)) {
      atom.taken_by.push_back(view.pending);
      taken_.push_back({key, i});
    }
  }
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
}

Oracle::Answer Oracle::execute(const std::vector<Command>& commands, const VersionVector& seen,
                               EntryId as) {
  // Without an entry, one that exists only while the commands run.
  const bool temporary = as == no_entry;
  if (temporary) {
    OracleEntry entry;
    entry.origin.epoch = UINT32_MAX;  // nobody has seen it
    entry.last = UINT64_MAX;
    entry.hlc = UINT64_MAX;
    as = add_entry(std::move(entry));
  }
  const View view{&seen, as};
  left_.clear();
  taken_.clear();
  Answer answer;
  for (const Command& one : commands) {
    Result result = command(one, view, answer.wrote);
    if (std::holds_alternative<Error>(result)) {
      answer.results = {std::move(result)};
      answer.wrote = false;
      undo();
      break;
    }
    answer.results.push_back(std::move(result));
  }
  if (temporary) {
    if (answer.wrote) {
      undo();
    }
    entries_.pop_back();
  }
  return answer;
}

void Oracle::create(const ObjectKey& key, const View& view, const Object& object, ObjectType type) {
  if (!object.has(type)) {
    take(key, view,
         [&](const Atom& atom) { return atom.part == Part::header && atom.type == type; });
    leave(key, view, {.part = Part::header, .type = type});
  }
}

Result Oracle::command(const Command& command, const View& view, bool& wrote) {
  const ObjectKey key{command.db, command.key};
  const auto look_again = [&] {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? Object{} : look(found->second, view);
  };
  const Object object = look_again();
  const ObjectType type = object.visible();
  const auto wrong = [&](ObjectType wanted) { return type != ObjectType::none && type != wanted; };
  Error wrong_type{ErrorCode::wrong_type, {}};
  const auto take_part = [&](Part part, const std::string& sub) {
    take(key, view, [&](const Atom& atom) { return atom.part == part && atom.sub == sub; });
  };
  const auto take_header = [&](ObjectType of) {
    take(key, view, [&](const Atom& atom) { return atom.part == Part::header && atom.type == of; });
  };
  const auto add = [&](const Number& number, Part part, const std::string& sub) -> Result {
    const auto before = number.integer();
    if (!before) {
      return Error{ErrorCode::not_a_number, {}};
    }
    const Int128 sum = static_cast<Int128>(*before) + command.number;
    if (sum != clamped(sum)) {
      return Error{ErrorCode::overflow, {}};
    }
    const ObjectType of = part == Part::string_increment ? ObjectType::string : ObjectType::hash;
    leave(key, view, {.part = part, .type = of, .sub = sub, .delta = command.number});
    wrote = true;
    return static_cast<std::int64_t>(sum);
  };
  const auto number_text = [](const Number& number) {
    auto text = number.text();
    return text ? Result(std::move(*text)) : Result(Nil{});
  };

  switch (command.code) {
    case CommandCode::get:
      return wrong(ObjectType::string) ? Result(wrong_type) : number_text(object.string);
    case CommandCode::set: {
      const bool others = std::ranges::any_of(
          std::initializer_list<ObjectType>{ObjectType::hash, ObjectType::set, ObjectType::flag,
                                            ObjectType::mv_register},
          [&](ObjectType other) { return object.has(other); });
      take(key, view, [&](const Atom& atom) {
        return others || atom.part == Part::string_value || atom.part == Part::string_increment;
      });
      leave(key, view,
            {.part = Part::string_value, .type = ObjectType::string, .bytes = command.args.at(0)});
      wrote = true;
      return Ok{};
    }
    case CommandCode::incr:
      return wrong(ObjectType::string) ? Result(wrong_type)
                                       : add(object.string, Part::string_increment, "");
    case CommandCode::del:
      if (type == ObjectType::none) {
        return std::int64_t{0};
      }
      take(key, view, [](const Atom&) { return true; });
      wrote = true;
      return std::int64_t{1};
    case CommandCode::exists:
      return std::int64_t{type == ObjectType::none ? 0 : 1};
    case CommandCode::type:
      return std::string(type_name(type));

    case CommandCode::set_add: {
      if (wrong(ObjectType::set)) {
        return wrong_type;
      }
      create(key, view, object, ObjectType::set);
      std::set<std::string> added;
      for (const std::string& element : command.args) {
        if (!object.elements.contains(element)) {
          added.insert(element);
        }
        take_part(Part::element, element);
        leave(key, view, {.part = Part::element, .type = ObjectType::set, .sub = element});
      }
      wrote = true;
      return static_cast<std::int64_t>(added.size());
    }
    case CommandCode::set_remove: {
      if (wrong(ObjectType::set)) {
        return wrong_type;
      }
      std::set<std::string> removed;
      for (const std::string& element : command.args) {
        if (object.elements.contains(element)) {
          removed.insert(element);
          take_part(Part::element, element);
        }
      }
      if (!removed.empty()) {
        wrote = true;
        if (removed.size() == object.elements.size()) {
          take_header(ObjectType::set);
        }
      }
      return static_cast<std::int64_t>(removed.size());
    }
    case CommandCode::set_has:
      return wrong(ObjectType::set)
                 ? Result(wrong_type)
                 : Result(std::int64_t{object.elements.contains(command.args.at(0)) ? 1 : 0});
    case CommandCode::set_members: {
      if (wrong(ObjectType::set)) {
        return wrong_type;
      }
      std::vector<std::string> members;
      for (const auto& [element, in] : object.elements) {
        members.push_back(element);
      }
      return members;
    }
    case CommandCode::set_size:
      return wrong(ObjectType::set) ? Result(wrong_type)
                                    : Result(static_cast<std::int64_t>(object.elements.size()));

    case CommandCode::hash_set: {
      if (wrong(ObjectType::hash)) {
        return wrong_type;
      }
      create(key, view, object, ObjectType::hash);
      std::set<std::string> fresh;
      for (std::size_t i = 0; i < command.args.size(); i += 2) {
        const std::string& field = command.args[i];
        if (!object.fields.contains(field)) {
          fresh.insert(field);
        }
        take_part(Part::field_value, field);
        take_part(Part::field_increment, field);
        leave(key, view,
              {.part = Part::field_value,
               .type = ObjectType::hash,
               .sub = field,
               .bytes = command.args[i + 1]});
      }
      wrote = true;
      return static_cast<std::int64_t>(fresh.size());
    }
    case CommandCode::hash_get: {
      if (wrong(ObjectType::hash)) {
        return wrong_type;
      }
      const auto field = object.fields.find(command.args.at(0));
      return field == object.fields.end() ? Result(Nil{}) : number_text(field->second);
    }
    case CommandCode::hash_del: {
      if (wrong(ObjectType::hash)) {
        return wrong_type;
      }
      std::set<std::string> removed;
      for (const std::string& field : command.args) {
        if (object.fields.contains(field)) {
          removed.insert(field);
          take_part(Part::field_value, field);
          take_part(Part::field_increment, field);
        }
      }
      if (!removed.empty()) {
        wrote = true;
        if (removed.size() == object.fields.size()) {
          take_header(ObjectType::hash);
        }
      }
      return static_cast<std::int64_t>(removed.size());
    }
    case CommandCode::hash_get_all: {
      if (wrong(ObjectType::hash)) {
        return wrong_type;
      }
      std::vector<std::string> flat;
      for (const auto& [field, number] : object.fields) {
        flat.push_back(field);
        flat.push_back(*number.text());
      }
      return flat;
    }
    case CommandCode::hash_size:
      return wrong(ObjectType::hash) ? Result(wrong_type)
                                     : Result(static_cast<std::int64_t>(object.fields.size()));
    case CommandCode::hash_incr: {
      if (wrong(ObjectType::hash)) {
        return wrong_type;
      }
      create(key, view, object, ObjectType::hash);
      const std::string& field = command.args.at(0);
      const auto number = object.fields.find(field);
      return add(number == object.fields.end() ? Number{} : number->second, Part::field_increment,
                 field);
    }

    case CommandCode::flag_enable:
      if (wrong(ObjectType::flag)) {
        return wrong_type;
      }
      create(key, view, object, ObjectType::flag);
      take_part(Part::flag, "");
      leave(key, view, {.part = Part::flag, .type = ObjectType::flag});
      wrote = true;
      return Ok{};
    case CommandCode::flag_disable:
      if (wrong(ObjectType::flag)) {
        return wrong_type;
      }
      if (object.flag) {
        take_part(Part::flag, "");
        take_header(ObjectType::flag);
        wrote = true;
      }
      return Ok{};
    case CommandCode::flag_get:
      return wrong(ObjectType::flag) ? Result(wrong_type)
                                     : Result(std::int64_t{object.flag ? 1 : 0});

    case CommandCode::mv_set:
      if (wrong(ObjectType::mv_register)) {
        return wrong_type;
      }
      create(key, view, object, ObjectType::mv_register);
      take_part(Part::mv_value, "");
      leave(key, view,
            {.part = Part::mv_value, .type = ObjectType::mv_register, .bytes = command.args.at(0)});
      wrote = true;
      return Ok{};
    case CommandCode::mv_get: {
      if (wrong(ObjectType::mv_register)) {
        return wrong_type;
      }
      std::vector<std::string> values;
      for (const auto& [bytes, hlc] : object.mv) {
        values.push_back(bytes);
      }
      return values;
    }
    default:
      return Error{ErrorCode::unsupported, {}};
  }
}

std::vector<std::string> Oracle::keys(std::uint8_t db, const VersionVector& seen) const {
  std::vector<std::string> keys;
  for (const auto& [key, atoms] : by_key_) {
    if (key.db == db && look(atoms, {&seen, no_entry}).visible() != ObjectType::none) {
      keys.push_back(key.key);
    }
  }
  return keys;
}

bool Oracle::risen(const ObjectKey& key, const std::string& bytes,
                   const VersionVector& seen) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    return false;
  }
  const View view{&seen, no_entry};
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
