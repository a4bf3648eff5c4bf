#include "tests/sim/final_checks.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/commands.h"
#include "tests/sim/describe.h"
#include "tests/sim/door_command.h"

namespace starling::sim {
namespace {

using wire::Command;
using wire::CommandCode;

constexpr std::uint64_t quiet_us = 15 * second;     // after healing, at least
constexpr std::uint64_t patience_us = 60 * second;  // without anybody getting ahead
constexpr std::uint64_t answer_us = 10 * second;

// A new node that came too late for the logs of a cluster that truncates them: it says so, serves
// nobody, and waits for a bootstrap that does not exist yet (R5.7).
bool needs_bootstrap(const replica::View& view) {
  return !view.ready && std::ranges::any_of(view.not_ready_reasons, [](const std::string& reason) {
    return reason.starts_with("needs bootstrap");
  });
}

std::vector<std::size_t> members(const Cluster& cluster) {
  std::vector<std::size_t> members;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (!cluster.up(i) || !needs_bootstrap(cluster.view(i))) {
      members.push_back(i);
    }
  }
  return members;
}

// Why this node has not arrived where all should be, if it has not.
std::string lacking(const Cluster& cluster, std::size_t node, const VersionVector& goal) {
  const std::string& name = cluster.name(node);
  if (!cluster.up(node)) {
    return name + " is not up";
  }
  const auto view = cluster.view(node);
  if (!view.ready) {
    return name + " is not ready: " + view.not_ready_reasons.front();
  }
  if (view.peers.size() + 1 != cluster.size()) {
    return name + " knows " + std::to_string(view.peers.size()) + " other members";
  }
  for (const auto& peer : view.peers) {
    if (!peer.connected) {
      return name + " is not connected to " + peer.name;
    }
  }
  if (view.applied != goal) {
    return name + " has not applied the same entries as others";
  }
  if (view.held_bytes != 0) {
    return name + " still holds entries back";
  }
  if (!view.degraded_reasons.empty()) {
    return name + " is degraded: " + view.degraded_reasons.front();
  }
  return {};
}

std::string differing(const Cluster& cluster) {
  std::optional<VersionVector> goal;
  for (const std::size_t node : members(cluster)) {
    if (cluster.up(node) && !goal) {
      goal = cluster.view(node).applied;
    }
    if (std::string why = lacking(cluster, node, goal.value_or(VersionVector{})); !why.empty()) {
      return why;
    }
  }
  return {};
}

std::uint64_t entries_applied(const Cluster& cluster) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    const auto applied = cluster.up(i) ? cluster.view(i).applied : VersionVector{};
    for (const auto& c : applied.components()) {
      sum += c.n;
    }
  }
  return sum;
}

class FinalChecks {
 public:
  explicit FinalChecks(Cluster& cluster) : cluster_(cluster), members_(members(cluster)) {}

  // Whose time is over, somebody takes away (by every clock: nobody may be waited for).
  void expiry() {
    cluster_.judge().checked("eventually keys that have expired are gone");
    auto late = overdue();
    if (late.empty()) {
      return;
    }
    cluster_.run_for(10 * second);  // a clock may just have jumped
    for (const auto& [key, at] : overdue()) {
      if (const auto was = late.find(key); was != late.end() && was->second == at) {
        fail("liveness", "\"" + key.key + "\" has expired everywhere, and nobody takes it away");
        return;
      }
    }
  }

  // The same answers everywhere; the judge compares each with the oracle's.
  void answers() {
    for (const std::size_t node : members_) {
      for (std::size_t k = 0; k < CommandMix::keys; ++k) {
        answers_about(node, {0, CommandMix::key(k)});
      }
      answers_about(node, {0, CommandMix::board});
      for (std::size_t k = 0; k < CommandMix::keys_of_second; ++k) {
        answers_about(node, {1, CommandMix::key(k)});
      }
      for (const std::uint8_t db : {std::uint8_t{0}, std::uint8_t{1}}) {
        same_as_others(node, door_command("DBSIZE", db));
      }
    }
  }

  void scans() {
    for (const std::size_t node : members_) {
      for (const std::uint8_t db : {std::uint8_t{0}, std::uint8_t{1}}) {
        auto keys = pages(node, CommandCode::scan, 7, db);
        if (cluster_.failed()) {
          return;
        }
        std::ranges::sort(keys);
        cluster_.judge().checked("finally scans name the keys that exist");
        if (keys != oracle().keys(db, cluster_.view(node).applied)) {
          fail("spec", cluster_.name(node) + " scans other keys than exist");
          return;
        }
      }
    }
  }

