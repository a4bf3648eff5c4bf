#include "server/replica/commands.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include "crdt/aw_set.h"
#include "crdt/deadline.h"
#include "crdt/ew_flag.h"
#include "crdt/mv_register.h"
#include "crdt/sorted_set.h"
#include "server/replica/object.h"
#include "server/replica/valued.h"

namespace starling::replica {
namespace {

using wire::Command;
using wire::CommandCode;
using wire::Error;
using wire::ErrorCode;
using wire::Nil;
using wire::Ok;
using wire::Result;

// Decimal, with an exponent, or infinite; to the last bit what was printed.
std::optional<double> parse_score(std::string_view text) {
  double score = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), score);
  const bool good = error == std::errc() && end == text.data() + text.size() && !std::isnan(score);
  return good ? std::optional(score + 0.0) : std::nullopt;  // there is one zero
}

Error bad_request(std::string text) { return {ErrorCode::bad_request, std::move(text)}; }

// One command being run: the key it names and what it does under it.
class Execution {
 public:
  Execution(Transaction& transaction, const Command& command, const CommandLimits& limits)
      : tx_(transaction),
        command_(command),
        limits_(limits),
        object_(transaction, {command.db, command.key}) {}

  Result run() {
    if (auto error = check_limits()) {
      return *error;
    }
    Result result = dispatch();
    if (const auto& error = tx_.error()) {
      return Error{ErrorCode::storage, error->message};
    }
    return result;
  }

 private:
  Result dispatch() {
    switch (command_.code) {
      case CommandCode::get:
        return get();
      case CommandCode::set:
        return set();
      case CommandCode::incr:
        return incr();
      case CommandCode::del:
        return del();
      case CommandCode::exists:
        return exists();
      case CommandCode::type:
        return type();
      case CommandCode::set_add:
        return set_add();
      case CommandCode::set_remove:
        return set_remove();
      case CommandCode::set_has:
        return set_has();
      case CommandCode::set_members:
        return set_members();
      case CommandCode::set_size:
        return size(ObjectType::set);
      case CommandCode::hash_set:
        return hash_set();
      case CommandCode::hash_get:
        return hash_get();
      case CommandCode::hash_del:
        return hash_del();
      case CommandCode::hash_get_all:
        return hash_get_all();
      case CommandCode::hash_incr:
        return hash_incr();
      case CommandCode::hash_size:
        return size(ObjectType::hash);
      case CommandCode::flag_enable:
        return flag_enable();
      case CommandCode::flag_disable:
        return flag_disable();
      case CommandCode::flag_get:
        return flag_get();
      case CommandCode::mv_set:
        return mv_set();
      case CommandCode::mv_get:
        return mv_get();
      case CommandCode::expire:
        return expire();
      case CommandCode::zset_add:
        return zset_add();
      default:
        return bad_request("this command does not run on a key");
    }
  }

  // -- limits: they bind client writes only, never merges (architecture.md) --

  std::optional<Error> check_limits() const {
    if (command_.key.size() > max_key_size) {
      return Error{ErrorCode::too_large, "the key has " + std::to_string(command_.key.size()) +
                                             " bytes; the limit is " +
                                             std::to_string(max_key_size)};
    }
    const bool values = command_.code == CommandCode::set || command_.code == CommandCode::mv_set;
    for (std::size_t i = 0; i < command_.args.size(); ++i) {
      const bool is_value = values || (command_.code == CommandCode::hash_set && i % 2 == 1);
      const std::uint64_t limit = is_value ? limits_.max_value_bytes : limits_.max_subkey_bytes;
      if (command_.args[i].size() > limit) {
        return Error{ErrorCode::too_large,
                     std::string(is_value ? "a value" : "a field or element") + " has " +
                         std::to_string(command_.args[i].size()) + " bytes; the limit is " +
                         std::to_string(limit) + (is_value ? " (--max-value)" : "")};
      }
    }
    return std::nullopt;
  }

  std::optional<Error> want_args(std::size_t least, std::size_t multiple = 1) const {
    if (command_.args.size() < least || command_.args.size() % multiple != 0) {
      return bad_request("wrong number of arguments");
    }
    return std::nullopt;
  }

