// What survives, and what a node says that will survive.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crdt/deadline.h"
#include "server/replica/checkpoint.h"
#include "server/replica/counts.h"
#include "server/replica/deadlines.h"
#include "server/replica/record.h"
#include "tests/sim/checkers.h"

namespace starling::sim {
namespace {

class StateIsLogPrefix final : public Checker {
 public:
  StateIsLogPrefix() : Checker("I3", "the state on disk is what the log up to W gives") {}

  void ingested(NodeHistory& node, std::uint64_t position, const FaultyStore& store) override {
    checked();
    compare(node, node.frozen[position], node.applied_at[position], *store.cut());
  }
  void started(NodeHistory& node, const replica::View&, const FaultyStore& store) override {
    if (node.ingested > 0) {
      checked();
      compare(node, node.ingested_state, node.applied_at[node.ingested], *store.cut());
    }
  }

 private:
  void compare(const NodeHistory& node, const ReferenceState& wanted, const VersionVector& applied,
               const Cut& cut) const {
    const std::string state = "the state on the disk of " + node.name;
    const auto bytes = cut.get(replica::checkpoint_key());
    const auto row = bytes && *bytes ? replica::CheckpointRow::decode(**bytes) : std::nullopt;
    if (!row) {
      complain(state + " has no checkpoint row");
      return;
    }
    VersionVector stored;
    for (const auto& [origin, stream] : row->streams) {
      stored.advance({origin, stream.n});
    }
    if (stored != applied) {
      complain(state + " names another V than its log up to W gives");
      return;
    }
    OriginTable origins;
    for (const Origin& origin : row->origins) {
      origins.intern(origin);
    }
    std::size_t found = 0;
    for (const auto rows = cut.scan({}, meta_prefix); rows->valid(); rows->next()) {
      const auto key = decode_cell_key(rows->key());
      const auto value = key ? decode_stored(key->cell.kind(), rows->value(), origins)
                             : std::expected<CellValue, std::string>(std::unexpected("bad key"));
      if (!value) {
        complain(state + " holds a cell that does not decode");
        return;
      }
      const auto reference = wanted.cells().find(*key);
      if (reference == wanted.cells().end() || reference->second != *value) {
        complain(state + " holds " +
                 (reference == wanted.cells().end() ? "a cell that should be gone"
                                                    : "another cell than its log gives") +
                 ": key \"" + key->object.key + "\", kind " +
                 std::to_string(static_cast<int>(key->cell.kind())) + " \"" + key->cell.subkey() +
                 "\"");
        return;
      }
      ++found;
    }
    if (found != wanted.cells().size()) {
      complain(state + " lacks cells that its log up to W gives");
    }
  }
};

// The plainest way to count.
class Recount final : public Checker {
 public:
  Recount() : Checker("R4.1", "what is derived on disk is what a recount of the cells gives") {}

  void ingested(NodeHistory& node, std::uint64_t position, const FaultyStore& store) override {
    const auto cut = store.cut();
    const auto version = cut->get(replica::derived_version_key());
    if (!version || *version != std::string(replica::derived_version)) {
      return;
    }
    checked();
    Derived wanted;
    for (const auto& [key, value] : node.frozen[position].cells()) {
      wanted.count(key, value);
    }
    const std::string state = "the state on the disk of " + node.name;
    std::size_t rows = 0;
    for (const auto& [object, items] : wanted.items) {
      const auto row = cut->get(replica::counts_key(encode_object_prefix(0, object)));
      const auto stored = row && *row ? replica::decode_counts(**row) : std::nullopt;
      if (stored.value_or(replica::Counts{}) != items.counts()) {
        complain(state + " counts other items under \"" + object.key + "\" than there are");
        return;
      }
      rows += items.counts().zero() ? 0 : 1;
    }
    const std::string first = replica::counts_key({});
    for (const auto found = cut->scan(first, replica::counts_end()); found->valid();
         found->next()) {
      --rows;
    }
    if (rows != 0) {
      complain(state + " counts items of objects that have none");
      return;
    }
    for (unsigned db = 0; db < 2; ++db) {
      const auto number = static_cast<std::uint8_t>(db);
      const auto row = cut->get(replica::key_count_key(number));
      const std::int64_t stored = row ? replica::decode_key_count(*row) : 0;
      if (const std::int64_t keys = wanted.keys(number); stored != keys) {
        complain(state + " counts " + std::to_string(stored) + " keys in database " +
                 std::to_string(db) + " that has " + std::to_string(keys));
        return;
      }
    }
    for (const auto& [object, at] : wanted.deadlines) {
      const auto row = cut->get(replica::deadline_row(at, object));
      if (!row || !*row) {
        complain(state + " has no row for the deadline of \"" + object.key + "\"");
        return;
      }
    }
  }

