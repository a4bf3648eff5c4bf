#include "server/replica/tables.h"

#include <algorithm>
#include <utility>

#include "crdt/deadline.h"
#include "crdt/mutants.h"
#include "server/replica/checkpoint.h"
#include "server/replica/merged_names.h"
#include "server/replica/row_keys.h"

namespace starling::replica {
namespace {

StoreError damaged_cell(const CellKey& key, const std::string& why) {
  return {StoreError::Code::corruption,
          "a stored cell of key \"" + key.object.key + "\" does not decode (" + why +
              "); the disk is likely damaged; restore this node from its peers"};
}

}  // namespace

StoreError stopped() {
  return {StoreError::Code::stopped, "nobody waits for the rest of the answer"};
}

StoreError damaged_row() {
  return {StoreError::Code::corruption,
          "a row of the state database has a damaged key; restore this node from its peers"};
}

// ---------------------------------------------------------------- reading

StoreResult<const CellValue*> Tables::read(const CellKey& key) {
  const auto resident = load(key.object);
  if (!resident) {
    return std::unexpected(resident.error());
  }
  const auto value = read_single(key);
  // A cell of a large object is likely to be written next, or read again. Beyond its bound memory
  // does not grow for that, however much one tick reads.
  const bool cold = value && *value == &scratch_ && !(*resident)->complete &&
                    (frozen_ == nullptr || frozen_->cells.find(key) == nullptr);
  if (cold && bytes() < limits_.memory_bytes) {
    return &clean_.put(key, CellDelta::whole(scratch_)).value();
  }
  return value;
}

const CellValue* Tables::in_memory(const CellKey& key) {
  if (const Layer::Object* live = live_.object(key.object)) {
    if (const auto cell = live->cells.find(key.cell); cell != live->cells.end()) {
      return cell->second.is_whole() ? &cell->second.value() : nullptr;
    }
    if (!is_totals(key.cell.kind()) && alone(live)) {
      return &empty_cell(key.cell.kind());
    }
  }
  const CellDelta* frozen =
      frozen_ && !mutant("frozen_forgotten") ? frozen_->cells.find(key) : nullptr;
  if (frozen != nullptr) {
    return frozen->is_whole() ? &frozen->value() : nullptr;
  }
  if (alone_frozen(key)) {
    return &empty_cell(key.cell.kind());
  }
  if (const CellDelta* clean = this->clean(key)) {
    return &clean->value();
  }
  return known_complete(key.object) ? &empty_cell(key.cell.kind()) : nullptr;
}

const CellDelta* Tables::clean(const CellKey& key) {
  if (!thawing_.empty()) {
    if (Layer::Objects::value_type* ingested = thawing_.entry(key.object)) {
      const auto cell = ingested->second.cells.find(key.cell);
      if (cell != ingested->second.cells.end()) {
        to_clean(key.object, thawing_.extract(*ingested, cell));
      }
    }
  }
  return clean_.find(key);
}

bool Tables::alone(const Layer::Object* object) {
  return object != nullptr && object->alone && !mutant("alone_forgotten");
}

bool Tables::alone_live(const CellKey& key) const {
  return !is_totals(key.cell.kind()) && alone(live_.object(key.object));
}

bool Tables::alone_frozen(const CellKey& key) const {
  return frozen_ != nullptr && !is_totals(key.cell.kind()) &&
         alone(frozen_->cells.object(key.object));
}

StoreResult<const CellValue*> Tables::read_single(const CellKey& key, const std::string* stored) {
  if (const CellValue* known = in_memory(key)) {
    return known;
  }
  LayerCell* live = live_.find(key);
  auto below = read_below(key, stored);
  if (!below) {
    return std::unexpected(below.error());
  }
  if (live == nullptr) {
    scratch_ = below->value();
    return &scratch_;
  }
  // A dirty cell stays dirty, now whole.
  uncount(key, live);
  hide(key, live);
  live->was = presence_of(*below);
  CellDelta joined = *live;
  joined.join_onto(*below);
  live_.put(key, std::move(joined));
  recount(key, *live);
  show(*live_.entry(key.object), key.cell, *live, false);
  return &live->value();
}

StoreResult<CellDelta> Tables::read_below(const CellKey& key, const std::string* stored) {
  if (alone_live(key)) {
    return CellDelta::whole(empty_cell(key.cell.kind()));
  }
  CellDelta joined(key.cell.kind());
  const CellDelta* frozen =
      frozen_ && !mutant("frozen_forgotten") ? frozen_->cells.find(key) : nullptr;
  if (frozen != nullptr) {
    joined = *frozen;
  }
  if (!joined.is_whole()) {
    const bool covered = alone_frozen(key);
    if (const CellDelta* clean = covered ? nullptr : this->clean(key)) {
      joined.join_onto(*clean);
    } else if (covered || known_complete(key.object)) {
      joined.join_onto(CellDelta::whole(empty_cell(key.cell.kind())));
    } else {
      auto value = base(key, stored);
      if (!value) {
        return std::unexpected(value.error());
      }
      joined.join_onto(CellDelta::whole(std::move(*value)));
    }
  }
  apply_later_markers(key.object, joined);
  return joined;
}

// Those that came after the freeze: the frozen layer has not felt them.
void Tables::apply_later_markers(const ObjectKey& object, CellDelta& cell) const {
  markers_.for_each_over(object, [&](const VersionVector& killed) { cell.kill(killed); });
}

StoreResult<CellValue> Tables::base(const CellKey& key, const std::string* stored) const {
  std::optional<std::string> read;
  if (stored == nullptr) {
    auto bytes = store_.get(encode_cell_key(only_group, key));
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    read = std::move(*bytes);
    if (!read) {
      return empty_cell(key.cell.kind());
    }
    stored = &*read;
  }
  return base_of(key, *stored);
}

StoreResult<CellValue> Tables::base_of(const CellKey& key, std::string_view stored) const {
  auto value = decode(key, stored);
  if (value) {
    apply_markers(key.object, *value);
  }
  return value;
}

StoreResult<CellValue> Tables::decode(const CellKey& key, std::string_view stored) const {
  auto value = decode_stored(key.cell.kind(), stored, origins_);
  if (!value) {
    return std::unexpected(damaged_cell(key, value.error()));
  }
  return std::move(*value);
}

void Tables::apply_markers(const ObjectKey& object, CellValue& value) const {
  auto* dotted = std::get_if<DottedCell>(&value);
  if (dotted == nullptr) {
    return;
  }
  const auto apply = [&](const VersionVector& killed) { dotted->kill(killed); };
  markers_.for_each_over(object, apply);
  if (frozen_ != nullptr && !mutant("marker_dropped_first")) {
    frozen_->markers.for_each_over(object, apply);
  }
}

bool Tables::known_complete(const ObjectKey& object) const {
  const auto it = residents_.find(object);
  return it != residents_.end() && it->second.complete;
}

// Brings every stored cell of the object into the clean layer, unless there are too many. A load
// never overwrites what is in memory (mutant load_overwrites): the layers above are joined on read.
StoreResult<Tables::Resident*> Tables::load(const ObjectKey& object) {
  const auto known = residents_.find(object);
  if (known != residents_.end()) {
    return &known->second;
  }
  const std::string from = encode_object_prefix(only_group, object);
  const auto cut = store_.cut();
  const auto rows = cut->scan(from, prefix_end(from));
  std::vector<std::pair<CellKey, CellValue>> loaded;
  for (; rows->valid(); rows->next()) {
    if (loaded.size() == limits_.whole_object_rows) {
      return &(residents_.try_emplace(object).first->second = Resident{});
    }
    const auto key = decode_cell_key(rows->key());
    if (!key) {
      return std::unexpected(damaged_row());
    }
    auto value = decode(*key, rows->value());
    if (!value) {
      return std::unexpected(value.error());
    }
    apply_markers(object, *value);
    loaded.emplace_back(*key, std::move(*value));
  }
  if (const auto status = rows->status(); !status) {
    return std::unexpected(status.error());
  }
  Counts loaded_counts;
  for (auto& [key, value] : loaded) {
    if (is_present(value)) {
      count_present(key.cell, loaded_counts, [&](const CellName& field) {
        const CellDelta* clean = clean_.find({object, field});
        return clean != nullptr && is_present(clean->value());
      });
    }
    clean_.put(key, CellDelta::whole(std::move(value)));
    if (mutant("load_overwrites")) {
      live_.erase(key);
    }
  }
  Resident& resident = residents_.try_emplace(object).first->second;
  resident.complete = true;
  if (frozen_ == nullptr || frozen_->cells.object(object) == nullptr) {
    resident.below = loaded_counts;
    resident.through = freezes_;
  }
  return &resident;
}

// A walk in turns is cut at a name: what the layers and the state hold may have moved meanwhile.
StoreResult<void> Tables::for_each(const ObjectKey& object, const CellName& first, CellKind last,
                                   const Visit& visit, Turns* turns) {
  CellName from = first;
  std::optional<CellName> seen;
  for (;;) {
    if (const auto resident = load(object); !resident) {
      return std::unexpected(resident.error());
    }
    const auto walked = merge_layers(object, from, last, visit, turns, seen);
    if (!walked) {
      return std::unexpected(walked.error());
    }
    if (*walked == Walked::whole) {
      return {};
    }
    if (!turns->next()) {
      return std::unexpected(stopped());
    }
    from = *seen;
  }
}

StoreResult<Tables::Walked> Tables::merge_layers(const ObjectKey& object, const CellName& first,
                                                 CellKind last, const Visit& visit, Turns* turns,
                                                 std::optional<CellName>& seen) {
  MergedNames names;
  bool covered = false;
  const auto add_dirty = [&](const Layer& layer) {
    const Layer::Object* found = layer.object(object);
    names.add(found, first, covered);
    covered = covered || alone(found);
  };
  add_dirty(live_);
  if (frozen_) {
    add_dirty(frozen_->cells);
  }
  names.add(thawing_.object(object), first, covered);
  names.add(clean_.object(object), first, covered);
  if (!known_complete(object)) {
    names.add_state(store_, object, covered);
    names.seek(first);
  }
  for (auto name = names.next(); name && name->kind() <= last; name = names.next()) {
    if (name == seen) {
      continue;
    }
    const auto value = read_single({object, *name}, names.row());
    if (!value) {
      return std::unexpected(value.error());
    }
    if (!is_empty(**value)) {
      const Walk walk = visit(*name, **value);
      if (walk == Walk::stop) {
        return Walked::whole;
      }
      if (walk == Walk::next_kind) {
        names.seek(
            CellName::first_at(static_cast<CellKind>(static_cast<std::uint8_t>(name->kind()) + 1)));
      }
    }
    if (turns != nullptr && turns->over()) {
      seen = *name;
      return Walked::a_part;
    }
  }
  const auto status = names.status();
  return status ? StoreResult<Walked>(Walked::whole) : std::unexpected(status.error());
}

StoreResult<void> Tables::merge_layers(const ObjectKey& object, const CellName& first,
                                       CellKind last, const Visit& visit) {
  std::optional<CellName> seen;
  const auto walked = merge_layers(object, first, last, visit, nullptr, seen);
  return walked ? StoreResult<void>() : std::unexpected(walked.error());
}

// ---------------------------------------------------------------- changing

LayerCell& Tables::raise(const CellKey& key) {
  CellDelta start(key.cell.kind());
  const bool covered = alone_live(key);
  const CellDelta* frozen = frozen_ && !covered ? frozen_->cells.find(key) : nullptr;
  const CellDelta* clean = covered ? nullptr : this->clean(key);
  Presence was = Presence::unknown;
  Presence twin_was = Presence::unknown;
  const bool fresh = live_.object(key.object) == nullptr;
  const Presence existed = fresh ? existed_below(key.object) : Presence::unknown;
  if (is_counted(key.cell.kind())) {
    was = presence_below(key);
    if (has_twin(key.cell.kind())) {
      twin_was = presence_below({key.object, twin_of(key.cell)});
    }
  }
  if (frozen != nullptr && frozen->is_whole()) {
    start = *frozen;
  } else if (frozen == nullptr && clean != nullptr) {
    start = *clean;
    clean_.erase(key);
  } else if (frozen == nullptr && (covered || alone_frozen(key) || known_complete(key.object))) {
    start = CellDelta::whole(empty_cell(key.cell.kind()));
  }
  LayerCell& cell = live_.put(key, std::move(start));
  cell.was = was;
  cell.twin_was = twin_was;
  if (fresh) {
    // As long as nothing but attributes change, it exists if it did.
    live_.note_existence(*live_.entry(key.object), existed, existed);
  }
  return cell;
}

template <typename Change>
void Tables::change(const CellKey& key, const Change& change) {
  LayerCell* live = live_.find(key);
  uncount(key, live);
  hide(key, live);
  LayerCell& cell = live != nullptr ? *live : raise(key);
  Layer::Objects::value_type& entry = *live_.entry(key.object);
  const Layer::Share before = Layer::share(key.object, key.cell, cell);
  change(cell);
  live_.account(entry.second, before, Layer::share(key.object, key.cell, cell));
  recount(entry.second, key.cell, cell);
  show(entry, key.cell, cell, true);
  if (key.cell.kind() == CellKind::deadline) {
    deadlines_.set(key.object, deadline_of(std::get<DottedCell>(cell.value())));
  }
  note_member(key);
}

void Tables::assign(const CellKey& key, Sibling sibling, const VersionVector& context) {
  change(key, [&](LayerCell& cell) {
    cell.assign(std::move(sibling), context);
    if (mutant("lww_drop")) {
      const auto& dotted = std::get<DottedCell>(cell.value());
      if (dotted.siblings().size() > 1) {
        DottedCell winner;
        winner.assign(*dotted.winner());
        static_cast<CellDelta&>(cell) = CellDelta::whole(std::move(winner));
      }
    }
  });
}

void Tables::kill(const CellKey& key, const VersionVector& context) {
  change(key, [&](LayerCell& cell) { cell.kill(context); });
}

void Tables::add(const CellKey& key, const TotalPart& part) {
  change(key, [&](LayerCell& cell) { cell.add(part); });
}

void Tables::reset(const CellKey& key, const ObservedTotal& observed, const Dot& reset_dot) {
  change(key, [&](LayerCell& cell) { cell.reset(observed, reset_dot); });
}

// Cells in memory are killed in place. Only if some may lie cold on disk does a marker stay, until
// the next checkpoint has swept them.
void Tables::kill_scope(ScopeLevel level, const ObjectKey& scope, const VersionVector& context,
                        bool everything) {
  Marker marker{level, scope, context};
  if (level == ScopeLevel::key) {
    drop_scores(scope);
    if (everything && cells_in_memory(scope) > limits_.wholesale_cells) {
      kill_wholesale(scope, context);
    } else {
      kill_in_memory(scope, context);
      if (known_complete(scope)) {
        return;
      }
      below_was_killed(scope, everything);
      // What is cold counts as touched, too: whether the object still exists is to be found out.
      kill({scope, {CellKind::deadline, {}}}, context);
      live_.recount_shown(*live_.entry(scope));
    }
  } else {
    // What is clean is read again under the marker when it is wanted, so that a flush makes nothing
    // dirty that was not.
    std::vector<ObjectKey> dirty;
    std::vector<ObjectKey> clean;
    const auto collect = [&](const Layer& layer, std::vector<ObjectKey>& covered) {
      for (const auto& [object, cells] : layer.objects()) {
        if (marker.covers(object)) {
          covered.push_back(object);
        }
      }
    };
    collect(clean_, clean);
    collect(thawing_, clean);
    for (const ObjectKey& object : clean) {
      clean_.erase_object(object, garbage_);
      thawing_.erase_object(object, garbage_);
    }
    std::vector<ObjectKey> scored;
    for (const auto& [object, index] : scored_) {
      if (marker.covers(object)) {
        scored.push_back(object);
      }
    }
    for (const ObjectKey& object : scored) {
      drop_scores(object);
    }
    for (auto known = residents_.begin(); known != residents_.end();) {
      known = marker.covers(known->first) ? residents_.erase(known) : ++known;
    }
    collect(live_, dirty);
    if (frozen_) {
      collect(frozen_->cells, dirty);
    }
    for (const ObjectKey& object : dirty) {
      kill_in_memory(object, context);
      rebase(object, Below::unknown);
    }
    keys_were_killed(marker, everything);
  }
  markers_.add(std::move(marker));
}

void Tables::kill_in_memory(const ObjectKey& object, const VersionVector& context) {
  std::vector<CellName> names;
  const auto collect = [&](const Layer& layer) {
    if (const Layer::Object* found = layer.object(object)) {
      for (const auto& [name, delta] : found->cells) {
        if (!is_totals(name.kind())) {
          names.push_back(name);
        }
      }
    }
  };
  collect(live_);
  if (frozen_ && !alone(live_.object(object))) {
    collect(frozen_->cells);
  }
  collect(thawing_);
  collect(clean_);
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  for (const CellName& name : names) {
    kill({object, name}, context);
  }
}

std::size_t Tables::cells_in_memory(const ObjectKey& object) const {
  std::size_t cells = 0;
  const auto add = [&](const Layer& layer) {
    const Layer::Object* found = layer.object(object);
    cells += found != nullptr ? found->cells.size() : 0;
  };
  add(live_);
  if (frozen_) {
    add(frozen_->cells);
  }
  add(thawing_);
  add(clean_);
  return cells;
}

// The registers of the object go as a whole, and it is noted that nothing of them is left below:
// the frozen ones cannot go, and those on disk wait for the marker. Requires that the context
// covers all that was ever applied here.
void Tables::kill_wholesale(const ObjectKey& object, const VersionVector& context) {
  // What is cold counts as touched, too; and the layer notes whether the object existed below while
  // that can still be told.
  kill({object, {CellKind::deadline, {}}}, context);
  live_.drop_registers(object, garbage_);
  thawing_.drop_registers(object, garbage_);
  clean_.drop_registers(object, garbage_);
  if (const Layer::Object* clean = clean_.object(object);
      clean != nullptr && clean->cells.empty()) {
    clean_.erase_object(object, garbage_);
  }
  below_was_killed(object, true);
  live_.object(object)->alone = true;
  kill({object, {CellKind::deadline, {}}}, context);
  live_.recount_shown(*live_.entry(object));
}

// ---------------------------------------------------------------- memory

std::size_t Tables::bytes() const {
  constexpr std::size_t resident_size = 128;
  constexpr std::size_t scored_size = 256;
  constexpr std::size_t deadline_size = 256;
  return live_.bytes() + clean_.bytes() + thawing_.bytes() +
         (frozen_ ? frozen_->cells.bytes() : 0) + residents_.size() * resident_size +
         scored_bytes_ + scored_.size() * scored_size +
         (deadlines_.size() + frozen_deadlines_.size()) * deadline_size;
}

// Only clean cells go (R5.3), object by object in no particular order: hot objects come back with
// one range read. Objects that also have dirty cells lose their clean ones and their completeness.
void Tables::evict() {
  if (bytes() <= limits_.memory_bytes) {
    return;
  }
  const std::size_t goal = limits_.memory_bytes - limits_.memory_bytes / 128;
  const std::size_t clean_before = clean_.bytes() + thawing_.bytes();
  // Indexes of scores are the first to go, as far as they have more than half of it. The others are
  // dearer to make again than a few cells are to read.
  shrink_scores(limits_.memory_bytes / 2);
  while (bytes() > goal && !residents_.empty()) {
    const auto resident = residents_.any();
    clean_.erase_object(resident->first, garbage_);
    residents_.erase(resident);
  }
  while (bytes() > goal && !thawing_.empty()) {
    const ObjectKey object = thawing_.objects().begin()->first;
    residents_.erase(object);
    thawing_.erase_object(object, garbage_);
    clean_.erase_object(object, garbage_);  // it may be older
  }
  // What is left over belongs to objects that were never loaded as a whole.
  while (bytes() > goal && !clean_.empty()) {
    clean_.erase_object(ObjectKey(clean_.objects().any()->first), garbage_);
  }
  evicted_bytes_ += clean_before - (clean_.bytes() + thawing_.bytes());
  if (const std::size_t all = bytes(); all > limits_.memory_bytes) {
    const std::size_t excess = all - limits_.memory_bytes;
    shrink_scores(scored_bytes_ - std::min(excess, scored_bytes_));
  }
}

}  // namespace starling::replica
