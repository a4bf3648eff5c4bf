// Random histories on a few replicas, and what a reader of the specification expects to see.
//
// The specification knows no dots, contexts or lattices: a command is remembered with the set of
// commands that its replica had seen, and a value is a function of the visible commands. It shares
// nothing with the implementation except the timestamps that break ties.
#pragma once

#include <array>
#include <bitset>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "tests/crdt/replica.h"

namespace starling::test {

// `limit` is a deadline; a write takes those away that it had seen, unless it keeps them.
enum class Verb { write, clear, clear_all, increase, take_back, put, limit };
// How a score was written, and so which of several at the same time is read.
enum class Preference { latest, greatest, smallest };

struct Deed {
  static constexpr std::size_t limit = 128;
  using Seen = std::bitset<limit>;

  Verb verb = Verb::write;
  std::string key;
  std::string part;           // field or element
  std::string text;           // of a write
  std::int64_t quarters = 0;  // of an increase, or a score: exact in any order
  Preference preference = Preference::latest;
  std::int64_t until_ms = 0;  // of a limit
  bool keeps_limit = true;    // a write: the key's deadline stays
  Seen seen;                  // what its replica had seen, earlier commands of its entry included
  std::tuple<Hlc, Origin, std::uint64_t> when;
};

// What the deeds in sight say.
class Specification {
 public:
  Specification(const std::vector<Deed>& deeds, const Deed::Seen& visible)
      : deeds_(deeds), visible_(visible) {}

  // A set contains e iff some add of e was not seen by any later remove or clear; a flag is on iff
  // some enable was not seen by a disable.
  [[nodiscard]] bool contains(const std::string& key, const std::string& part) const {
    return any([&](const Deed& put) {
      return put.verb == Verb::put && put.key == key && put.part == part &&
             !taken_back(put, {Verb::take_back});
    });
  }

  // Every write that no other write and no clear had seen, latest last.
  [[nodiscard]] std::vector<const Deed*> live_writes(const std::string& key,
                                                     const std::string& part) const {
    std::vector<const Deed*> live;
    each([&](const Deed& write) {
      if (write.verb == Verb::write && write.key == key && write.part == part &&
          !taken_back(write, {Verb::write, Verb::clear})) {
        live.push_back(&write);
      }
    });
    std::ranges::sort(live, {}, [](const Deed* deed) { return deed->when; });
    return live;
  }

  [[nodiscard]] std::vector<std::string> values(const std::string& key) const {
    std::set<std::string> distinct;
    for (const Deed* write : live_writes(key, "")) {
      distinct.insert(write->text);
    }
    return {distinct.begin(), distinct.end()};
  }

  // The latest write plus every increment that no write and no clear had seen.
  [[nodiscard]] std::optional<std::string> text(const std::string& key,
                                                const std::string& part) const {
    const auto writes = live_writes(key, part);
    const auto increments = live_increments(key, part);
    if (writes.empty() && !increments) {
      return std::nullopt;
    }
    std::string base = writes.empty() ? "0" : writes.back()->text;
    char* end = nullptr;
    const double number = std::strtod(base.c_str(), &end);
    if (!increments || *end != '\0') {
      return base;
    }
    return print(std::lround(number * 4) + *increments);
  }

  // The latest score, or the greatest of the raises if that is one, or the smallest of the
  // lowerings; plus every increment that nothing had taken away.
  [[nodiscard]] std::optional<double> score(const std::string& key, const std::string& part) const {
    const auto writes = live_writes(key, part);
    const auto increments = live_increments(key, part);
    if (writes.empty() && !increments) {
      return std::nullopt;
    }
    std::int64_t quarters = writes.empty() ? 0 : writes.back()->quarters;
    for (const Deed* write : writes) {
      if (write->preference == writes.back()->preference) {
        if (write->preference == Preference::greatest) {
          quarters = std::max(quarters, write->quarters);
        } else if (write->preference == Preference::smallest) {
          quarters = std::min(quarters, write->quarters);
        }
      }
    }
    return static_cast<double>(quarters + increments.value_or(0)) / 4;
  }

