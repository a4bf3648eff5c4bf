#include "server/replica/valued.h"

namespace starling::replica {

// An expired object shows nothing, though its cells are still there.
Valued::Valued(const Object& object, CellKind base, CellKind increments, std::string_view name)
    : tx_(object.transaction()),
      base_key_(object.cell(base, name)),
      increments_key_(object.cell(increments, name)),
      counted_(is_counted(base)) {
  if (object.holds(object_type(base))) {
    base_ = tx_.dotted(base_key_);
    increments_ = tx_.totals(increments_key_);
  }
}

void Valued::assign(std::string bytes) {
  tx_.reset(increments_key_);
  // After the reset no increments are left that count.
  const Seen seen{.base = presence(!base_.empty()), .totals = Presence::absent};
  tx_.assign(base_key_, std::move(bytes), counted_ ? seen : Seen{});
}

void Valued::assign_string(const Object& object, std::string bytes) {
  Transaction& tx = object.transaction();
  if (object.has_increments()) {
    tx.reset(object.cell(CellKind::string_totals));
  }
  tx.assign(object.cell(CellKind::string_register), std::move(bytes));
}

const std::string* Valued::plain_text(const Object& object) {
  Transaction& tx = object.transaction();
  if (!object.holds(ObjectType::string) ||
      (object.has_increments() &&
       tx.totals(object.key(), {CellKind::string_totals, {}}).exists())) {
    return nullptr;
  }
  const Sibling* winner = tx.dotted(object.key(), {CellKind::string_register, {}}).winner();
  return winner == nullptr ? nullptr : &winner->bytes;
}

void Valued::erase() {
  if (!base_.empty()) {
    const Seen seen{.base = Presence::present, .totals = presence(increments_.exists())};
    tx_.remove(base_key_, counted_ ? seen : Seen{});
  }
  tx_.reset(increments_key_);
}

}  // namespace starling::replica
