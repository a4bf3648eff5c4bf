// What a checkpoint takes, and what becomes of it when the job has ended (R5.2, decision 0009).
#include <utility>

#include "crdt/mutants.h"
#include "server/replica/checkpoint.h"
#include "server/replica/tables.h"

namespace starling::replica {

std::shared_ptr<const FrozenTables> Tables::freeze(std::uint64_t position) {
  thaw(SIZE_MAX);
  freeze_key_counts();
  frozen_ = std::make_shared<FrozenTables>();
  frozen_->position = position;
  frozen_->cells = std::exchange(live_, Layer(true));
  frozen_->markers = std::exchange(markers_, {});
  frozen_deadlines_ = std::exchange(deadlines_, {});
  frozen_undecided_ = std::exchange(undecided_, 0);
  ++freezes_;
  return frozen_;
}

void Tables::checkpoint_done(bool ingested) {
  const std::shared_ptr<FrozenTables> frozen = std::exchange(frozen_, nullptr);
  frozen_undecided_ = 0;
  if (ingested) {
    if (mutant("sweep_old_cut")) {
      markers_ = {};  // set since the freeze: the cut that was swept is older than they are
    }
    thawing_ = std::move(frozen->cells);
    thawing_.disorder(garbage_);
    // What now is a row needs no other note, unless rows of that time were given out before.
    frozen_deadlines_.drop_after(indexed_through_, garbage_);
    next_row_.reset();
    deadlines_.add_older(std::exchange(frozen_deadlines_, {}));
    return;
  }
  deadlines_.add_older(std::exchange(frozen_deadlines_, {}));
  for (auto& [object, dirty] : frozen->cells.objects()) {
    while (!dirty.cells.empty()) {
      back_to_live(object, dirty.cells.extract(dirty.cells.begin()));
    }
    live_.object(object)->alone = live_.object(object)->alone || dirty.alone;
    if (dirty.undecided) {
      leave_undecided(object);
    }
    const auto resident = residents_.find(object);
    if (resident != residents_.end() && resident->second.through == freezes_) {
      resident->second.below.reset();
    }
  }
  for (const auto& [object, dirty] : frozen->cells.objects()) {
    rebase(object, Below::unknown);
  }
  markers_.add(frozen->markers);
  unfreeze_key_counts(frozen->cells);
}

bool Tables::thaw(std::size_t cells) {
  for (std::size_t done = 0; done < cells && !thawing_.empty();) {
    done += thaw_object(thawing_.objects().begin(), cells - done);
  }
  return !thawing_.empty();
}

// An object of which nothing is clean yet goes over as it is, otherwise cell by cell. The effort is
// returned, in cells.
std::size_t Tables::thaw_object(Layer::Objects::iterator entry, std::size_t cells) {
  constexpr std::size_t per_object = 4;
  auto& [object, ingested] = *entry;
  if (const auto resident = residents_.find(object); resident != residents_.end()) {
    fold_frozen(object, resident->second);
  }
  if (alone(live_.object(object))) {
    thawing_.drop_registers(object, garbage_);
  }
  if (ingested.unfit == 0 && !ingested.cells.empty() && clean_.object(object) == nullptr &&
      !mutant("evict_dirty")) {
    Layer::Object clean;
    clean.cells = std::move(ingested.cells);
    clean.bytes = ingested.bytes;
    Layer::Objects::node_type whole = thawing_.extract(entry);
    whole.mapped() = std::move(clean);
    clean_.adopt(std::move(whole));
    return per_object;
  }
  std::size_t done = 0;
  for (; !ingested.cells.empty() && done < cells; ++done) {
    to_clean(object, thawing_.extract(*entry, ingested.cells.begin()));
  }
  if (ingested.cells.empty()) {
    const Layer::Object* clean = clean_.object(object);
    if (clean != nullptr && clean->cells.empty()) {
      clean_.erase_object(object, garbage_);
    }
    (void)thawing_.extract(entry);
  }
  return done + per_object;
}

// The cell is on disk now. A partial one is whole there; it is read from there when it is wanted.
void Tables::to_clean(const ObjectKey& object, Layer::Cells::node_type frozen) {
  const CellKey key{object, frozen.key()};
  if (alone_live(key)) {
    return;  // killed since
  }
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
    clean_.erase_cell(key);
  }
}

// Back into the dirty layer, under what has been written since.
void Tables::back_to_live(const ObjectKey& object, Layer::Cells::node_type frozen) {
  const CellKey key{object, frozen.key()};
  CellDelta* live = live_.find(key);
  if (alone_live(key)) {
    return;  // killed since
  }
  if (live == nullptr) {
    live_.adopt(object, std::move(frozen));
  } else if (!live->is_whole()) {
    CellDelta joined = *live;
    joined.join_onto(frozen.mapped());
    live_.put(key, std::move(joined));
  }
}

}  // namespace starling::replica