  void exports() {
    std::optional<std::vector<std::string>> first;
    for (const std::size_t node : members_) {
      auto lines = pages(node, CommandCode::export_, 3000, 0);
      if (cluster_.failed()) {
        return;
      }
      cluster_.judge().checked("finally equal exports");
      if (first && *first != lines) {
        fail("I6", cluster_.name(node) + " exports something else than another node, at equal V");
        return;
      }
      first = std::move(lines);
    }
  }

  // As `kvctl verify` asks.
  void digests() {
    if (members_.size() != cluster_.size()) {
      return;  // a node that needs bootstrap has another V, and says so
    }
    for (const std::size_t node : members_) {
      const auto status = one(node, {CommandCode::status, 0, "", {}, 1});
      if (!status) {
        return;
      }
      const auto* json = std::get_if<std::string>(&*status);
      cluster_.judge().checked("finally converged by its own report");
      if (json == nullptr || !json->ends_with("\"converged\":true}")) {
        fail("I6", cluster_.name(node) + " has the same V as all others and reports otherwise: " +
                       (json == nullptr ? "" : *json));
        return;
      }
    }
  }

  void acknowledged_writes() {
    for (const std::size_t node : members_) {
      const auto view = cluster_.view(node);
      cluster_.judge().finally(node, view);
    }
  }

 private:
  void fail(const char* rule, std::string sentence) {
    cluster_.judge().complain(rule, std::move(sentence));
  }

  [[nodiscard]] const Oracle& oracle() { return cluster_.judge().history().oracle(); }

  // Deadlines that are over at every node, by what the nodes have seen.
  std::map<ObjectKey, std::int64_t> overdue() {
    std::int64_t time_ms = std::numeric_limits<std::int64_t>::max();
    for (const std::size_t node : members_) {
      time_ms = std::min(time_ms, cluster_.up(node) ? cluster_.expiry_ms(node) : 0);
    }
    std::map<ObjectKey, std::int64_t> overdue;
    for (const auto& [key, deadline] : oracle().deadlines(applied())) {
      if (deadline.of_a_key && deadline.unix_ms < time_ms) {
        overdue.emplace(key, deadline.unix_ms);
      }
    }
    return overdue;
  }
  [[nodiscard]] VersionVector applied() const {
    const auto up = std::ranges::find_if(members_, [&](auto node) { return cluster_.up(node); });
    return up == members_.end() ? VersionVector{} : cluster_.view(*up).applied;
  }

  void answers_about(std::size_t node, const ObjectKey& key) {
    const auto command = [&](CommandCode code) { return Command{code, key.db, key.key, {}, 0}; };
    const auto redis = [&](const char* name) {
      return door_command(std::string(name) + " " + key.key, key.db);
    };
    const auto type = same_as_others(node, command(CommandCode::type));
    if (type == wire::Result("none")) {
      return;  // no key
    }
    std::vector<Command> reads{redis("PEXPIRETIME")};
    if (type == wire::Result("string")) {
      reads.push_back(command(CommandCode::get));
    } else if (type == wire::Result("set")) {
      reads.push_back(command(CommandCode::set_members));
      reads.push_back(redis("SCARD"));
    } else if (type == wire::Result("hash")) {
      reads.push_back(command(CommandCode::hash_get_all));
      reads.push_back(redis("HLEN"));
    } else if (type == wire::Result("flag")) {
      reads.push_back(command(CommandCode::flag_get));
    } else if (type == wire::Result("zset")) {
      reads.push_back(redis("ZCARD"));
      reads.push_back(door_command(Words{"ZRANGE", key.key, "0", "-1", "WITHSCORES"}, key.db));
    } else {
      reads.push_back(command(CommandCode::mv_get));
    }
    for (const Command& read : reads) {
      (void)same_as_others(node, read);
    }
  }

  wire::Result same_as_others(std::size_t node, const Command& command) {
    if (cluster_.failed()) {
      return "none";
    }
    const auto answer = one(node, command);
    if (!answer) {
      return "none";
    }
    cluster_.judge().checked("finally equal answers");
    const auto known =
        first_.try_emplace(std::to_string(command.db) + describe(command), *answer).first;
    if (known->second != *answer) {
      fail("I6", cluster_.name(node) + " answers \"" + describe(command) +
                     "\" differently than another node with the same V");
    }
    return *answer;
  }

  std::optional<wire::Result> one(std::size_t node, const Command& command) {
    const auto answer = ask(cluster_, node, command);
    if (!answer && !cluster_.failed()) {
      fail("liveness", cluster_.name(node) + " does not answer although nothing is wrong");
    }
    return answer && !cluster_.failed() ? std::optional(answer->results.front()) : std::nullopt;
  }

