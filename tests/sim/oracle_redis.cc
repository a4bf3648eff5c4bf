// The specification of the Redis door's commands, as far as random schedules use them; of others it
// says nothing.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "tests/sim/door_command.h"
#include "tests/sim/oracle_act.h"

namespace starling::sim {

using wire::Error;
using wire::ErrorCode;
using wire::Nil;
using wire::Ok;
using wire::Result;

namespace {

std::int64_t integer(const std::string& word) {
  std::int64_t value = 0;
  std::from_chars(word.data(), word.data() + word.size(), value);
  return value;
}

double real(const std::string& word) { return std::strtod(word.c_str(), nullptr); }

std::string text_of(double score) {
  if (std::isinf(score)) {
    return score > 0 ? "inf" : "-inf";
  }
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.17g", score);
  return text.data();
}

Result text_or_nil(const std::optional<std::string>& text) {
  return text ? Result(*text) : Result(Nil{});
}

// One command with its words.
class RedisCommand {
 public:
  RedisCommand(Act& act, const wire::Command& command) : act_(act), words_(command.args) {}

  std::optional<Result> run() {
    static const std::map<std::string, Result (RedisCommand::*)()> known = {
        {"GET", &RedisCommand::get},
        {"SET", &RedisCommand::set},
        {"INCRBY", &RedisCommand::incrby},
        {"DEL", &RedisCommand::del},
        {"EXISTS", &RedisCommand::exists},
        {"TYPE", &RedisCommand::type},
        {"SADD", &RedisCommand::sadd},
        {"SREM", &RedisCommand::srem},
        {"SMEMBERS", &RedisCommand::smembers},
        {"SCARD", &RedisCommand::scard},
        {"SUNION", &RedisCommand::sunion},
        {"SUNIONSTORE", &RedisCommand::sunionstore},
        {"HSET", &RedisCommand::hset},
        {"HDEL", &RedisCommand::hdel},
        {"HINCRBY", &RedisCommand::hincrby},
        {"HGETALL", &RedisCommand::hgetall},
        {"HLEN", &RedisCommand::hlen},
        {"ZADD", &RedisCommand::zadd},
        {"ZINCRBY", &RedisCommand::zincrby},
        {"ZREM", &RedisCommand::zrem},
        {"ZREMRANGEBYRANK", &RedisCommand::zremrangebyrank},
        {"ZSCORE", &RedisCommand::zscore},
        {"ZCARD", &RedisCommand::zcard},
        {"ZRANK", &RedisCommand::zrank},
        {"ZRANGE", &RedisCommand::zrange},
        {"ZPOPMIN", &RedisCommand::zpopmin},
        {"PEXPIRE", &RedisCommand::pexpire},
        {"PERSIST", &RedisCommand::persist},
        {"PTTL", &RedisCommand::pttl},
        {"PEXPIRETIME", &RedisCommand::pexpiretime},
        {"FLUSHDB", &RedisCommand::flushdb},
        {"FLUSHALL", &RedisCommand::flushall},
        {"DBSIZE", &RedisCommand::dbsize},
    };
    const auto found = known.find(words_.front());
    const bool many = (words_.front() == "DEL" || words_.front() == "EXISTS") && words_.size() > 2;
    return found == known.end() || many ? std::nullopt : std::optional((this->*found->second)());
  }

 private:
  [[nodiscard]] std::span<const std::string> from(std::size_t first) const {
    return std::span(words_).subspan(first);
  }
  static Result wrong_type() { return Error{ErrorCode::wrong_type, {}}; }
  // What this does to an object of its type, or to none.
  template <typename Do>
  Result of_type(ObjectType type, const Do& command) {
    return act_.wrong(type) ? wrong_type() : Result(command());
  }

  // -- strings --
  Result get() {
    return of_type(ObjectType::string, [&] { return text_or_nil(act_.object().string.text()); });
  }
  Result set() {
    bool keep = false;
    bool if_absent = false;
    bool if_present = false;
    std::optional<std::int64_t> deadline;
    for (std::size_t i = 3; i < words_.size(); ++i) {
      if_absent = if_absent || words_[i] == "NX";
      if_present = if_present || words_[i] == "XX";
      keep = keep || words_[i] == "KEEPTTL";
      if (words_[i] == "PX") {
        deadline = act_.now_ms() + integer(words_[++i]);
      } else if (words_[i] == "PXAT") {
        deadline = integer(words_[++i]);
      }
    }
    if ((if_absent && act_.exists()) || (if_present && !act_.exists())) {
      return Nil{};
    }
    if (deadline && *deadline <= act_.now_ms()) {
      if (act_.exists() || act_.object().expired) {
        act_.erase();
      }
      return Ok{};
    }
    act_.set_string(words_.at(2), keep);
    if (deadline) {
      act_.set_deadline(*deadline);
    }
    return Ok{};
  }
  Result incrby() {
    return of_type(ObjectType::string, [&] {
      return act_.add(act_.object().string, Act::Part::string_increment, {}, integer(words_.at(2)));
    });
  }

