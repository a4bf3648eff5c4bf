// What clients are told.
#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "tests/sim/checkers.h"
#include "tests/sim/describe.h"

namespace starling::sim {
namespace {

using Kind = Answer::Kind;

const wire::Error* error_in(const wire::Response& response) {
  return response.results.size() == 1 ? std::get_if<wire::Error>(&response.results.front())
                                      : nullptr;
}

const wire::Command& command_of(const Answer& answer, std::size_t result) {
  return answer.request.commands[std::min(result, answer.request.commands.size() - 1)];
}

// The first result that the specification does not give, if any.
std::optional<std::size_t> first_wrong(const Answer& answer) {
  const auto& got = answer.response.results;
  const auto& wanted = answer.wanted.results;
  for (std::size_t i = 0; i < std::max(got.size(), wanted.size()); ++i) {
    if (i >= got.size() || i >= wanted.size() || !same(got[i], wanted[i])) {
      return i;
    }
  }
  return std::nullopt;
}

class NothingComesBack final : public Checker {
 public:
  NothingComesBack() : Checker("I2", "no value comes back after a remove that had seen it") {}

  void answered(const Answer& answer) override {
    if (answer.kind != Kind::read && answer.kind != Kind::write) {
      return;
    }
    checked();
    const auto wrong = first_wrong(answer);
    if (!wrong || *wrong >= answer.response.results.size()) {
      return;
    }
    const wire::Result& is = answer.response.results[*wrong];
    std::vector<std::string> texts;
    if (const auto* text = std::get_if<std::string>(&is)) {
      texts = {*text};
    } else if (const auto* list = std::get_if<std::vector<std::string>>(&is)) {
      texts = *list;
    }
    const wire::Command& command = command_of(answer, *wrong);
    for (const std::string& text : texts) {
      if (history().oracle().risen({command.db, command.key}, text, answer.seen)) {
        complain(answer.node.name + " answers \"" + describe(command) + "\": \"" + text +
                 "\" is back, although this node has applied a remove that had seen it");
        return;
      }
    }
  }
};

class Specification final : public Checker {
 public:
  Specification() : Checker("spec", "every answer is what the operations seen so far give") {}

  void answered(const Answer& answer) override {
    if (answer.kind != Kind::read && answer.kind != Kind::write) {
      return;
    }
    checked();
    if (const auto wrong = first_wrong(answer)) {
      const auto shown = [&](const std::vector<wire::Result>& results) {
        return *wrong < results.size() ? describe(results[*wrong]) : std::string("nothing");
      };
      complain(answer.node.name + " answers \"" + describe(command_of(answer, *wrong)) +
               "\" with " + shown(answer.response.results) + "; what it has seen gives " +
               shown(answer.wanted.results));
    }
  }
};

class OneEntryPerRequest final : public Checker {
 public:
  OneEntryPerRequest() : Checker("R1.3", "a request that changes something is one entry") {}

  void answered(const Answer& answer) override {
    if (answer.kind != Kind::read && answer.kind != Kind::write) {
      return;
    }
    checked();
    const std::string what = "\"" + describe(answer.request.commands.front()) + "\"";
    if (answer.kind == Kind::read && answer.wanted.wrote) {
      complain(answer.node.name + " answered " + what + " and wrote nothing");
    } else if (answer.kind == Kind::write && !answer.wanted.wrote) {
      complain(answer.node.name + " wrote an entry for " + what + ", which changes nothing");
    } else if (answer.entry != nullptr && answer.entry->entry.op_id != answer.request.op_id) {
      complain(answer.node.name + " wrote an entry under another op id than its request's");
    }
  }
};

// Decision 0008: its keys stand still, so what came in between makes no difference. Other nodes may
// see its parts, its own must not.
class CommandsInTurns final : public Checker {
 public:
  CommandsInTurns()
      : Checker("0008", "a command in turns means what it means when it runs alone") {}

  void answered(const Answer& answer) override {
    if (answer.run == nullptr || (answer.kind != Kind::read && answer.kind != Kind::write)) {
      return;
    }
    checked();
    const std::string what = "\"" + describe(answer.request.commands.front()) + "\"";
    if (answer.entry == nullptr && answer.kind == Kind::write) {
      if (!answer.wanted.leaves_the_same) {
        complain("the " + std::to_string(answer.run->parts) + " entries that " + answer.node.name +
                 " wrote for " + what + " leave something else than the command does");
      }
      return;
    }
    const bool as_if_alone = std::ranges::any_of(answer.times_ms, [&](std::int64_t time_ms) {
      const auto alone =
          history().oracle().read(answer.request.commands, answer.run->begun_at, time_ms);
      return same(answer.response.results, alone.results);
    });
    if (!as_if_alone) {
      complain(answer.node.name + " answers " + what +
               " with something else than what lay there when its keys were locked");
    }
  }
};

class Sessions final : public Checker {
 public:
  Sessions() : Checker("R1.5", "an answer comes from a node that has seen what its session has") {}

