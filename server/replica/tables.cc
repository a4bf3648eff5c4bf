#include "server/replica/tables.h"

#include <algorithm>
#include <utility>

#include "crdt/deadline.h"
#include "crdt/mutants.h"
#include "server/replica/checkpoint.h"

namespace starling::replica {
namespace {

constexpr std::uint16_t group = 0;

StoreError damaged_cell(const CellKey& key, const std::string& why) {
  return {StoreError::Code::corruption,
          "a stored cell of key \"" + key.object.key + "\" does not decode (" + why +
              "); the disk is likely damaged; restore this node from its peers"};
}

}  // namespace

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

const CellValue* Tables::in_memory(const CellKey& key) const {
  if (const LayerCell* live = live_.find(key)) {
    return live->is_whole() ? &live->value() : nullptr;
  }
  const CellDelta* frozen =
      frozen_ && !mutant("frozen_forgotten") ? frozen_->cells.find(key) : nullptr;
  if (frozen != nullptr) {
    return frozen->is_whole() ? &frozen->value() : nullptr;
  }
  if (const CellDelta* clean = clean_.find(key)) {
    return &clean->value();
  }
  return known_complete(key.object) ? &empty_cell(key.cell.kind()) : nullptr;
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
  show(key, *live, false);
  return &live->value();
}

StoreResult<CellDelta> Tables::read_below(const CellKey& key, const std::string* stored) {
  CellDelta joined(key.cell.kind());
  const CellDelta* frozen =
      frozen_ && !mutant("frozen_forgotten") ? frozen_->cells.find(key) : nullptr;
  if (frozen != nullptr) {
    joined = *frozen;
  }
  if (!joined.is_whole()) {
    if (const CellDelta* clean = clean_.find(key)) {
      joined.join_onto(*clean);
    } else if (known_complete(key.object)) {
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
  for (const Marker& marker : markers_) {
    if (marker.covers(object)) {
      cell.kill(marker.killed);
    }
  }
}

StoreResult<CellValue> Tables::base(const CellKey& key, const std::string* stored) const {
  std::optional<std::string> read;
  if (stored == nullptr) {
    auto bytes = store_.get(encode_cell_key(group, key));
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
  const auto apply = [&](const Marker& marker) {
    if (marker.covers(object)) {
      dotted->kill(marker.killed);
    }
  };
  std::ranges::for_each(markers_, apply);
  if (frozen_ != nullptr && !mutant("marker_dropped_first")) {
    std::ranges::for_each(frozen_->markers, apply);
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
  const std::string from = encode_object_prefix(group, object);
  const auto cut = store_.cut();
  const auto rows = cut->scan(from, prefix_end(from));
  std::vector<std::pair<CellKey, CellValue>> loaded;
  for (; rows->valid(); rows->next()) {
    if (loaded.size() == limits_.whole_object_rows) {
      return &(residents_[object] = Resident{});
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
  Resident& resident = residents_[object];
  resident.complete = true;
  if (frozen_ == nullptr || frozen_->cells.object(object) == nullptr) {
    resident.below = loaded_counts;
    resident.through = freezes_;
  }
  return &resident;
}

StoreResult<void> Tables::for_each(const ObjectKey& object, const CellName& first, CellKind last,
                                   const Visit& visit) {
  const auto resident = load(object);
  if (!resident) {
    return std::unexpected(resident.error());
  }
  return merge_layers(object, first, last, visit);
}

// Walks the names of all layers and, for a large object, of the state, in step.
class MergedNames {
 public:
  void add(const Layer& layer, const ObjectKey& object, const CellName& first) {
    if (const Layer::Object* found = layer.object(object)) {
      layers_.push_back({&found->cells, found->cells.lower_bound(first)});
    }
  }
  void add_state(const Store& store, const ObjectKey& object) {
    object_ = &object;
    cut_ = store.cut();
  }

  // Goes to this name or the first after it.
  void seek(const CellName& name) {
    for (Position& layer : layers_) {
      layer.at = layer.cells->lower_bound(name);
    }
    if (cut_ != nullptr) {
      rows_ = cut_->scan(encode_cell_key(group, {*object_, name}),
                         prefix_end(encode_object_prefix(group, *object_)));
      read_row();
    }
  }

  // The smallest name, and a step past it in every layer; a caller may then rewrite that cell.
  std::optional<CellName> next() {
    std::optional<CellName> least = stored_;
    for (const Position& layer : layers_) {
      if (layer.at != layer.cells->end() && (!least || layer.at->first < *least)) {
        least = layer.at->first;
      }
    }
    if (!least) {
      return least;
    }
    for (Position& layer : layers_) {
      if (layer.at != layer.cells->end() && layer.at->first == *least) {
        ++layer.at;
      }
    }
    row_.reset();
    if (stored_ == least) {
      row_ = rows_->value();
      rows_->next();
      read_row();
    }
    return least;
  }
  // The row of that name, if the state has one.
  [[nodiscard]] const std::string* row() const { return row_ ? &*row_ : nullptr; }

  [[nodiscard]] StoreResult<void> status() const {
    return rows_ == nullptr ? StoreResult<void>{} : rows_->status();
  }

 private:
  struct Position {
    const Layer::Cells* cells;
    Layer::Cells::const_iterator at;
  };

  void read_row() {
    stored_.reset();
    if (rows_->valid()) {
      if (auto key = decode_cell_key(rows_->key())) {
        stored_ = std::move(key->cell);
      }
    }
  }

  SmallVector<Position, 3> layers_;
  const ObjectKey* object_ = nullptr;
  std::unique_ptr<Cut> cut_;
  std::unique_ptr<RowIterator> rows_;
  std::optional<CellName> stored_;
  std::optional<std::string> row_;
};

StoreResult<void> Tables::merge_layers(const ObjectKey& object, const CellName& first,
                                       CellKind last, const Visit& visit) {
  MergedNames names;
  names.add(live_, object, first);
  if (frozen_) {
    names.add(frozen_->cells, object, first);
  }
  names.add(clean_, object, first);
  if (!known_complete(object)) {
    names.add_state(store_, object);
    names.seek(first);
  }
  for (auto name = names.next(); name && name->kind() <= last; name = names.next()) {
    const auto value = read_single({object, *name}, names.row());
    if (!value) {
      return std::unexpected(value.error());
    }
    if (is_empty(**value)) {
      continue;
    }
    const Walk walk = visit(*name, **value);
    if (walk == Walk::stop) {
      return {};
    }
    if (walk == Walk::next_kind) {
      names.seek(
          CellName::first_at(static_cast<CellKind>(static_cast<std::uint8_t>(name->kind()) + 1)));
    }
  }
  return names.status();
}

// ---------------------------------------------------------------- changing

LayerCell& Tables::raise(const CellKey& key) {
  CellDelta start(key.cell.kind());
  const CellDelta* frozen = frozen_ ? frozen_->cells.find(key) : nullptr;
  const CellDelta* clean = clean_.find(key);
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
  } else if (frozen == nullptr && known_complete(key.object)) {
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
  const std::size_t before = cell_size(key, cell);
  change(cell);
  live_.account(before, cell_size(key, cell));
  recount(key, cell);
  show(key, cell, true);
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
    kill_in_memory(scope, context);
    if (known_complete(scope)) {
      return;
    }
    below_was_killed(scope, everything);
    // What is cold counts as touched, too: whether the object still exists is to be found out.
    kill({scope, {CellKind::deadline, {}}}, context);
    live_.recount_shown(*live_.entry(scope));
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
    for (const ObjectKey& object : clean) {
      clean_.erase_object(object);
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
    std::erase_if(residents_, [&](const auto& known) { return marker.covers(known.first); });
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
  const auto same = std::ranges::find_if(
      markers_, [&](const Marker& m) { return m.level == level && m.scope == scope; });
  if (same == markers_.end()) {
    markers_.push_back(std::move(marker));
  } else {
    same->killed.join(context);
  }
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
  if (frozen_) {
    collect(frozen_->cells);
  }
  collect(clean_);
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  for (const CellName& name : names) {
    kill({object, name}, context);
  }
}

// ---------------------------------------------------------------- checkpoints

std::shared_ptr<const FrozenTables> Tables::freeze(std::uint64_t position) {
  freeze_key_counts();
  frozen_ = std::make_shared<FrozenTables>();
  frozen_->position = position;
  frozen_->cells = std::exchange(live_, Layer(true));
  frozen_->markers = std::exchange(markers_, {});
  frozen_deadlines_ = std::exchange(deadlines_, {});
  ++freezes_;
  return frozen_;
}

void Tables::checkpoint_done(bool ingested) {
  const std::shared_ptr<FrozenTables> frozen = std::exchange(frozen_, nullptr);
  for (auto& [object, dirty] : frozen->cells.objects()) {
    while (!dirty.cells.empty()) {
      auto cell = dirty.cells.extract(dirty.cells.begin());
      ingested ? to_clean(object, std::move(cell)) : back_to_live(object, std::move(cell));
    }
    const auto resident = residents_.find(object);
    if (resident == residents_.end() || !resident->second.below) {
      continue;
    }
    const bool included = resident->second.through == freezes_;
    if (ingested && !included && dirty.open == 0) {
      *resident->second.below += dirty.change;
    } else if (ingested != included) {
      resident->second.below.reset();
    }
  }
  if (ingested) {
    // What now is a row needs no other note, unless rows of that time were given out before.
    frozen_deadlines_.drop_after(indexed_through_);
    next_row_.reset();
  }
  deadlines_.add_older(std::exchange(frozen_deadlines_, {}));
  if (!ingested) {
    for (const auto& [object, dirty] : frozen->cells.objects()) {
      rebase(object, Below::unknown);
    }
    for (const Marker& marker : frozen->markers) {
      markers_.push_back(marker);
    }
    unfreeze_key_counts(frozen->cells);
  }
}

// The cell is on disk now. A partial one is whole there; it is read from there when it is wanted.
void Tables::to_clean(const ObjectKey& object, Layer::Cells::node_type frozen) {
  const CellKey key{object, frozen.key()};
  if (mutant("evict_dirty") && live_.find(key) != nullptr) {
    live_.erase(key);
  }
  LayerCell& now = frozen.mapped();
  if (!now.is_whole()) {
    if (const CellDelta* clean = clean_.find(key)) {
      now.join_onto(*clean);
    } else if (known_complete(object)) {
      now.join_onto(CellDelta::whole(empty_cell(key.cell.kind())));
    }
  }
  if (now.is_whole() && !is_empty(now.value())) {
    clean_.adopt(object, std::move(frozen));
  } else {
    clean_.erase(key);
  }
}

// Back into the dirty layer, under what has been written since.
void Tables::back_to_live(const ObjectKey& object, Layer::Cells::node_type frozen) {
  const CellKey key{object, frozen.key()};
  CellDelta* live = live_.find(key);
  if (live == nullptr) {
    live_.adopt(object, std::move(frozen));
  } else if (!live->is_whole()) {
    CellDelta joined = *live;
    joined.join_onto(frozen.mapped());
    live_.put(key, std::move(joined));
  }
}

// ---------------------------------------------------------------- expiry

StoreResult<std::vector<ObjectKey>> Tables::take_due(std::int64_t now_ms, std::size_t count) {
  std::vector<ObjectKey> due;
  deadlines_.take_due(now_ms, count, due);
  frozen_deadlines_.take_due(now_ms, count, due);
  if (due.size() == count || (next_row_ && *next_row_ > now_ms)) {
    return due;
  }
  const auto cut = store_.cut();
  const auto version = cut->get(derived_version_key());
  if (!version) {
    return std::unexpected(version.error());
  }
  if (*version != derived_version) {
    next_row_.reset();  // the next checkpoint derives the index anew
    return due;
  }
  next_row_ = never_expires;
  const auto rows =
      cut->scan(indexed_row_.empty() ? deadline_rows_from(0) : indexed_row_, deadline_rows_end());
  for (; rows->valid(); rows->next()) {
    auto row = decode_deadline_row(rows->key());
    if (!row) {
      continue;  // derived: nothing is lost but a little space
    }
    if (row->unix_ms > now_ms || due.size() == count) {
      next_row_ = row->unix_ms;
      break;
    }
    indexed_through_ = row->unix_ms;
    indexed_row_ = std::string(rows->key()) + '\0';
    due.push_back(std::move(row->object));
  }
  if (const auto status = rows->status(); !status) {
    return std::unexpected(status.error());
  }
  return due;
}

std::optional<std::int64_t> Tables::next_deadline() const {
  std::optional<std::int64_t> next = next_row_;
  for (const auto& first : {deadlines_.first(), frozen_deadlines_.first()}) {
    if (first && (!next || *first < *next)) {
      next = first;
    }
  }
  return next;
}

// ---------------------------------------------------------------- memory

std::size_t Tables::bytes() const {
  constexpr std::size_t resident_size = 128;
  constexpr std::size_t scored_size = 256;
  constexpr std::size_t deadline_size = 256;
  return live_.bytes() + clean_.bytes() + (frozen_ ? frozen_->cells.bytes() : 0) +
         residents_.size() * resident_size + scored_bytes_ + scored_.size() * scored_size +
         (deadlines_.size() + frozen_deadlines_.size()) * deadline_size;
}

// Only clean cells go (R5.3), object by object in no particular order: hot objects come back with
// one range read. Objects that also have dirty cells lose their clean ones and their completeness.
void Tables::evict() {
  if (bytes() <= limits_.memory_bytes) {
    return;
  }
  const std::size_t goal = limits_.memory_bytes - limits_.memory_bytes / 8;
  // Indexes of scores are the first to go, as far as they have more than half of it. The others are
  // dearer to make again than a few cells are to read.
  shrink_scores(limits_.memory_bytes / 2);
  for (auto it = residents_.begin(); it != residents_.end() && bytes() > goal;) {
    clean_.erase_object(it->first);
    it = residents_.erase(it);
  }
  // What is left over belongs to objects that were never loaded as a whole.
  while (bytes() > goal && !clean_.empty()) {
    clean_.erase_object(ObjectKey(clean_.objects().begin()->first));
  }
  if (const std::size_t all = bytes(); all > limits_.memory_bytes) {
    const std::size_t excess = all - limits_.memory_bytes;
    shrink_scores(scored_bytes_ - std::min(excess, scored_bytes_));
  }
}

}  // namespace starling::replica