  // The latest of the deadlines that no later one, no clear and no write that clears it had seen.
  [[nodiscard]] std::optional<std::int64_t> limit(const std::string& key) const {
    std::optional<std::int64_t> latest;
    each([&](const Deed& limit) {
      const auto index = static_cast<std::size_t>(&limit - deeds_.data());
      const bool taken = any([&](const Deed& later) {
        return later.key == key && later.seen[index] &&
               (later.verb == Verb::limit || later.verb == Verb::clear_all ||
                (later.verb == Verb::write && !later.keeps_limit));
      });
      if (limit.verb == Verb::limit && limit.key == key && !taken) {
        latest = std::max(latest.value_or(limit.until_ms), limit.until_ms);
      }
    });
    return latest;
  }

 private:
  // In quarters.
  [[nodiscard]] std::optional<std::int64_t> live_increments(const std::string& key,
                                                            const std::string& part) const {
    std::optional<std::int64_t> quarters;
    each([&](const Deed& deed) {
      if (deed.verb == Verb::increase && deed.key == key && deed.part == part &&
          !taken_back(deed, {Verb::write, Verb::clear})) {
        quarters = quarters.value_or(0) + deed.quarters;
      }
    });
    return quarters;
  }

  template <typename Body>
  void each(Body body) const {
    for (std::size_t i = 0; i < deeds_.size(); ++i) {
      if (visible_[i]) {
        body(deeds_[i]);
      }
    }
  }
  template <typename Predicate>
  [[nodiscard]] bool any(Predicate predicate) const {
    bool found = false;
    each([&](const Deed& deed) { found = found || predicate(deed); });
    return found;
  }
  [[nodiscard]] bool taken_back(const Deed& deed, std::initializer_list<Verb> verbs) const {
    const auto index = static_cast<std::size_t>(&deed - deeds_.data());
    return any([&](const Deed& later) {
      const bool same = later.verb == Verb::clear_all || later.part == deed.part;
      const bool kind =
          later.verb == Verb::clear_all || std::ranges::find(verbs, later.verb) != verbs.end();
      return later.key == deed.key && same && kind && later.seen[index];
    });
  }
  static std::string print(std::int64_t quarters) {
    constexpr std::array<const char*, 4> decimals{"", ".25", ".5", ".75"};
    const std::int64_t size = std::abs(quarters);
    return (quarters < 0 ? "-" : "") + std::to_string(size / 4) +
           decimals[static_cast<std::size_t>(size % 4)];
  }

  const std::vector<Deed>& deeds_;
  const Deed::Seen& visible_;
};

// Draws small numbers from one random word.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed + 0x9E3779B97F4A7C15ULL) {}
  std::size_t below(std::size_t limit) {
    state_ ^= state_ >> 27;
    state_ *= 0x94D049BB133111EBULL;
    state_ ^= state_ >> 31;
    state_ += 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>((state_ >> 20) % limit);
  }

 private:
  std::uint64_t state_;
};

class History {
 public:
  // One command on a random key of `replica`; records what it meant with `did`.
  using RandomCommand = std::function<void(History&, Replica&, Dice&)>;
  // "" or what is wrong with this key as the replica shows it.
  using Check =
      std::function<std::string(const Replica&, const Specification&, const std::string& key)>;

  History(RandomCommand command, Check check)
      : command_(std::move(command)), check_(std::move(check)) {
    for (std::uint64_t node = 1; node <= 3; ++node) {
      sites_.push_back({Replica(origin_of(node * 11), node == 3), {}, {}});
    }
  }

  static const std::vector<std::string>& keys() {
    static const std::vector<std::string> names{"k", "l"};
    return names;
  }

  // Plays the steps; "" or the first thing that is wrong.
  std::string run(const std::vector<std::uint32_t>& steps) {
    for (const std::uint32_t word : steps) {
      Dice dice(word);
      const std::size_t at = dice.below(sites_.size());
      now_ms_ += dice.below(3);
      play(sites_[at], dice);
      if (std::string wrong = look(sites_[at]); !wrong.empty()) {
        return wrong;
      }
    }
    return finish(Dice(steps.empty() ? 0 : steps.back()));
  }

  // Called by the random command just before it acts.
  Deed& did(const Replica& replica, Verb verb, const std::string& key,
            const std::string& part = "") {
    Deed deed;
    deed.verb = verb;
    deed.key = key;
    deed.part = part;
    deed.seen = acting_->seen;
    deed.when = {0, replica.origin(), deeds_.size()};
    acting_->seen.set(deeds_.size());
    fresh_.push_back(deeds_.size());
    deeds_.push_back(std::move(deed));
    return deeds_.back();
  }

