// The judge of a simulated cluster: keeps its history, shows every event to all checkers, and holds
// the first complaint.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/checker.h"
#include "tests/sim/coverage.h"
#include "tests/sim/door.h"

namespace starling::sim {

struct Violation {
  std::string rule;  // as in replication.md: I1, I2, R2.2, …
  std::string sentence;
  std::string checker;  // the property of the checker that said it; empty: not one of them
};

class Judge {
 public:
  explicit Judge(Coverage& coverage);

  // -- what happens to the cluster, in this order --
  void added(std::size_t node, const replica::Config& config);
  void clock(std::size_t node, std::uint64_t wall_ms);
  void requested(std::size_t node, replica::RequestId id, const wire::Request& request,
                 std::int64_t expiry_ms);
  // A tick has ended; nothing of it has been performed yet.
  struct Tick {
    const replica::Effects& effects;
    const std::vector<DoorAnswer>& door;  // of its Redis door
    std::uint64_t now_us = 0;
    std::uint64_t wall_ms = 0;
    std::int64_t expiry_ms = 0;
    const std::function<replica::View()>& view;
  };
  void ticked(std::size_t node, const Tick& tick);
  void committed(std::size_t node, const replica::LogWrite& write);
  void replied(std::size_t node, const wire::Response& response, std::uint64_t now_us);
  void sending(std::size_t node, const std::vector<replica::Send>& sends,
               const replica::Config& config);
  void said(std::size_t node, const wire::PeerMessage& message);
  void unsent(std::size_t node, replica::ConnectionId connection, std::uint64_t bytes);
  struct Hearing {
    std::size_t from = 0;
    replica::ConnectionId connection = 0;
    const wire::PeerMessage& message;
  };
  void heard(std::size_t node, const Hearing& hearing, std::uint64_t now_us);
  void synced(std::size_t node, std::uint64_t position);
  void digested(std::size_t node, const VersionVector& applied, const Digest& digest);
  void froze(std::size_t node);
  void ingested(std::size_t node, const FaultyStore& store);
  // This node has decided to drop its log below `first_kept`.
  void truncating(std::size_t node, std::uint64_t first_kept, const replica::View& view,
                  const FaultyStore& store);
  void crashed(std::size_t node, const Crash& crash);
  void restored(std::size_t node, const FaultyStore& store);
  void started(std::size_t node, const FaultyStore& store, const replica::View& view,
               std::uint64_t now_us);
  void looked(std::size_t node, const replica::View& view, const replica::Config& config);
  void noted(std::size_t node, const replica::ConflictJournal& journal);
  void finally(std::size_t node, const replica::View& view);

  // Properties that are checked elsewhere (by the end of a seed, by a scenario) complain here.
  void complain(std::string rule, std::string sentence, std::string checker = {});
  void checked(std::string_view property) { coverage_.hit("checker " + std::string(property)); }
  [[nodiscard]] const std::optional<Violation>& violation() const { return violation_; }
  [[nodiscard]] History& history() { return history_; }
  [[nodiscard]] Coverage& coverage() { return coverage_; }

 private:
  template <typename Event>
  void show(const Event& event);
  void read_own(NodeHistory& node, const Run& run, VersionVector& seen, std::vector<Written*>& own);
  void read_log(NodeHistory& node, const std::string& record, std::uint64_t position, bool replay);
  // Something that ran, and was answered.
  struct Ran {
    const wire::Request& request;
    const wire::Response& response;
    std::vector<std::int64_t> times_ms;  // by one of which it took keys to have expired
    const LongRun* run = nullptr;        // it ran in turns
    [[nodiscard]] bool in_parts() const { return run != nullptr && run->parts > 0; }
  };
  [[nodiscard]] Answer::Kind kind_of(const NodeHistory& node, const Ran& ran);
  void wrote_part(NodeHistory& node, const DoorAnswer& part);
  void answered(NodeHistory& node, const Ran& ran);
  void answer_all(NodeHistory& node, const Tick& tick);
  [[nodiscard]] Oracle::Answer wanted(const Ran& ran, const Written* entry,
                                      const VersionVector& seen);
  [[nodiscard]] Oracle::Answer wanted_of_parts(const Ran& ran);
  void count(const Ran& ran, const Oracle::Answer& wanted);
  void expired(NodeHistory& node, Written& written, const Tick& tick);
  [[nodiscard]] std::vector<const OracleEntry*> applied_before(NodeHistory& node,
                                                               const wire::Request& request,
                                                               const VersionVector& seen);

  Coverage& coverage_;
  History history_;
  std::vector<std::unique_ptr<Checker>> checkers_;
  std::optional<Violation> violation_;
  bool knows_all_ = true;  // the oracle, of what was written: then it can judge answers
};

// Every property that this simulator checks, as "rule property".
[[nodiscard]] std::vector<std::string> names_of_checkers();

}  // namespace starling::sim
