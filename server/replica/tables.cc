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

StoreError damaged_cell(const ObjectKey& object, const std::string& why) {
  return {StoreError::Code::corruption,
          "a stored cell of key \"" + object.key + "\" does not decode (" + why +
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

// ---------------------------------------------------------------- what is held

// Each step needs what the one before has asked memory for; meanwhile the others' come.
void Tables::expect(std::span<const std::uint64_t> places) const {
  constexpr std::size_t line = 64;
  const auto bring = [](const auto* object) {
    for (std::size_t at = 0; at < sizeof(*object); at += line) {
      __builtin_prefetch(reinterpret_cast<const char*>(object) + at);
    }
  };
  constexpr std::size_t most = 32;
  SmallVector<const Kept*, most> kept;
  places = places.first(std::min(places.size(), most));
  for (const std::uint64_t place : places) {
    helds_.expect(place);
    stored_.expect(place);
  }
  for (const std::uint64_t place : places) {
    if (const Kept* perhaps = helds_.at(place)) {
      bring(static_cast<const Held*>(perhaps));  // so much of it, if it is packed
      kept.push_back(perhaps);
    }
  }
  const auto each_part = [&](const auto& visit) {
    for (const Kept* one : kept) {
      if (one->packed) {
        continue;
      }
      for (const LayerObject* part : static_cast<const Held*>(one)->parts) {
        if (part != nullptr) {
          visit(*part);
        }
      }
    }
  };
  each_part([&](const LayerObject& part) { bring(&part); });
  each_part([&](const LayerObject& part) {
    if (const auto* cell = part.cells.only()) {
      bring(cell);
    }
  });
  each_part([&](const LayerObject& part) {
    if (const auto* cell = part.cells.only()) {
      const auto* dotted = std::get_if<DottedCell>(&cell->second.value());
      if (dotted != nullptr && !dotted->empty()) {
        __builtin_prefetch(dotted->siblings().front().bytes.data());
      }
    }
  });
}

HeldTable::Found Tables::find(const ObjectKey& object) const {
  const auto& [held, packed] = last_found_;
  if ((held != nullptr && held->key == object) || (packed != nullptr && packed->is(object))) {
    return last_found_;
  }
  const auto found = helds_.find(object, place_of(object));
  if (found.held != nullptr || found.packed != nullptr) {
    last_found_ = found;
  }
  return found;
}

Held& Tables::hold(const ObjectKey& object) {
  const auto [held, packed] = find(object);
  if (held != nullptr) {
    return *held;
  }
  Held& made = packed != nullptr ? unpack(*packed) : helds_.add(object, place_of(object));
  last_found_ = {.held = &made};
  return made;
}

void Tables::release(Held& held) {
  if (held.idle()) {
    if (last_found_.held == &held) {
      last_found_ = {};
    }
    helds_.erase(held);
  }
}

// It will be loaded again when it is wanted.
void Tables::forget_loaded(Held& held) {
  if (held.resident()) {
    held.unlink();
    held.complete = false;
    held.below.reset();
  }
}

// ---------------------------------------------------------------- reading

const LayerCell* Tables::frozen(const Held* held, const CellName& name) const {
  return frozen_ && !mutant("frozen_forgotten") ? frozen_->cells.find(held, name) : nullptr;
}

StoreResult<const CellValue*> Tables::read(const ObjectKey& object, const CellName& name) {
  if (Packed* packed = find(object).packed; packed != nullptr && packed->plain) {
    return &read(*packed, name.kind());
  }
  const auto loaded = load(object);
  if (!loaded) {
    return std::unexpected(loaded.error());
  }
  return read(**loaded, name);
}

StoreResult<const CellValue*> Tables::read(Held& held, const CellName& name) {
  const auto value = read_single(held.key, &held, name);
  // A cell of a large object is likely to be written next, or read again. Beyond its bound memory
  // does not grow for that, however much one tick reads.
  const bool cold = value && *value == &scratch_ && !held.complete &&
                    (frozen_ == nullptr || frozen_->cells.find(&held, name) == nullptr);
  if (cold && bytes() < limits_.memory_bytes) {
    return &clean_.put(held, name, CellDelta::whole(scratch_)).value();
  }
  return value;
}

std::uint8_t Tables::types_with_items(const Counts& counts) {
  std::uint8_t types = 0;
  for (const ObjectType type : {ObjectType::set, ObjectType::hash, ObjectType::sorted_set}) {
    types |= counts.of(type) > 0 ? bit_of(type) : std::uint8_t{0};
  }
  return types;
}

// Of a whole object only what memory has cells for can be there.
StoreResult<Tables::Look> Tables::look(const ObjectKey& object) {
  if (Packed* packed = find(object).packed; packed != nullptr && packed->plain) {
    return look(*packed);
  }
  const auto loaded = load(object);
  if (!loaded) {
    return std::unexpected(loaded.error());
  }
  Held& held = **loaded;
  constexpr auto bit = [](CellKind kind) {
    return std::uint64_t{1} << (static_cast<unsigned>(kind) & 63u);
  };
  std::uint64_t perhaps = held.complete ? 0 : ~std::uint64_t{0};
  bool items = !held.complete;
  if (held.complete) {
    for (const LayerObject* part : held.parts) {
      if (part != nullptr) {
        auto cell = part->cells.begin();
        for (; cell != part->cells.end() && !is_element(cell->first.kind()); ++cell) {
          perhaps |= bit(cell->first.kind());
        }
        items = items || cell != part->cells.end();
      }
    }
  }
  Look look;
  for (const CellKind kind : {CellKind::string_register, CellKind::string_totals,
                              CellKind::mv_register, CellKind::flag, CellKind::deadline}) {
    if ((perhaps & bit(kind)) == 0) {
      continue;
    }
    const auto value = read(held, {kind, {}});
    if (!value) {
      return std::unexpected(value.error());
    }
    if (kind == CellKind::deadline) {
      const auto& cell = std::get<DottedCell>(**value);
      look.has_deadline_cell = !cell.empty();
      look.deadline = deadline_of(cell);
      continue;
    }
    if (is_present(**value)) {
      look.types |= bit_of(object_type(kind));
    }
    if (kind == CellKind::string_totals) {
      look.has_increments = !is_empty(**value);
    }
  }
  if (items) {
    const auto counted = counts(held);
    if (!counted) {
      return std::unexpected(counted.error());
    }
    look.types |= types_with_items(*counted);
  }
  return look;
}

const CellValue* Tables::in_memory(const CellKey& key) {
  return in_memory(held(key.object), key.cell);
}

const CellValue* Tables::in_memory(Held* held, const CellName& name) {
  if (Layer::Object* live = live_.object(held)) {
    if (const auto cell = live->cells.find(name); cell != live->cells.end()) {
      return cell->second.is_whole() ? &cell->second.value() : nullptr;
    }
    if (!is_totals(name.kind()) && alone(live)) {
      return &empty_cell(name.kind());
    }
  }
  const CellDelta* frozen = this->frozen(held, name);
  if (frozen != nullptr) {
    return frozen->is_whole() ? &frozen->value() : nullptr;
  }
  if (alone_frozen(held, name.kind())) {
    return &empty_cell(name.kind());
  }
  if (const CellDelta* clean = this->clean(held, name)) {
    return &clean->value();
  }
  return known_complete(held) ? &empty_cell(name.kind()) : nullptr;
}

const CellDelta* Tables::clean(Held* held, const CellName& name) {
  if (held == nullptr) {
    return nullptr;
  }
  Layer::Object* const found = clean_object(*held, name);
  if (found == nullptr) {
    return nullptr;
  }
  const auto cell = found->cells.find(name);
  return cell == found->cells.end() ? nullptr : &cell->second;
}

// What is ingested turns into a clean cell first, if it has this one.
Layer::Object* Tables::clean_object(Held& held, const CellName& name) {
  if (Layer::Object* ingested = thawing_.object(&held)) {
    auto cell = ingested->cells.find(name);
    if (cell != ingested->cells.end()) {
      to_clean(held, thawing_.extract(*ingested, cell));
    }
  }
  return clean_.object(&held);
}

bool Tables::alone(const Layer::Object* object) {
  return object != nullptr && object->alone && !mutant("alone_forgotten");
}

bool Tables::alone_live(const Held* held, CellKind kind) const {
  return !is_totals(kind) && alone(live_.object(held));
}

bool Tables::alone_frozen(const Held* held, CellKind kind) const {
  return !is_totals(kind) && alone(frozen(held));
}

StoreResult<const CellValue*> Tables::read_single(const ObjectKey& object, Held* held,
                                                  const CellName& name, const std::string* stored) {
  if (const CellValue* known = in_memory(held, name)) {
    return known;
  }
  auto below = read_below(object, held, name, stored);
  if (!below) {
    return std::unexpected(below.error());
  }
  LayerCell* live = live_.find(held, name);
  if (live == nullptr) {
    scratch_ = below->value();
    return &scratch_;
  }
  // A dirty cell stays dirty, now whole.
  Layer::Object& dirty = *live_.object(held);
  uncount(&dirty, name, live);
  hide(&dirty, name, live);
  live->was = presence_of(*below);
  CellDelta joined = *live;
  joined.join_onto(*below);
  live_.put(*held, name, std::move(joined));
  recount(dirty, name, *live);
  show(dirty, name, *live, false);
  return &live->value();
}

StoreResult<CellDelta> Tables::read_below(const ObjectKey& object, Held* held, const CellName& name,
                                          const std::string* stored) {
  if (alone_live(held, name.kind())) {
    return CellDelta::whole(empty_cell(name.kind()));
  }
  CellDelta joined(name.kind());
  if (const CellDelta* frozen = this->frozen(held, name)) {
    joined = *frozen;
  }
  if (!joined.is_whole()) {
    const bool covered = alone_frozen(held, name.kind());
    if (const CellDelta* clean = covered ? nullptr : this->clean(held, name)) {
      joined.join_onto(*clean);
    } else if (covered || known_complete(held)) {
      joined.join_onto(CellDelta::whole(empty_cell(name.kind())));
    } else {
      auto value = base(object, name, stored);
      if (!value) {
        return std::unexpected(value.error());
      }
      joined.join_onto(CellDelta::whole(std::move(*value)));
    }
  }
  apply_later_markers(object, joined);
  return joined;
}

// Those that came after the freeze: the frozen layer has not felt them.
void Tables::apply_later_markers(const ObjectKey& object, CellDelta& cell) const {
  markers_.for_each_over(object, [&](const VersionVector& killed) { cell.kill(killed); });
}

StoreResult<CellValue> Tables::base(const ObjectKey& object, const CellName& name,
                                    const std::string* stored) const {
  std::optional<std::string> read;
  if (stored == nullptr) {
    auto bytes = store_.get(encode_cell_key(only_group, {object, name}));
    if (!bytes) {
      return std::unexpected(bytes.error());
    }
    read = std::move(*bytes);
    if (!read) {
      return empty_cell(name.kind());
    }
    stored = &*read;
  }
  return base_of(object, name.kind(), *stored);
}

StoreResult<CellValue> Tables::base_of(const ObjectKey& object, CellKind kind,
                                       std::string_view stored) const {
  auto value = decode(object, kind, stored);
  if (value) {
    apply_markers(object, *value);
  }
  return value;
}

StoreResult<CellValue> Tables::decode(const ObjectKey& object, CellKind kind,
                                      std::string_view stored) const {
  auto value = decode_stored(kind, stored, origins_);
  if (!value) {
    return std::unexpected(damaged_cell(object, value.error()));
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

// Brings every stored cell of the object into the clean layer, unless there are too many. A load
// never overwrites what is in memory (mutant load_overwrites): the layers above are joined on read.
StoreResult<Held*> Tables::load(const ObjectKey& object) {
  Held& held = hold(object);
  held.used = true;
  if (held.resident()) {
    return &held;
  }
  const auto loaded_now = [&](bool complete, const Counts& below = {}) {
    held.complete = complete;
    residents_.push_back(held);
    if (complete && frozen(&held) == nullptr) {
      held.below = below;
      held.through = freezes_;
    }
    return &held;
  };
  if (!stored_.may_hold(held.place)) {
    return loaded_now(true);
  }
  const std::string from = encode_object_prefix(only_group, object);
  const auto cut = store_.cut();
  const auto rows = cut->scan(from, prefix_end(from));
  std::vector<std::pair<CellName, CellValue>> loaded;
  const auto failed = [&](StoreError error) {
    release(held);
    return std::unexpected(std::move(error));
  };
  for (; rows->valid(); rows->next()) {
    if (loaded.size() == limits_.whole_object_rows) {
      return loaded_now(false);
    }
    auto key = decode_cell_key(rows->key());
    if (!key) {
      return failed(damaged_row());
    }
    auto value = decode(object, key->cell.kind(), rows->value());
    if (!value) {
      return failed(value.error());
    }
    apply_markers(object, *value);
    loaded.emplace_back(std::move(key->cell), std::move(*value));
  }
  if (const auto status = rows->status(); !status) {
    return failed(status.error());
  }
  Counts loaded_counts;
  for (auto& [name, value] : loaded) {
    if (is_present(value)) {
      count_present(name, loaded_counts, [&](const CellName& field) {
        const CellDelta* clean = clean_.find(&held, field);
        return clean != nullptr && is_present(clean->value());
      });
    }
    clean_.put(held, name, CellDelta::whole(std::move(value)));
    if (mutant("load_overwrites")) {
      live_.erase(held, name);
    }
  }
  return loaded_now(true, loaded_counts);
}

// A walk in turns is cut at a name: what the layers and the state hold may have moved meanwhile.
StoreResult<void> Tables::for_each(const ObjectKey& object, const CellName& first, CellKind last,
                                   const Visit& visit, Turns* turns) {
  CellName from = first;
  std::optional<CellName> seen;
  for (;;) {
    if (const auto loaded = load(object); !loaded) {
      return std::unexpected(loaded.error());
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
  Held* const held = this->held(object);
  for (const Layer::Object* dirty :
       std::array<const Layer::Object*, 2>{live_.object(held), frozen(held)}) {
    names.add(dirty, first, covered);
    covered = covered || alone(dirty);
  }
  names.add(thawing_.object(held), first, covered);
  names.add(clean_.object(held), first, covered);
  if (!known_complete(held)) {
    names.add_state(store_, object, covered);
    names.seek(first);
  }
  for (auto name = names.next(); name && name->kind() <= last; name = names.next()) {
    if (name == seen) {
      continue;
    }
    const auto value = read_single(object, held, *name, names.row());
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

LayerCell& Tables::raise(Held& held, const CellName& name) {
  Layer::Object* const above = live_.object(&held);
  const bool fresh = above == nullptr;
  const Presence existed = fresh ? existed_below(held) : Presence::unknown;
  const bool covered = !is_totals(name.kind()) && alone(above);
  const CellDelta* frozen = frozen_ && !covered ? frozen_->cells.find(&held, name) : nullptr;
  Layer::Object* const clean_part = covered ? nullptr : clean_object(held, name);
  Cells::iterator clean;
  if (clean_part != nullptr) {
    clean = clean_part->cells.find(name);
  }
  const bool is_clean = clean_part != nullptr && clean != clean_part->cells.end();
  const bool absent =
      covered ||
      (frozen == nullptr && (alone_frozen(&held, name.kind()) || (!is_clean && held.complete)));
  Presence was = Presence::unknown;
  Presence twin_was = Presence::unknown;
  if (is_counted(name.kind())) {
    was = frozen != nullptr ? presence_of(*frozen)  // later markers took what they cover here
          : absent          ? Presence::absent
          : is_clean        ? presence_of(clean->second)
                            : Presence::unknown;
    if (has_twin(name.kind())) {
      twin_was = presence_below(&held, twin_of(name));
      // That may have brought the twin to the clean cells.
      clean = is_clean ? clean_part->cells.find(name) : clean;
    }
  }
  LayerCell* cell = nullptr;
  if (frozen == nullptr && is_clean && fresh && clean_part->cells.size() == 1) {
    live_.take_over(clean_, *clean_part);
    cell = &clean->second;
  } else if (frozen == nullptr && is_clean) {
    auto node = clean_.extract(*clean_part, clean);
    cell = &node.mapped();
    live_.adopt(held, std::move(node));
    clean_.leave_if_empty(*clean_part);
  } else {
    CellDelta start(name.kind());
    if (frozen != nullptr && frozen->is_whole()) {
      start = *frozen;
    } else if (absent) {
      start = CellDelta::whole(empty_cell(name.kind()));
    }
    cell = &live_.put(held, name, std::move(start));
  }
  cell->was = was;
  cell->twin_was = twin_was;
  if (fresh) {
    if (clean_part == nullptr && !mutant("dirty_not_noted")) {
      stored_.add(held.place);
    }
    // As long as nothing but attributes change, it exists if it did.
    live_.note_existence(*live_.object(&held), existed, existed);
  }
  return *cell;
}

template <typename Change>
void Tables::change(const CellKey& key, const Change& change) {
  Held& held = hold(key.object);
  Layer::Object* dirty = live_.object(&held);
  LayerCell* live = live_.find(&held, key.cell);
  uncount(dirty, key.cell, live);
  hide(dirty, key.cell, live);
  LayerCell& cell = live != nullptr ? *live : raise(held, key.cell);
  Layer::Object& now_dirty = *live_.object(&held);
  const Layer::Share before = Layer::share(key.cell, cell);
  change(cell);
  live_.account(now_dirty, before, Layer::share(key.cell, cell));
  recount(now_dirty, key.cell, cell);
  show(now_dirty, key.cell, cell, true);
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
    if (Packed* packed = find(scope).packed) {
      unpack(*packed);
    }
    if (everything && cells_in_memory(scope) > limits_.wholesale_cells) {
      kill_wholesale(scope, context);
    } else {
      kill_in_memory(scope, context);
      if (known_complete(held(scope))) {
        return;
      }
      below_was_killed(scope, everything);
      // What is cold counts as touched, too: whether the object still exists is to be found out.
      kill({scope, {CellKind::deadline, {}}}, context);
      live_.recount_shown(*live_.object(held(scope)));
    }
  } else {
    // What is clean is read again under the marker when it is wanted, so that a flush makes nothing
    // dirty that was not.
    const auto covered_of = [&](Layer& layer) {
      std::vector<Held*> covered;
      for (const Layer::Object& object : layer.objects()) {
        if (marker.covers(object.key())) {
          covered.push_back(&object.held());
        }
      }
      return covered;
    };
    for (auto next = packed_.begin(); next != packed_.end();) {
      Packed& packed = *next++;
      if (marker.covers(packed.object())) {
        helds_.erase(packed);
      }
    }
    last_found_ = {};
    for (Layer* layer : {&clean_, &thawing_}) {
      for (Held* held : covered_of(*layer)) {
        layer->erase_object(*held, garbage_);
        forget_loaded(*held);
        release(*held);
      }
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
      Held& held = *known++;
      if (marker.covers(held.key)) {
        forget_loaded(held);
        release(held);
      }
    }
    std::vector<Held*> dirty = covered_of(live_);
    if (frozen_) {
      const std::vector<Held*> frozen = covered_of(frozen_->cells);
      dirty.insert(dirty.end(), frozen.begin(), frozen.end());
    }
    for (const Held* held : dirty) {
      kill_in_memory(held->key, context);
      rebase(held->key, Below::unknown);
    }
    keys_were_killed(marker, everything);
  }
  markers_.add(std::move(marker));
}

void Tables::kill_in_memory(const ObjectKey& object, const VersionVector& context) {
  std::vector<CellName> names;
  const Held* held = this->held(object);
  const Layer::Object* live = live_.object(held);
  const Layer::Object* frozen = alone(live) ? nullptr : this->frozen(held);
  for (const Layer::Object* found : std::array<const Layer::Object*, 4>{
           live, frozen, thawing_.object(held), clean_.object(held)}) {
    if (found != nullptr) {
      for (const auto& [name, delta] : found->cells) {
        if (!is_totals(name.kind())) {
          names.push_back(name);
        }
      }
    }
  }
  std::ranges::sort(names);
  const auto repeated = std::ranges::unique(names);
  names.erase(repeated.begin(), repeated.end());
  for (const CellName& name : names) {
    kill({object, name}, context);
  }
}

std::size_t Tables::cells_in_memory(const ObjectKey& object) const {
  std::size_t cells = 0;
  const Held* held = this->held(object);
  for (const Layer::Object* found : std::array<const Layer::Object*, 4>{
           live_.object(held), frozen(held), thawing_.object(held), clean_.object(held)}) {
    cells += found != nullptr ? found->cells.size() : 0;
  }
  return cells;
}

// The registers of the object go as a whole, and it is noted that nothing of them is left below:
// the frozen ones cannot go, and those on disk wait for the marker. Requires that the context
// covers all that was ever applied here.
void Tables::kill_wholesale(const ObjectKey& object, const VersionVector& context) {
  // What is cold counts as touched, too; and the layer notes whether the object existed below while
  // that can still be told.
  kill({object, {CellKind::deadline, {}}}, context);
  Held& held = hold(object);
  live_.drop_registers(held, garbage_);
  thawing_.drop_registers(held, garbage_);
  clean_.drop_registers(held, garbage_);
  if (const Layer::Object* clean = clean_.object(&held); clean != nullptr && clean->cells.empty()) {
    clean_.erase_object(held, garbage_);
  }
  below_was_killed(object, true);
  live_.object(&held)->alone = true;
  kill({object, {CellKind::deadline, {}}}, context);
  live_.recount_shown(*live_.object(&held));
}

// ---------------------------------------------------------------- memory

std::size_t Tables::bytes() const {
  constexpr std::size_t scored_size = 256;
  constexpr std::size_t deadline_size = 256;
  return live_.bytes() + clean_.bytes() + thawing_.bytes() +
         (frozen_ ? frozen_->cells.bytes() : 0) + helds_.bytes() + stored_.bytes() + scored_bytes_ +
         scored_.size() * scored_size +
         (deadlines_.size() + frozen_deadlines_.size()) * deadline_size;
}

bool Tables::evict_resident(bool spare) {
  Held& held = residents_.front();
  if (std::exchange(held.used, false) && spare) {
    held.unlink();
    residents_.push_back(held);
    return false;
  }
  if (!pack(held)) {
    clean_.erase_object(held, garbage_);
    forget_loaded(held);
    release(held);
  }
  return true;
}

// Only clean cells go (R5.3), object by object; those used since eviction came by last stay for
// another round (CLOCK; Corbato 1968): hot objects come back with one range read. Objects that also
// have dirty cells lose their clean ones and their completeness.
void Tables::evict() {
  if (bytes() <= limits_.memory_bytes) {
    return;
  }
  const std::size_t goal = limits_.memory_bytes - limits_.memory_bytes / 128;
  const auto clean = [&] { return clean_.bytes() + thawing_.bytes() + helds_.packed_bytes(); };
  const std::size_t clean_before = clean();
  // Indexes of scores are the first to go, as far as they have more than half of it. The others are
  // dearer to make again than a few cells are to read.
  shrink_scores(limits_.memory_bytes / 2);
  constexpr int most_spared = 32;  // in a row: nobody waits for a round of a million
  for (int spared = 0; bytes() > goal && !(residents_.empty() && packed_.empty());) {
    const bool spare = spared < most_spared;
    const bool from_packed = residents_.empty() || helds_.packed_bytes() > limits_.memory_bytes / 2;
    const bool gone = from_packed ? evict_packed(spare) : evict_resident(spare);
    spared = gone ? 0 : spared + 1;
  }
  while (bytes() > goal && !thawing_.empty()) {
    Held& held = thawing_.objects().front().held();
    forget_loaded(held);
    thawing_.erase_object(held, garbage_);
    clean_.erase_object(held, garbage_);  // it may be older
    release(held);
  }
  // What is left over belongs to objects that were never loaded as a whole.
  while (bytes() > goal && !clean_.empty()) {
    Held& held = clean_.objects().front().held();
    clean_.erase_object(held, garbage_);
    release(held);
  }
  evicted_bytes_ += clean_before - clean();
  if (const std::size_t all = bytes(); all > limits_.memory_bytes) {
    const std::size_t excess = all - limits_.memory_bytes;
    shrink_scores(scored_bytes_ - std::min(excess, scored_bytes_));
  }
}

}  // namespace starling::replica
