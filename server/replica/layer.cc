#include "server/replica/layer.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace starling::replica {
namespace {

// How many keys more there are with the object's cells than below them, as far as that is known.
std::int64_t difference(const LayerObject& object) {
  if (object.existence_is_open()) {
    return 0;
  }
  return (object.exists == Presence::present ? 1 : 0) -
         (object.existed == Presence::present ? 1 : 0);
}

}  // namespace

std::size_t cell_size(const CellName& name, const CellDelta& delta) {
  constexpr std::size_t node_overhead = 16 + 24;  // of the allocation, and a slot of a page
  constexpr std::size_t short_string = 15;        // needs no room of its own
  const std::size_t size = name.subkey().size();
  return node_overhead + sizeof(LayerCell) + sizeof(CellName) + (size > short_string ? size : 0) +
         heap_size(delta);
}

bool shows(const CellName& name, const LayerCell& cell) {
  return is_value(name.kind()) && presence_of(cell) == Presence::present;
}

// ---------------------------------------------------------------- Layer

Layer& Layer::operator=(Layer&& other) noexcept {
  if (this != &other) {
    objects_.clear_and_dispose(std::default_delete<Object>());
    objects_.splice(objects_.end(), other.objects_);
    number_ = other.number_;
    places_ = std::exchange(other.places_, {});
    keys_ = std::exchange(other.keys_, {});
    ordered_ = other.ordered_;
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

Layer::~Layer() { objects_.clear_and_dispose(std::default_delete<Object>()); }

LayerCell* Layer::find(const Held* held, const CellName& name) const {
  Object* found = object(held);
  if (found == nullptr) {
    return nullptr;
  }
  const auto cell = found->cells.find(name);
  return cell == found->cells.end() ? nullptr : &cell->second;
}

Layer::Object& Layer::enter(Held& held) {
  if (Object* known = object(&held)) {
    return *known;
  }
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the list's; freed in `leave` and ~Layer
  auto* made = new Object(held, number_);
  objects_.push_back(*made);
  bytes_ += object_bytes;
  *std::ranges::find(held.parts, nullptr) = made;
  if (ordered_) {
    places_.add(held.key, held.place);
  }
  return *made;
}

void Layer::note_left(Object& object) {
  if (ordered_) {
    places_.remove(object.key(), object.held().place);
    std::erase(keys_[object.key().db].open, &object);
  }
  bytes_ -= object_bytes;
}

void Layer::leave(Object& object) {
  note_left(object);
  *std::ranges::find(object.held().parts, &object) = nullptr;
  objects_.erase_and_dispose(objects_.iterator_to(object), std::default_delete<Object>());
}

Layer::Share Layer::share(const CellName& name, const LayerCell& cell) {
  return {cell_size(name, cell), cell.is_whole() && !is_empty(cell.value()) ? 0u : 1u};
}

void Layer::account(Object& object, const Share& before, const Share& after) {
  bytes_ = bytes_ + after.bytes - before.bytes;
  object.bytes = object.bytes + after.bytes - before.bytes;
  object.unfit = object.unfit + after.unfit - before.unfit;
}

LayerCell& Layer::put(Held& held, const CellName& name, CellDelta delta) {
  Object& object = enter(held);
  auto it = object.cells.lower_bound(name);
  Share before;
  if (it == object.cells.end() || it->first != name) {
    it = object.cells.emplace(it, name, std::move(delta));
  } else {
    before = share(name, it->second);
    static_cast<CellDelta&>(it->second) = std::move(delta);
  }
  account(object, before, share(name, it->second));
  return it->second;
}

void Layer::adopt(Held& held, Cells::node_type cell) {
  Object& object = enter(held);
  auto inserted = object.cells.insert(std::move(cell));
  auto& [name, here] = *inserted.cell;
  Share before;
  if (!inserted.left.empty()) {
    before = share(name, here);
    here = std::move(inserted.left.mapped());
  }
  account(object, before, share(name, here));
}

void Layer::take_over(Layer& other, Object& part) {
  other.note_left(part);
  other.bytes_ -= part.bytes;
  objects_.splice(objects_.end(), other.objects_, other.objects_.iterator_to(part));
  bytes_ += object_bytes + part.bytes;
  part.layer_ = number_;
  part.change = {};
  part.open = 0;
  part.existed = part.exists = Presence::unknown;
  part.shown = 0;
  part.alone = part.waits_for_look = part.undecided = false;
  if (ordered_) {
    places_.add(part.key(), part.held().place);
  }
}

Layer::Cells::node_type Layer::extract(Object& object, Cells::iterator& cell) {
  account(object, share(cell->first, cell->second), {});
  return object.cells.extract(cell);
}

Layer::Object* Layer::drop_cell(Held& held, const CellName& name) {
  Object* const found = object(&held);
  if (found != nullptr) {
    auto cell = found->cells.find(name);
    if (cell != found->cells.end()) {
      (void)extract(*found, cell);
    }
  }
  return found;
}

void Layer::erase_cell(Held& held, const CellName& name) { (void)drop_cell(held, name); }

void Layer::erase(Held& held, const CellName& name) {
  if (Object* const object = drop_cell(held, name)) {
    leave_if_empty(*object);
  }
}

void Layer::leave_if_empty(Object& object) {
  if (object.cells.empty()) {
    leave(object);
  }
}

void Layer::erase_object(Held& held, Garbage& garbage) {
  Object* const found = object(&held);
  if (found == nullptr) {
    return;
  }
  bytes_ -= found->bytes;
  const std::size_t nodes = found->cells.size();
  garbage.add(std::move(found->cells), nodes);
  leave(*found);
}

void Layer::drop_registers(Held& held, Garbage& garbage) {
  Object* const object = this->object(&held);
  if (object == nullptr) {
    return;
  }
  Cells dropped = std::exchange(object->cells, {});
  bytes_ -= std::exchange(object->bytes, 0);
  object->unfit = 0;
  for (const CellKind kind :
       {CellKind::string_totals, CellKind::hash_totals, CellKind::scored_totals}) {
    auto cell = dropped.lower_bound(CellName::first_at(kind));
    while (cell != dropped.end() && cell->first.kind() == kind) {
      adopt(held, dropped.extract(cell));
    }
  }
  const std::size_t nodes = dropped.size();
  garbage.add(std::move(dropped), nodes);
}

void Layer::clear() {
  ordered_ = false;
  while (!objects_.empty()) {
    leave(objects_.front());
  }
  places_ = {};
  keys_.clear();
  bytes_ = 0;
}

void Layer::disorder(Garbage& garbage) {
  ordered_ = false;
  garbage.add(std::exchange(places_, {}), objects_.size());
  keys_.clear();
}

// ---------------------------------------------------------------- keys

void Layer::note_existence(Object& object, Presence existed, Presence exists) {
  KeyChange& keys = keys_[object.key().db];
  keys.sum -= difference(object);
  object.existed = existed;
  object.exists = exists;
  keys.sum += difference(object);
  if (object.existence_is_open() && !object.waits_for_look) {
    object.waits_for_look = true;
    keys.open.push_back(&object);
  }
}

void Layer::recount_shown(Object& object) {
  object.shown = 0;
  for (const auto& [name, cell] : object.cells) {
    object.shown += shows(name, cell) ? 1 : 0;
  }
  note_existence(object, object.existed, object.shown > 0 ? Presence::present : Presence::unknown);
}

// ---------------------------------------------------------------- items of a layer

Item item_of(const Layer::Cells& cells, const CellName& name, const LayerCell& cell) {
  Item item;
  if (name.kind() == CellKind::set_element) {
    item.base_was = cell.was;
    item.base_now = presence_of(cell);
    return item;
  }
  item.kind = item_kind(name.kind());
  const auto it = cells.find(twin_of(name));
  const LayerCell* twin = it == cells.end() ? nullptr : &it->second;
  const bool totals = is_totals(name.kind());
  item.totals_touched = totals || twin != nullptr;
  (totals ? item.totals_was : item.base_was) = cell.was;
  (totals ? item.totals_now : item.base_now) = presence_of(cell);
  const Presence twin_was = twin != nullptr ? twin->was : cell.twin_was;
  (totals ? item.base_was : item.totals_was) = twin_was;
  (totals ? item.base_now : item.totals_now) = twin != nullptr ? presence_of(*twin) : twin_was;
  return item;
}

bool counts_here(const Layer::Cells& cells, const CellName& name) {
  return is_counted(name.kind()) && (!is_totals(name.kind()) || !cells.contains(twin_of(name)));
}

StoreResult<Counts> change_of(const Layer::Cells& cells, const ReadBase& base) {
  Counts sum;
  // Both what was there and what is there now, where the layer leaves either open.
  const auto settle = [&](const CellName& name, Presence& was, Presence& now) -> StoreResult<void> {
    if (was != Presence::unknown && now != Presence::unknown) {
      return {};
    }
    auto stored = base(name);
    if (!stored) {
      return std::unexpected(stored.error());
    }
    was = presence_of(*stored);
    const auto cell = cells.find(name);
    if (cell == cells.end()) {
      now = was;
    } else {
      CellDelta joined = cell->second;
      joined.join_onto(CellDelta::whole(std::move(*stored)));
      now = presence_of(joined);
    }
    return {};
  };
  for (const auto& [name, cell] : cells) {
    if (!counts_here(cells, name)) {
      continue;
    }
    Item item = item_of(cells, name, cell);
    if (!item.change()) {
      if (auto settled = settle({item.kind, name.subkey()}, item.base_was, item.base_now);
          !settled) {
        return std::unexpected(settled.error());
      }
      if (has_twin(item.kind)) {
        const CellName totals{twin_of(item.kind), name.subkey()};
        if (auto settled = settle(totals, item.totals_was, item.totals_now); !settled) {
          return std::unexpected(settled.error());
        }
      }
    }
    sum += *item.change();
  }
  return sum;
}

}  // namespace starling::replica
