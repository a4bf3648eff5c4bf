// What a checkpoint takes, and what becomes of it when the job has ended (R5.2, decision 0009).
#include <utility>

#include "crdt/mutants.h"
#include "server/replica/checkpoint.h"
#include "server/replica/tables.h"

namespace starling::replica {

std::shared_ptr<const FrozenTables> Tables::freeze(std::uint64_t position) {
  thaw(SIZE_MAX);
  freeze_key_counts();
  frozen_ =
      std::make_shared<FrozenTables>(position, std::exchange(live_, Layer(++last_layer_, true)));
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
  for (Layer::Object& dirty : frozen->cells.objects()) {
    Held& held = dirty.held();
    for (auto cell = dirty.cells.begin(); !dirty.cells.empty();) {
      back_to_live(held, dirty.cells.extract(cell));
    }
    Layer::Object& live = live_.enter(held);
    live.alone = live.alone || dirty.alone;
    if (dirty.undecided) {
      leave_undecided(held.key);
    }
    if (held.resident() && held.through == freezes_) {
      held.below.reset();
    }
  }
  for (const Layer::Object& dirty : frozen->cells.objects()) {
    rebase(dirty.key(), Below::unknown);
  }
  markers_.add(frozen->markers);
  unfreeze_key_counts(frozen->cells);
  frozen->cells.clear();
}

bool Tables::thaw(std::size_t cells) {
  for (std::size_t done = 0; done < cells && !thawing_.empty();) {
    done += thaw_object(thawing_.objects().front(), cells - done);
  }
  return !thawing_.empty();
}

// An object of which nothing is clean yet goes over as it is, otherwise cell by cell. The effort is
// returned, in cells.
std::size_t Tables::thaw_object(Layer::Object& ingested, std::size_t cells) {
  constexpr std::size_t per_object = 4;
  Held& held = ingested.held();
  if (held.resident()) {
    fold_frozen(held);
  }
  if (alone(live_.object(&held))) {
    thawing_.drop_registers(held, garbage_);
  }
  if (ingested.unfit == 0 && !ingested.cells.empty() && clean_.object(&held) == nullptr &&
      !mutant("evict_dirty")) {
    clean_.take_over(thawing_, ingested);
    // A string is read from there as well; others are when they are evicted.
    if (is_plain(ingested.cells)) {
      pack(held);
    }
    return per_object;
  }
  std::size_t done = 0;
  for (auto cell = ingested.cells.begin(); !ingested.cells.empty() && done < cells; ++done) {
    to_clean(held, thawing_.extract(ingested, cell));
  }
  if (ingested.cells.empty()) {
    const Layer::Object* clean = clean_.object(&held);
    if (clean != nullptr && clean->cells.empty()) {
      clean_.erase_object(held, garbage_);
    }
    thawing_.erase_object(held, garbage_);
    release(held);
  }
  return done + per_object;
}

// The cell is on disk now. A partial one is whole there; it is read from there when it is wanted.
void Tables::to_clean(Held& held, Layer::Cells::node_type frozen) {
  const CellName& name = frozen.key();
  if (alone_live(&held, name.kind())) {
    return;  // killed since
  }
  if (mutant("evict_dirty") && live_.find(&held, name) != nullptr) {
    live_.erase(held, name);
  }
  LayerCell& now = frozen.mapped();
  if (!now.is_whole()) {
    if (const CellDelta* clean = clean_.find(&held, name)) {
      now.join_onto(*clean);
    } else if (held.complete) {
      now.join_onto(CellDelta::whole(empty_cell(name.kind())));
    }
  }
  if (now.is_whole() && !is_empty(now.value())) {
    clean_.adopt(held, std::move(frozen));
  } else {
    clean_.erase_cell(held, name);
  }
}

// Back into the dirty layer, under what has been written since.
void Tables::back_to_live(Held& held, Layer::Cells::node_type frozen) {
  const CellName& name = frozen.key();
  CellDelta* live = live_.find(&held, name);
  if (alone_live(&held, name.kind())) {
    return;  // killed since
  }
  if (live == nullptr) {
    live_.adopt(held, std::move(frozen));
  } else if (!live->is_whole()) {
    CellDelta joined = *live;
    joined.join_onto(frozen.mapped());
    live_.put(held, name, std::move(joined));
  }
}

}  // namespace starling::replica