  // The object readers see must be of this type or absent.
  std::optional<Error> want_type(ObjectType wanted) const {
    if (!object_.is(wanted)) {
      return Error{ErrorCode::wrong_type, "the key holds a " +
                                              std::string(type_name(object_.type())) + ", not a " +
                                              std::string(type_name(wanted))};
    }
    return std::nullopt;
  }

  Result add(Valued value, std::string_view what) {
    const auto before = value.view().integer();
    if (!before || value.view().hides_increments()) {
      return Error{ErrorCode::not_a_number,
                   std::string(what) + " is not an integer or out of range"};
    }
    const Int128 sum = static_cast<Int128>(*before) + command_.number;
    if (sum != saturate(sum)) {
      return Error{ErrorCode::overflow, "increment or decrement would overflow"};
    }
    value.add(Total::of(command_.number));
    return static_cast<std::int64_t>(sum);
  }

  static Result text_of(const Valued& value) {
    auto text = value.text();
    return text ? Result(std::move(*text)) : Result(Nil{});
  }

  // -- commands --

  Result get() {
    if (auto error = want_type(ObjectType::string)) {
      return *error;
    }
    return text_of(Valued::string(object_));
  }

  Result set() {
    if (auto error = want_args(1)) {
      return *error;
    }
    object_.clear_for(ObjectType::string);  // SET replaces whatever it sees, of any type
    Valued::string(object_).assign(command_.args[0]);
    return Ok{};
  }

  Result incr() {
    if (auto error = want_type(ObjectType::string)) {
      return *error;
    }
    object_.create(ObjectType::string);
    return add(Valued::string(object_), "value");
  }

  Result del() {
    if (!object_.exists()) {
      return std::int64_t{0};
    }
    object_.erase();
    return std::int64_t{1};
  }

  Result exists() { return std::int64_t{object_.exists() ? 1 : 0}; }

  Result type() { return std::string(type_name(object_.type())); }

  bool in_set(const std::string& element) {
    return object_.holds(ObjectType::set) &&
           set_contains(tx_.dotted(object_.cell(CellKind::set_element, element)));
  }

