#include "server/replica/tables.h"

#include <algorithm>
#include <utility>

#include "crdt/mutants.h"
#include "server/replica/checkpoint.h"

namespace starling::replica {
namespace {

constexpr std::uint16_t group = 0;

std::string kind_prefix(const ObjectKey& object, CellKind kind) {
  std::string prefix = encode_object_prefix(group, object);
  prefix.push_back(static_cast<char>(kind));
  return prefix;
}

StoreError damaged_cell(const CellKey& key, const std::string& why) {
  return {StoreError::Code::corruption,
          "a stored cell of key \"" + key.object.key + "\" does not decode (" + why +
              "); the disk is likely damaged; restore this node from its peers"};
}

}  // namespace

bool Marker::covers(const ObjectKey& object) const {
  switch (level) {
    case ScopeLevel::key:
      return object == scope;
    case ScopeLevel::database:
      return object.db == scope.db;
    case ScopeLevel::group:
      return true;
  }
  return false;
}

std::size_t cell_size(const CellKey& key, const CellDelta& delta) {
  // A map node, the names, the cell itself, and what it holds on the heap.
  constexpr std::size_t node_overhead = 64;
  return node_overhead + sizeof(CellDelta) + sizeof(CellName) + key.object.key.size() +
         key.cell.subkey.size() + heap_size(delta.value());
}

// ---------------------------------------------------------------- Layer

const Layer::Cells* Layer::object(const ObjectKey& key) const {
  const auto it = objects_.find(key);
  return it == objects_.end() ? nullptr : &it->second;
}

const CellDelta* Layer::find(const CellKey& key) const {
  const auto object = objects_.find(key.object);
  if (object == objects_.end()) {
    return nullptr;
  }
  const auto cell = object->second.find(key.cell);
  return cell == object->second.end() ? nullptr : &cell->second;
}

CellDelta* Layer::find(const CellKey& key) {
  return const_cast<CellDelta*>(std::as_const(*this).find(key));
}

void Layer::put(const CellKey& key, CellDelta delta) {
  Cells& cells = objects_[key.object];
  const std::size_t after = cell_size(key, delta);
  const auto it = cells.find(key.cell);
  if (it == cells.end()) {
    cells.emplace(key.cell, std::move(delta));
    bytes_ += after;
  } else {
    bytes_ = bytes_ + after - cell_size(key, it->second);
    it->second = std::move(delta);
  }
}

void Layer::erase(const CellKey& key) {
  const auto object = objects_.find(key.object);
  if (object == objects_.end()) {
    return;
  }
  const auto cell = object->second.find(key.cell);
  if (cell == object->second.end()) {
    return;
  }
  bytes_ -= cell_size(key, cell->second);
  object->second.erase(cell);
  if (object->second.empty()) {
    objects_.erase(object);
  }
}

void Layer::erase_object(const ObjectKey& key) {
  const auto object = objects_.find(key);
  if (object == objects_.end()) {
    return;
  }
  for (const auto& [name, delta] : object->second) {
    bytes_ -= cell_size({key, name}, delta);
  }
  objects_.erase(object);
}

// ---------------------------------------------------------------- reading

StoreResult<const CellValue*> Tables::read(const CellKey& key) {
  const auto residence = load(key.object);
  if (!residence) {
    return std::unexpected(residence.error());
  }
  return read_single(key);
}

StoreResult<const CellValue*> Tables::read_single(const CellKey& key) {
  CellDelta* live = live_.find(key);
  if (live != nullptr && live->is_whole()) {
    return &live->value();
  }
  CellDelta joined = live != nullptr ? *live : CellDelta(key.cell.kind);
  const CellDelta* frozen =
      frozen_ && !mutant("frozen_forgotten") ? frozen_->cells.find(key) : nullptr;
  if (frozen != nullptr) {
    if (live == nullptr && frozen->is_whole()) {
      return &frozen->value();
    }
    joined.join_onto(*frozen);
  }
  if (!joined.is_whole()) {
    const CellDelta* clean = clean_.find(key);
    if (clean != nullptr) {
      if (live == nullptr && frozen == nullptr) {
        return &clean->value();
      }
      joined.join_onto(*clean);
    } else if (known_complete(key.object)) {
      joined.join_onto(CellDelta::whole(empty_cell(key.cell.kind)));
    } else {
      auto stored = base(key, encode_cell_key(group, key));
      if (!stored) {
        return std::unexpected(stored.error());
      }
      joined.join_onto(CellDelta::whole(std::move(*stored)));
    }
  }
  // A dirty cell stays dirty, now whole; what only the state knew is shown and forgotten, because
  // objects that fit in memory are loaded whole anyway.
  if (live != nullptr) {
    live_.put(key, std::move(joined));
    return &live_.find(key)->value();
  }
  scratch_ = joined.value();
  return &scratch_;
}

StoreResult<CellValue> Tables::base(const CellKey& key, std::string_view stored_key) const {
  auto bytes = store_.get(stored_key);
  if (!bytes) {
    return std::unexpected(bytes.error());
  }
  if (!*bytes) {
    return empty_cell(key.cell.kind);
  }
  auto value = decode_stored(key.cell.kind, **bytes, origins_);
  if (!value) {
    return std::unexpected(damaged_cell(key, value.error()));
  }
  apply_markers(key.object, *value);
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
  const auto it = residence_.find(object);
  return it != residence_.end() && it->second == Residence::complete;
}

// Brings every stored cell of the object into the clean layer, unless there are too many. A load
// never overwrites what is in memory (mutant load_overwrites): the layers above are joined on read.
StoreResult<Tables::Residence> Tables::load(const ObjectKey& object) {
  const auto known = residence_.find(object);
  if (known != residence_.end()) {
    return known->second;
  }
  const std::string from = encode_object_prefix(group, object);
  const auto cut = store_.cut();
  const auto rows = cut->scan(from, prefix_end(from));
  std::vector<std::pair<CellKey, CellValue>> loaded;
  for (; rows->valid(); rows->next()) {
    if (loaded.size() == whole_object_rows) {
      residence_[object] = Residence::large;
      return Residence::large;
    }
    const auto key = decode_cell_key(rows->key());
    if (!key) {
      return std::unexpected(StoreError{StoreError::Code::corruption,
                                        "a row of the state database has a damaged key; restore "
                                        "this node from its peers"});
    }
    auto value = decode_stored(key->cell.kind, rows->value(), origins_);
    if (!value) {
      return std::unexpected(damaged_cell(*key, value.error()));
    }
    apply_markers(object, *value);
    loaded.emplace_back(*key, std::move(*value));
  }
  if (const auto status = rows->status(); !status) {
    return std::unexpected(status.error());
  }
  for (auto& [key, value] : loaded) {
    clean_.put(key, CellDelta::whole(std::move(value)));
    if (mutant("load_overwrites")) {
      live_.erase(key);
    }
  }
  residence_[object] = Residence::complete;
  return Residence::complete;
}

StoreResult<void> Tables::for_each(const ObjectKey& object, CellKind first, CellKind last,
                                   const Visit& visit) {
  const auto residence = load(object);
  if (!residence) {
    return std::unexpected(residence.error());
  }
  return merge_layers(object, first, last, visit);
}

// Walks the names of all layers and, for a large object, of the state, in step.
class MergedNames {
 public:
  void add(const Layer& layer, const ObjectKey& object, CellKind first) {
    if (const Layer::Cells* cells = layer.object(object)) {
      layers_.push_back({cells, cells->lower_bound({first, ""})});
    }
  }
  void add_state(const Store& store, const ObjectKey& object) {
    object_ = &object;
    cut_ = store.cut();
  }

