// Members with their scores, as the commands on sorted sets collect, answer and store them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/replica/object.h"
#include "server/resp/call.h"

namespace starling::resp {

struct Scored {
  double score = 0;
  std::string member;

  // By score, then by name.
  friend auto operator<=>(const Scored&, const Scored&) = default;
};
using ScoredMembers = std::vector<Scored>;

[[nodiscard]] inline std::optional<replica::Object> sorted_set_at(Call& call,
                                                                  std::string_view key) {
  return call.object(key, ObjectType::sorted_set);
}

// Members, or members and scores: one after the other in RESP2, as pairs in RESP3.
void reply_scored(const Call& call, const ScoredMembers& members, bool with_scores);

void remove_scored(replica::Object& object, const ScoredMembers& members);

// Puts them under a key in place of whatever is there, and answers how many they are. To be called
// when nothing else is to be read: the key may be one of the sources.
void store_scored(const Call& call, std::string_view key, const ScoredMembers& members);

}  // namespace starling::resp
