// Unions, intersections and differences of sorted sets; plain sets count as members of score 1.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "crdt/aw_set.h"
#include "crdt/string.h"
#include "server/replica/valued.h"
#include "server/resp/commands/families.h"
#include "server/resp/elements.h"
#include "server/resp/scored.h"
#include "server/resp/set_algebra.h"

namespace starling::resp {
namespace {

using replica::Object;
using replica::Valued;

struct Source {
  Object object;
  double weight = 1;

  [[nodiscard]] std::int64_t size() const { return object.size(object.type()); }
  [[nodiscard]] std::optional<double> score(std::string_view name) const {
    if (object.type() == ObjectType::sorted_set) {
      return Valued::member(object, name).score();
    }
    const bool contained =
        object.type() == ObjectType::set &&
        set_contains(object.transaction().dotted(object.cell(CellKind::set_element, name)));
    return contained ? std::optional(1.0) : std::nullopt;
  }
  [[nodiscard]] ScoredMembers members() const {
    ScoredMembers members;
    for_each_element(object, object.type(), [&](const Element& element) {
      const bool scored = object.type() == ObjectType::sorted_set;
      members.push_back({scored ? element.score() : 1.0, element.name});
    });
    return members;
  }
};

enum class Aggregate : std::uint8_t { sum, min, max };

struct Combination {
  std::vector<Source> sources;
  Aggregate aggregate = Aggregate::sum;
  std::size_t limit = 0;  // 0: none
  bool with_scores = false;
};

// What a command of this kind is told besides its keys.
struct Words {
  SetOperation operation;
  bool store = false;
  bool count_only = false;
};

// ---------------------------------------------------------------- arguments

std::optional<std::vector<Source>> sources(Call& call, std::size_t keys_at) {
  const auto keys = call.integer(keys_at);
  if (!keys) {
    return std::nullopt;
  }
  if (*keys < 1) {
    call.reply.error("ERR at least 1 input key is needed for '" + call.name() + "' command");
    return std::nullopt;
  }
  if (static_cast<std::uint64_t>(*keys) > call.size() - keys_at - 1) {
    call.syntax_error();
    return std::nullopt;
  }
  std::vector<Source> sources;
  for (std::size_t i = 1; i <= static_cast<std::size_t>(*keys); ++i) {
    Object object = call.object(call[keys_at + i]);
    if (!object.is(ObjectType::sorted_set) && !object.is(ObjectType::set)) {
      call.wrong_type();
      return std::nullopt;
    }
    sources.push_back({std::move(object)});
  }
  return sources;
}

std::optional<Aggregate> aggregate_of(std::string_view word) {
  if (is_word(word, "SUM")) {
    return Aggregate::sum;
  }
  if (is_word(word, "MIN")) {
    return Aggregate::min;
  }
  return is_word(word, "MAX") ? std::optional(Aggregate::max) : std::nullopt;
}

bool read_weights(const Call& call, std::size_t first, std::vector<Source>& sources) {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto weight = parse_score(call[first + i]);
    if (!weight) {
      call.reply.error("ERR weight value is not a float");
      return false;
    }
    sources[i].weight = *weight;
  }
  return true;
}

std::optional<Combination> combination(Call& call, std::size_t keys_at, const Words& words) {
  auto found = sources(call, keys_at);
  if (!found) {
    return std::nullopt;
  }
  Combination combination{std::move(*found)};
  const std::size_t keys = combination.sources.size();
  const bool weighs = words.operation != SetOperation::difference && !words.count_only;
  for (std::size_t i = keys_at + 1 + keys; i < call.size(); ++i) {
    const std::size_t left = call.size() - i - 1;
    if (weighs && left >= keys && is_word(call[i], "WEIGHTS")) {
      if (!read_weights(call, i + 1, combination.sources)) {
        return std::nullopt;
      }
      i += keys;
    } else if (weighs && left >= 1 && is_word(call[i], "AGGREGATE")) {
      const auto aggregate = aggregate_of(call[++i]);
      if (!aggregate) {
        call.syntax_error();
        return std::nullopt;
      }
      combination.aggregate = *aggregate;
    } else if (!words.store && !words.count_only && is_word(call[i], "WITHSCORES")) {
      combination.with_scores = true;
    } else if (words.count_only && left >= 1 && is_word(call[i], "LIMIT")) {
      const auto limit = parse_integer(call[++i]);
      if (!limit || *limit < 0) {
        call.reply.error("ERR LIMIT can't be negative");
        return std::nullopt;
      }
      combination.limit = static_cast<std::size_t>(*limit);
    } else {
      call.syntax_error();
      return std::nullopt;
    }
  }
  return combination;
}

// ---------------------------------------------------------------- combining

// Infinity times zero, and infinities that cancel each other, count as nothing.
double or_zero(double score) { return std::isnan(score) ? 0 : score; }

double combined(double a, double b, Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::sum:
      return or_zero(a + b);
    case Aggregate::min:
      return b < a ? b : a;
    case Aggregate::max:
      break;
  }
  return b > a ? b : a;
}

