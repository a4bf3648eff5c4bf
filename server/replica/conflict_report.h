// Lines of the conflict journal as front doors show them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "server/replica/conflict_journal.h"

namespace starling::replica {

struct ConflictQuery {
  std::optional<ObjectKey> key;  // of all keys otherwise
  std::size_t limit = 100;
};

using NodeName = std::function<std::string(std::uint64_t node)>;

// JSON: {"conflicts":[…],"kept","dropped","dropped_up_to"}. Lines are newest first, each
// {"key","db","type","kind","lost":{…},"won":{…},"sentence"}, with "field" or "member" where the
// key holds several, and in each of the two "value" as it begins, "bytes", "node", "epoch", "n" and
// "time" where these are known.
[[nodiscard]] std::string journal_json(const ConflictJournal& journal, const ConflictQuery& query,
                                       const NodeName& name_of);

// One line as a sentence.
[[nodiscard]] std::string told(const Conflict& conflict, const NodeName& name_of);

}  // namespace starling::replica
