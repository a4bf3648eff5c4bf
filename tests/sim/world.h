// A cluster in one thread: the shipping replica cores, codec and memory store under virtual time, a
// network that loses, repeats, delays and reorders, and disks that forget what was not synced.
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
#include "storage/memory_store.h"
#include "tests/sim/history.h"
#include "tests/sim/random.h"

namespace starling::sim {

struct Faults {
  double loss = 0;
  double duplication = 0;
  std::uint64_t delay_min_us = 100;
  std::uint64_t delay_max_us = 2'000;
};

// How often each thing happened in a run; the sum over all seeds is checked for coverage.
using Coverage = std::map<std::string, std::uint64_t>;

class World {
 public:
  struct Options {
    std::uint64_t seed = 1;
    bool trace = false;
    bool store_ahead_of_log = false;   // mutant state_ahead_of_log
    bool reply_before_commit = false;  // mutant reply_before_commit
  };
  explicit World(const Options& options);
  ~World();

  // The whole schedule of this seed. The complaint of the first checker that had one, or nothing.
  std::optional<std::string> run();

  [[nodiscard]] const Coverage& coverage() const { return coverage_; }
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }
  [[nodiscard]] std::uint64_t virtual_us() const { return now_us_; }
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] std::uint64_t nodes() const { return nodes_.size(); }

 private:
  struct Node {
    std::string name;
    MemoryStore disk;
    std::unique_ptr<replica::Replica> replica;  // empty while crashed
    std::uint64_t lifetime = 0;  // counts starts: late events of earlier ones are dropped
    std::int64_t clock_skew_ms = 0;
    std::uint64_t slow_us = 0;  // added to every message it receives
    std::uint64_t timer_at_us = 0;
    std::uint64_t last_power_cut_us = 0;
    bool unsynced = false;
    replica::Config config;
  };
  struct Acked {  // a write that a client was told of
    std::size_t node;
    Dot dot;
    std::uint64_t at_us;
  };
  struct Asked {  // a request under way
    std::size_t node;
    std::uint64_t lifetime;
    wire::Request request;
    std::size_t session;
  };
  struct Session {
    VersionVector token;
    std::vector<std::pair<std::size_t, wire::Request>> retryable;
  };

  // -- events --
  void at(std::uint64_t when_us, std::function<void()> what);
  void run_until(std::uint64_t end_us);
  void trace(const std::string& line);
  void hit(const std::string& what) { ++coverage_[what]; }
  void complain(std::string what);
  [[nodiscard]] replica::Now now(const Node& node) const;

  // -- nodes --
  void start(std::size_t node);
  void crash(std::size_t node, bool power);
  void feed(std::size_t node, replica::Input input);
  void perform(std::size_t node, replica::Effects effects);
  void observe_record(std::size_t node, const std::string& record);
  void sync(std::size_t node);
  void checkpoint(std::size_t node, std::shared_ptr<replica::CheckpointJob> job);

  // -- network --
  void connect(std::size_t from, const replica::Dial& dial);
  void deliver(std::size_t from, replica::ConnectionId connection,
               const wire::PeerMessage& message);
  void close(std::size_t from, replica::ConnectionId connection);
  [[nodiscard]] bool blocked(std::size_t from, std::size_t to) const;
  [[nodiscard]] std::uint64_t travel_us(std::size_t to);

  // -- workload and faults --
  void client_step();
  void fault_step();
  wire::Command random_command();
  wire::Command random_read();
  void send_request(std::size_t node, std::size_t session, wire::Request request);
  void on_reply(const replica::Reply& reply);
  void check_read(std::size_t node, const wire::Command& command);
  void check_node(std::size_t node);
  void heal_everything();
  void check_final();

  Options options_;
  Random random_;
  Faults faults_;
  History history_;
  std::vector<std::unique_ptr<Node>> nodes_;
  struct Event {
    std::uint64_t at_us;
    std::uint64_t order;
    std::function<void()> what;
  };
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return std::pair(a.at_us, a.order) > std::pair(b.at_us, b.order);
    }
  };
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::uint64_t now_us_ = 1'000'000;
  std::uint64_t next_order_ = 0;
  struct End {
    std::size_t node;
    std::uint64_t lifetime;
    std::size_t peer;
    replica::ConnectionId peer_connection;
  };
  std::map<replica::ConnectionId, End> connections_;
  replica::ConnectionId next_connection_ = 1;
  std::set<std::pair<std::size_t, std::size_t>> cuts_;  // one-way
  std::map<replica::RequestId, Asked> asked_;
  replica::RequestId next_request_ = 1;
  std::vector<Session> sessions_;
  std::uint64_t next_op_ = 1;
  std::vector<Acked> acked_;
  std::optional<wire::Response> probe_;  // the answer of a checker's own request
  std::optional<replica::RequestId> probing_;
  std::uint64_t operations_ = 0;
  bool quiet_ = false;
  std::optional<std::string> complaint_;
  Coverage coverage_;
  std::uint64_t trace_hash_ = 0;
};

}  // namespace starling::sim
