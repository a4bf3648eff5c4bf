#include "server/replica/object.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "crdt/deadline.h"
#include "crdt/mutants.h"

namespace starling::replica {
namespace {

constexpr std::array all_types{ObjectType::string, ObjectType::hash,        ObjectType::set,
                               ObjectType::flag,   ObjectType::mv_register, ObjectType::sorted_set};

bool is_collection(ObjectType type) {
  return type == ObjectType::set || type == ObjectType::hash || type == ObjectType::sorted_set;
}

}  // namespace

Object::Object(Transaction& transaction, ObjectKey key) : tx_(transaction), key_(std::move(key)) {
  look();
}

void Object::look() {
  const Tables::Look look = tx_.look(key_);
  types_ = look.types;
  has_increments_ = look.has_increments;
  has_deadline_cell_ = look.has_deadline_cell;
  deadline_ = look.deadline;
  if (types_ != 0 && deadline_ && *deadline_ <= tx_.now_ms() && !mutant("shown_until_killed")) {
    types_ = 0;
    expired_ = true;
  }
  choose();
}

// Only where several types lie under the key it matters when they were created.
void Object::choose() {
  if (std::popcount(types_) > 1) {
    visible_ = types().front().type;
  } else {
    visible_ = types_ == 0 ? ObjectType::none : static_cast<ObjectType>(std::countr_zero(types_));
  }
}

void Object::show(ObjectType created) {
  types_ |= Tables::bit_of(created);
  visible_ = created;
}

void Object::hide(ObjectType gone) {
  types_ &= static_cast<std::uint8_t>(~Tables::bit_of(gone));
  choose();
}

std::vector<TypePresence> Object::types() const {
  std::vector<TypePresence> types;
  for (const ObjectType type : all_types) {
    if (holds(type)) {
      types.push_back({type, created(type)});
    }
  }
  std::ranges::sort(types, [](const TypePresence& a, const TypePresence& b) {
    return std::pair(a.created, a.type) > std::pair(b.created, b.type);
  });
  return types;
}

std::int64_t Object::size(ObjectType type) const {
  return holds(type) ? tx_.counts(key_).of(type) : 0;
}

// ---------------------------------------------------------------- what is there

// Of a type that is present.
Hlc Object::created(ObjectType type) const {
  const auto header_or = [&](const auto& without) {
    const DottedCell& noted = tx_.dotted(header(type));
    return noted.empty() ? without() : noted.winner()->hlc;
  };
  switch (type) {
    case ObjectType::string:
      return header_or(
          [&] { return first_of({CellKind::string_register, CellKind::string_totals}); });
    case ObjectType::flag:
      return header_or([&] { return first_of({CellKind::flag}); });
    case ObjectType::mv_register:
      return header_or([&] { return first_of({CellKind::mv_register}); });
    // A concurrent delete may have taken the header of a collection that lives on.
    case ObjectType::hash:
      return header_or([&] { return oldest_of(CellKind::hash_field, CellKind::hash_totals); });
    case ObjectType::sorted_set:
      return header_or([&] { return oldest_of(CellKind::scored_member, CellKind::scored_totals); });
    case ObjectType::set:
      return header_or([] { return Hlc{0}; });
    case ObjectType::none:
      break;
  }
  return 0;
}

// The cells that are alone of their kind, in key order.
Hlc Object::first_of(std::initializer_list<CellKind> kinds) const {
  for (const CellKind kind : kinds) {
    const CellValue& value = tx_.read(cell(kind));
    if (is_present(value)) {
      return oldest_sibling(value);
    }
  }
  return 0;
}

Hlc Object::oldest_of(CellKind first, CellKind last) const {
  Hlc oldest = 0;
  tx_.for_each(key_, CellName::first_at(first), last, [&](const CellName&, const CellValue& value) {
    if (!is_present(value)) {
      return Tables::Walk::on;
    }
    oldest = oldest_sibling(value);
    return Tables::Walk::stop;
  });
  return oldest;
}

CellKey Object::header(ObjectType type) const {
  return {key_, {CellKind::header, std::string(1, static_cast<char>(type))}};
}

// ---------------------------------------------------------------- coming and going

// An attribute without a value is no key: whoever creates one starts without (replication.md §4).
bool Object::has_residue() const { return types_ == 0 && has_deadline_cell_; }

void Object::kill_expired() {
  if (expired_ && !mutant("expired_mixes")) {
    tx_.kill(key_);
    expired_ = false;
    has_deadline_cell_ = false;
    deadline_.reset();
  } else if (has_residue()) {
    tx_.remove(cell(CellKind::deadline));
    has_deadline_cell_ = false;
    deadline_.reset();
  }
}

void Object::create(ObjectType type) {
  kill_expired();
  if (!holds(type)) {
    show(type);
    if (type != ObjectType::string) {
      tx_.assign(header(type), {});
    }
  }
}

void Object::settle(ObjectType type) {
  if (tx_.counts(key_).of(type) > 0) {
    return;
  }
  tx_.remove(header(type));
  hide(type);
  if (has_residue()) {
    kill_expired();
  }
}

void Object::erase() {
  if (exists() || expired_) {
    tx_.kill(key_);
    types_ = 0;
    visible_ = ObjectType::none;
    expired_ = false;
    has_deadline_cell_ = false;
    deadline_.reset();
  }
}

void Object::clear_for(ObjectType type, bool keep_deadline) {
  kill_expired();
  const auto kept = deadline_;
  const bool only_this = !exists() || holds_only(type);
  if (!only_this || (is_collection(type) && exists())) {
    erase();
    create(type);  // before the deadline, which without a value would be residue
    if (keep_deadline && kept) {
      expire_at(*kept);
    }
  } else if (!keep_deadline && has_deadline_cell_) {
    tx_.remove(cell(CellKind::deadline));
    has_deadline_cell_ = false;
    deadline_.reset();
  }
  create(type);
}

void Object::expire_at(std::int64_t unix_ms) {
  tx_.assign(cell(CellKind::deadline), encode_deadline(unix_ms));
  has_deadline_cell_ = true;
  deadline_ = unix_ms == never_expires ? std::nullopt : std::optional(unix_ms);
}

}  // namespace starling::replica
