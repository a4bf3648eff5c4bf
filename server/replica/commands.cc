#include "server/replica/commands.h"

#include <algorithm>
#include <limits>
#include <span>

#include "crdt/aw_set.h"
#include "crdt/ew_flag.h"
#include "crdt/hash.h"
#include "crdt/mv_register.h"
#include "crdt/string.h"

namespace starling::replica {
namespace {

using wire::Command;
using wire::CommandCode;
using wire::Error;
using wire::ErrorCode;
using wire::Nil;
using wire::Ok;
using wire::Result;

Error storage_error(const StoreError& error) { return {ErrorCode::storage, error.message}; }

Error bad_request(std::string text) { return {ErrorCode::bad_request, std::move(text)}; }

// One command being run: the key it names and how to read and write the cells under it.
class Execution {
 public:
  Execution(Transaction& transaction, const Command& command, const CommandLimits& limits)
      : tx_(transaction), command_(command), key_{command.db, command.key}, limits_(limits) {}

  Result run() {
    if (auto error = check_limits()) {
      return *error;
    }
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
      default:
        return bad_request("this command does not run on a key");
    }
  }

 private:
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

  // -- types under the key --

  // The object readers see must be of this type or absent.
  std::optional<Error> want_type(ObjectType wanted) {
    auto types = present_types(tx_, key_);
    if (!types) {
      return storage_error(types.error());
    }
    types_ = std::move(*types);
    const ObjectType seen = types_.empty() ? ObjectType::none : types_.front().type;
    if (seen != ObjectType::none && seen != wanted) {
      return Error{ErrorCode::wrong_type, "the key holds a " + std::string(type_name(seen)) +
                                              ", not a " + std::string(type_name(wanted))};
    }
    return std::nullopt;
  }

  [[nodiscard]] bool object_exists(ObjectType type) const {
    return std::ranges::any_of(types_, [&](const TypePresence& p) { return p.type == type; });
  }

  CellKey header(ObjectType type) const {
    return {key_, {CellKind::header, std::string(1, static_cast<char>(type))}};
  }
  CellKey cell(CellKind kind, std::string_view subkey = {}) const {
    return {key_, {kind, std::string(subkey)}};
  }

  static std::optional<Error> failure(const StoreResult<void>& done) {
    return done ? std::nullopt : std::optional(storage_error(done.error()));
  }

  // A new collection notes when it was created.
  std::optional<Error> created(ObjectType type) {
    if (object_exists(type)) {
      return std::nullopt;
    }
    types_.push_back({type, 0});
    return failure(tx_.assign(header(type), {}));
  }

  // A collection whose last cell this command removed leaves nothing behind.
  std::optional<Error> removed_from(ObjectType type) {
    const auto counts = tx_.counts(key_);
    if (!counts) {
      return storage_error(counts.error());
    }
    const std::int64_t left = type == ObjectType::set ? counts->elements : counts->fields;
    return left > 0 ? std::nullopt : failure(tx_.remove(header(type)));
  }

  // -- string cells, of a key or of a hash field --

  struct StringCells {
    CellKey base;
    CellKey increments;
  };
  StringCells string_cells() const {
    return {cell(CellKind::string_register), cell(CellKind::string_totals)};
  }
  StringCells field_cells(const std::string& field) const {
    return {cell(CellKind::hash_field, field), cell(CellKind::hash_totals, field)};
  }

  struct StringState {
    DottedCell base;
    OriginTotals increments;
    [[nodiscard]] StringView view() const { return {base, increments}; }
  };
  StoreResult<StringState> read(const StringCells& cells) {
    StringState state;
    const auto base = tx_.read(cells.base);
    if (!base) {
      return std::unexpected(base.error());
    }
    state.base = std::get<DottedCell>(**base);
    const auto increments = tx_.read(cells.increments);
    if (!increments) {
      return std::unexpected(increments.error());
    }
    state.increments = std::get<OriginTotals>(**increments);
    return state;
  }

  Result add(const StringCells& cells, std::string_view what) {
    const auto state = read(cells);
    if (!state) {
      return storage_error(state.error());
    }
    const auto value = state->view().integer();
    if (!value || state->view().hides_increments()) {
      return Error{ErrorCode::not_a_number,
                   std::string(what) + " is not an integer or out of range"};
    }
    const Int128 sum = static_cast<Int128>(*value) + command_.number;
    if (sum != saturate(sum)) {
      return Error{ErrorCode::overflow, "increment or decrement would overflow"};
    }
    if (const auto done = tx_.increment(cells.increments, Total::of(command_.number)); !done) {
      return storage_error(done.error());
    }
    return static_cast<std::int64_t>(sum);
  }