 private:
  struct Site {
    Replica replica;
    Deed::Seen seen;
    std::vector<std::size_t> applied;  // indexes of messages
  };
  struct Mail {
    Sent message;
    std::vector<std::size_t> deeds;
    bool lost = false;
  };

  void play(Site& site, Dice& dice) {
    const std::size_t what = dice.below(32);
    if (what < 17) {
      act(site, dice);
    } else if (what < 27 && !mail_.empty()) {
      deliver(site, dice.below(mail_.size()));
    } else if (what < 29) {
      for (std::size_t i = 0; i < mail_.size(); ++i) {
        deliver(site, i);
      }
    } else if (what == 29) {
      site.replica.restart();
    } else if (what == 30) {
      site.replica.checkpoint();
    } else {
      lose_everything(site);
    }
  }

  void act(Site& site, Dice& dice) {
    const std::size_t commands = dice.below(4) == 0 ? 2 + dice.below(2) : 1;
    if (deeds_.size() + commands > Deed::limit) {
      return;
    }
    acting_ = &site;
    fresh_.clear();
    site.replica.begin(now_ms_ + site.replica.origin().node);  // clocks disagree
    for (std::size_t i = 0; i < commands; ++i) {
      command_(*this, site.replica, dice);
    }
    const Sent message = site.replica.commit();
    if (message == nullptr) {
      return;
    }
    for (const std::size_t deed : fresh_) {
      std::get<0>(deeds_[deed].when) = message->entry.hlc;
    }
    site.applied.push_back(mail_.size());
    mail_.push_back({message, fresh_, false});
  }

  void deliver(Site& site, std::size_t index) {
    if (mail_[index].lost) {
      return;
    }
    for (const Sent& message : site.replica.receive(mail_[index].message, now_ms_)) {
      const auto it = std::ranges::find(mail_, message, &Mail::message);
      site.applied.push_back(static_cast<std::size_t>(it - mail_.begin()));
      for (const std::size_t deed : it->deeds) {
        site.seen.set(deed);
      }
    }
  }

  // The disk is gone. What nobody else had applied is lost for everyone; the rest comes back from
  // the others, and new writes carry a new origin.
  void lose_everything(Site& site) {
    for (std::size_t i = 0; i < mail_.size(); ++i) {
      const bool elsewhere = std::ranges::any_of(sites_, [&](const Site& other) {
        return &other != &site && std::ranges::find(other.applied, i) != other.applied.end();
      });
      if (!elsewhere) {
        mail_[i].lost = true;
        for (Site& other : sites_) {
          other.replica.drop_held(mail_[i].message);
        }
      }
    }
    site.replica.forget_everything();
    site.seen.reset();
    site.applied.clear();
  }

  std::string look(const Site& site) {
    for (const std::string& key : keys()) {
      if (std::string wrong = check_(site.replica, Specification(deeds_, site.seen), key);
          !wrong.empty()) {
        wrong.insert(0, "node " + std::to_string(site.replica.origin().node) + ", ");
        return wrong.append(" at ").append(key);
      }
    }
    for (const Site& other : sites_) {
      if (other.seen == site.seen && other.replica.digest() != site.replica.digest()) {
        return "two replicas have seen the same and differ in their digests";
      }
    }
    return "";
  }

  std::string finish(Dice dice) {
    for (Site& site : sites_) {
      const std::size_t start = mail_.empty() ? 0 : dice.below(mail_.size());
      for (std::size_t i = 0; i < mail_.size(); ++i) {
        deliver(site, mail_.size() - 1 - (start + i) % mail_.size());
      }
      if (!site.replica.held().empty()) {
        return "entries are held although everything was delivered";
      }
      if (std::string wrong = look(site); !wrong.empty()) {
        return "finally: " + wrong;
      }
    }
    for (Site& site : sites_) {
      if (!(site.replica == sites_[0].replica)) {
        return "replicas differ after full delivery";
      }
      site.replica.checkpoint();
      if (!(site.replica == sites_[0].replica)) {
        return "a checkpoint changed what a replica shows";
      }
    }
    return "";
  }

  RandomCommand command_;
  Check check_;
  std::vector<Site> sites_;
  std::vector<Mail> mail_;
  std::vector<Deed> deeds_;
  std::uint64_t now_ms_ = 1000;

  Site* acting_ = nullptr;
  std::vector<std::size_t> fresh_;
};

}  // namespace starling::test
