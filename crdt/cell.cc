#include "crdt/cell.h"

#include <cstdlib>

#include "crdt/entry.h"
#include "crdt/total_codec.h"
#include "crdt/varint.h"

namespace starling {
namespace {

// A number the table does not hold would later name another origin: stop instead.
void put_origin_id(std::string& out, const Origin& origin, const OriginTable& origins) {
  const auto id = origins.find(origin);
  if (!id) {
    std::abort();
  }
  put_varint(out, *id);
}

void put_part(std::string& out, const TotalPart& part, const OriginTable& origins) {
  put_origin_id(out, part.origin, origins);
  put_varint(out, part.life);
  put_varint(out, part.n - part.life);
  put_total(out, part.total);
  put_varint(out, part.base_n);
  if (part.base_n > 0) {
    put_total(out, part.base);
    put_origin_id(out, part.reset_by.origin, origins);
    put_varint(out, part.reset_by.n);
  }
}

class StoredDecoder {
 public:
  StoredDecoder(std::string_view bytes, const OriginTable& origins)
      : in_(bytes), origins_(origins) {}

  std::expected<CellValue, std::string> decode(CellKind kind) {
    if (in_.u8() != cell_format_version) {
      return std::unexpected("cell has an unknown format version");
    }
    CellValue value = is_totals(kind) ? CellValue(totals()) : CellValue(dotted(has_payload(kind)));
    if (!in_.complete()) {
      return std::unexpected("cell bytes are damaged");
    }
    return value;
  }

 private:
  Origin origin() {
    const std::uint64_t id = in_.varint();
    const Origin* origin =
        id <= UINT32_MAX ? origins_.origin(static_cast<std::uint32_t>(id)) : nullptr;
    if (origin == nullptr) {
      in_.fail();
      return {};
    }
    return *origin;
  }

  DottedCell dotted(bool payload) {
    DottedCell cell;
    while (in_.ok() && !in_.at_end()) {
      Sibling sibling;
      sibling.dot.origin = origin();
      sibling.dot.n = in_.varint();
      if (payload) {
        sibling.hlc = in_.be<std::uint64_t>();
        sibling.bytes = in_.bytes();
      }
      const bool sorted = cell.empty() || cell.siblings().back().dot.origin < sibling.dot.origin;
      if (sibling.dot.n == 0 || !sorted) {
        in_.fail();
      }
      if (in_.ok()) {
        cell.assign(std::move(sibling));
      }
    }
    return cell;
  }

  OriginTotals totals() {
    OriginTotals totals;
    while (in_.ok() && !in_.at_end()) {
      TotalPart part;
      part.origin = origin();
      part.life = in_.varint();
      part.n = part.life + in_.varint();
      part.total = read_total(in_);
      part.base_n = in_.varint();
      if (part.base_n > 0) {
        part.base = read_total(in_);
        part.reset_by.origin = origin();
        part.reset_by.n = in_.varint();
      }
      const bool sorted = totals.empty() || totals.parts().back().origin < part.origin;
      const bool base_fits = part.base_n == 0 || (part.base_n >= part.life &&
                                                  part.base_n <= part.n && part.reset_by.n > 0);
      if (part.life == 0 || part.n < part.life || !sorted || !base_fits) {
        in_.fail();
      }
      if (in_.ok()) {
        totals.join(part);
      }
    }
    return totals;
  }

