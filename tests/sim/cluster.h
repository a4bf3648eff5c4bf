// A cluster in one thread: the shipping replica core, codec and memory store under virtual time,
// joined by a network and held by disks that fail on purpose. It plays the shell (server/driver)
// itself, so the mistakes that a shell could make are mutants here.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "server/replica/replica.h"
#include "tests/sim/checkers.h"
#include "tests/sim/faulty_store.h"
#include "tests/sim/random.h"

namespace starling::sim {

inline constexpr std::uint64_t ms = 1'000;  // virtual microseconds
inline constexpr std::uint64_t second = 1'000'000;

// How bad the network and the disks are. May change at any time.
struct Weather {
  // Of a TCP connection: delay, in order, until it breaks.
  std::uint64_t delay_min_us = 200;
  std::uint64_t delay_max_us = 2 * ms;
  // Of single frames behind the Hello: what a real connection does not do, and the protocol
  // survives all the same.
  double loss = 0;
  double duplication = 0;
  double reordering = 0;
  std::uint64_t sync_max_us = 20 * ms;
  std::uint64_t checkpoint_max_us = 100 * ms;
};

struct NodeClock {
  std::int64_t skew_ms = 0;
  double rate = 1.0;
};

class Cluster {
 public:
  using Clock = NodeClock;
  struct Options {
    std::uint64_t seed = 1;
    bool text = false;  // keep a readable trace
  };
  explicit Cluster(const Options& options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // -- nodes --
  // Adds a node, not started yet. Its index counts from 0.
  std::size_t add(replica::Config config, Clock clock = {});
  void start(std::size_t node);
  // The process is gone; the operating system kept what it wrote.
  void kill(std::size_t node);
  // The machine is gone, and with it what was not synced.
  void power_cut(std::size_t node);
  void stop(std::size_t node);  // as `kill -TERM` does
  [[nodiscard]] bool up(std::size_t node) const { return nodes_[node]->replica != nullptr; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] FaultyStore& disk(std::size_t node) { return nodes_[node]->disk; }
  [[nodiscard]] Clock& clock(std::size_t node) { return nodes_[node]->clock; }
  [[nodiscard]] replica::Config& config(std::size_t node) { return nodes_[node]->config; }
  [[nodiscard]] replica::View view(std::size_t node) const;
  // A crash of this node at its n-th step from now on: between any two effects.
  void crash_at_step(std::size_t node, std::uint64_t steps, bool power);
  // The node starts again by itself this long after a crash (0: never).
  void restart_after(std::uint64_t delay_us) { restart_after_us_ = delay_us; }
  // Checkpoints of this node take so long; UINT64_MAX: they never come back.
  void delay_checkpoints(std::size_t node, std::uint64_t delay_us) {
    nodes_[node]->checkpoint_us = delay_us;
  }
  void hold_syncs(std::size_t node, bool hold) { nodes_[node]->hold_syncs = hold; }

  // -- network --
  Weather weather;
  void block(std::size_t from, std::size_t to);  // one way
  void unblock(std::size_t from, std::size_t to);
  void split(const std::set<std::size_t>& side);  // both ways between this side and the rest
  void heal();
  [[nodiscard]] bool blocked(std::size_t from, std::size_t to) const {
    return blocked_.contains({from, to});
  }
  void slow(std::size_t node, std::uint64_t delay_us) { nodes_[node]->slow_us = delay_us; }
  void reset_connections(std::size_t node);
  // Every message from `from` to `to` of this kind is thrown away (directed schedules).
  using Filter = std::function<bool(std::size_t from, std::size_t to, const wire::PeerMessage&)>;
  void drop(Filter filter) { filter_ = std::move(filter); }

  // -- clients --
  using OnResponse = std::function<void(const wire::Response&)>;
  // Delivers a request to a node that is up. `done` runs when, and if, its answer leaves the node.
  replica::RequestId request(std::size_t node, wire::Request request, OnResponse done);
  void give_up(std::size_t node, replica::RequestId id);
  // Requests that nobody has answered and whose node did not crash.
  [[nodiscard]] std::size_t unanswered() const { return waiting_.size(); }
  [[nodiscard]] std::string oldest_unanswered(std::uint64_t older_than_us) const;

  // -- time --
  [[nodiscard]] std::uint64_t now_us() const { return now_us_; }
  void at(std::uint64_t when_us, std::function<void()> what);
  void after(std::uint64_t delay_us, std::function<void()> what) {
    at(now_us_ + delay_us, std::move(what));
  }
  // Runs until then, or until a checker complains.
  void run_until(std::uint64_t end_us);
  void run_for(std::uint64_t us) { run_until(now_us_ + us); }
  [[nodiscard]] bool failed() const { return judge_.violation().has_value(); }

  // -- results --
  [[nodiscard]] Judge& judge() { return judge_; }
  [[nodiscard]] Coverage& coverage() { return coverage_; }
  [[nodiscard]] std::uint64_t digest() const { return trace_hash_; }
  [[nodiscard]] const std::deque<std::string>& text() const { return text_; }
  void note(const std::string& line);  // into the trace
  [[nodiscard]] bool keeps_text() const { return options_.text; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }

 private:
  struct Node {
    std::size_t index = 0;
    std::string name;
    replica::Config config;
    Clock clock;
    FaultyStore disk;
    std::unique_ptr<replica::Replica> replica;  // empty while down
    std::uint64_t lifetime = 0;                 // events of earlier ones mean nothing
    std::uint64_t monotonic_offset_us = 0;
    bool tick_pending = false;
    std::uint64_t wake_us = 0;  // virtual time of the one wake-up that counts
    bool syncing = false;
    std::uint64_t synced = 0;  // as the shell knows it
    std::uint64_t appended = 0;
    std::uint64_t last_sync_us = 0;
    std::uint64_t crash_fuse = 0;
    bool crash_power = false;
    std::uint64_t slow_us = 0;
    std::optional<std::uint64_t> checkpoint_us;
    bool hold_syncs = false;
    std::uint64_t ticks = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t held = 0;
    std::uint64_t dropped = 0;
  };
  struct Packet {
    std::string frame;  // empty: the end of the connection
    std::uint8_t kind = 0;
  };
  struct Side {
    std::size_t node = 0;
    std::uint64_t lifetime = 0;
    bool open = true;
    std::uint64_t last_delivery_us = 0;
    bool greeted = false;  // its Hello has been sent
    std::deque<Packet> parked;
  };
  struct Connection {
    Side side[2];
  };
  struct Event {
    std::uint64_t at_us = 0;
    std::uint64_t order = 0;
    std::function<void()> what;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return std::pair(a.at_us, a.order) > std::pair(b.at_us, b.order);
    }
  };
  struct Waiting {
    std::size_t node = 0;
    std::uint64_t since_us = 0;
    std::string what;
    OnResponse done;
  };

