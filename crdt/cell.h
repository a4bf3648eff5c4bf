// A cell of either class, as the tables hold it and as bytes.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "crdt/cell_key.h"
#include "crdt/dotted_cell.h"
#include "crdt/origin_totals.h"

namespace starling {

// Small local numbers for origins: a stored dot takes one byte for its origin, not sixteen. The
// numbers mean something only inside one data directory and never leave it (R1.7).
class OriginTable {
 public:
  std::uint32_t intern(const Origin& origin);
  [[nodiscard]] std::optional<std::uint32_t> find(const Origin& origin) const;
  [[nodiscard]] const Origin* origin(std::uint32_t id) const;
  [[nodiscard]] const std::vector<Origin>& origins() const { return origins_; }

 private:
  std::vector<Origin> origins_;
  std::unordered_map<Origin, std::uint32_t, OriginHash> ids_;
};

using CellValue = std::variant<DottedCell, OriginTotals>;

// Lives as long as the program.
[[nodiscard]] const CellValue& empty_cell(CellKind kind);
// Nothing stored: no sibling, no part. Empty and absent are the same (R3.8).
[[nodiscard]] bool is_empty(const CellValue& cell);
// Something visible: a live sibling or a live part. Residue alone is not present.
[[nodiscard]] bool is_present(const CellValue& cell);
// Of its siblings; 0 if it has none, as totals never do.
[[nodiscard]] Hlc oldest_sibling(const CellValue& cell);
// Bytes held outside the object itself, for memory accounting.
[[nodiscard]] std::size_t heap_size(const CellValue& cell);
class CellDelta;
[[nodiscard]] std::size_t heap_size(const CellDelta& cell);

inline constexpr std::uint8_t cell_format_version = 0;

// Stored form: version byte, then siblings or parts with interned origins. Every origin in the cell
// must already be in the table.
[[nodiscard]] std::string encode_stored(CellKind kind, const CellValue& cell,
                                        const OriginTable& origins);
// Bytes that do not decode are an error, never an absent cell (R3.8).
[[nodiscard]] std::expected<CellValue, std::string> decode_stored(CellKind kind,
                                                                  std::string_view bytes,
                                                                  const OriginTable& origins);

// What an audit digest hashes (R7.2): full origins, live content only. Equal on all replicas with
// the same version vector. Empty if the cell shows nothing.
[[nodiscard]] std::string canonical_live(CellKind kind, const CellValue& cell);

// A change to one cell, joinable without knowing what the cell held: the local writer, a remote
// entry, replay and a read all go through it (R2.3). For class D it is an operand (A assigned dots,
// K kill context) with
//   live = { o : A[o].n > K[o] },  join = (per-origin max of A, per-origin max of K),
// associative, commutative and idempotent as a product of chains under max (R3.1). Once joined with
// the cell's stored base it is *whole* and K is dropped, because nothing <= V is ever applied again
// (R3.2); a partial one must keep K.
class CellDelta {
 public:
  explicit CellDelta(CellKind kind);
  CellDelta(const CellDelta& other);
  CellDelta& operator=(const CellDelta& other);
  CellDelta(CellDelta&&) noexcept = default;
  CellDelta& operator=(CellDelta&&) noexcept = default;
  ~CellDelta() = default;
  // The whole cell is known: nothing older can matter, so no kill context is kept (R3.2).
  static CellDelta whole(CellValue value);

  [[nodiscard]] bool is_whole() const { return whole_; }
  [[nodiscard]] const CellValue& value() const { return value_; }
  [[nodiscard]] const VersionVector& killed() const;

  void assign(Sibling sibling, const VersionVector& context);
  void kill(const VersionVector& context);  // no effect on totals: those are reset by name
  void add(const TotalPart& part);
  void reset(const ObservedTotal& observed, const Dot& reset_dot);

  // this := older joined with this. `older` may be whole; then this becomes whole.
  void join_onto(const CellDelta& older);

 private:
  void remember_killed(const VersionVector& context);

  CellValue value_;
  std::unique_ptr<VersionVector> killed_;  // of a partial class D delta; null if empty
  bool whole_ = false;
};

}  // namespace starling
