#include "tests/sim/workload.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace starling::sim {
namespace {

using wire::Command;
using wire::CommandCode;

constexpr std::uint64_t busy_us = 110 * second;   // clients and faults
constexpr std::uint64_t quiet_us = 15 * second;   // at least, after healing
constexpr std::uint64_t patience_us = 60 * second;  // for everybody to agree
constexpr std::size_t sessions = 8;
constexpr std::size_t min_operations = 300;

// What happens in one seed; all of it follows from the seed.
class Seed {
 public:
  explicit Seed(const Cluster::Options& options)
      : cluster_(options), random_(options.seed ^ 0x5EED), faults_random_(options.seed ^ 0xFA17) {}

  SeedResult run() {
    build();
    // Most nodes start together, one sometimes much later.
    const bool late = !truncates_ && random_.chance(0.25);
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      const std::uint64_t when = late && i + 1 == cluster_.size()
                                     ? random_.between(10 * second, 60 * second)
                                     : random_.below(second);
      cluster_.after(i == 0 ? 0 : when, [this, i] { cluster_.start(i); });
    }
    cluster_.run_for(4 * second);
    begin_clients();
    schedule_faults();
    cluster_.run_for(busy_us);
    while (!cluster_.failed() && operations_ < min_operations) {
      cluster_.run_for(second);
    }
    heal();
    settle();
    finish();
    SeedResult result;
    result.violation = cluster_.judge().violation();
    result.digest = cluster_.digest();
    result.nodes = cluster_.size();
    result.operations = operations_;
    result.faults = faults_;
    result.virtual_us = cluster_.now_us();
    result.messages = cluster_.messages();
    result.coverage = cluster_.coverage();
    result.text = cluster_.text();
    return result;
  }

 private:
  struct Session {
    std::uint64_t id = 0;
    std::uint64_t sequence = 0;
    std::size_t home = 0;
    VersionVector token;
    bool busy = false;
    std::uint64_t attempt = 0;
  };

  // ---------------------------------------------------------------- the cluster

