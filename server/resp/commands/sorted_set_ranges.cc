// Sorted sets in their order: by rank, by score, by name.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "server/resp/commands/families.h"
#include "server/resp/scored.h"

namespace starling::resp {
namespace {

using replica::Object;
using replica::ScoreIndex;
using Entry = ScoreIndex::Entry;
using Direction = ScoreIndex::Direction;

// ---------------------------------------------------------------- bounds

struct Ranks {
  std::int64_t start;
  std::int64_t stop;  // included; negative ones count from the end
};

struct ScoreBound {
  double score;
  bool exclusive;

  [[nodiscard]] bool includes_from_below(double other) const {
    return exclusive ? other < score : other <= score;
  }
  [[nodiscard]] bool includes_from_above(double other) const {
    return exclusive ? other > score : other >= score;
  }
};
struct Scores {
  ScoreBound min;
  ScoreBound max;
};

struct NameBound {
  enum class Kind : std::uint8_t { least, name, greatest } kind;
  std::string name;
  bool exclusive;

  [[nodiscard]] bool includes_from_below(const std::string& other) const {
    return kind == Kind::name ? (exclusive ? other < name : other <= name) : kind == Kind::greatest;
  }
  [[nodiscard]] bool includes_from_above(const std::string& other) const {
    return kind == Kind::name ? (exclusive ? other > name : other >= name) : kind == Kind::least;
  }
};
// Of members that all have the same score; of others nothing sensible can be said.
struct Names {
  NameBound min;
  NameBound max;
};

using Range = std::variant<Ranks, Scores, Names>;
enum class By : std::uint8_t { rank, score, name };

std::optional<Ranks> parse_ranks(const Call& call, std::size_t start, std::size_t stop) {
  const auto first = call.integer(start);
  const auto last = first ? call.integer(stop) : std::nullopt;
  return last ? std::optional(Ranks{*first, *last}) : std::nullopt;
}

// As strtod reads it, and Redis: out of range is infinite here, nothing is zero.
std::optional<ScoreBound> parse_score_bound(std::string_view text) {
  const bool exclusive = text.starts_with('(');
  const std::string number(text.substr(exclusive ? 1 : 0));
  char* end = nullptr;
  const double score = std::strtod(number.c_str(), &end);
  if (*end != '\0' || std::isnan(score)) {
    return std::nullopt;
  }
  return ScoreBound{score, exclusive};
}

std::optional<Scores> parse_scores(const Call& call, std::size_t min, std::size_t max) {
  const auto low = parse_score_bound(call[min]);
  const auto high = parse_score_bound(call[max]);
  if (!low || !high) {
    call.reply.error("ERR min or max is not a float");
    return std::nullopt;
  }
  return Scores{*low, *high};
}

std::optional<NameBound> parse_name_bound(std::string_view text) {
  if (text == "-" || text == "+") {
    const auto kind = text == "-" ? NameBound::Kind::least : NameBound::Kind::greatest;
    return NameBound{kind, {}, false};
  }
  if (text.starts_with('[') || text.starts_with('(')) {
    return NameBound{NameBound::Kind::name, std::string(text.substr(1)), text[0] == '('};
  }
  return std::nullopt;
}

std::optional<Names> parse_names(const Call& call, std::size_t min, std::size_t max) {
  auto low = parse_name_bound(call[min]);
  auto high = parse_name_bound(call[max]);
  if (!low || !high) {
    call.reply.error("ERR min or max not valid string range item");
    return std::nullopt;
  }
  return Names{std::move(*low), std::move(*high)};
}

// Answers what is wrong with them.
std::optional<Range> parse_range(const Call& call, By by, std::size_t min, std::size_t max) {
  const auto as_range = [](auto parsed) {
    return parsed ? std::optional<Range>(std::move(*parsed)) : std::nullopt;
  };
  switch (by) {
    case By::rank:
      return as_range(parse_ranks(call, min, max));
    case By::score:
      return as_range(parse_scores(call, min, max));
    case By::name:
      break;
  }
  return as_range(parse_names(call, min, max));
}

// ---------------------------------------------------------------- slices

// A part of the order, seen from the end at which the direction starts.
struct Slice {
  std::size_t first = 0;
  std::size_t count = 0;
};

Slice slice_of(const Ranks& ranks, std::size_t members, Direction) {
  const auto size = static_cast<std::int64_t>(members);
  const auto from_start = [&](std::int64_t rank) { return rank < 0 ? rank + size : rank; };
  const std::int64_t start = std::max<std::int64_t>(from_start(ranks.start), 0);
  const std::int64_t stop = std::min(from_start(ranks.stop), size - 1);
  if (start > stop) {
    return {};
  }
  return {static_cast<std::size_t>(start), static_cast<std::size_t>(stop - start + 1)};
}

Slice between(std::size_t from, std::size_t to, std::size_t members, Direction direction) {
  if (from >= to) {
    return {};
  }
  return {direction == Direction::up ? from : members - to, to - from};
}

Slice slice(const ScoreIndex& index, const Range& range, Direction direction) {
  if (const auto* ranks = std::get_if<Ranks>(&range)) {
    return slice_of(*ranks, index.size(), direction);
  }
  std::size_t from = 0;
  std::size_t to = 0;
  if (const auto* scores = std::get_if<Scores>(&range)) {
    from = index.count_before(
        [&](const Entry& entry) { return !scores->min.includes_from_above(entry.score); });
    to = index.count_before(
        [&](const Entry& entry) { return scores->max.includes_from_below(entry.score); });
  } else {
    const auto& names = std::get<Names>(range);
    from = index.count_before(
        [&](const Entry& entry) { return !names.min.includes_from_above(entry.member); });
    to = index.count_before(
        [&](const Entry& entry) { return names.max.includes_from_below(entry.member); });
  }
  return between(from, to, index.size(), direction);
}

struct Limit {
  std::int64_t offset = 0;
  std::int64_t count = -1;  // negative: all
};

Slice limited(Slice slice, const Limit& limit) {
  if (limit.offset < 0 || static_cast<std::uint64_t>(limit.offset) >= slice.count) {
    return {};
  }
  const auto offset = static_cast<std::size_t>(limit.offset);
  slice.first += offset;
  slice.count -= offset;
  if (limit.count >= 0) {
    slice.count = std::min<std::size_t>(slice.count, static_cast<std::size_t>(limit.count));
  }
  return slice;
}

ScoredMembers members_in(const Object& object, const Range& range, Direction direction,
                         const Limit& limit = {}) {
  ScoredMembers members;
  if (!object.exists()) {
    return members;
  }
  object.transaction().by_score(object.key(), [&](const ScoreIndex& index) {
    const Slice wanted = limited(slice(index, range, direction), limit);
    if (!object.transaction().step(wanted.count)) {
      return;
    }
    members.reserve(wanted.count);
    index.for_each(wanted.first, wanted.count, direction, [&](const Entry& entry) {
      members.push_back({entry.score, entry.member});
      object.transaction().step(0);
    });
  });
  return members;
}

// ---------------------------------------------------------------- ZRANGE and its kin

struct RangeOptions {
  std::optional<By> by = {};
  std::optional<Direction> direction = {};
  Limit limit = {};
  bool with_scores = false;
  bool store = false;
};

// Reads what follows the range. What the command's name has settled is no option any more.
bool read_options(const Call& call, std::size_t first, RangeOptions& options) {
  for (std::size_t i = first; i < call.size(); ++i) {
    const std::string_view word = call[i];
    if (!options.store && is_word(word, "WITHSCORES")) {
      options.with_scores = true;
    } else if (is_word(word, "LIMIT") && i + 2 < call.size()) {
      const auto offset = call.integer(i + 1);
      const auto count = offset ? call.integer(i + 2) : std::nullopt;
      if (!count) {
        return false;
      }
      options.limit = {*offset, *count};
      i += 2;
    } else if (!options.direction && is_word(word, "REV")) {
      options.direction = Direction::down;
    } else if (!options.by && is_word(word, "BYLEX")) {
      options.by = By::name;
    } else if (!options.by && is_word(word, "BYSCORE")) {
      options.by = By::score;
    } else {
      call.syntax_error();
      return false;
    }
  }
  const By by = options.by.value_or(By::rank);
  if (by == By::rank && options.limit.count != -1) {
    call.reply.error(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    return false;
  }
  if (by == By::name && options.with_scores) {
    call.reply.error("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    return false;
  }
  return true;
}

void range(Call& call, RangeOptions options) {
  const std::size_t key = options.store ? 2 : 1;
  if (!read_options(call, key + 3, options)) {
    return;
  }
  const By by = options.by.value_or(By::rank);
  const Direction direction = options.direction.value_or(Direction::up);
  // From the end, bounds are given the greater one first.
  const bool swapped = direction == Direction::down && by != By::rank;
  const auto wanted = parse_range(call, by, key + (swapped ? 2 : 1), key + (swapped ? 1 : 2));
  if (!wanted) {
    return;
  }
  const auto source = sorted_set_at(call, call[key]);
  if (!source) {
    return;
  }
  const Limit limit = by == By::rank ? Limit{} : options.limit;
  const ScoredMembers members = members_in(*source, *wanted, direction, limit);
  if (options.store) {
    store_scored(call, call[1], members);
  } else {
    reply_scored(call, members, options.with_scores);
  }
}

void zrange(Call& call) { range(call, {}); }
void zrangestore(Call& call) { range(call, {.store = true}); }
void zrevrange(Call& call) { range(call, {.by = By::rank, .direction = Direction::down}); }
void zrangebyscore(Call& call) { range(call, {.by = By::score, .direction = Direction::up}); }
void zrevrangebyscore(Call& call) { range(call, {.by = By::score, .direction = Direction::down}); }
void zrangebylex(Call& call) { range(call, {.by = By::name, .direction = Direction::up}); }
void zrevrangebylex(Call& call) { range(call, {.by = By::name, .direction = Direction::down}); }

// ---------------------------------------------------------------- removing, counting, ranks

template <By by>
void remove_range(Call& call) {
  const auto range = parse_range(call, by, 2, 3);
  if (!range) {
    return;
  }
  auto object = sorted_set_at(call, call[1]);
  if (!object) {
    return;
  }
  const ScoredMembers members = members_in(*object, *range, Direction::up);
  remove_scored(*object, members);
  call.reply.integer(static_cast<std::int64_t>(members.size()));
}

template <By by>
void count_range(Call& call) {
  const auto range = parse_range(call, by, 2, 3);
  if (!range) {
    return;
  }
  const auto object = sorted_set_at(call, call[1]);
  if (!object) {
    return;
  }
  std::size_t count = 0;
  if (object->exists()) {
    object->transaction().by_score(object->key(), [&](const ScoreIndex& index) {
      count = slice(index, *range, Direction::up).count;
    });
  }
  call.reply.integer(static_cast<std::int64_t>(count));
}

void rank(Call& call, Direction direction) {
  const auto object = sorted_set_at(call, call[1]);
  if (!object) {
    return;
  }
  std::optional<std::size_t> rank;
  if (object->exists()) {
    object->transaction().by_score(object->key(), [&](const ScoreIndex& index) {
      rank = index.rank(call[2]);
      if (rank && direction == Direction::down) {
        rank = index.size() - 1 - *rank;
      }
    });
  }
  rank ? call.reply.integer(static_cast<std::int64_t>(*rank)) : call.reply.nil();
}

void zrank(Call& call) { rank(call, Direction::up); }
void zrevrank(Call& call) { rank(call, Direction::down); }

}  // namespace

std::span<const Binding> sorted_set_range_commands() {
  static constexpr std::array bindings{
      Binding{"zrange", zrange},
      Binding{"zrangestore", zrangestore},
      Binding{"zrevrange", zrevrange},
      Binding{"zrangebyscore", zrangebyscore},
      Binding{"zrevrangebyscore", zrevrangebyscore},
      Binding{"zrangebylex", zrangebylex},
      Binding{"zrevrangebylex", zrevrangebylex},
      Binding{"zremrangebyrank", remove_range<By::rank>},
      Binding{"zremrangebyscore", remove_range<By::score>},
      Binding{"zremrangebylex", remove_range<By::name>},
      Binding{"zcount", count_range<By::score>},
      Binding{"zlexcount", count_range<By::name>},
      Binding{"zrank", zrank},
      Binding{"zrevrank", zrevrank},
  };
  return bindings;
}

}  // namespace starling::resp