  Result set_add() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::set)) {
      return *error;
    }
    object_.create(ObjectType::set);
    std::int64_t added = 0;
    for (const std::string& element : command_.args) {
      const bool present = in_set(element);
      added += present ? 0 : 1;
      // Also when it is there already: this add must win over a concurrent remove of the old one.
      tx_.assign(object_.cell(CellKind::set_element, element), {}, {.base = presence(present)});
    }
    return added;
  }

  Result set_remove() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::set)) {
      return *error;
    }
    std::int64_t removed = 0;
    for (const std::string& element : command_.args) {
      if (in_set(element)) {
        tx_.remove(object_.cell(CellKind::set_element, element), {.base = Presence::present});
        ++removed;
      }
    }
    if (removed > 0) {
      object_.settle(ObjectType::set);
    }
    return removed;
  }

  Result set_has() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::set)) {
      return *error;
    }
    return std::int64_t{in_set(command_.args[0]) ? 1 : 0};
  }

  Result size(ObjectType type) {
    if (auto error = want_type(type)) {
      return *error;
    }
    return object_.size(type);
  }

  Result set_members() {
    if (auto error = want_type(ObjectType::set)) {
      return *error;
    }
    std::vector<std::string> members;
    if (object_.exists()) {
      tx_.for_each(object_.key(), CellName::first_at(CellKind::set_element), CellKind::set_element,
                   [&](const CellName& name, const CellValue&) {
                     members.push_back(name.subkey());
                     return Tables::Walk::on;
                   });
    }
    std::ranges::sort(members);
    return members;
  }

  Result hash_set() {
    if (auto error = want_args(2, 2)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::hash)) {
      return *error;
    }
    object_.create(ObjectType::hash);
    std::int64_t added = 0;
    for (std::size_t i = 0; i < command_.args.size(); i += 2) {
      Valued field = Valued::field(object_, command_.args[i]);
      added += field.exists() ? 0 : 1;
      field.assign(command_.args[i + 1]);
    }
    return added;
  }

  Result hash_get() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::hash)) {
      return *error;
    }
    return text_of(Valued::field(object_, command_.args[0]));
  }

  Result hash_del() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::hash)) {
      return *error;
    }
    std::int64_t removed = 0;
    for (const std::string& name : command_.args) {
      if (Valued field = Valued::field(object_, name); field.exists()) {
        field.erase();
        ++removed;
      }
    }
    if (removed > 0) {
      object_.settle(ObjectType::hash);
    }
    return removed;
  }

  Result hash_get_all() {
    if (auto error = want_type(ObjectType::hash)) {
      return *error;
    }
    std::vector<std::string> names;
    if (object_.exists()) {
      tx_.for_each(object_.key(), CellName::first_at(CellKind::hash_field), CellKind::hash_totals,
                   [&](const CellName& name, const CellValue& value) {
                     if (is_present(value)) {
                       names.push_back(name.subkey());
                     }
                     return Tables::Walk::on;
                   });
    }
    std::ranges::sort(names);
    const auto repeated = std::ranges::unique(names);  // a field with both halves
    names.erase(repeated.begin(), repeated.end());
    std::vector<std::string> flat;
    for (std::string& name : names) {
      if (auto text = Valued::field(object_, name).text()) {
        flat.push_back(std::move(name));
        flat.push_back(std::move(*text));
      }
    }
    return flat;
  }

  Result hash_incr() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::hash)) {
      return *error;
    }
    object_.create(ObjectType::hash);
    return add(Valued::field(object_, command_.args[0]), "hash value");
  }

  Result flag_enable() {
    if (auto error = want_type(ObjectType::flag)) {
      return *error;
    }
    object_.create(ObjectType::flag);
    tx_.assign(object_.cell(CellKind::flag), {});
    return Ok{};
  }

  Result flag_disable() {
    if (auto error = want_type(ObjectType::flag)) {
      return *error;
    }
    if (object_.exists()) {
      tx_.remove(object_.cell(CellKind::flag));
      object_.settle(ObjectType::flag);
    }
    return Ok{};
  }

  Result flag_get() {
    if (auto error = want_type(ObjectType::flag)) {
      return *error;
    }
    return std::int64_t{
        object_.exists() && flag_is_on(tx_.dotted(object_.cell(CellKind::flag))) ? 1 : 0};
  }

  Result mv_set() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::mv_register)) {
      return *error;
    }
    object_.create(ObjectType::mv_register);
    tx_.assign(object_.cell(CellKind::mv_register), command_.args[0]);
    return Ok{};
  }

  Result mv_get() {
    if (auto error = want_type(ObjectType::mv_register)) {
      return *error;
    }
    return object_.exists() ? mv_values(tx_.dotted(object_.cell(CellKind::mv_register)))
                            : std::vector<std::string>();
  }

  Result expire() {
    if (command_.number <= 0 || command_.number >= never_expires - tx_.now_ms()) {
      return bad_request("a key expires after a number of milliseconds above 0");
    }
    if (!object_.exists()) {
      return std::int64_t{0};
    }
    object_.expire_at(tx_.now_ms() + command_.number);
    return std::int64_t{1};
  }

  Result zset_add() {
    if (auto error = want_args(2, 2)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::sorted_set)) {
      return *error;
    }
    std::vector<double> scores;
    for (std::size_t i = 1; i < command_.args.size(); i += 2) {
      const auto score = parse_score(command_.args[i]);
      if (!score) {
        return Error{ErrorCode::not_a_number, "a score is a number or inf"};
      }
      scores.push_back(*score);
    }
    object_.create(ObjectType::sorted_set);
    std::int64_t added = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      Valued member = Valued::member(object_, command_.args[2 * i]);
      added += member.exists() ? 0 : 1;
      member.assign(encode_score({.value = scores[i]}));
    }
    return added;
  }

  Transaction& tx_;
  const Command& command_;
  CommandLimits limits_;
  Object object_;
};

}  // namespace

wire::Result run_command(Transaction& transaction, const wire::Command& command,
                         const CommandLimits& limits) {
  return Execution(transaction, command, limits).run();
}

std::size_t result_bytes(const wire::Result& result) {
  std::size_t bytes = sizeof(wire::Result);
  if (const auto* text = std::get_if<std::string>(&result)) {
    bytes += text->size();
  } else if (const auto* list = std::get_if<std::vector<std::string>>(&result)) {
    for (const std::string& item : *list) {
      bytes += sizeof(std::string) + item.size();
    }
  }
  return bytes;
}

}  // namespace starling::replica
