// Operations and entries: what a replica writes, logs, ships and hashes (R1.3, R1.7, R6.2).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "crdt/cell_key.h"
#include "crdt/hybrid_clock.h"
#include "crdt/origin.h"
#include "crdt/origin_totals.h"
#include "crdt/version_vector.h"

namespace starling {

// The change an op makes to its cell or scope.
struct Assign {  // class D: this op's dot with `bytes`; kills everything in the cell <= its context
  std::string bytes;
  friend bool operator==(const Assign&, const Assign&) = default;
};
struct Remove {  // class D: kills what is <= its context, or <= an older one a client acted on
  std::optional<VersionVector> context;
  friend bool operator==(const Remove&, const Remove&) = default;
};
struct Increment {  // class L: the origin's new absolute total; `delta` is what was added
  std::uint64_t life = 0;
  Total total;
  Total delta;
  friend bool operator==(const Increment&, const Increment&) = default;
};
// The part of its origin that the op with this dot leaves.
[[nodiscard]] TotalPart part_of(const Increment& increment, const Dot& dot);
struct Reset {  // class L: takes away exactly what was observed
  SmallVector<ObservedTotal, 2> observed;
  friend bool operator==(const Reset&, const Reset&) = default;
};
enum class ScopeLevel : std::uint8_t { key = 0, database = 1, group = 2 };
struct Kill {  // every class D cell in the scope: kills what is <= the op's context (R3.6)
  ScopeLevel level = ScopeLevel::key;
  friend bool operator==(const Kill&, const Kill&) = default;
};
using Change = std::variant<Assign, Remove, Increment, Reset, Kill>;

// One change of a cell or scope. A Kill uses only as much of the key as its level needs.
struct Op {
  CellKey key;
  Change change;
  friend bool operator==(const Op&, const Op&) = default;
};

// Names one client request, so that a retry has no second effect (R6.3).
struct OpId {
  std::uint64_t session = 0;  // random, chosen by the client
  std::uint64_t sequence = 0;
  friend auto operator<=>(const OpId&, const OpId&) = default;
};

// One command, one MULTI/EXEC or one native batch: contiguous dots, all or nothing.
struct Entry {
  Origin origin;
  std::uint64_t first = 0;  // dot of ops[0]; op i has dot first + i
  Hlc hlc = 0;
  VersionVector deps;  // V at the origin just before this entry, its own component included
  std::optional<OpId> op_id;
  std::string outcome;  // with an op id: what a retry is answered; opaque here
  std::vector<Op> ops;  // never empty

  [[nodiscard]] std::uint64_t last() const { return first + ops.size() - 1; }
  [[nodiscard]] Dot dot(std::size_t op) const { return {origin, first + op}; }

  friend bool operator==(const Entry&, const Entry&) = default;
};

// What reading one origin's entries needs to remember between them. Every replica holds one per
// origin at V; equal prefixes give equal streams everywhere.
struct OriginStream {
  std::uint64_t n = 0;     // last dot
  std::uint64_t hash = 0;  // rolling hash h over the entry bytes (R1.8)
  Hlc hlc = 0;             // of the latest entry
  VersionVector deps;      // of the latest entry, own component excluded; only ever grows
  // Index -> origin, in the order the writing origin first named them; index 0 is itself. Makes an
  // entry's bytes the same in every log and on every wire.
  std::vector<Origin> dictionary;

  friend bool operator==(const OriginStream&, const OriginStream&) = default;
};

// Limits on what a decoder accepts. Entry size is bounded by frames and by `max_entry_size`.
inline constexpr std::size_t max_entry_size = 64u << 20;
inline constexpr std::size_t max_ops_per_entry = 1u << 20;

enum class EntryError : std::uint8_t {
  damaged,              // the bytes are not an entry
  unsupported_version,  // written by a newer format
  unknown_critical,     // carries a critical extension or op kind that we do not know (R6.2)
};
[[nodiscard]] std::string_view message(EntryError error);

// Appends `entry` as the next one of `stream` and moves the stream behind it.
// Requires entry.first == stream.n + 1.
void encode_entry(const Entry& entry, OriginStream& stream, std::string& out);
[[nodiscard]] std::string encode_entry(const Entry& entry, OriginStream& stream);

// Decodes the next entry of `origin` and, if that succeeds, moves the stream behind it.
[[nodiscard]] std::expected<Entry, EntryError> decode_entry(std::string_view bytes,
                                                            const Origin& origin,
                                                            OriginStream& stream);

// The same in two steps, so that the gate can look at an entry before it lets the stream move.
struct ParsedEntry {
  Entry entry;
  std::vector<Origin> defined;  // origins this entry adds to the dictionary
};
[[nodiscard]] std::expected<ParsedEntry, EntryError> parse_entry(std::string_view bytes,
                                                                 const Origin& origin,
                                                                 const OriginStream& stream);
void advance_stream(OriginStream& stream, const ParsedEntry& parsed, std::string_view bytes);

// Number of ops in an encoded entry, without a stream: lets the gate see where an entry that came
// too early begins and ends.
[[nodiscard]] std::expected<std::uint64_t, EntryError> entry_op_count(std::string_view bytes);

// h after `bytes` (R1.8).
[[nodiscard]] std::uint64_t roll_hash(std::uint64_t hash, std::string_view bytes);

// Version vectors and streams as bytes with full origins: checkpoint rows, run headers, messages,
// tokens.
void put_version_vector(std::string& out, const VersionVector& vector);
void put_stream(std::string& out, const OriginStream& stream);
class ByteReader;
[[nodiscard]] VersionVector read_version_vector(ByteReader& in);
[[nodiscard]] OriginStream read_stream(ByteReader& in);
void put_origin(std::string& out, const Origin& origin);
[[nodiscard]] Origin read_origin(ByteReader& in);

}  // namespace starling