  // -- any key --
  Result del() {
    const bool existed = act_.exists();
    if (existed) {
      act_.erase();
    }
    return std::int64_t{existed ? 1 : 0};
  }
  Result exists() { return std::int64_t{act_.exists() ? 1 : 0}; }
  Result type() { return std::string(type_name(act_.type())); }

  // -- sets and hashes --
  Result sadd() {
    return of_type(ObjectType::set, [&] { return act_.add_elements(from(2)); });
  }
  Result srem() {
    return of_type(ObjectType::set, [&] { return act_.remove_elements(from(2)); });
  }
  Result smembers() {
    return of_type(ObjectType::set, [&] { return act_.elements(); });
  }
  Result scard() {
    return of_type(ObjectType::set,
                   [&] { return static_cast<std::int64_t>(act_.object().elements.size()); });
  }
  // nullopt: one of them is no set.
  [[nodiscard]] std::optional<std::vector<std::string>> union_of(
      std::span<const std::string> keys) const {
    std::set<std::string> all;
    for (const std::string& key : keys) {
      const Act source = act_.other(key);
      if (source.wrong(ObjectType::set)) {
        return std::nullopt;
      }
      for (std::string& element : source.elements()) {
        all.insert(std::move(element));
      }
    }
    return std::vector<std::string>(all.begin(), all.end());
  }
  Result sunion() {
    auto all = union_of(from(1));
    return all ? Result(std::move(*all)) : wrong_type();
  }
  Result sunionstore() {
    const auto all = union_of(from(2));
    if (!all) {
      return wrong_type();
    }
    if (!all->empty()) {
      act_.clear_for(ObjectType::set, false);
      act_.add_elements(*all);
    } else if (act_.exists() || act_.object().expired) {
      act_.erase();
    }
    return static_cast<std::int64_t>(all->size());
  }
  Result hset() {
    return of_type(ObjectType::hash, [&] { return act_.set_fields(from(2)); });
  }
  Result hdel() {
    return of_type(ObjectType::hash, [&] { return act_.remove_fields(from(2)); });
  }
  Result hincrby() {
    return of_type(ObjectType::hash,
                   [&] { return act_.add_to_field(words_.at(2), integer(words_.at(3))); });
  }
  Result hgetall() {
    return of_type(ObjectType::hash, [&] { return act_.fields(); });
  }
  Result hlen() {
    return of_type(ObjectType::hash,
                   [&] { return static_cast<std::int64_t>(act_.object().fields.size()); });
  }