 private:
  struct Items {
    std::set<std::string> elements;
    std::set<std::string> fields;
    std::set<std::string> field_totals;
    std::set<std::string> members;
    std::set<std::string> member_totals;
    [[nodiscard]] replica::Counts counts() const {
      const auto size = [](const auto& names) { return static_cast<std::int64_t>(names.size()); };
      return {size(elements), size(fields), size(field_totals), size(members), size(member_totals)};
    }
  };
  struct Derived {
    std::map<ObjectKey, Items> items;  // of all keys that exist
    std::map<ObjectKey, std::int64_t> deadlines;

    void count(const CellKey& key, const CellValue& value) {
      const CellKind kind = key.cell.kind();
      if (kind == CellKind::deadline) {
        if (const auto at = deadline_of(std::get<DottedCell>(value))) {
          deadlines.emplace(key.object, *at);
        }
        return;
      }
      if (kind == CellKind::header || !is_present(value)) {
        return;
      }
      Items& object = items[key.object];
      const std::string& name = key.cell.subkey();
      if (kind == CellKind::set_element) {
        object.elements.insert(name);
      } else if (kind == CellKind::hash_field || kind == CellKind::hash_totals) {
        object.fields.insert(name);
        if (kind == CellKind::hash_totals) {
          object.field_totals.insert(name);
        }
      } else if (kind == CellKind::scored_member || kind == CellKind::scored_totals) {
        object.members.insert(name);
        if (kind == CellKind::scored_totals) {
          object.member_totals.insert(name);
        }
      }
    }
    [[nodiscard]] std::int64_t keys(std::uint8_t db) const {
      return std::ranges::count_if(items, [&](const auto& one) { return one.first.db == db; });
    }
  };
};

class VIsReproducible final : public Checker {
 public:
  VIsReproducible() : Checker("I3", "V is what state and log give, no more and no less") {}

  void looked(NodeHistory& node, const replica::View& view, const replica::Config&) override {
    checked();
    if (view.applied != node.applied) {
      complain(node.name + " says that V is something else than its log gives");
    }
  }
  void started(NodeHistory& node, const replica::View& view, const FaultyStore&) override {
    checked();
    if (view.applied != node.applied) {
      complain(node.name + " starts with another V than its state and log give");
    }
  }
};

class LogBeforeState final : public Checker {
 public:
  LogBeforeState() : Checker("R5.2", "no state reaches a disk before the log that it is made of") {}

  void ingested(NodeHistory& node, std::uint64_t position, const FaultyStore& store) override {
    checked();
    if (position > store.synced_position()) {
      complain(node.name + " has a state on disk that is ahead of the synced end of its log");
    }
  }
};

class DurableMeansDurable final : public Checker {
 public:
  DurableMeansDurable() : Checker("I5", "durable is what a power cut cannot take") {}

  void said(NodeHistory& node, const wire::PeerMessage& message) override {
    const VersionVector* durable = nullptr;
    if (const auto* hello = std::get_if<wire::Hello>(&message)) {
      durable = &hello->durable;
    } else if (const auto* ack = std::get_if<wire::Ack>(&message)) {
      durable = &ack->durable;
    } else if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
      durable = &heartbeat->durable;
    }
    if (durable == nullptr) {
      return;
    }
    checked();
    if (!durable->leq(node.durable())) {
      complain(node.name + " calls durable what a power cut could take from it");
    }
  }
  void looked(NodeHistory& node, const replica::View& view, const replica::Config&) override {
    if (!view.durable.leq(node.durable())) {
      complain(node.name + " believes durable what a power cut could take from it");
    }
  }
};

class Floors final : public Checker {
 public:
  Floors() : Checker("I5", "a log keeps what any member could still lose") {}

