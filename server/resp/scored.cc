#include "server/resp/scored.h"

#include "crdt/sorted_set.h"
#include "server/replica/valued.h"
#include "server/resp/elements.h"

namespace starling::resp {

using replica::Object;
using replica::Valued;

void reply_scored(const Call& call, const ScoredMembers& members, bool with_scores) {
  const bool nested = with_scores && call.reply.protocol() == Protocol::resp3;
  call.reply.array(members.size() * (with_scores && !nested ? 2 : 1));
  for (const Scored& scored : members) {
    if (nested) {
      call.reply.array(2);
    }
    call.reply.bulk(scored.member);
    if (with_scores) {
      call.reply.number(scored.score);
    }
    call.tx->step(0);
  }
}

void remove_scored(Object& object, const ScoredMembers& members) {
  std::vector<std::string> names;
  names.reserve(members.size());
  for (const Scored& scored : members) {
    names.push_back(scored.member);
  }
  remove_elements(object, ObjectType::sorted_set, names);
}

void store_scored(const Call& call, std::string_view key, const ScoredMembers& members) {
  Object target = call.object(key);
  if (members.empty()) {
    target.erase();
  } else {
    target.clear_for(ObjectType::sorted_set);
    for (const Scored& scored : members) {
      Valued::member(target, scored.member).assign(encode_score({.value = scored.score + 0.0}));
    }
  }
  call.reply.integer(static_cast<std::int64_t>(members.size()));
}

}  // namespace starling::resp
