// Small clean objects in one piece of memory (packed.h): nearly all of a large database.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "crdt/deadline.h"
#include "crdt/mutants.h"
#include "server/replica/tables.h"

namespace starling::replica {

// We have encoded it ourselves.
CellValue Tables::unpacked(CellKind kind, std::string_view cell) const {
  auto value = decode_stored(kind, cell, origins_);
  if (!value) {
    std::abort();
  }
  return std::move(*value);
}

// As if it had just been loaded.
Held& Tables::unpack(Packed& packed) {
  auto [held, rows] = helds_.replace(packed);
  last_found_ = {.held = &held};
  held.complete = true;
  held.used = true;
  residents_.push_back(held);
  Counts below;
  rows->for_each([&](const Packed::Row& row) {
    const CellName name{row.kind, std::string(row.subkey)};
    CellValue value = unpacked(row.kind, row.cell);
    if (is_present(value)) {
      count_present(name, below, [&](const CellName& field) {
        const CellDelta* other = clean_.find(&held, field);
        return other != nullptr && is_present(other->value());
      });
    }
    clean_.put(held, name, CellDelta::whole(std::move(value)));
  });
  held.below = below;
  held.through = freezes_;
  return held;
}

bool Tables::is_plain(const Layer::Cells& cells) {
  if (cells.empty() || cells.size() > 2) {
    return false;
  }
  return cells.back().first.kind() == CellKind::string_register &&
         (cells.size() == 1 || cells.begin()->first.kind() == CellKind::deadline);
}

bool Tables::pack(Held& held) {
  constexpr std::size_t most_cells = 64;
  constexpr std::size_t most_bytes = 4096;
  Layer::Object* const part = clean_.object(&held);
  const bool only_part = std::ranges::count(held.parts, nullptr) == 2;
  if (!held.complete || part == nullptr || !only_part || part->unfit > 0 || part->cells.empty() ||
      part->cells.size() > most_cells || part->bytes > most_bytes) {
    return false;
  }
  std::string rows;
  for (const auto& [name, cell] : part->cells) {
    const auto* dotted = std::get_if<DottedCell>(&cell.value());
    if (mutant("pack_drops_siblings") && dotted != nullptr && dotted->siblings().size() > 1) {
      continue;
    }
    Packed::put_row(
        rows, {name.kind(), name.subkey(), encode_stored(name.kind(), cell.value(), origins_)});
  }
  auto packed = Packed::make(held.key, rows);
  packed->plain = is_plain(part->cells);
  packed->used = held.used;
  clean_.erase_object(held, garbage_);
  if (last_found_.held == &held) {
    last_found_ = {};
  }
  packed_.push_back(helds_.replace(held, std::move(packed)));
  return true;
}

Tables::Look Tables::look(Packed& plain) const {
  plain.used = true;
  Look look;
  look.types = bit_of(ObjectType::string);
  if (const auto deadline = plain.cell(CellKind::deadline); !deadline.empty()) {
    const CellValue value = unpacked(CellKind::deadline, deadline);
    look.has_deadline_cell = true;
    look.deadline = deadline_of(std::get<DottedCell>(value));
  }
  return look;
}

const CellValue& Tables::read(Packed& plain, CellKind kind) {
  plain.used = true;
  const auto cell = plain.cell(kind);
  if (cell.empty()) {
    return empty_cell(kind);
  }
  scratch_ = unpacked(kind, cell);
  return scratch_;
}

bool Tables::evict_packed(bool spare) {
  Packed& packed = packed_.front();
  if (std::exchange(packed.used, false) && spare) {
    packed.unlink();
    packed_.push_back(packed);
    return false;
  }
  if (last_found_.packed == &packed) {
    last_found_ = {};
  }
  helds_.erase(packed);
  return true;
}

}  // namespace starling::replica
