// The cells in memory, in layers over the state on disk (R5.2, R5.3).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "crdt/cell.h"
#include "crdt/cell_key.h"
#include "crdt/entry.h"
#include "server/replica/counts.h"
#include "server/replica/deadlines.h"
#include "server/replica/garbage.h"
#include "server/replica/held.h"
#include "server/replica/layer.h"
#include "server/replica/object_key_hash.h"
#include "server/replica/score_index.h"
#include "server/replica/stored_filter.h"
#include "server/replica/turns.h"
#include "storage/store.h"

namespace starling::replica {

// For people.
[[nodiscard]] StoreError damaged_row();
// A long command was not given another turn.
[[nodiscard]] StoreError stopped();

// Reads go live -> frozen -> thawing -> clean -> state; writes go to live.
// An object is loaded whole on first touch unless it is large; then its cells are read one by one.
// Every change, local or remote or replayed, takes the same joins (R2.3).
// Runs on: core strand.
class Tables {
 public:
  struct Limits {
    std::uint64_t memory_bytes = 256u << 20;
    // An object with more stored rows than this is never loaded as a whole.
    std::size_t whole_object_rows = 4096;
    // A kill of an object with more cells in memory than this does not look at each of them.
    std::size_t wholesale_cells = 1000;
  };
  Tables(const Store& store, const OriginTable& origins, const Limits& limits)
      : store_(store), origins_(origins), limits_(limits), stored_(limits.memory_bytes / 8) {}

  // The state database has nothing yet.
  void begin_empty() { stored_.begin_empty(); }

  // -- reading --
  // The whole cell, empty if there is none. The reference is good until the next call.
  [[nodiscard]] StoreResult<const CellValue*> read(const CellKey& key) {
    return read(key.object, key.cell);
  }
  [[nodiscard]] StoreResult<const CellValue*> read(const ObjectKey& object, const CellName& name);
  // Every stored cell of an object from this name to the last of a kind, in the order of names.
  // With `turns` others run between two cells whenever a turn is over; they must leave this object
  // alone (KeyLocks).
  enum class Walk : std::uint8_t { on, next_kind, stop };
  using Visit = std::function<Walk(const CellName&, const CellValue&)>;
  [[nodiscard]] StoreResult<void> for_each(const ObjectKey& object, const CellName& first,
                                           CellKind last, const Visit& visit,
                                           Turns* turns = nullptr);
  // How many elements and fields the object has: counted by the checkpoint job at W, and kept up by
  // every change since (R4.1). Reads what it does not know yet, each dirty cell once.
  [[nodiscard]] StoreResult<Counts> counts(const ObjectKey& object);
  // The members of a sorted set by score. Made when it is first asked for, which reads them all,
  // then kept up by every change; good until the next one or the next `evict`. A caller that
  // changes it puts everything back. It is made in `turns`, if there are any, and stays then until
  // each who gave turns has called `release_scores`.
  [[nodiscard]] StoreResult<ScoreIndex*> scores(const ObjectKey& object, Turns* turns = nullptr);
  void release_scores(const ObjectKey& object);
  [[nodiscard]] bool has_scores(const ObjectKey& object) const { return scored_.contains(object); }

  // How many keys a database has, expired ones that nobody has killed yet included: counted by the
  // checkpoint job at W, and kept up since. Looks at every dirty object once of which it is not
  // known whether it existed or exists.
  [[nodiscard]] StoreResult<std::int64_t> key_count(std::uint8_t db);
  // What lies under a key, as far as its sort tells: every command asks this first.
  struct Look {
    std::uint8_t types = 0;       // of which something is present; a bit for each, as `bit_of`
    bool has_increments = false;  // of a string, be they taken away already
    bool has_deadline_cell = false;
    std::optional<std::int64_t> deadline;
  };
  [[nodiscard]] static constexpr std::uint8_t bit_of(ObjectType type) {
    return static_cast<std::uint8_t>(1u << static_cast<unsigned>(type));
  }
  // The bits of those that have elements, fields or members.
  [[nodiscard]] static std::uint8_t types_with_items(const Counts& counts);
  [[nodiscard]] StoreResult<Look> look(const ObjectKey& object);
  // Something is there apart from attributes. Loads nothing.
  [[nodiscard]] StoreResult<bool> exists(const ObjectKey& object);

  // Somebody will soon ask for what lies at these places: brings it near, all of it at a time,
  // where one after the other would wait for memory at every step. (Chen, Ailamaki, Gibbons, Mowry
  // 2004: group prefetching.) Changes nothing.
  void expect(std::span<const std::uint64_t> places) const;

