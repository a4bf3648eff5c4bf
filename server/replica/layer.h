// One generation of cells in memory, and what it changes in the layers below (R5.2, R4.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "crdt/cell.h"
#include "crdt/cell_key.h"
#include "crdt/entry.h"
#include "server/replica/cells.h"
#include "server/replica/counts.h"
#include "server/replica/garbage.h"
#include "server/replica/held.h"
#include "server/replica/markers.h"
#include "server/replica/place_index.h"
#include "storage/store.h"

namespace starling::replica {

// The part of one object that lies in one layer.
class LayerObject : public boost::intrusive::list_base_hook<> {
 public:
  using Cells = replica::Cells;

  LayerObject(Held& held, std::uint64_t layer) : held_(held), layer_(layer) {}
  LayerObject(const LayerObject&) = delete;
  LayerObject& operator=(const LayerObject&) = delete;
  LayerObject(LayerObject&&) = delete;
  LayerObject& operator=(LayerObject&&) = delete;
  ~LayerObject() = default;

  [[nodiscard]] const ObjectKey& key() const { return held_.key; }
  // What is known of the object as a whole. Only for the strand.
  [[nodiscard]] Held& held() const { return held_; }
  [[nodiscard]] std::uint64_t layer() const { return layer_; }

  Cells cells;
  // -- of the dirty layers --
  Counts change;         // sum over the items whose change is known
  std::size_t open = 0;  // items whose change is not known
  // Whether the object exists below this layer, and with it. As with a cell's `was`, the former
  // never changes while the object is in the layer, except by a kill of a whole database.
  Presence existed = Presence::unknown;
  Presence exists = Presence::unknown;
  std::uint32_t shown = 0;  // its cells that show something, attributes apart
  // A kill has covered whatever registers were below this layer: nobody needs to look there. Its
  // totals, if there are any, are below all the same.
  bool alone = false;
  bool waits_for_look = false;  // it is in KeyChange::open
  bool undecided = false;       // see Tables::leave_undecided

  // -- of all layers --
  std::uint32_t unfit = 0;  // its cells that the clean layer does not take as they are
  std::size_t bytes = 0;    // of its cells

  [[nodiscard]] bool existence_is_open() const {
    return existed == Presence::unknown || exists == Presence::unknown;
  }

 private:
  friend class Layer;
  Held& held_;
  std::uint64_t layer_;
};

// One generation of cells. In the dirty layers a cell may be partial: an operand on a base that has
// not been read. In the clean layer every cell is whole and equal to the state on disk.
// Each object's part is found by way of what is held of the object. A layer owns its parts and goes
// from one owner to another as a whole, under the number it was made with.
class Layer {
 public:
  using Object = LayerObject;
  using Cells = Object::Cells;
  using Objects = boost::intrusive::list<Object>;

  // `ordered`: its objects can be walked by place. The dirty layers are, for whoever looks at all
  // keys; what is clean is walked on disk.
  explicit Layer(std::uint64_t number, bool ordered = false) : number_(number), ordered_(ordered) {}
  Layer(Layer&& other) noexcept { *this = std::move(other); }
  Layer& operator=(Layer&& other) noexcept;
  ~Layer();

  // What a dirty layer does to the number of keys in one database.
  struct KeyChange {
    std::int64_t sum = 0;       // over the objects of which both are known
    std::vector<Object*> open;  // all others, and perhaps some that became known
    // Everything below was killed while this layer was live: whatever comes, nothing existed below.
    bool emptied = false;
  };

