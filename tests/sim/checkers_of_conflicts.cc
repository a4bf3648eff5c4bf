// What nodes note about writes that have lost to others (decision 0007).
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "crdt/sorted_set.h"
#include "crdt/string.h"
#include "server/replica/conflict_finder.h"
#include "server/replica/counts.h"
#include "tests/sim/checkers.h"

namespace starling::sim {
namespace {

using replica::Conflict;
using replica::ConflictId;
using replica::ConflictJournal;
using replica::ConflictKind;
using replica::ConflictSide;

std::string shown_line(History& history, const ConflictId& id) {
  return "(" + history.shown(id.lost) + " lost to " +
         (id.won.n == 0 ? "nobody" : history.shown(id.won)) + ")";
}

// The operation with this dot, and the entry that it is in.
struct Wrote {
  const Entry* entry = nullptr;
  const Op* op = nullptr;
};
std::optional<Wrote> wrote(History& history, const Dot& dot) {
  const Written* written = history.holding(dot);
  if (written == nullptr) {
    return std::nullopt;
  }
  return Wrote{&written->entry, &written->entry.ops[dot.n - written->entry.first]};
}

bool had_seen(const Wrote& one, const Dot& dot) {
  return one.entry->deps.at(dot.origin) >= dot.n ||
         (one.entry->origin == dot.origin && one.entry->last() >= dot.n);
}

// Of the object that an operation makes something of.
ObjectType type_of(const Op& op) {
  if (op.key.cell.kind() != CellKind::header) {
    return object_type(op.key.cell.kind());
  }
  return op.key.cell.subkey().empty() ? ObjectType::none
                                      : static_cast<ObjectType>(op.key.cell.subkey()[0]);
}

// By what was written and who had seen what, not by cells.
class TrueConflicts final : public Checker {
 public:
  TrueConflicts()
      : Checker("0007", "a line of the journal names what lost, and what had not seen it and won") {
  }

  void noted(NodeHistory& node, const ConflictJournal& journal) override {
    journal.for_each([&](const Conflict& line) {
      checked();
      if (known_.insert(replica::conflict_key(line.id()) + replica::encode_conflict(line)).second) {
        hit(std::string("branch conflict: ") + std::string(replica::name(line.kind)));
        if (const std::string wrong = why_wrong(line); !wrong.empty()) {
          complain("the journal of " + node.name + " has a line " +
                   shown_line(history(), line.id()) + ", but " + wrong);
          return false;
        }
      }
      return true;
    });
  }

 private:
  [[nodiscard]] std::string why_wrong(const Conflict& line) const {
    const auto lost = wrote(history(), line.lost.dot);
    const auto won = wrote(history(), line.won.dot);
    const bool nobody_won = line.won.dot.n == 0 && line.kind == ConflictKind::saturated;
    if (!lost || (!won && !nobody_won)) {
      return "nobody wrote one of the two";
    }
    if (lost->op->key.object != line.cell.object ||
        (won && won->op->key.object != line.cell.object)) {
      return "one of the two is of another key";
    }
    switch (line.kind) {
      case ConflictKind::overwritten:
        return why_not_overwritten(line, *lost, *won);
      case ConflictKind::hidden:
        return why_not_hidden(line, *lost, *won);
      case ConflictKind::saturated:
        return std::holds_alternative<Increment>(lost->op->change) ? "" : "no increment has lost";
      case ConflictKind::hidden_type:
        break;
    }
    return why_not_hidden_type(line, *lost, *won);
  }