  [[nodiscard]] replica::Now now(const Node& node) const;
  void feed(Node& node, replica::Input input);
  void schedule_tick(Node& node);
  void tick(Node& node);
  // Each returns false if the node died on the way.
  bool perform(Node& node, replica::Effects effects);
  bool commit(Node& node, replica::Effects& effects);
  bool answer(Node& node, replica::Effects& effects);
  bool talk(Node& node, replica::Effects& effects);
  bool lives(Node& node);  // one more step, unless its fuse has burnt down
  void crash(Node& node, bool power);
  void sync_if_due(Node& node);
  bool sync(Node& node);
  void run_checkpoint(Node& node, std::shared_ptr<const replica::CheckpointJob> job);
  void run_cut_job(Node& node, std::shared_ptr<const replica::CutJob> job);
  void set_alarm(Node& node, std::uint64_t core_wake_us);
  template <typename What>
  void later(Node& node, std::uint64_t delay_us, What what);  // only if it still lives then

  void dial(Node& node, const replica::Dial& dial);
  void send(Node& node, replica::ConnectionId id, const wire::PeerMessage& message);
  void close(Node& node, replica::ConnectionId id);
  void transmit(std::size_t connection, int from, Packet packet, bool in_order);
  void arrive(std::size_t connection, int from, Packet packet);
  void flush(std::size_t from, std::size_t to);
  [[nodiscard]] std::uint64_t travel_us(std::size_t from, std::size_t to);
  [[nodiscard]] std::size_t find(const std::string& address) const;
  static replica::ConnectionId id_of(std::size_t connection, int side) {
    return connection * 2 + static_cast<std::size_t>(side) + 1;
  }
  void mix(std::uint64_t a, std::uint64_t b);

  Options options_;
  Random random_;
  Coverage coverage_;
  Judge judge_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Connection> connections_;
  std::set<std::pair<std::size_t, std::size_t>> blocked_;
  Filter filter_;
  std::map<replica::RequestId, Waiting> waiting_;
  replica::RequestId last_request_ = 0;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::uint64_t now_us_ = 0;
  std::uint64_t next_order_ = 0;
  std::uint64_t restart_after_us_ = 0;
  std::uint64_t trace_hash_ = 0;
  std::uint64_t messages_ = 0;
  std::deque<std::string> text_;
};

[[nodiscard]] std::string describe(const wire::PeerMessage& message);

}  // namespace starling::sim