  // Null if it has none of the object.
  [[nodiscard]] Object* object(const Held* held) const {
    if (held != nullptr) {
      for (Object* part : held->parts) {
        if (part != nullptr && part->layer() == number_) {
          return part;
        }
      }
    }
    return nullptr;
  }
  [[nodiscard]] LayerCell* find(const Held* held, const CellName& name) const;
  // The object's part, made if there is none.
  Object& enter(Held& held);
  LayerCell& put(Held& held, const CellName& name, CellDelta delta);
  // Takes over a cell of another layer as it is, without a copy; an older one of that name goes.
  void adopt(Held& held, Cells::node_type cell);
  // Takes over all that another layer has of an object, as it lies there; what that layer knew of
  // changes is forgotten. Requires that nothing of the object is here yet.
  void take_over(Layer& other, Object& part);
  // Leaves the iterator at the cell after it.
  [[nodiscard]] Cells::node_type extract(Object& object, Cells::iterator& cell);
  void erase(Held& held, const CellName& name);
  void leave_if_empty(Object& object);
  // The same, but the object stays though it be empty: somebody may be walking over it.
  void erase_cell(Held& held, const CellName& name);
  void erase_object(Held& held, Garbage& garbage);
  // All cells but the totals, however many, without a look at each. The object stays.
  void drop_registers(Held& held, Garbage& garbage);
  void clear();
  // From now on it can only be looked at object by object, and taken apart.
  void disorder(Garbage& garbage);

  // What a cell adds to the sums of its object. To be asked for before and after every change of a
  // cell in place.
  struct Share {
    std::size_t bytes = 0;
    std::uint32_t unfit = 0;
  };
  [[nodiscard]] static Share share(const CellName& name, const LayerCell& cell);
  void account(Object& object, const Share& before, const Share& after);

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] bool empty() const { return objects_.empty(); }
  [[nodiscard]] const Objects& objects() const { return objects_; }
  [[nodiscard]] Objects& objects() { return objects_; }
  // Of an ordered layer. Also of the frozen one only the strand visits it, and so sorts it.
  [[nodiscard]] PlaceIndex& places() { return places_; }
  // By database; of the dirty layers.
  [[nodiscard]] std::map<std::uint8_t, KeyChange>& keys() { return keys_; }
  [[nodiscard]] const std::map<std::uint8_t, KeyChange>& keys() const { return keys_; }
  void note_existence(Object& object, Presence existed, Presence exists);
  // Cells have changed in number or presence; what exists is open again unless one shows something.
  void recount_shown(Object& object);

 private:
  // What an object costs beside its cells, in one layer; that of `Held` is counted elsewhere.
  static constexpr std::size_t object_bytes = sizeof(Object) + 16;

  Object* drop_cell(Held& held, const CellName& name);
  void leave(Object& object);
  void note_left(Object& object);

  std::uint64_t number_ = 0;
  Objects objects_;
  PlaceIndex places_;
  std::map<std::uint8_t, KeyChange> keys_;
  bool ordered_ = false;
  std::size_t bytes_ = 0;
};

// What a cell takes in memory: a map node, the names, the cell itself, and what it holds on the
// heap.
[[nodiscard]] std::size_t cell_size(const CellName& name, const CellDelta& delta);
// The cell makes its object exist, whatever its base turns out to be.
[[nodiscard]] bool shows(const CellName& name, const LayerCell& cell);
// A field with both halves in the layer is met twice; it counts at its register.
[[nodiscard]] bool counts_here(const Layer::Cells& cells, const CellName& name);
// The element or field that a cell of this layer is a part of, as far as the layer tells.
[[nodiscard]] Item item_of(const Layer::Cells& cells, const CellName& name, const LayerCell& cell);
// What the items of one object in a frozen layer change; asks for the stored base of cells where
// the layer does not tell.
using ReadBase = std::function<StoreResult<CellValue>(const CellName&)>;
[[nodiscard]] StoreResult<Counts> change_of(const Layer::Cells& cells, const ReadBase& base);

// What a checkpoint writes: immutable from the freeze until the job has ended, read by the strand
// and by the job.
class FrozenTables {
 public:
  FrozenTables(std::uint64_t log_position, Layer dirty)
      : position(log_position), cells(std::move(dirty)) {}

  std::uint64_t position = 0;  // of the log
  Layer cells;
  Markers markers;  // active at the freeze; end with this checkpoint
};

}  // namespace starling::replica
