// The names of one object's cells, in order, whatever layer or row holds them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "crdt/cell_key.h"
#include "server/replica/layer.h"
#include "server/replica/row_keys.h"
#include "storage/store.h"

namespace starling::replica {

// Walks the names of all layers and, for a large object, of the state, in step. Of what lies below
// a layer where the object stands alone only the totals count.
class MergedNames {
 public:
  void add(const Layer::Object* object, const CellName& first, bool only_totals) {
    if (object != nullptr) {
      layers_.push_back({&object->cells, {}, 0, only_totals});
      layers_.back().seek(first);
    }
  }
  void add_state(const Store& store, const ObjectKey& object, bool only_totals) {
    object_ = &object;
    cut_ = store.cut();
    only_totals_stored_ = only_totals;
  }

  // Goes to this name or the first after it.
  void seek(const CellName& name) {
    for (Position& layer : layers_) {
      layer.seek(name);
    }
    if (cut_ != nullptr) {
      rows_ = cut_->scan(encode_cell_key(only_group, {*object_, name}),
                         prefix_end(encode_object_prefix(only_group, *object_)));
      read_row();
    }
  }

  // The smallest name, and a step past it in every layer; a caller may then rewrite that cell, or
  // move it to another layer.
  std::optional<CellName> next() {
    std::optional<CellName> least = stored_;
    for (Position& layer : layers_) {
      layer.follow(passed_);
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
        layer.to_what_counts();
      }
    }
    passed_ = least;
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
  // The first name after those of this kind that may be one of totals.
  static CellName next_totals(CellKind kind) {
    for (const CellKind totals : {CellKind::string_totals, CellKind::hash_totals}) {
      if (kind < totals) {
        return CellName::first_at(totals);
      }
    }
    return CellName::first_at(kind < CellKind::scored_totals ? CellKind::scored_totals
                                                             : CellKind{0xFF});
  }

  struct Position {
    const Layer::Cells* cells;
    Layer::Cells::const_iterator at;
    std::uint32_t version;
    bool only_totals;

    void seek(const CellName& name) {
      at = cells->lower_bound(name);
      version = cells->version();
      to_what_counts();
    }
    // Cells have come or gone: on behind the name that was passed last.
    void follow(const std::optional<CellName>& passed) {
      if (version != cells->version() && passed) {
        seek(*passed);
        if (at != cells->end() && at->first == *passed) {
          ++at;
          to_what_counts();
        }
      }
    }
    void to_what_counts() {
      while (only_totals && at != cells->end() && !is_totals(at->first.kind())) {
        at = cells->lower_bound(next_totals(at->first.kind()));
      }
    }
  };

  void read_row() {
    stored_.reset();
    while (rows_->valid()) {
      auto key = decode_cell_key(rows_->key());
      if (!key) {
        return;
      }
      if (!only_totals_stored_ || is_totals(key->cell.kind())) {
        stored_ = std::move(key->cell);
        return;
      }
      rows_->seek(encode_cell_key(only_group, {*object_, next_totals(key->cell.kind())}));
    }
  }

  SmallVector<Position, 4> layers_;
  const ObjectKey* object_ = nullptr;
  std::unique_ptr<Cut> cut_;
  std::unique_ptr<RowIterator> rows_;
  bool only_totals_stored_ = false;
  std::optional<CellName> stored_;
  std::optional<std::string> row_;
  std::optional<CellName> passed_;
};

}  // namespace starling::replica
