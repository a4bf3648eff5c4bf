// What a write lost because another one, which had not seen it, is read instead: a line of the
// conflict journal.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/cell_key.h"
#include "crdt/hybrid_clock.h"
#include "crdt/origin.h"

namespace starling::replica {

// Numbers are in stored rows: never renumber.
enum class ConflictKind : std::uint8_t {
  overwritten = 1,  // two writes of one string, field or member; the later clock is read
  hidden = 2,       // increments beside a write of text
  saturated = 3,    // increments whose sum is out of range
  hidden_type = 4,  // two objects under one key
};
[[nodiscard]] std::string_view name(ConflictKind kind);
// Why the loser is not read, for people.
[[nodiscard]] std::string_view sentence(ConflictKind kind);

// One of the two that met.
struct ConflictSide {
  // Of the write. Of increments the one with which their total began: it stays the same while the
  // total grows, so that a counter is one line and not one for each increment.
  // n = 0: nobody's, of a sum that left the range all by itself.
  Dot dot;
  // Of the write. A total keeps no time: of the latest entry of its origin that was known here.
  Hlc hlc = 0;
  std::string preview;     // how its value begins
  std::uint64_t size = 0;  // bytes of the whole value

  friend bool operator==(const ConflictSide&, const ConflictSide&) = default;
};

// A conflict has this name on every node that has held both (replication.md §11).
struct ConflictId {
  Dot lost;
  Dot won;
  friend auto operator<=>(const ConflictId&, const ConflictId&) = default;
};

struct Conflict {
  ConflictKind kind = ConflictKind::overwritten;
  CellKey cell;  // the loser's; of a hidden object, its header
  ConflictSide lost;
  ConflictSide won;

  [[nodiscard]] ConflictId id() const { return {lost.dot, won.dot}; }
  // When it came to be: with the later of the two.
  [[nodiscard]] Hlc when() const { return lost.hlc > won.hlc ? lost.hlc : won.hlc; }
  // Of the object that lost.
  [[nodiscard]] ObjectType type() const;

  friend bool operator==(const Conflict&, const Conflict&) = default;
};

inline constexpr std::size_t conflict_preview_size = 64;
[[nodiscard]] ConflictSide conflict_side(const Dot& dot, Hlc hlc, std::string_view value);

// What metrics count it under.
enum class ConflictClass : std::uint8_t { string, hash, zset, counter, type };
inline constexpr std::size_t conflict_classes = 5;
[[nodiscard]] ConflictClass class_of(const Conflict& conflict);
[[nodiscard]] std::string_view name(ConflictClass of);

// Its row in the state database (docs/storage-format.md).
[[nodiscard]] std::string conflict_key(const ConflictId& id);
[[nodiscard]] std::string conflict_keys_begin();
[[nodiscard]] std::string conflict_keys_end();
[[nodiscard]] std::string encode_conflict(const Conflict& conflict);
// nullopt if the two are no row of a conflict.
[[nodiscard]] std::optional<Conflict> decode_conflict(std::string_view key, std::string_view value);

}  // namespace starling::replica