ScoredMembers union_of(const Combination& combination) {
  std::unordered_map<std::string, double> scores;
  for (const Source& source : combination.sources) {
    for (Scored& member : source.members()) {
      source.object.transaction().step();
      const double score = or_zero(source.weight * member.score);
      const auto [at, fresh] = scores.try_emplace(std::move(member.member), score);
      if (!fresh) {
        at->second = combined(at->second, score, combination.aggregate);
      }
    }
  }
  ScoredMembers members;
  members.reserve(scores.size());
  replica::Transaction& tx = combination.sources.front().object.transaction();
  for (const auto& [name, score] : scores) {
    members.push_back({score, name});
    tx.step();
  }
  tx.discard(std::move(scores), members.size());
  return members;
}

ScoredMembers intersection_of(const Combination& combination) {
  const Source& first = combination.sources.front();
  ScoredMembers members;
  for (Scored& member : first.members()) {
    if (!first.object.transaction().step(combination.sources.size())) {
      break;
    }
    double score = or_zero(first.weight * member.score);
    const bool in_all = std::all_of(
        combination.sources.begin() + 1, combination.sources.end(), [&](const Source& other) {
          const auto found = other.score(member.member);
          if (found) {
            score = combined(score, other.weight * *found, combination.aggregate);
          }
          return found.has_value();
        });
    if (in_all) {
      members.push_back({score, std::move(member.member)});
      if (members.size() == combination.limit) {
        break;
      }
    }
  }
  return members;
}

ScoredMembers difference_of(const Combination& combination) {
  ScoredMembers members = combination.sources.front().members();
  for (std::size_t i = 1; i < combination.sources.size(); ++i) {
    std::erase_if(members, [&](const Scored& member) {
      const Source& other = combination.sources[i];
      return other.object.transaction().step() && other.score(member.member).has_value();
    });
  }
  return members;
}

// By score. Redis adds up from the smallest source to the largest; so do we, for the same bits.
ScoredMembers combine(SetOperation operation, Combination& combination) {
  ScoredMembers members;
  if (operation == SetOperation::difference) {
    members = difference_of(combination);
  } else {
    std::vector<std::pair<std::int64_t, std::size_t>> by_size;
    for (std::size_t i = 0; i < combination.sources.size(); ++i) {
      by_size.emplace_back(combination.sources[i].size(), i);
    }
    std::ranges::sort(by_size);
    std::vector<Source> sorted;
    for (const auto& [size, i] : by_size) {
      sorted.push_back(std::move(combination.sources[i]));
    }
    combination.sources.swap(sorted);
    members =
        operation == SetOperation::union_ ? union_of(combination) : intersection_of(combination);
  }
  combination.sources.front().object.transaction().aside([&] { std::ranges::sort(members); });
  return members;
}

template <SetOperation operation>
void combined_members(Call& call) {
  if (auto wanted = combination(call, 1, {.operation = operation})) {
    reply_scored(call, combine(operation, *wanted), wanted->with_scores);
  }
}

template <SetOperation operation>
void store_combined_scored(Call& call) {
  if (auto wanted = combination(call, 2, {.operation = operation, .store = true})) {
    store_scored(call, call[1], combine(operation, *wanted));
  }
}

void zintercard(Call& call) {
  constexpr auto operation = SetOperation::intersection;
  if (auto wanted = combination(call, 1, {.operation = operation, .count_only = true})) {
    call.reply.integer(static_cast<std::int64_t>(combine(operation, *wanted).size()));
  }
}

}  // namespace

std::span<const Binding> sorted_set_algebra_commands() {
  static constexpr std::array bindings{
      Binding{"zunion", combined_members<SetOperation::union_>},
      Binding{"zinter", combined_members<SetOperation::intersection>},
      Binding{"zdiff", combined_members<SetOperation::difference>},
      Binding{"zunionstore", store_combined_scored<SetOperation::union_>},
      Binding{"zinterstore", store_combined_scored<SetOperation::intersection>},
      Binding{"zdiffstore", store_combined_scored<SetOperation::difference>},
      Binding{"zintercard", zintercard},
  };
  return bindings;
}

}  // namespace starling::resp
