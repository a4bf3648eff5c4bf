// Why a key shows what it shows (idea 7): dots, writers, what they had seen, who has seen them.
#pragma once

#include <string>
#include <vector>

#include "crdt/cell_key.h"
#include "server/replica/conflict_report.h"
#include "server/replica/group.h"
#include "server/replica/members.h"
#include "server/replica/object.h"
#include "server/replica/replicator.h"

namespace starling::replica {

// Looks at one key; changes nothing.
// Runs on: core strand.
class Explainer {
 public:
  Explainer(Group& group, const Replicator& replicator, std::string own_name)
      : group_(group), replicator_(replicator), own_name_(std::move(own_name)) {}

  // JSON: {"key","type","sentences":[…]}.
  [[nodiscard]] StoreResult<std::string> why(const ObjectKey& key);
  // JSON: {"key","type","metadata_bytes","cells":[…]}.
  [[nodiscard]] StoreResult<std::string> explain(const ObjectKey& key);
  // What people call the nodes. Good while this lives.
  [[nodiscard]] NodeName names() const {
    return [this](std::uint64_t node) { return node_name(node); };
  }

 private:
  struct Cell {
    CellName name;
    CellValue value;
  };
  [[nodiscard]] StoreResult<std::vector<Cell>> cells(const ObjectKey& key);
  [[nodiscard]] StoreResult<std::vector<TypePresence>> types(const ObjectKey& key);
  [[nodiscard]] std::string node_name(std::uint64_t node) const;
  [[nodiscard]] std::vector<std::string> seen_by(const Dot& dot) const;
  [[nodiscard]] std::string seen_phrase(const Dot& dot) const;
  void sentences_of(const ObjectKey& key, const std::vector<Cell>& cells, ObjectType visible,
                    std::vector<std::string>& out) const;
  void journal_sentences(const ObjectKey& key, const std::vector<Cell>& cells,
                         std::vector<std::string>& out) const;
  void register_sentences(const std::string& what, const DottedCell& cell, bool all_shown,
                          std::vector<std::string>& out) const;
  void totals_sentences(const std::string& what, const OriginTotals& totals,
                        std::vector<std::string>& out) const;
  static void hiding_sentence(const std::vector<Cell>& cells, const Cell& totals, CellKind base,
                              std::vector<std::string>& out);
  void score_sentences(const std::string& what, const DottedCell& cell,
                       std::vector<std::string>& out) const;
  void deadline_sentences(const DottedCell& cell, std::vector<std::string>& out) const;

  Group& group_;
  const Replicator& replicator_;
  std::string own_name_;
};

}  // namespace starling::replica