  static Result answer(const StoreResult<void>& done) {
    return done ? Result(Ok{}) : Result(storage_error(done.error()));
  }

  // -- commands --

  Result get() {
    if (auto error = want_type(ObjectType::string)) {
      return *error;
    }
    const auto state = read(string_cells());
    if (!state) {
      return storage_error(state.error());
    }
    auto text = state->view().text();
    return text ? Result(std::move(*text)) : Result(Nil{});
  }

  Result set() {
    if (auto error = want_args(1)) {
      return *error;
    }
    const auto types = present_types(tx_, key_);
    if (!types) {
      return storage_error(types.error());
    }
    // SET replaces whatever it sees, of any type.
    const bool others = std::ranges::any_of(
        *types, [](const TypePresence& p) { return p.type != ObjectType::string; });
    const auto cleared = others ? tx_.kill(key_) : tx_.reset(cell(CellKind::string_totals));
    if (!cleared) {
      return storage_error(cleared.error());
    }
    return answer(tx_.assign(cell(CellKind::string_register), command_.args[0]));
  }

  Result incr() {
    if (auto error = want_type(ObjectType::string)) {
      return *error;
    }
    return add(string_cells(), "value");
  }

  Result del() {
    const auto types = present_types(tx_, key_);
    if (!types) {
      return storage_error(types.error());
    }
    if (types->empty()) {
      return std::int64_t{0};
    }
    if (const auto killed = tx_.kill(key_); !killed) {
      return storage_error(killed.error());
    }
    return std::int64_t{1};
  }

  Result exists() {
    const auto type = visible_type(tx_, key_);
    if (!type) {
      return storage_error(type.error());
    }
    return std::int64_t{*type == ObjectType::none ? 0 : 1};
  }

  Result type() {
    const auto type = visible_type(tx_, key_);
    if (!type) {
      return storage_error(type.error());
    }
    return std::string(type_name(*type));
  }

