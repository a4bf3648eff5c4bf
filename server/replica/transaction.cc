#include "server/replica/transaction.h"

#include <algorithm>
#include <utility>

#include "crdt/deadline.h"
#include "crdt/mutants.h"
#include "crdt/sorted_set.h"

namespace starling::replica {
namespace {

void kill_value(CellValue& value, const VersionVector& context) {
  if (auto* dotted = std::get_if<DottedCell>(&value)) {
    dotted->kill(context);
  }
}

// What an operation weighs in its entry, at most. The origins it names are written once per stream:
// they are within what `max_entry_payload` leaves free.
std::size_t weight(const CellKey& key, const Change& change) {
  constexpr std::size_t varint = 10;
  const auto weight_of = [](const Total& total) -> std::size_t {
    return total.has_real() ? 36 : 20;  // units of 128 bits as a varint; two doubles
  };
  std::size_t bytes = key.object.key.size() + key.cell.subkey().size() + 16;
  if (const auto* assign = std::get_if<Assign>(&change)) {
    bytes += assign->bytes.size();
  } else if (const auto* remove = std::get_if<Remove>(&change); remove && remove->context) {
    bytes += 2 * varint * remove->context->components().size() +
             2 * varint * remove->context->seals().size();
  } else if (const auto* increment = std::get_if<Increment>(&change)) {
    bytes += varint + weight_of(increment->total) + weight_of(increment->delta);
  } else if (const auto* reset = std::get_if<Reset>(&change)) {
    for (const ObservedTotal& seen : reset->observed) {
      bytes += 3 * varint + weight_of(seen.total);
    }
  }
  return bytes;
}

}  // namespace

const CellValue& Transaction::read(const ObjectKey& object, const CellName& name) {
  settle(object);
  if (!overlay_.empty()) {
    if (const auto found = overlay_.find(object); found != overlay_.end()) {
      const auto& cells = found->second.cells;
      if (const auto cell = cells.find(name); cell != cells.end()) {
        return cell->second;
      }
    }
  }
  const VersionVector* killed = this->killed(object);
  return killed == nullptr ? below(object, name) : under_kill(object, name, *killed);
}

const VersionVector* Transaction::killed(const ObjectKey& object) const {
  if (!killed_.empty()) {
    if (const auto key = killed_.find(object); key != killed_.end()) {
      return &key->second;
    }
  }
  if (const auto database = databases_killed_.find(object.db);
      database != databases_killed_.end()) {
    return &database->second;
  }
  return all_killed_ ? &*all_killed_ : nullptr;
}

const CellValue& Transaction::below(const ObjectKey& object, const CellName& name) {
  if (error_) {
    return empty_cell(name.kind());
  }
  const auto value = tables_.read(object, name);
  if (!value) {
    error_ = value.error();
    return empty_cell(name.kind());
  }
  return **value;
}

const CellValue& Transaction::under_kill(const ObjectKey& object, const CellName& name,
                                         const VersionVector& killed) {
  CellValue value = below(object, name);
  kill_value(value, killed);
  return overlay_[object].cells.emplace(name, std::move(value)).first->second;
}

// Nearly always this entry has not touched the object yet.
Tables::Look Transaction::look(const ObjectKey& object) {
  Tables::Look look;
  if (error_) {
    return look;
  }
  settle(object);
  if (killed(object) == nullptr && (overlay_.empty() || !overlay_.contains(object))) {
    const auto seen = tables_.look(object);
    if (!seen) {
      error_ = seen.error();
      return look;
    }
    return *seen;
  }
  for (const CellKind kind : {CellKind::string_register, CellKind::string_totals,
                              CellKind::mv_register, CellKind::flag}) {
    if (is_present(read({object, {kind, {}}}))) {
      look.types |= Tables::bit_of(object_type(kind));
    }
  }
  look.has_increments = !is_empty(read({object, {CellKind::string_totals, {}}}));
  look.types |= Tables::types_with_items(counts(object));
  const DottedCell& deadline = dotted({object, {CellKind::deadline, {}}});
  look.has_deadline_cell = !deadline.empty();
  look.deadline = deadline_of(deadline);
  return look;
}

const DottedCell& Transaction::dotted(const ObjectKey& object, const CellName& name) {
  return std::get<DottedCell>(read(object, name));
}

const OriginTotals& Transaction::totals(const ObjectKey& object, const CellName& name) {
  return std::get<OriginTotals>(read(object, name));
}

void Transaction::for_each(const ObjectKey& object, const CellName& first, CellKind last,
                           const Tables::Visit& visit) {
  if (error_) {
    return;
  }
  settle(object);
  const auto overlay = overlay_.find(object);
  const VersionVector* killed = this->killed(object);
  if (overlay == overlay_.end() && killed == nullptr) {
    const auto count_and_visit = [&](const CellName& name, const CellValue& value) {
      return spend(1) ? visit(name, value) : Tables::Walk::stop;
    };
    Turns* const in_turns = turns();
    ++walks_;
    const auto walked = steps_left_ ? tables_.for_each(object, first, last, count_and_visit)
                                    : tables_.for_each(object, first, last, visit, in_turns);
    --walks_;
    if (!walked) {
      error_ = walked.error();
    }
    return;
  }
  // Both sides are sorted by name; the overlay's cell stands for the one below it.
  static const std::map<CellName, CellValue> nothing;
  const auto& cells = overlay == overlay_.end() ? nothing : overlay->second.cells;
  auto mine = cells.lower_bound(first);
  Tables::Walk walk = Tables::Walk::on;
  CellKind skipped{0};  // cells of this kind are not wanted any more
  const auto show = [&](const CellName& name, const CellValue& value) {
    if (name.kind() == skipped) {
      return Tables::Walk::next_kind;
    }
    if (!is_empty(value)) {
      walk = visit(name, value);
      if (walk == Tables::Walk::next_kind) {
        skipped = name.kind();
      }
      return walk;
    }
    return Tables::Walk::on;
  };
  const auto show_mine_before = [&](const CellName* name) {
    while (walk != Tables::Walk::stop && mine != cells.end() && mine->first.kind() <= last &&
           (name == nullptr || mine->first < *name)) {
      const CellKind kind = mine->first.kind();
      if (show(mine->first, mine->second) == Tables::Walk::next_kind) {
        mine = cells.lower_bound(
            CellName::first_at(static_cast<CellKind>(static_cast<std::uint8_t>(kind) + 1)));
      } else {
        ++mine;
      }
    }
  };
  ++walks_;
  const auto below =
      tables_.for_each(object, first, last, [&](const CellName& name, const CellValue& value) {
        show_mine_before(&name);
        if (walk == Tables::Walk::stop) {
          return walk;
        }
        if (mine != cells.end() && mine->first == name) {
          return Tables::Walk::on;  // shown in its turn
        }
        if (killed == nullptr) {
          return show(name, value);
        }
        CellValue left = value;
        kill_value(left, *killed);
        return show(name, left);
      });
  if (below) {
    show_mine_before(nullptr);
  } else {
    error_ = below.error();
  }
  --walks_;
}

// ---------------------------------------------------------------- turns

bool Transaction::spend(std::size_t steps) {
  if (!steps_left_) {
    return true;
  }
  if (*steps_left_ < steps) {
    too_long_ = true;
    error_ = stopped();
    return false;
  }
  *steps_left_ -= steps;
  return true;
}

bool Transaction::step(std::size_t steps) {
  if (error_ || !spend(steps)) {
    return false;
  }
  if (Turns* turns = this->turns(); turns != nullptr && turns->over() && !turns->next()) {
    error_ = stopped();
  }
  return !error_;
}

void Transaction::aside(const std::function<void()>& work) {
  if (error_) {
    return;
  }
  if (Turns* turns = this->turns(); turns == nullptr) {
    work();
  } else if (!turns->aside(work)) {
    error_ = stopped();
  }
}

void Transaction::part() {
  constexpr std::size_t most_bytes = 256u << 10;
  if (spend(1) && long_run_ != nullptr && walks_ == 0 &&
      (ops_.size() >= long_run_->part_ops() || bytes_ >= most_bytes)) {
    if (mutant("part_drops_op")) {
      ops_.pop_back();
    }
    long_run_->write_part(*this);
  }
}

void Transaction::start_anew(std::uint64_t first, Hlc hlc, const VersionVector& applied,
                             std::int64_t now_ms) {
  first_ = first;
  hlc_ = hlc;
  now_ms_ = now_ms;
  context_ = applied;
  bytes_ = 0;
  pending_.clear();
  overlay_.clear();
  killed_.clear();
  databases_killed_.clear();
  all_killed_.reset();
}

// ---------------------------------------------------------------- writing

Dot Transaction::next_dot() { return {origin_, first_ + ops_.size()}; }

void Transaction::emit(CellKey key, Change change) {
  bytes_ += weight(key, change);
  context_.advance(next_dot());
  ops_.push_back({std::move(key), std::move(change)});
}

void Transaction::emit_later_put(CellKey key, Change change, Seen seen) {
  if (pending_.size() == most_pending) {
    settle();
  }
  pending_.push_back({ops_.size(), seen});
  emit(std::move(key), std::move(change));
}

void Transaction::settle(const ObjectKey& object) {
  if (std::ranges::any_of(pending_,
                          [&](const Pending& p) { return ops_[p.op].key.object == object; })) {
    settle();
  }
}

void Transaction::settle() {
  const auto pending = std::exchange(pending_, {});
  for (const auto& [i, seen] : pending) {
    const auto& [key, change] = ops_[i];
    const Dot dot{origin_, first_ + i};
    if (const auto* assign = std::get_if<Assign>(&change)) {
      DottedCell value;
      value.assign({dot, has_payload(key.cell.kind()) ? hlc_ : 0, assign->bytes});
      put(key, std::move(value), seen);
    } else if (std::holds_alternative<Remove>(change)) {
      put(key, empty_cell(key.cell.kind()), seen);
    } else if (const auto* increment = std::get_if<Increment>(&change)) {
      OriginTotals sum = totals(key);
      sum.join(part_of(*increment, dot));
      put(key, std::move(sum), seen);
    } else if (const auto* reset = std::get_if<Reset>(&change)) {
      OriginTotals left = totals(key);
      for (const ObservedTotal& total : reset->observed) {
        left.reset(total, dot);
      }
      put(key, std::move(left), seen);
    }
  }
}

std::vector<ObjectKey> Transaction::touched(std::uint8_t db) {
  settle();
  std::vector<ObjectKey> objects;
  for (const auto& [object, cells] : overlay_) {
    if (object.db == db) {
      objects.push_back(object);
    }
  }
  for (const auto& [object, context] : killed_) {
    if (object.db == db && !overlay_.contains(object)) {
      objects.push_back(object);
    }
  }
  return objects;
}

Counts Transaction::counts(const ObjectKey& object) {
  settle(object);
  Counts counts;
  if (!error_ && killed(object) == nullptr) {
    if (const auto known = tables_.counts(object)) {
      counts = *known;
    } else {
      error_ = known.error();
    }
  }
  if (const auto overlay = overlay_.find(object); overlay != overlay_.end()) {
    counts += overlay->second.change;
  }
  return counts;
}

ScoreIndex Transaction::own_scores(const ObjectKey& object) {
  ScoreIndexBuilder builder;
  for_each(object, CellName::first_at(CellKind::scored_totals), CellKind::scored_totals,
           [&](const CellName& name, const CellValue& value) {
             builder.increments(name, value);
             return Tables::Walk::on;
           });
  for_each(object, CellName::first_at(CellKind::scored_member), CellKind::scored_member,
           [&](const CellName& name, const CellValue& value) {
             builder.member(name, value);
             return Tables::Walk::on;
           });
  return std::move(*builder.finish());
}

// The tables' index is lent: what this entry has changed is written into it, and taken back.
void Transaction::by_score(const ObjectKey& object,
                           const std::function<void(const ScoreIndex&)>& use) {
  constexpr std::int64_t few = 64;  // an index would cost more than it saves
  settle(object);
  const std::int64_t members = error_ ? 0 : counts(object).members;
  if (error_ || killed_.contains(object) || (!tables_.has_scores(object) && members < few)) {
    use(own_scores(object));
    return;
  }
  if (!tables_.has_scores(object) && !spend(static_cast<std::size_t>(members))) {
    use(ScoreIndex());
    return;
  }
  Turns* const in_turns = turns();
  const auto lent = tables_.scores(object, in_turns);
  if (!lent) {
    error_ = lent.error();
    use(ScoreIndex());
    return;
  }
  ScoreIndex& index = **lent;
  std::vector<std::pair<std::string, std::optional<double>>> stored;
  if (const auto overlay = overlay_.find(object); overlay != overlay_.end()) {
    for (const auto& [name, value] : overlay->second.cells) {
      if (object_type(name.kind()) != ObjectType::sorted_set) {
        continue;
      }
      const std::string& member = name.subkey();
      const DottedCell base = dotted({object, {CellKind::scored_member, member}});
      const OriginTotals& increments = totals({object, {CellKind::scored_totals, member}});
      stored.emplace_back(member, index.score(member));
      index.put(member, ScoreView(base, increments).score());
    }
  }
  use(index);
  if (in_turns != nullptr) {
    tables_.release_scores(object);
  }
  for (auto change = stored.rbegin(); change != stored.rend(); ++change) {
    index.put(change->first, change->second);
  }
}

void Transaction::put(const CellKey& key, CellValue value, Seen seen) {
  Counts change;
  if (is_counted(key.cell.kind())) {
    const auto look = [&](Presence& half, CellKind kind) {
      if (half == Presence::unknown) {
        half = presence_of(read({key.object, {kind, key.cell.subkey()}}));
      }
    };
    Item item;
    item.kind = item_kind(key.cell.kind());
    item.totals_touched = is_totals(key.cell.kind());
    look(seen.base, item.kind);
    if (has_twin(item.kind)) {
      look(seen.totals, twin_of(item.kind));
    }
    item.base_was = item.base_now = seen.base;
    item.totals_was = item.totals_now = seen.totals;
    (item.totals_touched ? item.totals_now : item.base_now) = presence_of(value);
    change = *item.change();
  }
  Object& object = overlay_[key.object];
  object.change += change;
  object.cells.insert_or_assign(key.cell, std::move(value));
}

void Transaction::assign(CellKey key, std::string bytes, Seen seen) {
  part();
  emit_later_put(std::move(key), Assign{std::move(bytes)}, seen);
}

void Transaction::remove(CellKey key, Seen seen) {
  part();
  emit_later_put(std::move(key), Remove{}, seen);
}

void Transaction::increment(CellKey key, const Total& delta) {
  part();
  const TotalPart part = totals(key).increment(origin_, next_dot().n, delta);
  emit_later_put(std::move(key), Increment{part.life, part.total, delta}, {});
}

void Transaction::reset(CellKey key) {
  part();
  auto observed = totals(key).observed();
  if (!observed.empty()) {
    emit_later_put(std::move(key), Reset{std::move(observed)}, {});
  }
}

void Transaction::kill(const ObjectKey& object) {
  settle();
  // Totals cannot be killed by context alone: they are enumerated (R3.6).
  std::vector<CellName> totals;
  for_each(object, CellName::first_at(CellKind{0}), CellKind{0xFF},
           [&](const CellName& name, const CellValue& value) {
             if (!is_totals(name.kind())) {
               return Tables::Walk::next_kind;
             }
             if (is_present(value)) {
               totals.push_back(name);
             }
             return Tables::Walk::on;
           });
  emit({object, {}}, Kill{ScopeLevel::key});
  killed_[object].join(context_);
  if (const auto cells = overlay_.find(object); cells != overlay_.end()) {
    for (auto& [name, value] : cells->second.cells) {
      kill_value(value, context_);
    }
  }
  for (const CellName& name : totals) {
    reset({object, name});
  }
  settle();
  overlay_[object].change = {};  // nothing of it is left
}

void Transaction::kill_all(ScopeLevel level, std::uint8_t db) {
  settle();
  emit({{db, {}}, {}}, Kill{level});
  const auto covers = [&](const ObjectKey& object) {
    return level == ScopeLevel::group || object.db == db;
  };
  std::erase_if(killed_, [&](const auto& killed) { return covers(killed.first); });
  if (level == ScopeLevel::group) {
    databases_killed_.clear();
    all_killed_ = context_;
  } else {
    databases_killed_[db] = context_;
  }
  for (auto& [object, overlay] : overlay_) {
    if (covers(object)) {
      for (auto& [name, value] : overlay.cells) {
        kill_value(value, context_);
      }
      overlay.change = {};
    }
  }
}

}  // namespace starling::replica
