// Every type against its specification: at random times and at the end, on random histories with
// reordering, duplicates, batches, restarts, lost disks and cells whose stored part is not loaded.
#include "tests/crdt/history.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/crdt/property.h"

namespace starling::test {
namespace {

const std::string& pick(const std::vector<std::string>& from, Dice& dice) {
  return from[dice.below(from.size())];
}
const std::string& key(Dice& dice) { return pick(History::keys(), dice); }

const std::vector<std::string> parts{"x", "y"};
const std::vector<std::string> texts{"7", "-3", "2.5", "milk", "eggs"};

std::string show(const std::optional<std::string>& text) {
  return text ? "'" + *text + "'" : "nothing";
}
template <typename Texts>
std::string show_all(const Texts& all) {
  std::string out;
  for (const auto& text : all) {
    out += " '" + text + "'";
  }
  return out;
}

std::string differ(const std::string& shown, const std::string& expected) {
  return shown == expected ? "" : "shows " + shown + ", not " + expected;
}

void check_histories(const std::string& sentence, const History::RandomCommand& command,
                     const History::Check& check) {
  check_property(sentence, 10'000, [&] {
    const auto steps =
        *rc::gen::resize(50, rc::gen::container<std::vector<std::uint32_t>>(rc::gen::resize(
                                 rc::kNominalSize, rc::gen::inRange<std::uint32_t>(0, 1u << 30))));
    const std::string wrong = History(command, check).run(steps);
    if (!wrong.empty()) {
      RC_FAIL(wrong);
    }
  });
}

void random_string_command(History& history, Replica& replica, Dice& dice) {
  const std::string& k = key(dice);
  switch (dice.below(8)) {
    case 0:
    case 1: {
      const std::string& text = pick(texts, dice);
      history.did(replica, Verb::write, k).text = text;
      return replica.set(k, text);
    }
    case 2: {
      const std::string before = replica.get(k).value_or("");
      // The specification adds up quarters: after a point only text is appended.
      const std::string more = before.find('.') == std::string::npos ? "1" : " l";
      history.did(replica, Verb::write, k).text = before + more;
      return replica.append(k, more);
    }
    case 3:
      history.did(replica, Verb::clear_all, k);
      return replica.del(k);
    case 4: {
      const auto quarters = static_cast<std::int64_t>(dice.below(9)) - 4;
      if (replica.incr_float(k, std::to_string(static_cast<double>(quarters) / 4))) {
        history.did(replica, Verb::increase, k).quarters = quarters;
      }
      return;
    }
    default: {
      const auto delta = static_cast<std::int64_t>(dice.below(9)) - 4;
      if (replica.incr(k, delta)) {
        history.did(replica, Verb::increase, k).quarters = 4 * delta;
      }
    }
  }
}

void random_hash_command(History& history, Replica& replica, Dice& dice) {
  const std::string& k = key(dice);
  const std::string& field = pick(parts, dice);
  switch (dice.below(7)) {
    case 0:
    case 1: {
      const std::string& text = pick(texts, dice);
      history.did(replica, Verb::write, k, field).text = text;
      return replica.hset(k, field, text);
    }
    case 2:
    case 3:
      history.did(replica, Verb::clear, k, field);
      return replica.hdel(k, field);
    case 4:
      history.did(replica, Verb::clear_all, k);
      return replica.del(k);
    default: {
      const auto delta = static_cast<std::int64_t>(dice.below(9)) - 4;
      if (replica.hincr(k, field, delta)) {
        history.did(replica, Verb::increase, k, field).quarters = 4 * delta;
      }
    }
  }
}

void random_set_command(History& history, Replica& replica, Dice& dice) {
  const std::string& k = key(dice);
  const std::string& element = pick(parts, dice);
  switch (dice.below(6)) {
    case 0:
    case 1:
      history.did(replica, Verb::take_back, k, element);
      return replica.remove(k, element);
    case 2:
      history.did(replica, Verb::clear_all, k);
      return replica.del(k);
    default:
      history.did(replica, Verb::put, k, element);
      return replica.add(k, element);
  }
}

void random_flag_command(History& history, Replica& replica, Dice& dice) {
  const std::string& k = key(dice);
  switch (dice.below(5)) {
    case 0:
    case 1:
      history.did(replica, Verb::take_back, k);
      return replica.disable(k);
    case 2:
      history.did(replica, Verb::clear_all, k);
      return replica.del(k);
    default:
      history.did(replica, Verb::put, k);
      return replica.enable(k);
  }
}

void random_register_command(History& history, Replica& replica, Dice& dice) {
  const std::string& k = key(dice);
  if (dice.below(5) == 0) {
    history.did(replica, Verb::clear_all, k);
    return replica.del(k);
  }
  const std::string& text = pick(texts, dice);
  history.did(replica, Verb::write, k).text = text;
  replica.assign(k, text);
}

void random_score_command(History& history, Replica& replica, Dice& dice) {
  const std::string& k = key(dice);
  const std::string& member = pick(parts, dice);
  const auto quarters = static_cast<std::int64_t>(dice.below(17)) - 8;
  const double score = static_cast<double>(quarters) / 4;
  const auto add = [&](ScoreRule rule, Preference preference) {
    if (replica.zadd(k, member, score, rule)) {
      Deed& deed = history.did(replica, Verb::write, k, member);
      deed.quarters = quarters;
      deed.preference = preference;
    }
  };
  switch (dice.below(9)) {
    case 0:
      return add(ScoreRule::plain, Preference::latest);
    case 1:
    case 2:
      return add(ScoreRule::raised, Preference::greatest);
    case 3:
    case 4:
      return add(ScoreRule::lowered, Preference::smallest);
    case 5:
      history.did(replica, Verb::clear, k, member);
      return replica.zrem(k, member);
    case 6:
      history.did(replica, Verb::clear_all, k);
      return replica.del(k);
    default:
      history.did(replica, Verb::increase, k, member).quarters = quarters;
      return replica.zincrby(k, member, score);
  }
}

void random_deadline_command(History& history, Replica& replica, Dice& dice) {
  const std::string& k = key(dice);
  const auto time_ms = static_cast<std::int64_t>(dice.below(20));
  switch (dice.below(9)) {
    case 0: {
      const std::string& text = pick(texts, dice);
      history.did(replica, Verb::write, k).text = text;  // KEEPTTL
      return replica.set(k, text);
    }
    case 1:
    case 2: {
      const std::string& text = pick(texts, dice);
      Deed& deed = history.did(replica, Verb::write, k);
      deed.text = text;
      deed.keeps_limit = false;
      return replica.set_anew(k, text);
    }
    case 3:
      history.did(replica, Verb::limit, k).until_ms = never_expires;
      return replica.persist(k);
    case 4:
    case 5:
      if (replica.expire(k, time_ms)) {
        history.did(replica, Verb::clear_all, k);
      }
      return;
    case 6:
      if (replica.incr(k, 1)) {
        history.did(replica, Verb::increase, k).quarters = 4;
      }
      return;
    default:
      history.did(replica, Verb::limit, k).until_ms = time_ms;
      return replica.expire_at(k, time_ms);
  }
}

std::string show(std::optional<double> score) { return score ? format_score(*score) : "nothing"; }
std::string show(std::optional<std::int64_t> time) {
  return time ? std::to_string(*time) : "nothing";
}

}  // namespace