  Result set_add() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::set)) {
      return *error;
    }
    if (auto error = created(ObjectType::set)) {
      return *error;
    }
    std::int64_t added = 0;
    for (const std::string& element : command_.args) {
      const CellKey key = cell(CellKind::set_element, element);
      const auto before = tx_.read(key);
      if (!before) {
        return storage_error(before.error());
      }
      added += set_contains(std::get<DottedCell>(**before)) ? 0 : 1;
      // Also when it is there already: this add must win over a concurrent remove of the old one.
      if (auto error = failure(tx_.assign(key, {}, {.base = presence_of(**before)}))) {
        return *error;
      }
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
      const CellKey key = cell(CellKind::set_element, element);
      const auto before = tx_.read(key);
      if (!before) {
        return storage_error(before.error());
      }
      if (set_contains(std::get<DottedCell>(**before))) {
        if (auto error = failure(tx_.remove(key, {.base = Presence::present}))) {
          return *error;
        }
        ++removed;
      }
    }
    if (removed > 0) {
      if (auto error = removed_from(ObjectType::set)) {
        return *error;
      }
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
    const auto value = tx_.read(cell(CellKind::set_element, command_.args[0]));
    if (!value) {
      return storage_error(value.error());
    }
    return std::int64_t{set_contains(std::get<DottedCell>(**value)) ? 1 : 0};
  }

  Result size(ObjectType type) {
    if (auto error = want_type(type)) {
      return *error;
    }
    const auto counts = tx_.counts(key_);
    if (!counts) {
      return storage_error(counts.error());
    }
    return type == ObjectType::set ? counts->elements : counts->fields;
  }

  Result set_members() {
    if (auto error = want_type(ObjectType::set)) {
      return *error;
    }
    std::vector<std::string> members;
    const auto walked = tx_.for_each(key_, CellKind::set_element, CellKind::set_element,
                                     [&](const CellName& name, const CellValue&) {
                                       members.push_back(name.subkey);
                                       return Tables::Walk::on;
                                     });
    if (!walked) {
      return storage_error(walked.error());
    }
    return members;
  }

  Result hash_set() {
    if (auto error = want_args(2, 2)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::hash)) {
      return *error;
    }
    if (auto error = created(ObjectType::hash)) {
      return *error;
    }
    std::int64_t added = 0;
    for (std::size_t i = 0; i < command_.args.size(); i += 2) {
      const StringCells cells = field_cells(command_.args[i]);
      const auto before = read(cells);
      if (!before) {
        return storage_error(before.error());
      }
      added += before->view().exists() ? 0 : 1;
      if (const auto reset = tx_.reset(cells.increments); !reset) {
        return storage_error(reset.error());
      }
      const Seen seen{.base = presence(!before->base.empty()),
                      .totals = Presence::absent};  // after the reset
      if (auto error = failure(tx_.assign(cells.base, command_.args[i + 1], seen))) {
        return *error;
      }
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
    const auto state = read(field_cells(command_.args[0]));
    if (!state) {
      return storage_error(state.error());
    }
    auto text = state->view().text();
    return text ? Result(std::move(*text)) : Result(Nil{});
  }

  Result hash_del() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::hash)) {
      return *error;
    }
    std::int64_t removed = 0;
    for (const std::string& field : command_.args) {
      const StringCells cells = field_cells(field);
      const auto before = read(cells);
      if (!before) {
        return storage_error(before.error());
      }
      if (!before->view().exists()) {
        continue;
      }
      ++removed;
      if (!before->base.empty()) {
        const Seen seen{.base = Presence::present, .totals = presence(before->increments.exists())};
        if (auto error = failure(tx_.remove(cells.base, seen))) {
          return *error;
        }
      }
      if (const auto reset = tx_.reset(cells.increments); !reset) {
        return storage_error(reset.error());
      }
    }
    if (removed > 0) {
      if (auto error = removed_from(ObjectType::hash)) {
        return *error;
      }
    }
    return removed;
  }

  Result hash_get_all() {
    if (auto error = want_type(ObjectType::hash)) {
      return *error;
    }
    // Registers come before totals, each sorted by field: collect, then join the two by name.
    std::map<std::string, StringState> fields;
    const auto walked = tx_.for_each(key_, CellKind::hash_field, CellKind::hash_totals,
                                     [&](const CellName& name, const CellValue& value) {
                                       StringState& field = fields[name.subkey];
                                       if (const auto* totals = std::get_if<OriginTotals>(&value)) {
                                         field.increments = *totals;
                                       } else {
                                         field.base = std::get<DottedCell>(value);
                                       }
                                       return Tables::Walk::on;
                                     });
    if (!walked) {
      return storage_error(walked.error());
    }
    std::vector<std::string> flat;
    for (const auto& [field, state] : fields) {
      if (auto text = state.view().text()) {
        flat.push_back(field);
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
    if (auto error = created(ObjectType::hash)) {
      return *error;
    }
    return add(field_cells(command_.args[0]), "hash value");
  }

  Result flag_enable() {
    if (auto error = want_type(ObjectType::flag)) {
      return *error;
    }
    if (auto error = created(ObjectType::flag)) {
      return *error;
    }
    return answer(tx_.assign(cell(CellKind::flag), {}));
  }

  Result flag_disable() {
    if (auto error = want_type(ObjectType::flag)) {
      return *error;
    }
    if (object_exists(ObjectType::flag)) {
      for (const CellKey& key : {cell(CellKind::flag), header(ObjectType::flag)}) {
        if (auto error = failure(tx_.remove(key))) {
          return *error;
        }
      }
    }
    return Ok{};
  }

  Result flag_get() {
    if (auto error = want_type(ObjectType::flag)) {
      return *error;
    }
    const auto value = tx_.read(cell(CellKind::flag));
    if (!value) {
      return storage_error(value.error());
    }
    return std::int64_t{flag_is_on(std::get<DottedCell>(**value)) ? 1 : 0};
  }

  Result mv_set() {
    if (auto error = want_args(1)) {
      return *error;
    }
    if (auto error = want_type(ObjectType::mv_register)) {
      return *error;
    }
    if (auto error = created(ObjectType::mv_register)) {
      return *error;
    }
    return answer(tx_.assign(cell(CellKind::mv_register), command_.args[0]));
  }

  Result mv_get() {
    if (auto error = want_type(ObjectType::mv_register)) {
      return *error;
    }
    const auto value = tx_.read(cell(CellKind::mv_register));
    if (!value) {
      return storage_error(value.error());
    }
    return mv_values(std::get<DottedCell>(**value));
  }

  Transaction& tx_;
  const Command& command_;
  ObjectKey key_;
  CommandLimits limits_;
  std::vector<TypePresence> types_;
};

}  // namespace