  [[nodiscard]] static std::string why_not_overwritten(const Conflict& line, const Wrote& lost,
                                                       const Wrote& won) {
    const auto* loser = std::get_if<Assign>(&lost.op->change);
    const auto* winner = std::get_if<Assign>(&won.op->change);
    if (loser == nullptr || winner == nullptr || lost.op->key != line.cell ||
        won.op->key != line.cell) {
      return "the two do not write the same cell";
    }
    if (had_seen(lost, line.won.dot) || had_seen(won, line.lost.dot)) {
      return "one of the two had seen the other";
    }
    if (line.lost.hlc != lost.entry->hlc || line.won.hlc != won.entry->hlc) {
      return "they were not written then";
    }
    if (std::tie(line.lost.hlc, line.lost.dot) > std::tie(line.won.hlc, line.won.dot)) {
      return "the loser is the later one, which is read";
    }
    if (loser->bytes == winner->bytes) {
      return "both wrote the same";
    }
    const bool shows =
        shows_as(line.cell, line.lost, *loser) && shows_as(line.cell, line.won, *winner);
    return shows ? "" : "it shows other values than were written";
  }
  static bool shows_as(const CellKey& cell, const ConflictSide& side, const Assign& assign) {
    const std::string text = cell.cell.kind() == CellKind::scored_member
                                 ? format_score(decode_score(assign.bytes).value)
                                 : assign.bytes;
    return side.size == text.size() && text.starts_with(side.preview) &&
           (side.preview.size() == text.size() || side.preview.size() + 4 > 64);
  }

  // A line of increments bears the name of the first of their total, which the winner may well have
  // seen, and taken away; then a later one it has not.
  [[nodiscard]] std::string why_not_hidden(const Conflict& line, const Wrote& lost,
                                           const Wrote& won) const {
    const auto* text = std::get_if<Assign>(&won.op->change);
    if (text == nullptr || parse_integer(text->bytes).has_value()) {
      return "the winner is no text";
    }
    if (lost.op->key != line.cell || !std::holds_alternative<Increment>(lost.op->change)) {
      return "no increment has lost";
    }
    for (const Written* written = history().holding(line.lost.dot); written != nullptr;
         written = history().beginning_at({written->entry.origin, written->last().n + 1})) {
      for (std::size_t i = 0; i < written->entry.ops.size(); ++i) {
        const Op& op = written->entry.ops[i];
        const auto* increment = std::get_if<Increment>(&op.change);
        if (increment != nullptr && op.key == line.cell && increment->life == line.lost.dot.n &&
            !had_seen(won, written->entry.dot(i))) {
          return "";
        }
      }
    }
    return "the winner had seen all of the increments";
  }

  [[nodiscard]] static std::string why_not_hidden_type(const Conflict& line, const Wrote& lost,
                                                       const Wrote& won) {
    if (type_of(*lost.op) == type_of(*won.op)) {
      return "the two are of one type";
    }
    const bool named = type_name(type_of(*lost.op)) == line.lost.preview &&
                       type_name(type_of(*won.op)) == line.won.preview;
    return !named                         ? "it shows other types than were written"
           : line.lost.hlc > line.won.hlc ? "the loser is the later one, which is read"
                                          : "";
  }

  std::set<std::string> known_;  // that were looked at, on whichever node: they are the same
};

// By the cells that each log gives: what has met in them is noted, and stays noted.
class JournalKeeps final : public Checker {
 public:
  JournalKeeps()
      : Checker("0007",
                "a journal has every line that its log gives, and no other, after crashes too") {}

  // Where an entry may have met something, as decision 0007 says.
  void logged(NodeHistory& node, const Written& written) override {
    Journal& journal = journals_[node.name];
    const Entry& entry = written.entry;
    journal.streams[entry.origin].hlc = entry.hlc;
    VersionVector seen = entry.deps;
    seen.advance(written.last());
    const bool may_meet = !node.applied.leq(seen);
    for (const Op& op : entry.ops) {
      if (const auto* kill = std::get_if<Kill>(&op.change)) {
        if (may_meet) {
          look_at_spared(node, *kill, op.key.object, journal.possible);
        }
      } else if (replica::is_value(op.key.cell.kind())) {
        look_at_cell(node, op.key, may_meet ? journal.told : journal.possible);
      }
    }
  }

  void noted(NodeHistory& node, const ConflictJournal& now) override {
    Journal& journal = journals_[node.name];
    std::map<ConflictId, Hlc> lines;
    now.for_each([&](const Conflict& line) {
      lines.emplace(line.id(), line.when());
      if (!journal.rows.contains(line.id())) {
        journal.seen.try_emplace(line.id(), node.position);
      }
      return true;
    });
    checked();
    for (const auto& [id, when] : journal.lines) {
      if (!lines.contains(id) && when > dropped_up_to(now)) {
        complain(node.name + " has forgotten the line " + shown_line(history(), id) +
                 " of its journal");
        return;
      }
    }
    journal.lines = std::move(lines);
  }

