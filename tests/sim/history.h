// What was really written, and what readers must therefore see: the oracle.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crdt/digest.h"
#include "crdt/entry.h"
#include "wire/messages.h"

namespace starling::sim {

// The entries of all origins, taken from the log records of the nodes that wrote them, and a
// specification of every type as a function of the entries a reader has seen. It knows operations
// and who had seen what (happens-before); it shares no join, no kill and no total with the code
// under test.
class History {
 public:
  // An entry somebody logged. Returns a complaint if the same dots once meant something else (I1).
  [[nodiscard]] std::optional<std::string> add(const Origin& origin, std::uint64_t first,
                                               std::uint64_t last, std::string_view bytes);

  // V names whole entries that exist, and contains whatever they had seen (I4).
  [[nodiscard]] std::optional<std::string> check_vector(const VersionVector& v) const;

  // What this command must answer at a node that has seen exactly `v`.
  [[nodiscard]] wire::Result expected(const wire::Command& command, const VersionVector& v) const;
  // The audit digest of a replica that has seen exactly `v` (I3, I6).
  [[nodiscard]] Digest digest(const VersionVector& v) const;

  // The entries that carry this op id.
  [[nodiscard]] std::vector<Dot> entries_of(const OpId& id) const;
  [[nodiscard]] std::uint64_t size() const { return entries_; }

 private:
  struct Write {  // one op with what it had seen
    Dot dot;
    Hlc hlc = 0;
    VersionVector context;
    Op op;
  };
  using Writes = std::vector<Write>;
  struct Logged {
    std::uint64_t last = 0;
    std::string bytes;
    VersionVector deps;
  };

  // Dots of a cell that no visible write has killed.
  [[nodiscard]] std::vector<const Write*> live(const Writes& writes, const CellName& cell,
                                               const VersionVector& v) const;
  // The increments of a cell that no visible reset had seen.
  [[nodiscard]] std::vector<const Write*> counted(const Writes& writes, const CellName& cell,
                                                  const VersionVector& v) const;
  [[nodiscard]] std::set<CellName> cells(const Writes& writes, const VersionVector& v) const;
  [[nodiscard]] std::optional<std::string> text(const Writes& writes, const CellName& base,
                                                const CellName& increments,
                                                const VersionVector& v) const;
  [[nodiscard]] ObjectType visible(const Writes& writes, const VersionVector& v) const;

  std::map<Origin, std::map<std::uint64_t, Logged>> log_;  // by first dot
  std::map<Origin, OriginStream> streams_;
  std::map<ObjectKey, Writes> by_key_;
  std::map<OpId, std::vector<Dot>> by_op_id_;
  std::uint64_t entries_ = 0;
};

}  // namespace starling::sim