  void answered(const Answer& answer) override {
    checked();
    const bool seen = answer.request.token.leq(answer.response.token);
    const wire::Error* error = error_in(answer.response);
    if (error != nullptr && error->code == wire::ErrorCode::behind) {
      if (seen) {
        complain(answer.node.name + " says it is behind a session that it is not behind");
      }
    } else if (answer.kind != Kind::refused && !seen) {
      complain(answer.node.name + " answers a session without having seen what that has seen");
    }
  }
};

class Retries final : public Checker {
 public:
  Retries() : Checker("R6.3", "a request has one effect at a node that has applied it") {}

  void answered(const Answer& answer) override {
    if (!answer.request.op_id || answer.kind == Kind::refused) {
      return;
    }
    checked();
    const std::string what = "\"" + describe(answer.request.commands.front()) + "\"";
    if (answer.kind != Kind::repeated) {
      if (!answer.applied_before.empty()) {
        complain("a retry of " + what + " ran again at " + answer.node.name +
                 ", which had applied the original");
      }
      return;
    }
    if (answer.applied_before.empty()) {
      complain(answer.node.name + " says it has applied " + what + " before, but has not");
      return;
    }
    // Nodes that had not seen each other may each have applied it: either answer of the first time
    // will do. What a retry reads, it reads anew.
    for (std::size_t i = 0; i < answer.request.commands.size(); ++i) {
      const wire::Command& command = answer.request.commands[i];
      const wire::Result nothing;
      const wire::Result& got =
          i < answer.response.results.size() ? answer.response.results[i] : nothing;
      const bool right =
          wire::is_write(command.code)
              ? std::ranges::any_of(
                    answer.applied_before,
                    [&](const OracleEntry* entry) { return entry->results[i] == got; })
              : std::ranges::any_of(answer.times_ms, [&](std::int64_t time_ms) {
                  const auto wanted =
                      history().oracle().read({command}, answer.response.token, time_ms);
                  return same(got, wanted.results.front());
                });
      if (!right) {
        complain(answer.node.name + " answers a retry of \"" + describe(command) + "\" with " +
                 describe(got));
        return;
      }
    }
  }
};

class Joiners final : public Checker {
 public:
  Joiners() : Checker("R5.7", "a new node serves nobody before it has what a ready member had") {}

  void heard(NodeHistory& node, replica::ConnectionId, const wire::PeerMessage& message) override {
    if (node.founder || met_.contains(node.id)) {
      return;
    }
    if (const auto* hello = std::get_if<wire::Hello>(&message)) {
      if (hello->ready || hello->applied.empty()) {
        goals_[node.id].push_back(hello->applied);
      }
    } else if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
      if (heartbeat->ready) {
        goals_[node.id].push_back(heartbeat->applied);
      }
    }
  }
  void answered(const Answer& answer) override {
    const std::uint64_t node = answer.node.id;
    if (answer.node.founder || answer.kind == Kind::refused || met_.contains(node)) {
      return;
    }
    checked();
    auto& goals = goals_[node];
    const auto met = std::ranges::find_if(
        goals, [&](const VersionVector& goal) { return goal.leq(answer.response.token); });
    if (met == goals.end()) {
      complain(answer.node.name + " is new and serves before it has what its contact had");
    } else {
      met_[node] = *met;
      goals.clear();
    }
  }
  // A power cut may take what it had caught up with: then it is as good as new.
  void started(NodeHistory& node, const replica::View& view, const FaultyStore&) override {
    const auto met = met_.find(node.id);
    if (met != met_.end() && !met->second.leq(view.applied)) {
      goals_[node.id] = {met->second};
      met_.erase(met);
    }
  }

 private:
  std::map<std::uint64_t, std::vector<VersionVector>> goals_;  // by node, while it does not serve
  std::map<std::uint64_t, VersionVector> met_;                 // by node, the one it reached
};

}  // namespace

Checkers checkers_of_answers() {
  Checkers all;
  all.push_back(std::make_unique<NothingComesBack>());  // before the checker that would say less
  all.push_back(std::make_unique<Specification>());
  all.push_back(std::make_unique<OneEntryPerRequest>());
  all.push_back(std::make_unique<CommandsInTurns>());
  all.push_back(std::make_unique<Sessions>());
  all.push_back(std::make_unique<Retries>());
  all.push_back(std::make_unique<Joiners>());
  return all;
}

}  // namespace starling::sim