  void build() {
    const std::size_t count = random_.between(3, 7);
    const bool small_memory = random_.chance(0.6);
    truncates_ = random_.chance(0.25);
    const auto sync = random_.chance(0.6)   ? replica::SyncMode::everysec
                      : random_.chance(0.7) ? replica::SyncMode::always
                                            : replica::SyncMode::os;
    const auto heartbeat = random_.between(150, 300) * count;
    pace_us_ = random_.between(120 * ms, 330 * ms);
    large_values_ = random_.chance(0.15);
    for (std::size_t i = 0; i < count; ++i) {
      replica::Config config;
      config.name = "n" + std::to_string(i);
      config.peer_address = config.name + ":7000";
      config.client_address = config.name + ":6400";
      if (i > 0) {
        config.join = {"n0:7000"};
        if (random_.chance(0.3)) {
          config.join.push_back("n" + std::to_string(random_.below(count)) + ":7000");
        }
      }
      config.sync = sync;
      config.memory_bytes = small_memory ? random_.between(4u << 10, 64u << 10) : 16u << 20;
      config.checkpoint_bytes = random_.chance(0.5) ? random_.between(1u << 10, 32u << 10) : 1u << 20;
      config.checkpoint_age = std::chrono::milliseconds(
          random_.chance(0.3) ? random_.between(50, 1000) : random_.between(1000, 20'000));
      config.heartbeat_interval = std::chrono::milliseconds(heartbeat);
      config.peer_timeout = std::chrono::milliseconds(heartbeat * random_.between(4, 8));
      config.truncate_log = truncates_;
      config.allow_faults = true;
      Cluster::Clock clock;
      if (random_.chance(0.5)) {
        cluster_.coverage().hit("fault skewed clock");
        clock.skew_ms = static_cast<std::int64_t>(random_.below(40 * 60'000)) - 20 * 60'000;
        clock.rate = 1.0 + (static_cast<double>(random_.below(200)) - 100.0) / 100'000.0;
      }
      cluster_.add(std::move(config), clock);
    }
    weather_ = Weather{};
    weather_.delay_min_us = random_.between(100, 2'000);
    weather_.delay_max_us = weather_.delay_min_us + random_.between(1 * ms, 60 * ms);
    if (random_.chance(0.4)) {
      weather_.loss = random_.chance(0.5) ? 0.01 : 0.08;
      weather_.duplication = random_.chance(0.5) ? 0.02 : 0.1;
      weather_.reordering = random_.chance(0.5) ? 0.02 : 0.15;
    }
    weather_.checkpoint_max_us = random_.chance(0.3) ? 2 * second : 100 * ms;
    cluster_.weather = weather_;
    cluster_.restart_after(8 * second);
  }

  // ---------------------------------------------------------------- clients

  void begin_clients() {
    for (std::size_t i = 0; i < sessions; ++i) {
      auto session = std::make_unique<Session>();
      session->id = random_.next();
      session->home = random_.below(cluster_.size());
      sessions_.push_back(std::move(session));
    }
    next_request();
  }

  // The pace of all clients together; a session does one thing at a time.
  void next_request() {
    if (quiet_) {
      return;
    }
    cluster_.after(1 + random_.below(2 * pace_us_), [this] {
      Session& session = *sessions_[random_.below(sessions_.size())];
      if (!session.busy && !quiet_) {
        act(session);
      }
      next_request();
    });
  }

  void act(Session& session) {
    if (random_.chance(0.1)) {
      session.home = random_.below(cluster_.size());
    }
    const std::size_t node = random_.chance(0.3) ? random_.below(cluster_.size()) : session.home;
    wire::Request request;
    request.id = ++session.sequence;
    if (random_.chance(0.6)) {
      request.token = session.token;
      request.deadline_ms = random_.chance(0.6) ? static_cast<std::uint32_t>(random_.below(4000)) : 0;
      cluster_.coverage().hit("session token moved");
    }
    if (random_.chance(0.04)) {
      request.commands = {special_command()};
    } else {
      const std::size_t commands = random_.chance(0.2) ? random_.between(2, 6) : 1;
      for (std::size_t i = 0; i < commands; ++i) {
        request.commands.push_back(random_.chance(0.4) ? read_command() : write_command());
      }
      if (random_.chance(0.8)) {
        request.op_id = OpId{session.id, session.sequence};
      }
    }
    session.busy = true;
    attempt(session, node, std::move(request), 0);
  }

  // Sends, waits, and sends again what may have been lost: at the same node, as the client library
  // does, and now and then elsewhere.
  void attempt(Session& session, std::size_t node, wire::Request request, int tries) {
    const auto over = [&session, mine = ++session.attempt] { return session.attempt != mine; };
    const auto answered = std::make_shared<replica::RequestId>(0);
    const std::uint64_t travel_us = random_.between(100, 20 * ms);
    const bool lost = !quiet_ && random_.chance(0.03);
    const bool answer_lost = !quiet_ && random_.chance(0.06);
    if (!lost) {
      cluster_.after(travel_us, [this, &session, node, request, over, answered, answer_lost,
                                 travel_us] {
        if (!cluster_.up(node) || over()) {
          return;
        }
        operations_ += request.commands.size();
        *answered = cluster_.request(
            node, request, [this, &session, over, answer_lost, travel_us](const wire::Response& r) {
              if (answer_lost) {
                cluster_.coverage().hit("answer lost");
                return;
              }
              cluster_.after(travel_us, [&session, over, r] {
                if (!over()) {
                  session.token.join(r.token);
                  session.busy = false;
                  ++session.attempt;
                }
              });
            });
      });
    }
    const std::uint64_t patience = random_.between(1, 4) * second + request.deadline_ms * ms;
    cluster_.after(patience, [this, &session, node, request, over, answered, tries] {
      if (over()) {
        return;
      }
      if (*answered != 0 && random_.chance(0.3)) {
        cluster_.give_up(node, *answered);
      }
      if (request.op_id && tries < 5 && !quiet_) {
        cluster_.coverage().hit("retry");
        const bool elsewhere = random_.chance(0.1);
        attempt(session, elsewhere ? random_.below(cluster_.size()) : node, request, tries + 1);
      } else {
        session.busy = false;
        ++session.attempt;
      }
    });
  }

  // Twenty keys at most. Each has a type of its own, which most commands keep to.
  std::string key_for(ObjectType type) {
    static constexpr std::array types = {ObjectType::string, ObjectType::string, ObjectType::set,
                                         ObjectType::set,    ObjectType::hash,   ObjectType::hash,
                                         ObjectType::flag,   ObjectType::mv_register};
    for (;;) {
      const std::size_t i = random_.below(16);
      if (types[i % types.size()] == type || random_.chance(0.02)) {
        return "key" + std::to_string(i);
      }
    }
  }
  std::string word() {
    if (large_values_ && random_.chance(0.2)) {
      return std::string(random_.between(500, 5000), static_cast<char>('a' + random_.below(26)));
    }
    return random_.chance(0.4) ? std::to_string(static_cast<std::int64_t>(random_.below(2000)) - 1000)
                               : "w" + std::to_string(random_.below(10'000));
  }
  std::string element() { return "e" + std::to_string(random_.below(8)); }
  std::string field() { return "f" + std::to_string(random_.below(5)); }
  std::int64_t delta() {
    if (random_.chance(0.02)) {
      return random_.chance(0.5) ? std::int64_t{1} << 62 : -(std::int64_t{1} << 62);
    }
    return static_cast<std::int64_t>(random_.below(30)) - 10;
  }

  Command write_command() {
    const std::uint64_t dice = random_.below(100);
    if (dice < 12) {
      return {CommandCode::set, 0, key_for(ObjectType::string), {word()}, 0};
    }
    if (dice < 28) {
      return {CommandCode::incr, 0, key_for(ObjectType::string), {}, delta()};
    }
    if (dice < 36) {
      return {CommandCode::del, 0, "key" + std::to_string(random_.below(16)), {}, 0};
    }
    if (dice < 50) {
      std::vector<std::string> elements{element()};
      while (random_.chance(0.4)) {
        elements.push_back(element());
      }
      return {CommandCode::set_add, 0, key_for(ObjectType::set), std::move(elements), 0};
    }
    if (dice < 60) {
      std::vector<std::string> elements{element()};
      while (random_.chance(0.3)) {
        elements.push_back(element());
      }
      return {CommandCode::set_remove, 0, key_for(ObjectType::set), std::move(elements), 0};
    }
    if (dice < 70) {
      std::vector<std::string> pairs{field(), word()};
      if (random_.chance(0.3)) {
        pairs.insert(pairs.end(), {field(), word()});
      }
      return {CommandCode::hash_set, 0, key_for(ObjectType::hash), std::move(pairs), 0};
    }
    if (dice < 76) {
      return {CommandCode::hash_del, 0, key_for(ObjectType::hash), {field(), field()}, 0};
    }
    if (dice < 85) {
      return {CommandCode::hash_incr, 0, key_for(ObjectType::hash), {field()}, delta()};
    }
    if (dice < 90) {
      return {CommandCode::flag_enable, 0, key_for(ObjectType::flag), {}, 0};
    }
    if (dice < 93) {
      return {CommandCode::flag_disable, 0, key_for(ObjectType::flag), {}, 0};
    }
    return {CommandCode::mv_set, 0, key_for(ObjectType::mv_register), {word()}, 0};
  }

  Command read_command() {
    switch (random_.below(10)) {
      case 0:
      case 1:
        return {CommandCode::get, 0, key_for(ObjectType::string), {}, 0};
      case 2:
        return {CommandCode::set_members, 0, key_for(ObjectType::set), {}, 0};
      case 3:
        return {CommandCode::set_has, 0, key_for(ObjectType::set), {element()}, 0};
      case 4:
        return {CommandCode::hash_get, 0, key_for(ObjectType::hash), {field()}, 0};
      case 5:
        return {CommandCode::hash_get_all, 0, key_for(ObjectType::hash), {}, 0};
      case 6:
        return {CommandCode::flag_get, 0, key_for(ObjectType::flag), {}, 0};
      case 7:
        return {CommandCode::mv_get, 0, key_for(ObjectType::mv_register), {}, 0};
      case 8:
        return {CommandCode::exists, 0, "key" + std::to_string(random_.below(16)), {}, 0};
      default:
        return {CommandCode::type, 0, "key" + std::to_string(random_.below(16)), {}, 0};
    }
  }

  Command special_command() {
    const std::string key = "key" + std::to_string(random_.below(16));
    switch (random_.below(5)) {
      case 0:
        return {CommandCode::scan, 0, "", {""}, 5};
      case 1:
        return {CommandCode::export_, 0, "", {""}, 2000};
      case 2:
        return {CommandCode::why, 0, key, {}, 0};
      case 3:
        return {CommandCode::explain, 0, key, {}, 0};
      default:
        return {CommandCode::status, 0, "", {}, random_.chance(0.7) ? 1 : 0};
    }
  }

  // ---------------------------------------------------------------- faults

  void schedule_faults() {
    const std::size_t count = faults_random_.between(3, 12);
    for (std::size_t i = 0; i < count; ++i) {
      cluster_.after(faults_random_.below(busy_us - 5 * second), [this] { fault(); });
    }
  }

  std::size_t any_node() { return faults_random_.below(cluster_.size()); }

  void ends(std::uint64_t within_us, std::function<void()> what) {
    cluster_.after(faults_random_.between(second / 2, within_us), std::move(what));
  }

  void fault() {
    if (quiet_) {
      return;
    }
    ++faults_;
    Coverage& coverage = cluster_.coverage();
    const std::size_t node = any_node();
    const bool power = faults_random_.chance(0.5);
    switch (faults_random_.below(17)) {
      case 0:
        cluster_.kill(node);
        break;
      case 1:
        cluster_.power_cut(node);
        break;
      case 2:  // at some step of what it does next
      case 3:
        cluster_.crash_at_step(node, faults_random_.between(1, 30), power);
        break;
      case 4:  // inside a disk write: a fact, a record, a checkpoint
      case 5:
        cluster_.crash_at_step(node, 0, power);
        cluster_.disk(node).die_in(faults_random_.between(1, 40));
        break;
      case 6:  // and again while it starts
        cluster_.kill(node);
        cluster_.disk(node).die_in(faults_random_.between(1, 4));
        break;
      case 7: {  // two sides that cannot reach each other
        coverage.hit("fault partition");
        std::set<std::size_t> side;
        for (std::size_t i = 0; i < cluster_.size(); ++i) {
          if (faults_random_.chance(0.5)) {
            side.insert(i);
          }
        }
        cluster_.note("the cluster is split");
        cluster_.split(side);
        ends(25 * second, [this] { cluster_.heal(); });
        break;
      }
      case 8: {  // one node alone
        coverage.hit("fault isolated node");
        cluster_.note("n" + std::to_string(node) + " is cut off");
        cluster_.split({node});
        ends(40 * second, [this] { cluster_.heal(); });
        break;
      }
      case 9: {  // one way only
        const std::size_t to = any_node();
        coverage.hit("fault one-way partition");
        cluster_.note("nothing gets from n" + std::to_string(node) + " to n" + std::to_string(to));
        cluster_.block(node, to);
        ends(25 * second, [this, node, to] { cluster_.unblock(node, to); });
        break;
      }
      case 10:
        cluster_.reset_connections(node);
        break;
      case 11: {
        coverage.hit("fault jumping clock");
        const std::int64_t jump = static_cast<std::int64_t>(faults_random_.below(60 * 60'000)) -
                                  static_cast<std::int64_t>(30 * 60'000);
        cluster_.note("the clock of n" + std::to_string(node) + " jumps");
        cluster_.clock(node).skew_ms += jump;
        ends(30 * second, [this, node, jump] { cluster_.clock(node).skew_ms -= jump; });
        break;
      }
      case 12:
        coverage.hit("fault slow peer");
        cluster_.slow(node, faults_random_.between(50 * ms, 2 * second));
        ends(30 * second, [this, node] { cluster_.slow(node, 0); });
        break;
      case 13:
        coverage.hit("fault failing checkpoints");
        cluster_.disk(node).fail_checkpoints(true);
        ends(15 * second, [this, node] { cluster_.disk(node).fail_checkpoints(false); });
        break;
      case 14:
        coverage.hit("fault slow or stalled checkpoints");
        cluster_.disk(node).stall_checkpoints(faults_random_.chance(0.5));
        cluster_.delay_checkpoints(node, faults_random_.between(second, 8 * second));
        ends(15 * second, [this, node] {
          cluster_.disk(node).stall_checkpoints(false);
          cluster_.delay_checkpoints(node, 50 * ms);
        });
        break;
      case 15: {
        coverage.hit("fault disk nearly full");
        cluster_.disk(node).set_low_on_space(true);
        ends(10 * second, [this, node] { cluster_.disk(node).set_low_on_space(false); });
        cluster_.stop(node);
        cluster_.after(3 * second, [this, node] { cluster_.start(node); });
        break;
      }
      default:  // by command, as `kvctl partition` does
        if (cluster_.up(node)) {
          coverage.hit("fault partition by command");
          wire::Request cut;
          cut.commands = {{CommandCode::partition, 0, "", {}, 0}};
          if (faults_random_.chance(0.5)) {
            cut.commands[0].args = {"n" + std::to_string((node + 1) % cluster_.size())};
          }
          cluster_.request(node, std::move(cut), {});
          ends(20 * second, [this, node] { heal_by_command(node); });
        }
    }
  }

  void heal_by_command(std::size_t node) {
    if (cluster_.up(node)) {
      wire::Request heal;
      heal.commands = {{CommandCode::heal, 0, "", {}, 0}};
      cluster_.request(node, std::move(heal), {});
    }
  }

  // ---------------------------------------------------------------- the end

  void heal() {
    quiet_ = true;
    cluster_.note("everything heals");
    cluster_.restart_after(0);
    cluster_.heal();
    cluster_.weather.loss = cluster_.weather.duplication = cluster_.weather.reordering = 0;
    cluster_.weather.checkpoint_max_us = 100 * ms;
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      cluster_.slow(i, 0);
      cluster_.disk(i).disarm();
      cluster_.disk(i).fail_checkpoints(false);
      cluster_.disk(i).stall_checkpoints(false);
      cluster_.disk(i).set_low_on_space(false);
      cluster_.delay_checkpoints(i, 20 * ms);
      cluster_.crash_at_step(i, 0, false);
      cluster_.start(i);
      heal_by_command(i);
    }
  }

  // Eventually: everybody is ready, connected to everybody, and has the same V.
  void settle() {
    const std::uint64_t deadline = cluster_.now_us() + patience_us;
    cluster_.run_for(quiet_us);
    while (!cluster_.failed() && cluster_.now_us() < deadline && !differing().empty()) {
      cluster_.run_for(second);
    }
    cluster_.coverage().hit("checker eventually all agree");
    if (const std::string why = differing(); !why.empty()) {
      fail("eventually", why);
    }
    if (const std::string late = cluster_.oldest_unanswered(45 * second); !late.empty()) {
      fail("eventually", late);
    }
    cluster_.coverage().hit("checker every request is answered");
  }

  void fail(const char* checker, std::string sentence) {
    if (!cluster_.failed()) {
      cluster_.judge().complain(checker, std::move(sentence));
    }
  }

  std::string differing() {
    if (cluster_.failed()) {
      return {};
    }
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      if (!cluster_.up(i)) {
        return "n" + std::to_string(i) + " is not up";
      }
      const auto view = cluster_.view(i);
      const std::string name = "n" + std::to_string(i);
      if (!view.ready) {
        return name + " is not ready: " +
               (view.not_ready_reasons.empty() ? "" : view.not_ready_reasons.front());
      }
      if (view.peers.size() + 1 != cluster_.size()) {
        return name + " knows " + std::to_string(view.peers.size()) + " other members";
      }
      for (const auto& peer : view.peers) {
        if (!peer.connected) {
          return name + " is not connected to " + peer.name;
        }
      }
      if (view.applied != cluster_.view(0).applied) {
        return name + " and n0 have not applied the same entries";
      }
      if (view.held_bytes != 0) {
        return name + " still holds entries back";
      }
      if (!view.degraded_reasons.empty()) {
        return name + " is degraded: " + view.degraded_reasons.front();
      }
    }
    return {};
  }

  std::optional<wire::Response> ask(std::size_t node, Command command) {
    wire::Request request;
    request.commands = {std::move(command)};
    std::optional<wire::Response> answer;
    const auto holder = std::make_shared<std::optional<wire::Response>>();
    cluster_.request(node, std::move(request), [holder](const wire::Response& r) { *holder = r; });
    for (int i = 0; i < 400 && !*holder && !cluster_.failed(); ++i) {
      cluster_.run_for(25 * ms);
    }
    return *holder;
  }

  // Finally: the same answers everywhere, and they are the oracle's (which checks each of them).
  void read_everything() {
    std::map<std::string, wire::Result> first;
    for (std::size_t node = 0; node < cluster_.size() && !cluster_.failed(); ++node) {
      for (std::size_t k = 0; k < 16; ++k) {
        const std::string key = "key" + std::to_string(k);
        for (const CommandCode code :
             {CommandCode::type, CommandCode::get, CommandCode::set_members,
              CommandCode::hash_get_all, CommandCode::flag_get, CommandCode::mv_get}) {
          const auto answer = ask(node, {code, 0, key, {}, 0});
          if (cluster_.failed()) {
            return;
          }
          if (!answer) {
            fail("finally", "n" + std::to_string(node) + " does not answer a read");
            return;
          }
          const std::string name = std::to_string(static_cast<int>(code)) + key;
          cluster_.coverage().hit("checker finally equal answers");
          const auto [it, fresh] = first.try_emplace(name, answer->results.front());
          if (!(it->second == answer->results.front())) {
            fail("finally", "n" + std::to_string(node) + " and n0 answer differently about " + key);
            return;
          }
          if (code == CommandCode::type && answer->results.front() == wire::Result("none")) {
            break;
          }
        }
      }
    }
  }

  void compare_cuts() {
    std::optional<std::vector<std::string>> exported;
    for (std::size_t node = 0; node < cluster_.size() && !cluster_.failed(); ++node) {
      const std::string name = "n" + std::to_string(node);
      const auto pages = [&](CommandCode code, std::int64_t number) {
        std::vector<std::string> all;
        std::string cursor;
        do {
          const auto answer = ask(node, {code, 0, "", {cursor}, number});
          const auto* page = answer ? std::get_if<std::vector<std::string>>(&answer->results.front())
                                    : nullptr;
          if (page == nullptr || page->empty()) {
            fail("finally", name + " does not finish a scan or export");
            return all;
          }
          cursor = page->front();
          all.insert(all.end(), page->begin() + 1, page->end());
        } while (!cursor.empty());
        return all;
      };
      auto keys = pages(CommandCode::scan, 7);
      if (cluster_.failed()) {
        return;
      }
      cluster_.coverage().hit("checker scans and exports");
      std::ranges::sort(keys);
      if (keys != cluster_.judge().oracle().keys(0, cluster_.judge().applied(node))) {
        fail("finally", name + " scans other keys than exist");
        return;
      }
      auto lines = pages(CommandCode::export_, 3000);
      if (!exported) {
        exported = std::move(lines);
      } else if (*exported != lines) {
        fail("finally", name + " exports something else than n0, with equal V");
        return;
      }
      const auto status = ask(node, {CommandCode::status, 0, "", {}, 1});
      const auto* json = status ? std::get_if<std::string>(&status->results.front()) : nullptr;
      cluster_.coverage().hit("checker status converged");
      if (!cluster_.failed() && (json == nullptr || !json->ends_with("\"converged\":true}"))) {
        fail("I6", name + " has the same V as all others and does not report convergence: " +
                       (json == nullptr ? "no answer" : *json));
      }
    }
  }

  void finish() {
    read_everything();
    compare_cuts();
    for (std::size_t i = 0; i < cluster_.size() && !cluster_.failed(); ++i) {
      cluster_.judge().finally(i, cluster_.view(i));
    }
    if (cluster_.failed() || !random_.chance(0.3)) {
      return;
    }
    // Everything goes down and comes up again.
    cluster_.coverage().hit("checker nothing changes by a restart");
    cluster_.run_for(3 * second);
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      random_.chance(0.5) ? cluster_.kill(i) : cluster_.power_cut(i);
    }
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      cluster_.start(i);
    }
    settle();
    read_everything();
    for (std::size_t i = 0; i < cluster_.size() && !cluster_.failed(); ++i) {
      cluster_.judge().finally(i, cluster_.view(i));
    }
  }

  Cluster cluster_;
  Random random_;
  Random faults_random_;
  Weather weather_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::uint64_t pace_us_ = 0;
  bool truncates_ = false;
  bool large_values_ = false;
  bool quiet_ = false;
  std::uint64_t operations_ = 0;
  std::uint64_t faults_ = 0;
};

}  // namespace

SeedResult run_seed(const Cluster::Options& options) { return Seed(options).run(); }

}  // namespace starling::sim