  void ingested(NodeHistory& node, std::uint64_t position, const FaultyStore& store) override {
    Journal& journal = journals_[node.name];
    constexpr std::size_t all = 1u << 30;
    ConflictJournal stored({all, all});
    const auto cut = store.cut();
    for (const auto rows =
             cut->scan(replica::dropped_conflicts_key(), replica::conflict_keys_end());
         rows->valid(); rows->next()) {
      stored.restore(rows->key(), rows->value());
    }
    std::map<ConflictId, Hlc> rows;
    stored.for_each([&](const Conflict& line) {
      rows.emplace(line.id(), line.when());
      return true;
    });
    checked();
    const std::string state = "the journal on the disk of " + node.name;
    for (const auto& [id, when] : rows) {
      if (!journal.told.contains(id) && !journal.possible.contains(id)) {
        complain(state + " has a line " + shown_line(history(), id) +
                 " that its log does not give");
        return;
      }
    }
    const auto lacks = [&](const ConflictId& id, Hlc when) {
      return !rows.contains(id) && when > dropped_up_to(stored);
    };
    for (const auto& [id, missed] : journal.missed) {
      if (lacks(id, missed.when)) {
        complain(state + " lacks the line " + shown_line(history(), id) + ", " + missed.why);
        return;
      }
    }
    journal.missed.clear();
    // What the job found and had no room for it tells only when it has ended: the next file says
    // so.
    const auto demand = [&](const ConflictId& id, Hlc when, const char* why) {
      if (lacks(id, when)) {
        journal.missed.insert_or_assign(id, Missed{when, why});
      }
    };
    for (const auto& [id, when] : journal.rows) {
      demand(id, when, "which it had before");
    }
    for (auto seen = journal.seen.begin(); seen != journal.seen.end();) {
      if (seen->second > position) {
        ++seen;
        continue;
      }
      if (const auto told = journal.told.find(seen->first); told != journal.told.end()) {
        hit("branch conflict line survives a crash",
            journal.crashed_with.contains(seen->first) ? 1 : 0);
        demand(seen->first, when_of(told->second, stored), "which was shown already");
      }
      seen = journal.seen.erase(seen);
    }
    for (const auto& [id, line] : still_true(node, journal, position)) {
      demand(id, when_of(line, stored), "and what lost lies beside what won still");
    }
    hit("branch conflict line dropped", stored.dropped() > 0 ? 1 : 0);
    journal.rows = std::move(rows);
  }

  void crashed(NodeHistory& node, const Crash&) override {
    Journal& journal = journals_[node.name];
    journal.crashed_with.clear();
    for (const auto& [id, position] : journal.seen) {
      journal.crashed_with.insert(id);
    }
  }
  // What a power cut took is not promised any more.
  void started(NodeHistory& node, const replica::View&, const FaultyStore&) override {
    Journal& journal = journals_[node.name];
    journal.lines.clear();
    journal.missed.clear();
    std::erase_if(journal.seen, [&](const auto& seen) { return seen.second > node.position; });
  }
  void restored(NodeHistory& node) override { journals_.erase(node.name); }

 private:
  struct Told {
    ConflictKind kind = ConflictKind::overwritten;
    Hlc when = 0;
  };
  struct Missed {
    Hlc when = 0;
    const char* why = "";
  };
  using Lines = std::map<ConflictId, Told>;
  struct Journal {
    replica::Streams streams;                  // what a line asks of them: the latest time
    Lines told;                                // by its log, at some time
    Lines possible;                            // need not be noted, but may
    std::map<ConflictId, Hlc> lines;           // in memory when last looked at, by time
    std::map<ConflictId, std::uint64_t> seen;  // … and not on disk yet, by the log position then
    std::map<ConflictId, Missed> missed;       // by the file before, unless that had to drop them
    std::set<ConflictId> crashed_with;         // of these, in the latest crash
    std::map<ConflictId, Hlc> rows;            // on its disk, by time
  };
  using Finder = replica::ConflictFinder;

