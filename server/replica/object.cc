#include "server/replica/object.h"

#include <algorithm>
#include <array>

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
  types_.clear();
  for (const ObjectType type : all_types) {
    if (const auto at = created(type)) {
      types_.push_back({type, *at});
    }
  }
  std::ranges::sort(types_, [](const TypePresence& a, const TypePresence& b) {
    return std::pair(a.created, a.type) > std::pair(b.created, b.type);
  });
  const DottedCell& deadline = tx_.dotted(cell(CellKind::deadline));
  has_deadline_cell_ = !deadline.empty();
  deadline_ = deadline_of(deadline);
  if (!types_.empty() && deadline_ && *deadline_ <= tx_.now_ms() && !mutant("shown_until_killed")) {
    types_.clear();
    expired_ = true;
  }
}

bool Object::holds(ObjectType type) const {
  return std::ranges::any_of(types_, [&](const TypePresence& p) { return p.type == type; });
}

std::int64_t Object::size(ObjectType type) const {
  return holds(type) ? tx_.counts(key_).of(type) : 0;
}

// ---------------------------------------------------------------- what is there

std::optional<Hlc> Object::created(ObjectType type) {
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
    case ObjectType::sorted_set:
      if (tx_.counts(key_).of(type) > 0) {
        oldest = 0;
      }
      break;
    case ObjectType::none:
      break;
  }
  if (!oldest) {
    return oldest;
  }
  const DottedCell& noted = tx_.dotted(header(type));
  if (!noted.empty()) {
    return noted.winner()->hlc;
  }
  // A concurrent delete may have taken the header of a collection that lives on.
  if (type == ObjectType::hash) {
    return oldest_of(CellKind::hash_field, CellKind::hash_totals);
  }
  if (type == ObjectType::sorted_set) {
    return oldest_of(CellKind::scored_member, CellKind::scored_totals);
  }
  return oldest;
}

// The cells that are alone of their kind, in key order.
std::optional<Hlc> Object::first_of(std::initializer_list<CellKind> kinds) {
  for (const CellKind kind : kinds) {
    const CellValue& value = tx_.read(cell(kind));
    if (is_present(value)) {
      return oldest_sibling(value);
    }
  }
  return std::nullopt;
}

Hlc Object::oldest_of(CellKind first, CellKind last) {
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
bool Object::has_residue() const { return types_.empty() && has_deadline_cell_; }

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
    types_.insert(types_.begin(), {type, tx_.hlc()});
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
  std::erase_if(types_, [&](const TypePresence& p) { return p.type == type; });
  if (has_residue()) {
    kill_expired();
  }
}

void Object::erase() {
  if (exists() || expired_) {
    tx_.kill(key_);
    types_.clear();
    expired_ = false;
    has_deadline_cell_ = false;
    deadline_.reset();
  }
}

void Object::clear_for(ObjectType type, bool keep_deadline) {
  kill_expired();
  const auto kept = deadline_;
  const bool only_this =
      std::ranges::all_of(types_, [&](const TypePresence& p) { return p.type == type; });
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