  // -- expiry --
  // Keys with a deadline up to `now_ms`, each named once: from then on the caller has to see to it.
  // (A restart names them all again.) Whether a key has really expired it has to look up.
  [[nodiscard]] StoreResult<std::vector<ObjectKey>> take_due(std::int64_t now_ms,
                                                             std::size_t count);
  // As far as the last `take_due` told: when the next one may find something.
  [[nodiscard]] std::optional<std::int64_t> next_deadline() const;
  void hint_deadline(const ObjectKey& object, std::int64_t unix_ms) {
    deadlines_.set(object, unix_ms);
  }

  // -- conflicts (tables_conflicts.cc) --
  // The layers that hold some of an object, newest first, and whether nothing else is stored.
  struct Glance {
    std::array<const Layer::Object*, 4> layers{};
    bool complete = false;
  };
  [[nodiscard]] Glance glance(const ObjectKey& object) const;
  // The whole cell as far as memory tells; null if it would have to be read.
  [[nodiscard]] const CellValue* in_memory(const CellKey& key);
  // A write has met in this object what is not in memory: whether that is a conflict the checkpoint
  // job finds out (R4.2). The object is dirty.
  void leave_undecided(const ObjectKey& object);
  [[nodiscard]] bool any_undecided() const { return undecided_ > 0 || frozen_undecided_ > 0; }
  // Its dirty cells, the frozen ones included: the job that is to decide may fail. Null if there is
  // nothing to decide.
  [[nodiscard]] std::array<const Layer::Object*, 2> undecided(const ObjectKey& object) const;
  [[nodiscard]] bool is_undecided(const ObjectKey& object) const {
    return undecided(object) != std::array<const Layer::Object*, 2>{};
  }
  // Of a database, or of all; looks at every dirty object.
  [[nodiscard]] std::vector<ObjectKey> undecided(std::optional<std::uint8_t> db) const;

  // -- changing --
  void assign(const CellKey& key, Sibling sibling, const VersionVector& context);
  void kill(const CellKey& key, const VersionVector& context);
  void add(const CellKey& key, const TotalPart& part);
  void reset(const CellKey& key, const ObservedTotal& observed, const Dot& reset_dot);
  // `everything`: the context covers all that was ever applied here, so what it kills need not be
  // looked at to know that it is gone.
  void kill_scope(ScopeLevel level, const ObjectKey& scope, const VersionVector& context,
                  bool everything);

  // -- checkpoints --
  [[nodiscard]] bool dirty() const { return !live_.empty() || !markers_.empty(); }
  [[nodiscard]] bool freezing() const { return frozen_ != nullptr; }
  // The dirty cells become an immutable layer under a new, empty one: all of the log up to
  // `position`. Requires !freezing().
  std::shared_ptr<const FrozenTables> freeze(std::uint64_t position);
  // The job has ended. The frozen layer is on disk and turns into clean cells, or it stays dirty if
  // that failed; either way its cells move as they are, so memory does not hold them twice.
  void checkpoint_done(bool ingested);
  // Turns about so many cells more of it into clean ones; whether some are left. What is not done
  // by the next freeze is done then.
  bool thaw(std::size_t cells);
  [[nodiscard]] bool thawing() const { return !thawing_.empty(); }

  // Drops clean objects until all layers together are within bounds.
  void evict();
  // Of clean cells, by all evictions together.
  [[nodiscard]] std::uint64_t evicted_bytes() const { return evicted_bytes_; }
  // What was dropped and takes long to free.
  [[nodiscard]] Garbage& garbage() { return garbage_; }
  // Dirty cells may not grow further until a checkpoint has gone through: only clean ones can
  // leave. `others`: what else waits for it, in bytes.
  [[nodiscard]] bool full(std::size_t others) const {
    const std::uint64_t frozen = frozen_ ? frozen_->cells.bytes() : 0;
    const std::uint64_t objects =
        live_.objects().size() + (frozen_ ? frozen_->cells.objects().size() : 0);
    return live_.bytes() + frozen + objects * HeldTable::bytes_each + others >
           limits_.memory_bytes / 4 * 3;
  }

  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t dirty_bytes() const { return live_.bytes(); }
  [[nodiscard]] const Markers& markers() const { return markers_; }