TEST_CASE("a string shows the latest unseen write plus every unseen increment") {
  check_histories("string and counter histories", random_string_command,
                  [](const Replica& replica, const Specification& spec, const std::string& k) {
                    return differ(show(replica.get(k)), show(spec.text(k, "")));
                  });
}

TEST_CASE("a hash field shows what a string would, and a DEL of the hash clears every field") {
  check_histories("hash histories", random_hash_command,
                  [](const Replica& replica, const Specification& spec, const std::string& k) {
                    std::string wrong;
                    for (const std::string& field : parts) {
                      wrong += differ(show(replica.hget(k, field)), show(spec.text(k, field)));
                    }
                    return wrong;
                  });
}

TEST_CASE("a set contains what some add put in and no remove or clear had seen") {
  check_histories("add-wins set histories", random_set_command,
                  [](const Replica& replica, const Specification& spec, const std::string& k) {
                    std::set<std::string> expected;
                    for (const std::string& element : parts) {
                      if (spec.contains(k, element)) {
                        expected.insert(element);
                      }
                    }
                    return differ(show_all(replica.elements(k)), show_all(expected));
                  });
}

TEST_CASE("a flag is on while some enable was seen by no disable") {
  check_histories("enable-wins flag histories", random_flag_command,
                  [](const Replica& replica, const Specification& spec, const std::string& k) {
                    return differ(replica.is_on(k) ? "on" : "off",
                                  spec.contains(k, "") ? "on" : "off");
                  });
}

TEST_CASE("a score is the preferred unseen base plus every unseen increment") {
  check_histories("sorted set histories", random_score_command,
                  [](const Replica& replica, const Specification& spec, const std::string& k) {
                    std::string wrong;
                    for (const std::string& member : parts) {
                      wrong += differ(show(replica.score(k, member)), show(spec.score(k, member)));
                    }
                    return wrong;
                  });
}

TEST_CASE("a key expires at the latest deadline that nothing had taken away") {
  check_histories("deadline histories", random_deadline_command,
                  [](const Replica& replica, const Specification& spec, const std::string& k) {
                    const auto limit = spec.limit(k);
                    return differ(show(replica.deadline(k)),
                                  show(limit == never_expires ? std::nullopt : limit)) +
                           differ(show(replica.get(k)), show(spec.text(k, "")));
                  });
}

TEST_CASE("a multi-value register shows every write that no other write or clear had seen") {
  check_histories("multi-value register histories", random_register_command,
                  [](const Replica& replica, const Specification& spec, const std::string& k) {
                    return differ(show_all(replica.values(k)), show_all(spec.values(k)));
                  });
}

}  // namespace starling::test