  ByteReader in_;
  const OriginTable& origins_;
};

std::string canonical_dotted(const DottedCell& cell, bool payload) {
  std::string out;
  for (const Sibling& sibling : cell.siblings()) {  // sorted by full origin
    put_origin(out, sibling.dot.origin);
    put_varint(out, sibling.dot.n);
    if (payload) {
      put_be(out, sibling.hlc);
      put_bytes(out, sibling.bytes);
    }
  }
  return out;
}

// Per node with a live part the sum by epoch: folding sealed epochs does not change it (R7.2). A
// sum of zero counts, because a counter at zero exists (docs/decisions/0004).
std::string canonical_totals(const OriginTotals& totals) {
  std::string out;
  const auto parts = totals.parts();
  for (std::size_t i = 0; i < parts.size();) {
    const std::uint64_t node = parts[i].origin.node;
    Total sum;
    bool live = false;
    for (; i < parts.size() && parts[i].origin.node == node; ++i) {
      if (parts[i].live()) {
        sum = sum + (parts[i].total - parts[i].base);
        live = true;
      }
    }
    if (live) {
      put_be(out, node);
      put_total(out, sum);
    }
  }
  return out;
}

}  // namespace

std::uint32_t OriginTable::intern(const Origin& origin) {
  const auto [it, fresh] = ids_.try_emplace(origin, static_cast<std::uint32_t>(origins_.size()));
  if (fresh) {
    origins_.push_back(origin);
  }
  return it->second;
}

std::optional<std::uint32_t> OriginTable::find(const Origin& origin) const {
  const auto it = ids_.find(origin);
  return it == ids_.end() ? std::nullopt : std::optional(it->second);
}

const Origin* OriginTable::origin(std::uint32_t id) const {
  return id < origins_.size() ? &origins_[id] : nullptr;
}

const CellValue& empty_cell(CellKind kind) {
  static const CellValue dotted = DottedCell{};
  static const CellValue totals = OriginTotals{};
  return is_totals(kind) ? totals : dotted;
}

Hlc oldest_sibling(const CellValue& cell) {
  const auto* dotted = std::get_if<DottedCell>(&cell);
  return dotted == nullptr || dotted->empty()
             ? 0
             : std::ranges::min(dotted->siblings(), {}, &Sibling::hlc).hlc;
}

bool is_empty(const CellValue& cell) {
  return std::visit([](const auto& value) { return value.empty(); }, cell);
}

bool is_present(const CellValue& cell) {
  if (const auto* totals = std::get_if<OriginTotals>(&cell)) {
    return totals->exists();
  }
  return !std::get<DottedCell>(cell).empty();
}

std::size_t heap_size(const CellValue& cell) {
  if (const auto* totals = std::get_if<OriginTotals>(&cell)) {
    return totals->parts().size() * sizeof(TotalPart);
  }
  const auto siblings = std::get<DottedCell>(cell).siblings();
  std::size_t size = siblings.size() > 1 ? siblings.size() * sizeof(Sibling) : 0;
  for (const Sibling& sibling : siblings) {
    size += sibling.bytes.capacity() > 15 ? sibling.bytes.capacity() + 1 : 0;
  }
  return size;
}

std::string encode_stored(CellKind kind, const CellValue& cell, const OriginTable& origins) {
  std::string out;
  put_u8(out, cell_format_version);
  if (is_totals(kind)) {
    for (const TotalPart& part : std::get<OriginTotals>(cell).parts()) {
      put_part(out, part, origins);
    }
    return out;
  }
  for (const Sibling& sibling : std::get<DottedCell>(cell).siblings()) {
    put_origin_id(out, sibling.dot.origin, origins);
    put_varint(out, sibling.dot.n);
    if (has_payload(kind)) {
      put_be(out, sibling.hlc);
      put_bytes(out, sibling.bytes);
    }
  }
  return out;
}

std::expected<CellValue, std::string> decode_stored(CellKind kind, std::string_view bytes,
                                                    const OriginTable& origins) {
  return StoredDecoder(bytes, origins).decode(kind);
}

std::string canonical_live(CellKind kind, const CellValue& cell) {
  return is_totals(kind) ? canonical_totals(std::get<OriginTotals>(cell))
                         : canonical_dotted(std::get<DottedCell>(cell), has_payload(kind));
}

std::size_t heap_size(const CellDelta& cell) {
  return heap_size(cell.value()) + (cell.killed().empty() ? 0 : sizeof(VersionVector));
}

CellDelta::CellDelta(CellKind kind) {
  if (is_totals(kind)) {
    value_.emplace<OriginTotals>();
  }
}

CellDelta::CellDelta(const CellDelta& other)
    : value_(other.value_),
      killed_(other.killed_ ? std::make_unique<VersionVector>(*other.killed_) : nullptr),
      whole_(other.whole_) {}

CellDelta& CellDelta::operator=(const CellDelta& other) {
  if (this != &other) {
    *this = CellDelta(other);
  }
  return *this;
}

const VersionVector& CellDelta::killed() const {
  static const VersionVector nothing;
  return killed_ ? *killed_ : nothing;
}

CellDelta CellDelta::whole(CellValue value) {
  CellDelta delta(CellKind::flag);
  delta.value_ = std::move(value);
  delta.whole_ = true;
  return delta;
}

void CellDelta::assign(Sibling sibling, const VersionVector& context) {
  kill(context);
  if (!killed_ || !killed_->covers(sibling.dot)) {  // a partial delta may know a later kill
    std::get<DottedCell>(value_).assign(std::move(sibling));
  }
}

void CellDelta::kill(const VersionVector& context) {
  auto* cell = std::get_if<DottedCell>(&value_);
  if (cell == nullptr) {
    return;
  }
  cell->kill(context);
  remember_killed(context);
}

void CellDelta::remember_killed(const VersionVector& context) {
  if (whole_ || context.empty()) {
    return;
  }
  if (!killed_) {
    killed_ = std::make_unique<VersionVector>();
  }
  killed_->join(context);
}

void CellDelta::add(const TotalPart& part) { std::get<OriginTotals>(value_).join(part); }

void CellDelta::reset(const ObservedTotal& observed, const Dot& reset_dot) {
  std::get<OriginTotals>(value_).reset(observed, reset_dot);
}

void CellDelta::join_onto(const CellDelta& older) {
  if (whole_) {
    return;  // whatever `older` holds is already part of this
  }
  if (auto* totals = std::get_if<OriginTotals>(&value_)) {
    totals->join(std::get<OriginTotals>(older.value_));
  } else {
    DottedCell joined = std::get<DottedCell>(older.value_);
    joined.kill(killed());
    for (const Sibling& sibling : std::get<DottedCell>(value_).siblings()) {
      if (!older.killed().covers(sibling.dot)) {
        joined.assign(sibling);
      }
    }
    value_ = std::move(joined);
    remember_killed(older.killed());
  }
  whole_ = older.whole_;
  if (whole_) {
    killed_.reset();
  }
}

}  // namespace starling
