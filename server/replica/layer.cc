#include "server/replica/layer.h"

#include <algorithm>
#include <utility>

namespace starling::replica {
namespace {

std::size_t cell_size(const ObjectKey& object, const CellName& name, const CellDelta& delta) {
  constexpr std::size_t node_overhead = 64;
  return node_overhead + sizeof(CellDelta) + sizeof(CellName) + object.key.size() +
         name.subkey().size() + heap_size(delta.value());
}

// How many keys more there are with the object's cells than below them, as far as that is known.
std::int64_t difference(const Layer::Object& object) {
  if (object.existence_is_open()) {
    return 0;
  }
  return (object.exists == Presence::present ? 1 : 0) -
         (object.existed == Presence::present ? 1 : 0);
}

}  // namespace

std::size_t cell_size(const CellKey& key, const CellDelta& delta) {
  return cell_size(key.object, key.cell, delta);
}

bool shows(const CellName& name, const LayerCell& cell) {
  return is_value(name.kind()) && presence_of(cell) == Presence::present;
}

// ---------------------------------------------------------------- Layer

const Layer::Object* Layer::object(const ObjectKey& key) const {
  const auto it = objects_.find(key);
  return it == objects_.end() ? nullptr : &it->second;
}

Layer::Object* Layer::object(const ObjectKey& key) {
  return const_cast<Object*>(std::as_const(*this).object(key));
}

const LayerCell* Layer::find(const CellKey& key) const {
  const Object* found = object(key.object);
  if (found == nullptr) {
    return nullptr;
  }
  const auto cell = found->cells.find(key.cell);
  return cell == found->cells.end() ? nullptr : &cell->second;
}

LayerCell* Layer::find(const CellKey& key) {
  return const_cast<LayerCell*>(std::as_const(*this).find(key));
}

Layer::Object& Layer::enter(const ObjectKey& key) {
  const auto [it, fresh] = objects_.try_emplace(key);
  if (fresh && ordered_) {
    places_.add(it->first);
  }
  return it->second;
}

void Layer::leave(Objects::iterator object) {
  if (ordered_) {
    places_.remove(object->first);
    std::erase(keys_[object->first.db].open, &*object);
  }
  objects_.erase(object);
}

Layer::Share Layer::share(const ObjectKey& object, const CellName& name, const LayerCell& cell) {
  return {cell_size(object, name, cell), cell.is_whole() && !is_empty(cell.value()) ? 0u : 1u};
}

void Layer::account(Object& object, const Share& before, const Share& after) {
  bytes_ = bytes_ + after.bytes - before.bytes;
  object.bytes = object.bytes + after.bytes - before.bytes;
  object.unfit = object.unfit + after.unfit - before.unfit;
}

LayerCell& Layer::put(const CellKey& key, CellDelta delta) {
  Object& object = enter(key.object);
  auto it = object.cells.lower_bound(key.cell);
  Share before;
  if (it == object.cells.end() || it->first != key.cell) {
    it = object.cells.emplace_hint(it, key.cell, std::move(delta));
  } else {
    before = share(key.object, key.cell, it->second);
    static_cast<CellDelta&>(it->second) = std::move(delta);
  }
  account(object, before, share(key.object, key.cell, it->second));
  return it->second;
}

void Layer::adopt(const ObjectKey& key, Cells::node_type cell) {
  Object& object = enter(key);
  auto inserted = object.cells.insert(std::move(cell));
  const CellName& name = inserted.position->first;
  LayerCell& here = inserted.position->second;
  Share before;
  if (!inserted.inserted) {
    before = share(key, name, here);
    here = std::move(inserted.node.mapped());
  }
  account(object, before, share(key, name, here));
}

void Layer::adopt(Objects::node_type object) {
  bytes_ += object.mapped().bytes;
  const auto inserted = objects_.insert(std::move(object));
  if (ordered_) {
    places_.add(inserted.position->first);
  }
}

Layer::Cells::node_type Layer::extract(Objects::value_type& object, Cells::iterator cell) {
  account(object.second, share(object.first, cell->first, cell->second), {});
  return object.second.cells.extract(cell);
}

Layer::Objects::node_type Layer::extract(Objects::iterator object) {
  bytes_ -= object->second.bytes;
  return objects_.extract(object);
}

Layer::Objects::iterator Layer::drop_cell(const CellKey& key) {
  const auto object = objects_.find(key.object);
  if (object != objects_.end()) {
    const auto cell = object->second.cells.find(key.cell);
    if (cell != object->second.cells.end()) {
      (void)extract(*object, cell);
    }
  }
  return object;
}

void Layer::erase_cell(const CellKey& key) { (void)drop_cell(key); }

void Layer::erase(const CellKey& key) {
  const auto object = drop_cell(key);
  if (object != objects_.end() && object->second.cells.empty()) {
    leave(object);
  }
}

void Layer::erase_object(const ObjectKey& key, Garbage& garbage) {
  const auto object = objects_.find(key);
  if (object == objects_.end()) {
    return;
  }
  bytes_ -= object->second.bytes;
  const std::size_t nodes = object->second.cells.size();
  garbage.add(std::move(object->second.cells), nodes);
  leave(object);
}

void Layer::drop_registers(const ObjectKey& key, Garbage& garbage) {
  const auto found = objects_.find(key);
  if (found == objects_.end()) {
    return;
  }
  Object& object = found->second;
  Cells dropped = std::exchange(object.cells, {});
  bytes_ -= std::exchange(object.bytes, 0);
  object.unfit = 0;
  for (const CellKind kind :
       {CellKind::string_totals, CellKind::hash_totals, CellKind::scored_totals}) {
    auto cell = dropped.lower_bound(CellName::first_at(kind));
    while (cell != dropped.end() && cell->first.kind() == kind) {
      adopt(key, dropped.extract(cell++));
    }
  }
  const std::size_t nodes = dropped.size();
  garbage.add(std::move(dropped), nodes);
}

void Layer::disorder(Garbage& garbage) {
  ordered_ = false;
  garbage.add(std::exchange(places_, {}), objects_.size());
  keys_.clear();
}

// ---------------------------------------------------------------- keys

Layer::Objects::value_type* Layer::entry(const ObjectKey& key) {
  const auto it = objects_.find(key);
  return it == objects_.end() ? nullptr : &*it;
}

void Layer::note_existence(Objects::value_type& entry, Presence existed, Presence exists) {
  Object& object = entry.second;
  KeyChange& keys = keys_[entry.first.db];
  keys.sum -= difference(object);
  object.existed = existed;
  object.exists = exists;
  keys.sum += difference(object);
  if (object.existence_is_open() && !object.waits_for_look) {
    object.waits_for_look = true;
    keys.open.push_back(&entry);
  }
}

void Layer::recount_shown(Objects::value_type& entry) {
  Object& object = entry.second;
  object.shown = 0;
  for (const auto& [name, cell] : object.cells) {
    object.shown += shows(name, cell) ? 1 : 0;
  }
  note_existence(entry, object.existed, object.shown > 0 ? Presence::present : Presence::unknown);
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