  void looked(NodeHistory& node, const replica::View& view, const replica::Config&) override {
    for (const replica::PeerView& peer : view.peers) {
      members_[node.id].insert(peer.node);  // and it stays one, whatever this node says later
    }
  }
  void truncating(NodeHistory& node, std::uint64_t first_kept, const replica::View& view,
                  const FaultyStore& store) override {
    looked(node, view, {});
    checked();
    if (first_kept > store.state_position() + 1) {
      complain(node.name + " drops log records above its checkpoint");
      return;
    }
    for (std::uint64_t at = store.bounds().first; at < first_kept; ++at) {
      const auto bytes = store.read_record(at);
      const auto record = bytes && *bytes ? replica::Record::decode(**bytes) : std::nullopt;
      for (const Run& run : record ? record->runs() : std::vector<Run>{}) {
        for (const auto& [index, other] : history().nodes()) {
          if (members_[node.id].contains(other.id) &&
              !other.durable().covers({run.origin, run.last})) {
            complain(node.name + " drops " + history().shown({run.origin, run.last}) +
                     " from its log, which " + other.name + " could still lose");
            return;
          }
        }
      }
    }
  }

 private:
  std::map<std::uint64_t, std::set<std::uint64_t>> members_;  // that a node has ever known
};

class AcknowledgedWrites final : public Checker {
 public:
  AcknowledgedWrites()
      : Checker("I7", "an acknowledged write survives what its sync mode promises, and spreads") {}

  void replied(NodeHistory& node, const wire::Response&, const Written* entry,
               std::uint64_t now_us) override {
    auto& writes = writes_[node.name];
    if (entry != nullptr && (writes.empty() || writes.back().dot != entry->last())) {
      writes.push_back({entry->last(), now_us, node.position, false});
    }
  }
  void crashed(NodeHistory& node, const Crash& crash) override {
    std::vector<Acknowledged> kept;
    for (Acknowledged& write : writes_[node.name]) {
      // A process that ran on for so long after its answer has synced it; a dead one syncs nothing.
      const std::uint64_t since_us = std::max(write.at_us, node.started_us);
      write.settled = write.settled || write.position <= node.synced ||
                      (!down_.contains(node.name) && crash.sync == replica::SyncMode::everysec &&
                       since_us + crash.promise_us < crash.now_us);
      if (!crash.power || write.settled || crash.sync == replica::SyncMode::always) {
        kept.push_back(write);
      } else {
        hit("branch write that a power cut may take");
      }
    }
    writes_[node.name] = std::move(kept);
    down_.insert(node.name);
  }
  void started(NodeHistory& node, const replica::View& view, const FaultyStore&) override {
    down_.erase(node.name);
    check(node.name, view.applied, "did not survive a crash that it should survive");
  }
  // Nobody promised to survive that; what has spread comes back from the others.
  void restored(NodeHistory& node) override { writes_[node.name].clear(); }
  void finally(NodeHistory& node, const replica::View& view) override {
    for (const auto& [writer, writes] : writes_) {
      check(writer, view.applied, "never reached " + node.name);
    }
  }

 private:
  struct Acknowledged {
    Dot dot;
    std::uint64_t at_us = 0;
    std::uint64_t position = 0;
    bool settled = false;  // must be on disk whatever happens
  };

  void check(const std::string& writer, const VersionVector& applied, const std::string& what) {
    for (const Acknowledged& write : writes_[writer]) {
      checked();
      if (!applied.covers(write.dot)) {
        complain("a write that " + writer + " had acknowledged (" + history().shown(write.dot) +
                 ") " + what);
        return;
      }
    }
  }

  std::map<std::string, std::vector<Acknowledged>> writes_;  // by the name of who said so
  std::set<std::string> down_;
};

}  // namespace

Checkers checkers_of_disks() {
  Checkers all;
  all.push_back(std::make_unique<StateIsLogPrefix>());
  all.push_back(std::make_unique<Recount>());
  all.push_back(std::make_unique<VIsReproducible>());
  all.push_back(std::make_unique<LogBeforeState>());
  all.push_back(std::make_unique<DurableMeansDurable>());
  all.push_back(std::make_unique<Floors>());
  all.push_back(std::make_unique<AcknowledgedWrites>());
  return all;
}

}  // namespace starling::sim