  // Goes to the first name of this kind or a later one.
  void seek(CellKind kind) {
    for (Position& layer : layers_) {
      layer.at = layer.cells->lower_bound({kind, ""});
    }
    if (cut_ != nullptr) {
      rows_ = cut_->scan(kind_prefix(*object_, kind),
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
    if (stored_ == least) {
      rows_->next();
      read_row();
    }
    return least;
  }

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
};

StoreResult<void> Tables::merge_layers(const ObjectKey& object, CellKind first, CellKind last,
                                       const Visit& visit) {
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
  for (auto name = names.next(); name && name->kind <= last; name = names.next()) {
    const auto value = read_single({object, *name});
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
      names.seek(static_cast<CellKind>(static_cast<std::uint8_t>(name->kind) + 1));
    }
  }
  return names.status();
}

// ---------------------------------------------------------------- changing

CellDelta& Tables::writable(const CellKey& key) {
  if (CellDelta* live = live_.find(key)) {
    return *live;
  }
  CellDelta start(key.cell.kind);
  const CellDelta* frozen = frozen_ ? frozen_->cells.find(key) : nullptr;
  const CellDelta* clean = clean_.find(key);
  if (frozen != nullptr && frozen->is_whole()) {
    start = *frozen;
  } else if (frozen == nullptr && clean != nullptr) {
    start = *clean;
    clean_.erase(key);
  } else if (frozen == nullptr && known_complete(key.object)) {
    start = CellDelta::whole(empty_cell(key.cell.kind));
  }
  live_.put(key, std::move(start));
  return *live_.find(key);
}

template <typename Change>
void Tables::change(const CellKey& key, const Change& change) {
  CellDelta& cell = writable(key);
  const std::size_t before = cell_size(key, cell);
  change(cell);
  live_.account(before, cell_size(key, cell));
}

void Tables::assign(const CellKey& key, Sibling sibling, const VersionVector& context) {
  change(key, [&](CellDelta& cell) {
    cell.assign(std::move(sibling), context);
    if (mutant("lww_drop")) {
      const auto& dotted = std::get<DottedCell>(cell.value());
      if (dotted.siblings().size() > 1) {
        DottedCell winner;
        winner.assign(*dotted.winner());
        cell = CellDelta::whole(std::move(winner));
      }
    }
  });
}

void Tables::kill(const CellKey& key, const VersionVector& context) {
  change(key, [&](CellDelta& cell) { cell.kill(context); });
}

void Tables::add(const CellKey& key, const TotalPart& part) {
  change(key, [&](CellDelta& cell) { cell.add(part); });
}

void Tables::reset(const CellKey& key, const ObservedTotal& observed, const Dot& reset_dot) {
  change(key, [&](CellDelta& cell) { cell.reset(observed, reset_dot); });
}

// Cells in memory are killed in place. Only if some may lie cold on disk does a marker stay, until
// the next checkpoint has swept them.
void Tables::kill_scope(ScopeLevel level, const ObjectKey& scope, const VersionVector& context) {
  Marker marker{level, scope, context};
  if (level == ScopeLevel::key) {
    kill_in_memory(scope, context);
    if (known_complete(scope)) {
      return;
    }
  } else {
    std::vector<ObjectKey> covered;
    const auto collect = [&](const Layer& layer) {
      for (const auto& [object, cells] : layer.objects()) {
        if (marker.covers(object)) {
          covered.push_back(object);
        }
      }
    };
    collect(live_);
    collect(clean_);
    if (frozen_) {
      collect(frozen_->cells);
    }
    for (const ObjectKey& object : covered) {
      kill_in_memory(object, context);
    }
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
    if (const Layer::Cells* cells = layer.object(object)) {
      for (const auto& [name, delta] : *cells) {
        if (!is_totals(name.kind)) {
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

std::shared_ptr<const FrozenTables> Tables::freeze() {
  frozen_ = std::make_shared<FrozenTables>();
  frozen_->cells = std::exchange(live_, Layer{});
  frozen_->markers = std::exchange(markers_, {});
  return frozen_;
}

void Tables::checkpoint_done(bool ingested) {
  const std::shared_ptr<FrozenTables> frozen = std::exchange(frozen_, nullptr);
  for (const auto& [object, cells] : frozen->cells.objects()) {
    for (const auto& [name, delta] : cells) {
      const CellKey key{object, name};
      if (!ingested) {
        // Back into the dirty layer, under what has been written since.
        CellDelta* live = live_.find(key);
        if (live == nullptr) {
          live_.put(key, delta);
        } else if (!live->is_whole()) {
          CellDelta joined = *live;
          joined.join_onto(delta);
          live_.put(key, std::move(joined));
        }
        continue;
      }
      if (mutant("evict_dirty") && live_.find(key) != nullptr) {
        live_.erase(key);
      }
      CellDelta now = delta;
      if (!now.is_whole()) {
        if (const CellDelta* clean = clean_.find(key)) {
          now.join_onto(*clean);
        } else if (known_complete(object)) {
          now.join_onto(CellDelta::whole(empty_cell(name.kind)));
        }
      }
      // A partial cell is whole on disk now; it is read from there when it is wanted.
      if (now.is_whole() && !is_empty(now.value())) {
        clean_.put(key, std::move(now));
      } else {
        clean_.erase(key);
      }
    }
  }
  if (!ingested) {
    for (const Marker& marker : frozen->markers) {
      markers_.push_back(marker);
    }
  }
}

std::size_t Tables::bytes() const {
  constexpr std::size_t residence_size = 64;
  return live_.bytes() + clean_.bytes() + (frozen_ ? frozen_->cells.bytes() : 0) +
         residence_.size() * residence_size;
}

// Only clean cells go (R5.3), object by object in no particular order: hot objects come back with
// one range read. Objects that also have dirty cells lose their clean ones and their completeness.
void Tables::evict() {
  if (bytes() <= memory_bytes_) {
    return;
  }
  const std::size_t goal = memory_bytes_ - memory_bytes_ / 8;
  for (auto it = residence_.begin(); it != residence_.end() && bytes() > goal;) {
    clean_.erase_object(it->first);
    it = residence_.erase(it);
  }
  // What is left over belongs to objects that were never loaded as a whole.
  while (bytes() > goal && !clean_.empty()) {
    clean_.erase_object(ObjectKey(clean_.objects().begin()->first));
  }
}

}  // namespace starling::replica
