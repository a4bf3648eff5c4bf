#include "server/replica/score_index.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>

#include "crdt/sorted_set.h"
#include "server/replica/linear_hash_map.h"

namespace starling::replica {
struct ScoreIndex::Members {
  // The name lies in the table of scores, whose nodes do not move.
  struct Position {
    double score;
    const std::string* member;
  };
  struct Before {
    bool operator()(const Position& a, const Position& b) const {
      return a.score != b.score ? a.score < b.score : *a.member < *b.member;
    }
  };
  using Order = __gnu_pbds::tree<Position, __gnu_pbds::null_type, Before, __gnu_pbds::rb_tree_tag,
                                 __gnu_pbds::tree_order_statistics_node_update>;

  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>()(name);
    }
  };
  using Scores = LinearHashMap<std::string, double, NameHash, std::equal_to<>>;

  Scores scores;
  Order order;
  std::size_t bytes = 0;
};

namespace {

// A node of the order, one of the table, its bucket; and the name, if it is too long to lie within.
std::size_t bytes_of(const std::string& member) {
  constexpr std::size_t nodes = 64 + 64 + 8;
  constexpr std::size_t within = 15;
  return nodes + (member.capacity() > within ? member.capacity() + 1 : 0);
}

}  // namespace

ScoreIndex::ScoreIndex() : members_(std::make_unique<Members>()) {}
ScoreIndex::ScoreIndex(ScoreIndex&&) noexcept = default;
ScoreIndex& ScoreIndex::operator=(ScoreIndex&&) noexcept = default;
ScoreIndex::~ScoreIndex() = default;

std::size_t ScoreIndex::size() const { return members_->scores.size(); }
std::size_t ScoreIndex::bytes() const { return members_->bytes; }

std::optional<double> ScoreIndex::score(std::string_view member) const {
  const auto found = members_->scores.find(member);
  return found == members_->scores.end() ? std::nullopt : std::optional(found->second);
}

void ScoreIndex::put(std::string_view member, std::optional<double> score) {
  auto& [scores, order, bytes] = *members_;
  auto found = scores.find(member);
  if (found != scores.end()) {
    if (score &&
        std::bit_cast<std::uint64_t>(*score) == std::bit_cast<std::uint64_t>(found->second)) {
      return;
    }
    order.erase(Members::Position{found->second, &found->first});
    if (!score) {
      bytes -= bytes_of(found->first);
      scores.erase(found);
      return;
    }
    found->second = *score;
  } else if (score) {
    found = scores.try_emplace(std::string(member), *score).first;
    bytes += bytes_of(found->first);
  } else {
    return;
  }
  order.insert(Members::Position{*score, &found->first});
}

std::size_t ScoreIndex::count_before(const std::function<bool(const Entry&)>& before) const {
  const Members::Order& order = members_->order;
  std::size_t count = 0;
  for (auto node = order.node_begin(); node != order.node_end();) {
    const Members::Position& here = **node;
    const auto left = node.get_l_child();
    if (before({here.score, *here.member})) {
      count += 1 + (left == order.node_end() ? 0 : left.get_metadata());
      node = node.get_r_child();
    } else {
      node = left;
    }
  }
  return count;
}

std::optional<std::size_t> ScoreIndex::rank(std::string_view member) const {
  const auto found = members_->scores.find(member);
  if (found == members_->scores.end()) {
    return std::nullopt;
  }
  return members_->order.order_of_key(Members::Position{found->second, &found->first});
}

void ScoreIndex::for_each(std::size_t rank, std::size_t count, Direction direction,
                          const std::function<void(const Entry&)>& visit) const {
  if (rank >= size() || count == 0) {
    return;
  }
  const Members::Order& order = members_->order;
  const bool up = direction == Direction::up;
  auto at = order.find_by_order(up ? rank : size() - 1 - rank);
  for (std::size_t left = std::min(count, size() - rank); left > 0; --left) {
    visit({at->score, *at->member});
    if (left > 1) {
      up ? ++at : --at;
    }
  }
}

// ---------------------------------------------------------------- making one

struct ScoreIndexBuilder::Parts {
  std::unordered_map<std::string, OriginTotals> increments;
  std::vector<std::pair<double, std::string>> members;
};

ScoreIndexBuilder::ScoreIndexBuilder() : parts_(std::make_unique<Parts>()) {}
ScoreIndexBuilder::~ScoreIndexBuilder() = default;

void ScoreIndexBuilder::increments(const CellName& name, const CellValue& value) {
  if (is_present(value)) {
    parts_->increments.emplace(name.subkey(), std::get<OriginTotals>(value));
  }
}

void ScoreIndexBuilder::member(const CellName& name, const CellValue& value) {
  if (!is_present(value)) {
    return;
  }
  static const OriginTotals none;
  const auto increments = parts_->increments.find(name.subkey());
  const bool both = increments != parts_->increments.end();
  const ScoreView view(std::get<DottedCell>(value), both ? increments->second : none);
  parts_->members.emplace_back(*view.score(), name.subkey());
  if (both) {
    parts_->increments.erase(increments);
  }
}

// Inserted in order, each finds its neighbours at hand. Sorted in runs that are then merged, so
// that no step is long.
std::optional<ScoreIndex> ScoreIndexBuilder::finish(Turns* turns) {
  static const DottedCell none;
  auto& [increments, members] = *parts_;
  for (const auto& [name, totals] : increments) {
    members.emplace_back(*ScoreView(none, totals).score(), name);
  }
  increments.clear();
  const auto goes_on = [&] { return turns == nullptr || !turns->over() || turns->next(); };
  constexpr std::ptrdiff_t run = 2048;
  using Member = std::vector<std::pair<double, std::string>>::iterator;
  struct Run {
    Member next;
    Member end;
  };
  const auto later = [](const Run& a, const Run& b) { return *b.next < *a.next; };
  std::priority_queue<Run, std::vector<Run>, decltype(later)> runs(later);
  for (auto from = members.begin(); from != members.end();) {
    const auto end = from + std::min(run, members.end() - from);
    std::sort(from, end);
    runs.push({from, end});
    from = end;
    if (!goes_on()) {
      return std::nullopt;
    }
  }
  ScoreIndex index;
  while (!runs.empty()) {
    auto [next, end] = runs.top();
    runs.pop();
    index.put(next->second, next->first);
    if (++next != end) {
      runs.push({next, end});
    }
    if (!goes_on()) {
      return std::nullopt;
    }
  }
  return index;
}

}  // namespace starling::replica