 private:
  friend class ObjectWalk;
  // What memory has of an object; null if nothing.
  [[nodiscard]] HeldTable::Found find(const ObjectKey& object) const;
  // The same, and null if it is packed: then it is as if memory had nothing.
  [[nodiscard]] Held* held(const ObjectKey& object) const { return find(object).held; }
  // Unpacked if it is packed, made if there is nothing.
  [[nodiscard]] Held& hold(const ObjectKey& object);
  // -- packed objects (tables_packed.cc) --
  Held& unpack(Packed& packed);
  // False, and nothing is done, unless it is small, and all that memory has of it is clean.
  bool pack(Held& held);
  [[nodiscard]] static bool is_plain(const Layer::Cells& cells);
  [[nodiscard]] Look look(Packed& plain) const;
  [[nodiscard]] const CellValue& read(Packed& plain, CellKind kind);
  [[nodiscard]] CellValue unpacked(CellKind kind, std::string_view cell) const;
  // The next one goes, unless it was used and is to be spared.
  bool evict_packed(bool spare);
  bool evict_resident(bool spare);
  // Forgets it if nothing is left.
  void release(Held& held);
  void forget_loaded(Held& held);
  [[nodiscard]] const Layer::Object* frozen(const Held* held) const {
    return frozen_ ? frozen_->cells.object(held) : nullptr;
  }
  [[nodiscard]] const LayerCell* frozen(const Held* held, const CellName& name) const;

  StoreResult<Held*> load(const ObjectKey& object);
  StoreResult<const CellValue*> read(Held& held, const CellName& name);
  [[nodiscard]] StoreResult<Counts> counts(Held& held);
  // `stored`: the bytes of its row, if the caller has them at hand.
  StoreResult<const CellValue*> read_single(const ObjectKey& object, Held* held,
                                            const CellName& name,
                                            const std::string* stored = nullptr);
  // What lies below the live layer.
  StoreResult<CellDelta> read_below(const ObjectKey& object, Held* held, const CellName& name,
                                    const std::string* stored);
  [[nodiscard]] StoreResult<CellValue> base(const ObjectKey& object, const CellName& name,
                                            const std::string* stored) const;
  // From its row, markers applied.
  [[nodiscard]] StoreResult<CellValue> base_of(const ObjectKey& object, CellKind kind,
                                               std::string_view stored) const;
  [[nodiscard]] StoreResult<CellValue> decode(const ObjectKey& object, CellKind kind,
                                              std::string_view stored) const;
  void apply_markers(const ObjectKey& object, CellValue& value) const;
  void apply_later_markers(const ObjectKey& object, CellDelta& cell) const;
  // A new live cell to change: moved up from a lower layer if it is known there, a fresh partial
  // one otherwise.
  LayerCell& raise(Held& held, const CellName& name);
  template <typename Change>
  void change(const CellKey& key, const Change& change);
  void kill_in_memory(const ObjectKey& object, const VersionVector& context);
  void kill_wholesale(const ObjectKey& object, const VersionVector& context);
  [[nodiscard]] std::size_t cells_in_memory(const ObjectKey& object) const;
  // No register of the object below this layer is left, see Layer::Object::alone.
  [[nodiscard]] static bool alone(const Layer::Object* object);
  [[nodiscard]] bool alone_live(const Held* held, CellKind kind) const;
  [[nodiscard]] bool alone_frozen(const Held* held, CellKind kind) const;
  [[nodiscard]] const CellValue* in_memory(Held* held, const CellName& name);
  // The clean cell, if there is one.
  [[nodiscard]] const CellDelta* clean(Held* held, const CellName& name);
  // The clean part of an object, this cell in it if it is clean.
  [[nodiscard]] Layer::Object* clean_object(Held& held, const CellName& name);
  std::size_t thaw_object(Layer::Object& ingested, std::size_t cells);
  void to_clean(Held& held, Layer::Cells::node_type frozen);
  void back_to_live(Held& held, Layer::Cells::node_type frozen);
  [[nodiscard]] static bool known_complete(const Held* held) {
    return held != nullptr && held->complete;
  }
  // `seen`: the cell at which the walk was cut before, which is not visited again, or is cut now.
  enum class Walked : std::uint8_t { whole, a_part };
  StoreResult<Walked> merge_layers(const ObjectKey& object, const CellName& first, CellKind last,
                                   const Visit& visit, Turns* turns, std::optional<CellName>& seen);
  // At once, without loading anything.
  StoreResult<void> merge_layers(const ObjectKey& object, const CellName& first, CellKind last,
                                 const Visit& visit);

  // -- counting --
  [[nodiscard]] bool marked(const ObjectKey& object) const;
  // As far as memory tells.
  [[nodiscard]] Presence presence_below(Held* held, const CellName& name);
  // Around every change of the live layer: takes the item's part out of the sums, puts it in.
  // `live`: the cell, if it is dirty yet.
  static void uncount(Layer::Object* object, const CellName& name, const LayerCell* live);
  static void recount(Layer::Object& object, const CellName& name, const LayerCell& live);
  // What lies below the live cells of an object has changed: registers there are gone, or nothing
  // is known.
  enum class Below : std::uint8_t { killed, unknown };
  void rebase(const ObjectKey& object, Below below);
  void below_was_killed(const ObjectKey& object, bool everything);
  void fold_frozen(Held& held);
  StoreResult<void> know_live(Held& held);
  StoreResult<void> know_below(Held& held);
  StoreResult<Presence> stored_below(Held& held, const CellName& name);
  StoreResult<std::optional<Counts>> stored_counts(const Held& held);
  StoreResult<Counts> walk_counts(Held& held);