  std::vector<std::string> pages(std::size_t node, CommandCode code, std::int64_t number,
                                 std::uint8_t db) {
    std::vector<std::string> all;
    std::string cursor;
    do {
      const auto answer = one(node, {code, db, "", {cursor}, number});
      const auto* page = answer ? std::get_if<std::vector<std::string>>(&*answer) : nullptr;
      if (page == nullptr || page->empty()) {
        fail("liveness", cluster_.name(node) + " does not finish a scan or an export");
        return all;
      }
      cursor = page->front();
      all.insert(all.end(), page->begin() + 1, page->end());
    } while (!cursor.empty());
    return all;
  }

  Cluster& cluster_;
  std::vector<std::size_t> members_;
  std::map<std::string, wire::Result> first_;  // answers of the first node
};

// From here on nothing expires any more: every deadline is taken back, or taken away with what it
// was left behind by.
std::string stop_expiry(Cluster& cluster) {
  const auto nodes = members(cluster);
  for (int round = 0; round < 5 && !cluster.failed(); ++round) {
    const std::size_t node = nodes[static_cast<std::size_t>(round) % nodes.size()];
    const auto pending = cluster.judge().history().oracle().deadlines(cluster.view(node).applied);
    if (pending.empty()) {
      return {};
    }
    for (const auto& [key, deadline] : pending) {
      wire::Request request;
      if (deadline.of_a_key && deadline.unix_ms > cluster.expiry_ms(node)) {
        request.commands = {door_command(Words{"PERSIST", key.key}, key.db)};
      } else {
        request.commands = {door_command(Words{"SET", key.key, "x"}, key.db),
                            door_command(Words{"DEL", key.key}, key.db)};
      }
      (void)ask(cluster, node, std::move(request));
      if (cluster.failed()) {
        return {};
      }
    }
    if (std::string why = settle(cluster); !why.empty()) {
      return why;
    }
  }
  return "some deadline comes back again and again";
}

}  // namespace

std::optional<wire::Response> ask(Cluster& cluster, std::size_t node, wire::Request request) {
  if (!cluster.up(node)) {
    return std::nullopt;
  }
  const auto answer = std::make_shared<std::optional<wire::Response>>();
  cluster.request(node, std::move(request),
                  [answer](const wire::Response& response) { *answer = response; });
  const std::uint64_t until_us = cluster.now_us() + answer_us;
  for (std::uint64_t step_us = ms / 2; !*answer && cluster.now_us() < until_us; step_us *= 2) {
    if (cluster.failed()) {
      return std::nullopt;
    }
    cluster.run_for(std::min(step_us, 100 * ms));
  }
  return *answer;
}

std::optional<wire::Response> ask(Cluster& cluster, std::size_t node, Command command) {
  wire::Request request;
  request.commands = {std::move(command)};
  return ask(cluster, node, std::move(request));
}

// A node with a tiny buffer for early entries needs many pulls to catch up, so what counts is that
// it gets ahead.
std::string settle(Cluster& cluster) {
  std::string why = differing(cluster);
  std::uint64_t applied = 0;
  std::uint64_t until_us = cluster.now_us() + patience_us;
  while (!why.empty() && !cluster.failed() && cluster.now_us() < until_us) {
    cluster.run_for(second);
    why = differing(cluster);
    if (const std::uint64_t now = entries_applied(cluster); now != applied) {
      applied = now;
      until_us = cluster.now_us() + patience_us;
    }
  }
  return why;
}

void check_at_the_end(Cluster& cluster) {
  cluster.run_for(quiet_us);
  const std::string why = settle(cluster);
  cluster.judge().checked("eventually all nodes have the same V");
  if (!why.empty()) {
    cluster.judge().complain("liveness",
                             "everything has healed, nothing moves any more, and " + why);
  }
  cluster.judge().checked("eventually every request is answered");
  if (const std::string late = cluster.oldest_unanswered(45 * second); !late.empty()) {
    cluster.judge().complain("liveness", late);
  }
  FinalChecks checks(cluster);
  if (!cluster.failed()) {
    checks.expiry();
  }
  if (!cluster.failed()) {
    if (const std::string late = stop_expiry(cluster); !late.empty()) {
      cluster.judge().complain("liveness", "everything has healed, and " + late);
    }
  }
  for (const auto check : {&FinalChecks::answers, &FinalChecks::scans, &FinalChecks::exports,
                           &FinalChecks::digests, &FinalChecks::acknowledged_writes}) {
    if (!cluster.failed()) {
      (checks.*check)();
    }
  }
}

}  // namespace starling::sim