  static Hlc dropped_up_to(const ConflictJournal& journal) {
    return journal.dropped() > 0 ? journal.dropped_up_to() : 0;
  }
  // A total keeps no time of its own, so what was dropped may have been older or not.
  static Hlc when_of(const Told& told, const ConflictJournal& journal) {
    return told.kind == ConflictKind::overwritten || journal.dropped() == 0 ? told.when : 0;
  }

  template <typename Look>
  static void look(const Journal& journal, Lines& into, const Look& look) {
    const Finder::Note note = [&](const Conflict& line) {
      Told& told = into[line.id()];
      told = {line.kind, std::max({told.when, line.when(), Hlc{1}})};
    };
    look(Finder(journal.streams, note));
  }

  template <typename Value>
  static const Value& value_of(const ReferenceState& state, const CellKey& key) {
    static const Value nothing;
    const auto found = state.cells().find(key);
    return found == state.cells().end() ? nothing : std::get<Value>(found->second);
  }

  static void compare(const ReferenceState& state, const ObjectKey& object, const CellName& name,
                      const Finder& finder) {
    finder.compare(object, name, value_of<DottedCell>(state, {object, name}),
                   value_of<OriginTotals>(state, {object, replica::increments_of(name)}));
  }

  static void compare_types(const ReferenceState& state, const ObjectKey& object,
                            const Finder& finder) {
    replica::ShownFinder shown;
    const auto& cells = state.cells();
    auto cell = cells.lower_bound({object, CellName::first_at(CellKind{0})});
    while (cell != cells.end() && cell->first.object == object) {
      const CellKind kind = cell->first.cell.kind();
      if (shown.see(cell->first.cell, cell->second) == replica::Tables::Walk::next_kind) {
        const auto next = static_cast<CellKind>(static_cast<std::uint8_t>(kind) + 1);
        cell = cells.lower_bound({object, CellName::first_at(next)});
      } else {
        ++cell;
      }
    }
    finder.compare(object, shown);
  }

  void look_at_cell(const NodeHistory& node, const CellKey& key, Lines& into) {
    look(journals_[node.name], into, [&](const Finder& finder) {
      if (const auto name = replica::register_of(key.cell)) {
        compare(node.state, key.object, *name, finder);
      }
      compare_types(node.state, key.object, finder);
    });
  }

  // What a kill has left met before, but perhaps lost to something else.
  void look_at_spared(const NodeHistory& node, const Kill& kill, const ObjectKey& scope,
                      Lines& into) {
    for (const auto& [key, value] : node.state.cells()) {
      const bool covered =
          kill.level == ScopeLevel::group ||
          (kill.level == ScopeLevel::database ? key.object.db == scope.db : key.object == scope);
      if (covered && replica::is_value(key.cell.kind())) {
        look_at_cell(node, key, into);
      }
    }
  }

  // Of what was told. Other kinds may change their names by a node's own writes, which meet
  // nothing.
  static Lines still_true(NodeHistory& node, const Journal& journal, std::uint64_t position) {
    const ReferenceState& state = node.frozen[position];
    Lines now;
    look(journal, now, [&](const Finder& finder) {
      for (const auto& [key, value] : state.cells()) {
        const auto* base = std::get_if<DottedCell>(&value);
        const auto name = replica::register_of(key.cell);
        if (name && (base == nullptr || base->siblings().size() > 1)) {
          compare(state, key.object, *name, finder);
        }
      }
    });
    Lines still;
    for (const auto& [id, line] : now) {
      const auto told = journal.told.find(id);
      if (told != journal.told.end() &&
          (line.kind == ConflictKind::overwritten || line.kind == ConflictKind::hidden)) {
        still.insert(*told);
      }
    }
    return still;
  }

  std::map<std::string, Journal> journals_;  // by the name of the node
};

}  // namespace

Checkers checkers_of_conflicts() {
  Checkers all;
  all.push_back(std::make_unique<TrueConflicts>());
  all.push_back(std::make_unique<JournalKeeps>());
  return all;
}

}  // namespace starling::sim
