// Sorted sets, member by member: a score is a base with the increments over it (semantics.md).
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "crdt/sorted_set.h"
#include "crdt/string.h"
#include "server/replica/valued.h"
#include "server/resp/commands/families.h"
#include "server/resp/elements.h"
#include "server/resp/scored.h"
#include "server/resp/set_algebra.h"

namespace starling::resp {
namespace {

using replica::Object;
using replica::ScoreIndex;
using replica::Valued;

void reply_score(const Call& call, std::optional<double> score) {
  score ? call.reply.number(*score) : call.reply.nil();
}

// ---------------------------------------------------------------- adding

struct AddOptions {
  bool if_absent = false;
  bool if_present = false;
  bool if_greater = false;
  bool if_less = false;
  bool count_changed = false;
  bool increment = false;
  std::size_t first = 2;  // argument: the first score
};

std::optional<AddOptions> add_options(const Call& call) {
  AddOptions options;
  for (; options.first < call.size(); ++options.first) {
    const std::string_view word = call[options.first];
    if (is_word(word, "NX")) {
      options.if_absent = true;
    } else if (is_word(word, "XX")) {
      options.if_present = true;
    } else if (is_word(word, "GT")) {
      options.if_greater = true;
    } else if (is_word(word, "LT")) {
      options.if_less = true;
    } else if (is_word(word, "CH")) {
      options.count_changed = true;
    } else if (is_word(word, "INCR")) {
      options.increment = true;
    } else {
      break;
    }
  }
  const std::size_t words = call.size() - options.first;
  if (words == 0 || words % 2 != 0) {
    call.syntax_error();
  } else if (options.if_absent && options.if_present) {
    call.reply.error("ERR XX and NX options at the same time are not compatible");
  } else if ((options.if_absent && (options.if_greater || options.if_less)) ||
             (options.if_greater && options.if_less)) {
    call.reply.error("ERR GT, LT, and/or NX options at the same time are not compatible");
  } else if (options.increment && words > 2) {
    call.reply.error("ERR INCR option supports a single increment-element pair");
  } else {
    return options;
  }
  return std::nullopt;
}

ScoreRule rule_of(const AddOptions& options) {
  return options.if_greater ? ScoreRule::raised
         : options.if_less  ? ScoreRule::lowered
                            : ScoreRule::plain;
}

enum class Effect : std::uint8_t { none, added, kept, changed };
struct Addition {
  Effect effect = Effect::none;
  double score = 0;  // NaN: nothing was written, for there is no such score
};

Addition add(Object& object, std::string_view name, double given, const AddOptions& options) {
  Valued member = Valued::member(object, name);
  const auto before = member.score();
  if (before ? options.if_absent : options.if_present) {
    return {};
  }
  double score = options.increment ? before.value_or(0) + given : given;
  if (std::isnan(score)) {
    return {Effect::none, score};
  }
  if (before &&
      ((options.if_greater && score <= *before) || (options.if_less && score >= *before))) {
    return {};
  }
  object.create(ObjectType::sorted_set);
  // Increments add up with those of others; they are finite, and so is what they are added to.
  if (options.increment && std::isfinite(score) && std::isfinite(before.value_or(0))) {
    member.add(Total::of_real(given));
    if (before) {  // otherwise it is what was given, a negative zero too
      score = Valued::member(object, name).score().value_or(score);
    }
  } else {
    member.assign(encode_score({score, rule_of(options)}));
  }
  return {!before ? Effect::added : score == *before ? Effect::kept : Effect::changed, score};
}

void add_members(Call& call, const AddOptions& options) {
  std::vector<double> scores;
  for (std::size_t i = options.first; i < call.size(); i += 2) {
    const auto score = parse_score(call[i]);
    if (!score) {
      call.not_a_float();
      return;
    }
    scores.push_back(*score + 0.0);  // minus zero is zero, as in Redis's small sets
  }
  auto object = sorted_set_at(call, call[1]);
  if (!object || !call.elements_fit(options.first + 1, 2)) {
    return;
  }
  std::int64_t added = 0;
  std::int64_t changed = 0;
  Addition last;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    last = add(*object, call[options.first + 1 + 2 * i], scores[i], options);
    added += last.effect == Effect::added ? 1 : 0;
    changed += last.effect == Effect::changed ? 1 : 0;
  }
  if (!options.increment) {
    call.reply.integer(added + (options.count_changed ? changed : 0));
  } else if (std::isnan(last.score)) {
    call.reply.error("ERR resulting score is not a number (NaN)");
  } else {
    reply_score(call, last.effect == Effect::none ? std::nullopt : std::optional(last.score));
  }
}

void zadd(Call& call) {
  if (const auto options = add_options(call)) {
    add_members(call, *options);
  }
}

void zincrby(Call& call) { add_members(call, {.increment = true}); }

void zrem(Call& call) {
  auto object = sorted_set_at(call, call[1]);
  if (!object) {
    return;
  }
  std::int64_t removed = 0;
  for (std::size_t i = 2; i < call.size(); ++i) {
    Valued member = Valued::member(*object, call[i]);
    if (member.exists()) {
      member.erase();
      ++removed;
    }
  }
  if (removed > 0) {
    object->settle(ObjectType::sorted_set);
  }
  call.reply.integer(removed);
}

// ---------------------------------------------------------------- reading

void zcard(Call& call) {
  if (const auto object = sorted_set_at(call, call[1])) {
    call.reply.integer(object->size(ObjectType::sorted_set));
  }
}

void zscore(Call& call) {
  if (const auto object = sorted_set_at(call, call[1])) {
    reply_score(call, Valued::member(*object, call[2]).score());
  }
}

void zmscore(Call& call) {
  const auto object = sorted_set_at(call, call[1]);
  if (!object) {
    return;
  }
  call.reply.array(call.size() - 2);
  for (std::size_t i = 2; i < call.size(); ++i) {
    reply_score(call, Valued::member(*object, call[i]).score());
  }
}

void zrandmember(Call& call) {
  random_pairs(call, ObjectType::sorted_set, "WITHSCORES",
               [&](const Object& object, std::string_view name) {
                 reply_score(call, Valued::member(object, name).score());
               });
}

// Scores are strings here, in RESP3 too.
void zscan(Call& call) {
  scan_elements(call, ObjectType::sorted_set, 2, [&](const Element& member) {
    call.reply.bulk(member.name);
    call.reply.bulk(format_score(member.score()));
  });
}

// ---------------------------------------------------------------- popping

using Direction = ScoreIndex::Direction;

ScoredMembers pop(Object& object, std::size_t count, Direction direction) {
  ScoredMembers popped;
  object.transaction().by_score(object.key(), [&](const ScoreIndex& index) {
    if (!object.transaction().step(std::min(count, index.size()))) {
      return;
    }
    index.for_each(0, count, direction, [&](const ScoreIndex::Entry& entry) {
      popped.push_back({entry.score, entry.member});
      object.transaction().step(0);
    });
  });
  remove_scored(object, popped);
  return popped;
}

// Two nodes that do not see each other may return the same member, as with SPOP.
void pop_from_one(Call& call, Direction direction) {
  if (call.size() > 3) {
    call.syntax_error();
    return;
  }
  const auto count = call.size() == 3 ? parse_integer(call[2]) : std::optional<std::int64_t>(1);
  if (!count || *count < 0) {
    call.reply.error("ERR value is out of range, must be positive");
    return;
  }
  auto object = sorted_set_at(call, call[1]);
  if (!object) {
    return;
  }
  const auto popped = object->exists() ? pop(*object, static_cast<std::size_t>(*count), direction)
                                       : ScoredMembers{};
  if (call.size() == 3 || popped.empty()) {
    reply_scored(call, popped, true);
    return;
  }
  call.reply.array(2);  // flat in RESP3, too
  call.reply.bulk(popped.front().member);
  call.reply.number(popped.front().score);
}

void zpopmin(Call& call) { pop_from_one(call, Direction::up); }
void zpopmax(Call& call) { pop_from_one(call, Direction::down); }

struct PopOptions {
  std::size_t keys = 0;
  std::size_t count = 1;
  Direction direction = Direction::up;
};

std::optional<PopOptions> pop_options(const Call& call) {
  PopOptions options;
  const auto keys = parse_integer(call[1]);
  if (!keys || *keys < 1) {
    call.reply.error("ERR numkeys should be greater than 0");
    return std::nullopt;
  }
  if (static_cast<std::uint64_t>(*keys) >= call.size() - 2) {
    call.syntax_error();
    return std::nullopt;
  }
  options.keys = static_cast<std::size_t>(*keys);
  const std::size_t where = 2 + options.keys;
  options.direction = is_word(call[where], "MAX") ? Direction::down : Direction::up;
  const std::size_t left = call.size() - where - 1;
  if ((options.direction == Direction::up && !is_word(call[where], "MIN")) ||
      (left > 0 && (left == 1 || !is_word(call[where + 1], "COUNT")))) {
    call.syntax_error();
    return std::nullopt;
  }
  if (left > 0) {
    const auto count = parse_integer(call[where + 2]);
    if (!count || *count < 1) {
      call.reply.error("ERR count should be greater than 0");
      return std::nullopt;
    }
    options.count = static_cast<std::size_t>(*count);
  }
  if (left > 2) {
    call.syntax_error();
    return std::nullopt;
  }
  return options;
}

void zmpop(Call& call) {
  const auto options = pop_options(call);
  if (!options) {
    return;
  }
  for (std::size_t i = 2; i < 2 + options->keys; ++i) {
    auto object = sorted_set_at(call, call[i]);
    if (!object) {
      return;
    }
    if (!object->exists()) {
      continue;
    }
    const auto popped = pop(*object, options->count, options->direction);
    call.reply.array(2);
    call.reply.bulk(call[i]);
    call.reply.array(popped.size());
    for (const Scored& scored : popped) {
      call.reply.array(2);
      call.reply.bulk(scored.member);
      call.reply.number(scored.score);
    }
    return;
  }
  call.reply.nil_array();
}

}  // namespace

std::span<const Binding> sorted_set_commands() {
  static constexpr std::array bindings{
      Binding{"zadd", zadd},       Binding{"zincrby", zincrby},
      Binding{"zrem", zrem},       Binding{"zcard", zcard},
      Binding{"zscore", zscore},   Binding{"zmscore", zmscore},
      Binding{"zscan", zscan},     Binding{"zrandmember", zrandmember},
      Binding{"zpopmin", zpopmin}, Binding{"zpopmax", zpopmax},
      Binding{"zmpop", zmpop},
  };
  return bindings;
}

}  // namespace starling::resp