namespace {

Hlc oldest_sibling(const CellValue& value) {
  const auto* cell = std::get_if<DottedCell>(&value);
  return cell == nullptr || cell->empty()
             ? 0
             : std::ranges::min(cell->siblings(), {}, &Sibling::hlc).hlc;
}

// When the object of this type was created, as far as anybody knows: its header, or else the oldest
// sibling of its first cell. nullopt: there is no such object.
class Creation {
 public:
  Creation(Transaction& transaction, const ObjectKey& key) : tx_(transaction), key_(key) {}

  StoreResult<std::optional<Hlc>> of(ObjectType type) {
    std::optional<Hlc> oldest;
    switch (type) {
      case ObjectType::string:
        oldest = first_of({CellKind::string_register, CellKind::string_totals});
        break;
      case ObjectType::flag:
        oldest = first_of({CellKind::flag});
        break;
      case ObjectType::mv_register:
        oldest = first_of({CellKind::mv_register});
        break;
      case ObjectType::set:
      case ObjectType::hash:
        return of_collection(type);
      case ObjectType::none:
        break;
    }
    return finish(type, oldest);
  }

 private:
  // The cells that are alone of their kind, in key order.
  std::optional<Hlc> first_of(std::initializer_list<CellKind> kinds) {
    for (const CellKind kind : kinds) {
      const auto value = tx_.read({key_, {kind, {}}});
      if (!value) {
        error_ = value.error();
        return std::nullopt;
      }
      if (is_present(**value)) {
        return oldest_sibling(**value);
      }
    }
    return std::nullopt;
  }

  StoreResult<std::optional<Hlc>> of_collection(ObjectType type) {
    const auto counts = tx_.counts(key_);
    if (!counts) {
      return std::unexpected(counts.error());
    }
    const std::int64_t items = type == ObjectType::set ? counts->elements : counts->fields;
    return items > 0 ? finish(type, Hlc{0}) : std::optional<Hlc>();
  }

  StoreResult<std::optional<Hlc>> finish(ObjectType type, std::optional<Hlc> oldest) {
    if (error_) {
      return std::unexpected(*error_);
    }
    if (!oldest) {
      return oldest;
    }
    const auto header =
        tx_.read({key_, {CellKind::header, std::string(1, static_cast<char>(type))}});
    if (!header) {
      return std::unexpected(header.error());
    }
    if (is_present(**header)) {
      return std::get<DottedCell>(**header).winner()->hlc;
    }
    return type == ObjectType::hash ? oldest_field() : StoreResult<std::optional<Hlc>>(oldest);
  }

  // A concurrent delete may have taken the header of a hash that lives on.
  StoreResult<std::optional<Hlc>> oldest_field() {
    Hlc oldest = 0;
    const auto walked = tx_.for_each(key_, CellKind::hash_field, CellKind::hash_totals,
                                     [&](const CellName&, const CellValue& value) {
                                       if (!is_present(value)) {
                                         return Tables::Walk::on;
                                       }
                                       oldest = oldest_sibling(value);
                                       return Tables::Walk::stop;
                                     });
    if (!walked) {
      return std::unexpected(walked.error());
    }
    return oldest;
  }

  Transaction& tx_;
  const ObjectKey& key_;
  std::optional<StoreError> error_;
};

}  // namespace

StoreResult<std::vector<TypePresence>> present_types(Transaction& transaction,
                                                     const ObjectKey& key) {
  std::vector<TypePresence> present;
  Creation creation(transaction, key);
  for (const ObjectType type : {ObjectType::string, ObjectType::hash, ObjectType::set,
                                ObjectType::flag, ObjectType::mv_register}) {
    const auto created = creation.of(type);
    if (!created) {
      return std::unexpected(created.error());
    }
    if (*created) {
      present.push_back({type, **created});
    }
  }
  std::ranges::sort(present, [](const TypePresence& a, const TypePresence& b) {
    return std::pair(a.created, a.type) > std::pair(b.created, b.type);
  });
  return present;
}

StoreResult<ObjectType> visible_type(Transaction& transaction, const ObjectKey& key) {
  const auto types = present_types(transaction, key);
  if (!types) {
    return std::unexpected(types.error());
  }
  return types->empty() ? ObjectType::none : types->front().type;
}

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