  // -- order --
  // An index over the members of an object, and those whose cells have changed since.
  struct Scored {
    ScoreIndex index;
    std::vector<std::string> noted;
    std::size_t follow_at = 0;  // that many
    std::uint64_t used = 0;     // the greater, the later
    unsigned keepers = 0;       // who walk over it in turns
  };
  void note_member(const CellKey& key);
  void follow(const ObjectKey& object, Scored& scored);
  StoreResult<void> catch_up(const ObjectKey& object, Scored& scored);
  void set_score(Scored& scored, const std::string& name, const CellValue& base,
                 const CellValue& increments);
  StoreResult<ScoreIndex> make_scores(const ObjectKey& object, Turns* turns);
  void drop_scores(const ObjectKey& object);
  // Drops those not used for longest until all of them together have no more bytes than this.
  void shrink_scores(std::size_t goal);

  // -- counting keys (tables_key_count.cc) --
  // Around every change of the live layer.
  static void hide(Layer::Object* object, const CellName& name, const LayerCell* live);
  void show(Layer::Object& object, const CellName& name, const LayerCell& live, bool changed);
  [[nodiscard]] Presence existed_below(const Held& held) const;  // as far as memory tells
  void keys_were_killed(const Marker& marker, bool everything);
  void freeze_key_counts();
  void unfreeze_key_counts(Layer& frozen);
  void reopen(Layer::Object& object);
  StoreResult<void> know_keys_below(std::uint8_t db);
  StoreResult<void> know_live_keys(std::uint8_t db);
  StoreResult<std::int64_t> frozen_key_change(const Cut& cut, std::uint8_t db, bool emptied);
  StoreResult<std::int64_t> walk_keys_below(std::uint8_t db);
  [[nodiscard]] static std::vector<Layer::Object*> in_place_order(
      const std::vector<Layer::Object*>& objects);
  // Which kills what lies below the live layer has felt. Those of one key come with a dirty cell of
  // it; those of a whole database do not.
  enum class Apply : std::uint8_t { no_marker, frozen_markers, wide_markers_too };
  void apply(const ObjectKey& object, CellDelta& cell, Apply apply) const;
  StoreResult<bool> stored_shows(const ObjectKey& object, const Layer::Object* over,
                                 RowIterator& rows, Apply apply) const;
  StoreResult<bool> frozen_shows(const Layer::Object& frozen, const Cut& cut, RowIterator& rows,
                                 Apply apply) const;
  StoreResult<bool> shows_below(const ObjectKey& object, const Cut& cut, RowIterator& rows) const;

  const Store& store_;
  const OriginTable& origins_;
  Limits limits_;
  static constexpr std::uint64_t clean_number = 1;
  std::uint64_t last_layer_ = clean_number + 1;
  HeldTable helds_;
  StoredFilter stored_;  // all that was ever dirty, so whatever else says no is not stored
  mutable HeldTable::Found last_found_;  // nearly every lookup asks for the one before again
  boost::intrusive::list<Held, boost::intrusive::constant_time_size<false>> residents_;
  boost::intrusive::list<Packed, boost::intrusive::constant_time_size<false>> packed_;
  Layer live_ = Layer(clean_number + 1, true);
  std::shared_ptr<FrozenTables> frozen_;
  // Ingested, and on their way to the clean cells; none while a layer is frozen.
  Layer thawing_ = Layer(0);
  Layer clean_ = Layer(clean_number);
  std::uint64_t freezes_ = 0;
  std::uint64_t evicted_bytes_ = 0;
  std::size_t undecided_ = 0;  // objects of the live layer
  std::size_t frozen_undecided_ = 0;
  std::unordered_map<ObjectKey, Scored, ObjectKeyHash> scored_;
  std::size_t scored_bytes_ = 0;
  std::uint64_t scored_uses_ = 0;
  Markers markers_;
  std::map<std::uint8_t, std::int64_t> keys_below_;  // of everything below the live layer, if known
  Deadlines deadlines_;                              // of the live layer
  Deadlines frozen_deadlines_;                       // of the frozen layer: soon rows
  std::int64_t indexed_through_ = -1;                // rows up to here and …
  std::string indexed_row_;                          // … up to this one were given out
  std::optional<std::int64_t> next_row_;  // the deadline of the row after it, if it was looked at
  CellValue scratch_;
  Garbage garbage_;
};

}  // namespace starling::replica