  // -- sorted sets --
  struct AddOptions {
    bool if_absent = false;
    bool if_present = false;
    bool greater = false;
    bool less = false;
    bool changed = false;
    bool increment = false;
  };
  [[nodiscard]] std::optional<double> score_of(const std::string& member) const {
    if (const auto written = written_.find(member); written != written_.end()) {
      return written->second;
    }
    const auto found = act_.object().members.find(member);
    return found == act_.object().members.end() ? std::nullopt
                                                : std::optional(found->second.score());
  }
  // What ZADD does with one member: the score it has then, if anything was written.
  std::optional<double> add_member(const std::string& member, double given,
                                   const AddOptions& options) {
    const auto before = score_of(member);
    if (before ? options.if_absent : options.if_present) {
      return std::nullopt;
    }
    const double score = options.increment ? before.value_or(0) + given : given;
    if (std::isnan(score) || (before && options.greater && score <= *before) ||
        (before && options.less && score >= *before)) {
      return std::isnan(score) ? std::optional(score) : std::nullopt;
    }
    if (written_.empty()) {
      act_.create(ObjectType::sorted_set);
    }
    if (options.increment && std::isfinite(score) && std::isfinite(before.value_or(0))) {
      act_.leave({.part = Act::Part::score_increment,
                  .type = ObjectType::sorted_set,
                  .sub = member,
                  .real = given});
    } else {
      act_.take_part(Act::Part::score, member);
      act_.take_part(Act::Part::score_increment, member);
      act_.leave({.part = Act::Part::score,
                  .type = ObjectType::sorted_set,
                  .sub = member,
                  .real = score,
                  .rule = options.greater ? Act::Rule::greatest
                          : options.less  ? Act::Rule::smallest
                                          : Act::Rule::plain});
    }
    return written_[member] = score;
  }
  Result zadd() {
    AddOptions options;
    std::size_t i = 2;
    for (; i < words_.size(); ++i) {
      const std::string& word = words_[i];
      if (word == "NX") {
        options.if_absent = true;
      } else if (word == "XX") {
        options.if_present = true;
      } else if (word == "GT") {
        options.greater = true;
      } else if (word == "LT") {
        options.less = true;
      } else if (word == "CH") {
        options.changed = true;
      } else if (word == "INCR") {
        options.increment = true;
      } else {
        break;
      }
    }
    return add_members(i, options);
  }
  Result zincrby() { return add_members(2, {.increment = true}); }
  Result add_members(std::size_t first, const AddOptions& options) {
    if (act_.wrong(ObjectType::sorted_set)) {
      return wrong_type();
    }
    std::int64_t count = 0;
    std::optional<double> score;
    for (std::size_t i = first; i + 1 < words_.size(); i += 2) {
      const auto before = score_of(words_[i + 1]);
      score = add_member(words_[i + 1], real(words_[i]) + 0.0, options);
      if (score && !std::isnan(*score)) {
        count += !before ? 1 : options.changed && *score != *before ? 1 : 0;
      }
    }
    if (!options.increment) {
      return count;
    }
    if (score && std::isnan(*score)) {
      return Error{ErrorCode::not_a_number, {}};
    }
    return score ? Result(text_of(*score)) : Result(Nil{});
  }
  Result zrem() {
    return of_type(ObjectType::sorted_set, [&] {
      std::int64_t removed = 0;
      for (const std::string& member : from(2)) {
        removed += remove_member(member) ? 1 : 0;
      }
      return removed;
    });
  }
  bool remove_member(const std::string& member) {
    if (!score_of(member)) {
      return false;
    }
    act_.take_part(Act::Part::score, member);
    act_.take_part(Act::Part::score_increment, member);
    act_.wrote();
    act_.settle(ObjectType::sorted_set);
    return true;
  }
  // From the first on, up to a rank.
  Result zremrangebyrank() {
    return of_type(ObjectType::sorted_set, [&] {
      auto order = in_order();
      order.resize(std::min(order.size(), static_cast<std::size_t>(integer(words_.at(3))) + 1));
      for (const auto& [score, member] : order) {
        remove_member(member);
      }
      return static_cast<std::int64_t>(order.size());
    });
  }
  using Scored = std::pair<double, std::string>;
  [[nodiscard]] std::vector<Scored> in_order() const {
    std::vector<Scored> order;
    for (const auto& [name, member] : act_.object().members) {
      order.emplace_back(member.score(), name);
    }
    std::ranges::sort(order);
    return order;
  }
  Result zscore() {
    return of_type(ObjectType::sorted_set, [&] {
      const auto score = score_of(words_.at(2));
      return score ? Result(text_of(*score)) : Result(Nil{});
    });
  }
  Result zcard() {
    return of_type(ObjectType::sorted_set,
                   [&] { return static_cast<std::int64_t>(act_.object().members.size()); });
  }
  Result zrank() {
    return of_type(ObjectType::sorted_set, [&] {
      const auto order = in_order();
      const auto at = std::ranges::find(order, words_.at(2), &Scored::second);
      return at == order.end() ? Result(Nil{}) : Result(std::int64_t{at - order.begin()});
    });
  }
  // Of everything, with scores.
  Result zrange() {
    return of_type(ObjectType::sorted_set, [&] {
      std::vector<std::string> flat;
      for (const auto& [score, member] : in_order()) {
        flat.push_back(member);
        flat.push_back(text_of(score));
      }
      return flat;
    });
  }
  Result zpopmin() {
    return of_type(ObjectType::sorted_set, [&] {
      std::vector<std::string> popped;
      if (const auto order = in_order(); !order.empty()) {
        popped = {order.front().second, text_of(order.front().first)};
        remove_member(order.front().second);
      }
      return popped;
    });
  }

  // -- deadlines --
  Result pexpire() {
    const std::int64_t deadline = act_.now_ms() + integer(words_.at(2));
    const std::string condition = words_.size() > 3 ? words_[3] : "";
    const auto now = act_.deadline();
    if (!act_.exists() || (condition == "NX" && now) || (condition == "XX" && !now) ||
        (condition == "GT" && (!now || deadline <= *now)) ||
        (condition == "LT" && now && deadline >= *now)) {
      return std::int64_t{0};
    }
    deadline <= act_.now_ms() ? act_.erase() : act_.set_deadline(deadline);
    return std::int64_t{1};
  }
  Result persist() {
    const bool had = act_.deadline().has_value();
    if (had) {
      act_.set_deadline(std::numeric_limits<std::int64_t>::max());
    }
    return std::int64_t{had ? 1 : 0};
  }
  Result tell_deadline(std::int64_t from_ms) {
    const auto deadline = act_.deadline();
    if (!act_.exists()) {
      return std::int64_t{-2};
    }
    return deadline ? std::max<std::int64_t>(*deadline - from_ms, 0) : std::int64_t{-1};
  }
  Result pttl() { return tell_deadline(act_.now_ms()); }
  Result pexpiretime() { return tell_deadline(0); }

  // -- databases --
  Result flushdb() {
    act_.flush(act_.db());
    return Ok{};
  }
  Result flushall() {
    act_.flush(std::nullopt);
    return Ok{};
  }
  Result dbsize() { return act_.count_keys(); }

  Act& act_;
  const Words& words_;
  std::map<std::string, double> written_;  // scores, by this command: to look again would be slow
};

}  // namespace

std::optional<Result> act_at_redis_door(Act& act, const wire::Command& command) {
  return RedisCommand(act, command).run();
}

}  // namespace starling::sim
