// What memory tells of the objects in which writes meet (conflict_finder.h).
#include <vector>

#include "server/replica/tables.h"

namespace starling::replica {

Tables::Glance Tables::glance(const ObjectKey& object) const {
  const Held* held = this->held(object);
  const Layer::Object* live = live_.object(held);
  const Layer::Object* frozen = this->frozen(held);
  // What a kill has covered meets nothing any more; but frozen totals may lie among it.
  const bool covered = frozen != nullptr && alone(live);
  return {{live, covered ? nullptr : frozen, thawing_.object(held), clean_.object(held)},
          known_complete(held) && !covered};
}

void Tables::leave_undecided(const ObjectKey& object) {
  Layer::Object* live = live_.object(held(object));  // none if only lower layers hold some of it
  if (live != nullptr && !live->undecided) {
    live->undecided = true;
    ++undecided_;
  }
}

std::array<const Layer::Object*, 2> Tables::undecided(const ObjectKey& object) const {
  const Held* held = this->held(object);
  const Layer::Object* live = live_.object(held);
  const Layer::Object* frozen =
      frozen_undecided_ > 0 && !alone(live) ? this->frozen(held) : nullptr;
  const bool either =
      (live != nullptr && live->undecided) || (frozen != nullptr && frozen->undecided);
  return either ? std::array{live, frozen} : std::array<const Layer::Object*, 2>{};
}

std::vector<ObjectKey> Tables::undecided(std::optional<std::uint8_t> db) const {
  std::vector<ObjectKey> found;
  const auto look = [&](const Layer& layer) {
    for (const Layer::Object& dirty : layer.objects()) {
      if (dirty.undecided && (!db || dirty.key().db == *db)) {
        found.push_back(dirty.key());
      }
    }
  };
  look(live_);
  if (frozen_ != nullptr) {
    look(frozen_->cells);
  }
  return found;
}

}  // namespace starling::replica
