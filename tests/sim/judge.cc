#include "tests/sim/judge.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "crdt/deadline.h"
#include "server/replica/record.h"
#include "tests/sim/checkers.h"
#include "tests/sim/describe.h"
#include "tests/sim/door_command.h"

namespace starling::sim {
namespace {

using replica::Record;
using wire::ErrorCode;

Checkers all_checkers() {
  Checkers all;
  for (auto* some : {checkers_of_entries, checkers_of_answers, checkers_of_expiry,
                     checkers_of_disks, checkers_of_conflicts, checkers_of_peers}) {
    std::ranges::move(some(), std::back_inserter(all));
  }
  return all;
}

std::string full_name(const Checker& checker) { return checker.rule() + " " + checker.property(); }

// Commands that read a cut or the node itself: their answers are checked at the end of a seed.
bool is_special(const wire::Request& request) {
  return request.commands.empty() ||
         (request.commands.front().code >= wire::CommandCode::scan && !is_door(request));
}

const wire::Error* refusal(const wire::Response& response) {
  const auto* error =
      response.results.size() == 1 ? std::get_if<wire::Error>(&response.results.front()) : nullptr;
  const bool refuses =
      error != nullptr && (error->code == ErrorCode::behind || error->code == ErrorCode::busy ||
                           error->code == ErrorCode::not_ready ||
                           error->code == ErrorCode::no_space || error->code == ErrorCode::storage);
  return refuses ? error : nullptr;
}

// A MULTI whose WATCH saw a change ran nothing.
bool watch_failed(const wire::Request& request, const wire::Response& response) {
  return is_door(request) && request.commands.size() > 1 && response.results.size() == 1 &&
         std::holds_alternative<wire::Nil>(response.results.front());
}

}  // namespace

// ---------------------------------------------------------------- checkers

void Checker::belongs_to(Judge& judge) {
  judge_ = &judge;
  checks_ = &judge.coverage().counter("checker " + full_name(*this));
}
History& Checker::history() const { return judge_->history(); }
void Checker::hit(std::string_view branch, std::uint64_t times) const {
  judge_->coverage().hit(branch, times);
}
void Checker::complain(std::string sentence) const {
  judge_->complain(rule_, std::move(sentence), full_name(*this));
}

std::vector<std::string> names_of_checkers() {
  std::vector<std::string> names;
  for (const auto& checker : all_checkers()) {
    names.push_back(full_name(*checker));
  }
  return names;
}

Judge::Judge(Coverage& coverage) : coverage_(coverage), checkers_(all_checkers()) {
  for (const auto& checker : checkers_) {
    checker->belongs_to(*this);
  }
}

void Judge::complain(std::string rule, std::string sentence, std::string checker) {
  if (!violation_) {
    violation_ = Violation{std::move(rule), std::move(sentence), std::move(checker)};
  }
}

template <typename Event>
void Judge::show(const Event& event) {
  for (const auto& checker : checkers_) {
    if (!violation_) {
      event(*checker);
    }
  }
}

// ---------------------------------------------------------------- entries

void Judge::added(std::size_t index, const replica::Config& config) {
  NodeHistory& node = history_.node(index);
  node.name = config.name;
  node.founder = config.join.empty();
}

void Judge::clock(std::size_t index, std::uint64_t wall_ms) {
  NodeHistory& node = history_.node(index);
  node.latest_wall_ms = std::max(node.latest_wall_ms, wall_ms);
}

void Judge::ticked(std::size_t index, const Tick& tick) {
  NodeHistory& node = history_.node(index);
  const replica::Effects& effects = tick.effects;
  std::vector<Written*> own;
  if (effects.record) {
    const auto record = Record::decode(effects.record->record);
    if (!record) {
      complain("I3", node.name + " writes a record that does not decode");
      return;
    }
    VersionVector seen = node.applied;
    for (const Run& run : record->runs()) {
      if (run.origin == node.self) {
        read_own(node, run, seen, own);
      }
      seen.advance({run.origin, run.last});
    }
  }
  answer_all(node, tick);
  for (Written* written : own) {
    if (written->id == no_entry && !violation_) {
      expired(node, *written, tick);
    }
  }
  ++node.tick;
}

// The answers of both doors, in the order in which they ran: by what they had seen, and before
// those who saw what it wrote, the one who wrote it.
void Judge::answer_all(NodeHistory& node, const Tick& tick) {
  struct Next {
    replica::RequestId id;
    const wire::Response* response;
    const DoorAnswer* door;
  };
  const auto seen = [&](const Next& next) { return next.response->token.at(node.self); };
  std::vector<Next> all;
  auto native = tick.effects.replies.begin();
  for (const DoorAnswer& door : tick.door) {
    const Next next{door.id, &door.response, &door};
    const bool wrote = door.before < seen(next);
    for (; native != tick.effects.replies.end(); ++native) {
      const Next other{native->id, &native->response, nullptr};
      if (seen(other) > seen(next) || (wrote && seen(other) == seen(next))) {
        break;
      }
      all.push_back(other);
    }
    all.push_back(next);
  }
  for (; native != tick.effects.replies.end(); ++native) {
    all.push_back({native->id, &native->response, nullptr});
  }
  for (const Next& next : all) {
    if (next.door != nullptr && next.door->is_part) {
      wrote_part(node, *next.door);
      continue;
    }
    const auto asked = node.asked.find(next.id);
    if (asked == node.asked.end()) {
      complain("R2.2", node.name + " answers a request that nobody made, or answers twice");
      return;
    }
    const NodeHistory::Asked was = std::move(asked->second);
    node.asked.erase(asked);
    Ran ran{was.request, *next.response, {tick.expiry_ms}};
    if (next.door != nullptr && next.door->run != nullptr) {
      ran.run = next.door->run.get();
      ran.times_ms = ran.run->times_ms;
    } else if (next.door != nullptr) {
      ran.times_ms = {next.door->expiry_ms};
    } else if (was.tick == node.tick && was.expiry_ms != tick.expiry_ms) {
      ran.times_ms = {was.expiry_ms, tick.expiry_ms};  // at once, or when this tick ended
    }
    if (!violation_) {
      answered(node, ran);
    }
  }
}

// An entry that belongs to no request: only expiry writes those.
void Judge::expired(NodeHistory& node, Written& written, const Tick& tick) {
  const replica::View view = tick.view();
  Expired event{node, written, {}, {}, tick.expiry_ms, tick.wall_ms, tick.now_us, view};
  bool plausible = true;
  for (const Op& op : written.entry.ops) {
    if (const auto* kill = std::get_if<Kill>(&op.change)) {
      plausible = plausible && kill->level == ScopeLevel::key;
      event.keys.push_back(op.key.object);
    } else if (std::holds_alternative<Remove>(op.change)) {
      plausible = plausible && op.key.cell.kind() == CellKind::deadline;
      event.left_over.push_back(op.key.object);
    } else {  // the totals of the key just killed
      plausible = plausible && std::holds_alternative<Reset>(op.change) && !event.keys.empty() &&
                  event.keys.back() == op.key.object;
    }
  }
  if (!plausible) {
    complain("R1.3", node.name + " wrote entry " + history_.shown(written.first()) +
                         " that belongs to no request");
    return;
  }
  if (knows_all_) {
    show([&](Checker& checker) { checker.expired(event); });
  }
  history_.link(written, {});
  node.answered = written.last().n;
  history_.oracle().expire(event.keys, event.left_over, written.entry.deps, written.id);
  coverage_.hit("branch key expired", event.keys.size());
  coverage_.hit("branch deadline of no key removed", event.left_over.size());
}

// What this node's own origin wrote in this tick.
void Judge::read_own(NodeHistory& node, const Run& run, VersionVector& seen,
                     std::vector<Written*>& own) {
  RunReader reader(run);
  while (!violation_ && !reader.done() && reader.next()) {
    const Dot first{run.origin, reader.first()};
    const OriginStream& head = history_.head(run.origin);
    const std::uint64_t expected = head.n + 1;
    const Hlc hlc_before = head.hlc;
    const Written* taken = history_.beginning_at(first);
    Written* written = first.n == expected ? history_.write(run.origin, reader.bytes()) : nullptr;
    const Birth birth{node, first, reader.bytes(), expected, written, taken, hlc_before, seen};
    show([&](Checker& checker) { checker.born(birth); });
    seen.advance({run.origin, reader.last()});
    if (written != nullptr) {
      own.push_back(written);
    }
  }
}

void Judge::committed(std::size_t index, const replica::LogWrite& write) {
  read_log(history_.node(index), write.record, write.position, false);
}

// A record that now lies in the log of this node: what it holds has been applied.
void Judge::read_log(NodeHistory& node, const std::string& bytes, std::uint64_t position,
                     bool replay) {
  const auto record = Record::decode(bytes);
  if (!record) {
    complain("I3", node.name + " serves a log with a hole");
    return;
  }
  for (const Run& run : record->runs()) {
    RunReader reader(run);
    while (!violation_ && !reader.done() && reader.next()) {
      const Dot first{run.origin, reader.first()};
      Written* written = history_.beginning_at(first);
      if (written == nullptr || written->bytes != reader.bytes()) {
        complain("I1", node.name + " has other bytes in its log for " + history_.shown(first) +
                           " than its origin wrote");
        return;
      }
      show([&](Checker& checker) { checker.logging(node, *written); });
      history_.log(node, *written, replay ? run.origin.node == node.id : run.origin == node.self);
      show([&](Checker& checker) { checker.logged(node, *written); });
    }
  }
  node.position = position;
  node.applied_at[position] = node.applied;
}

// ---------------------------------------------------------------- answers

void Judge::requested(std::size_t index, replica::RequestId id, const wire::Request& request,
                      std::int64_t expiry_ms) {
  NodeHistory& node = history_.node(index);
  node.asked.insert_or_assign(id, NodeHistory::Asked{request, expiry_ms, node.tick});
}

std::vector<const OracleEntry*> Judge::applied_before(NodeHistory& node,
                                                      const wire::Request& request,
                                                      const VersionVector& seen) {
  std::vector<const OracleEntry*> entries;
  if (request.op_id) {
    for (const EntryId id : history_.under(*request.op_id)) {
      const OracleEntry& entry = history_.oracle().entry(id);
      // Its own entries of this tick are in the token already, even those of later requests.
      const std::uint64_t n = entry.origin == node.self ? node.answered : seen.at(entry.origin);
      if (n >= entry.last) {
        entries.push_back(&entry);
      }
    }
  }
  return entries;
}

// What came of a request: an answer names its entry, which is the last one of this origin that its
// token covers.
Answer::Kind Judge::kind_of(const NodeHistory& node, const Ran& ran) {
  const wire::Response& response = ran.response;
  if (const wire::Error* error = refusal(response)) {
    switch (error->code) {
      case ErrorCode::storage:
        complain("I3", node.name + " cannot read what it stored: " + error->message);
        break;
      case ErrorCode::behind:
        coverage_.hit("branch answer behind its session");
        break;
      case ErrorCode::not_ready:
        coverage_.hit("branch answer not ready");
        break;
      case ErrorCode::no_space:
        coverage_.hit("branch answer no space");
        break;
      default:
        coverage_.hit("branch answer busy");
    }
    return Answer::Kind::refused;
  }
  if (response.repeated) {
    coverage_.hit("branch answer repeated");
    return Answer::Kind::repeated;
  }
  return ran.in_parts() || response.token.at(node.self) > node.answered ? Answer::Kind::write
                                                                        : Answer::Kind::read;
}

// What the specification gives. If the moment is not known exactly, the one that fits.
Oracle::Answer Judge::wanted(const Ran& ran, const Written* entry, const VersionVector& seen) {
  Oracle& oracle = history_.oracle();
  std::size_t kills = 0;
  std::vector<std::int64_t> deadlines;
  static const std::vector<Op> none;
  for (const Op& op : entry != nullptr ? entry->entry.ops : none) {
    const auto* kill = std::get_if<Kill>(&op.change);
    const auto* assign = std::get_if<Assign>(&op.change);
    kills += kill != nullptr && kill->level == ScopeLevel::key ? 1 : 0;
    if (assign != nullptr && op.key.cell.kind() == CellKind::deadline) {
      deadlines.push_back(decode_deadline(assign->bytes));
    }
  }
  Oracle::Answer answer;
  for (const std::int64_t time_ms : ran.times_ms) {
    oracle.undo();  // of the time before
    answer = oracle.execute(ran.request.commands, seen, time_ms, entry ? entry->id : no_entry);
    const bool leaves_the_same =
        entry == nullptr || (answer.kills == kills && answer.deadlines == deadlines);
    if (same(ran.response.results, answer.results) && leaves_the_same) {
      break;
    }
  }
  oracle.keep();
  return answer;
}

// One of the entries of a command that is under way: what it changes is what its operations say.
// Whether that is what the command means is a question for its end.
void Judge::wrote_part(NodeHistory& node, const DoorAnswer& part) {
  const Dot last{node.self, part.response.token.at(node.self)};
  Written* entry = history_.ending_at(last);
  if (entry == nullptr || violation_) {
    return;
  }
  history_.link(*entry, {});
  node.answered = last.n;
  history_.oracle().apply(entry->entry, entry->id);
  coverage_.hit("branch part of a long command");
}

// The same of a command whose parts are known: what it would answer and leave if it ran alone, on
// what its node had seen when its keys were locked.
Oracle::Answer Judge::wanted_of_parts(const Ran& ran) {
  const wire::Command& command = ran.request.commands.front();
  const Oracle& oracle = history_.oracle();
  const std::string left = oracle.shown({command.db, command.key}, ran.response.token);
  Oracle::Answer answer;
  for (const std::int64_t time_ms : ran.times_ms) {
    answer = history_.oracle().read(ran.request.commands, ran.run->begun_at, time_ms);
    answer.leaves_the_same = answer.leaves == left;
    if (same(ran.response.results, answer.results) && answer.leaves_the_same) {
      break;
    }
  }
  return answer;
}

void Judge::answered(NodeHistory& node, const Ran& ran) {
  const wire::Request& request = ran.request;
  const wire::Response& response = ran.response;
  if (is_special(request) || watch_failed(request, response)) {
    return;
  }
  const Answer::Kind kind = kind_of(node, ran);
  const Dot last{node.self, response.token.at(node.self)};
  const bool one_entry = kind == Answer::Kind::write && !ran.in_parts();
  Written* entry = one_entry ? history_.ending_at(last) : nullptr;
  if (one_entry && entry == nullptr) {
    return;  // it is not in this tick's record: R2.2 is broken if this answer leaves
  }
  Answer answer{node,
                request,
                response,
                kind,
                entry,
                entry            ? entry->entry.deps
                : ran.in_parts() ? ran.run->begun_at
                                 : response.token,
                applied_before(node, request, response.token),
                ran.times_ms,
                ran.run,
                {}};
  if (entry != nullptr) {
    history_.link(*entry, response.results);
    node.answered = last.n;
  }
  if (kind == Answer::Kind::write || kind == Answer::Kind::read) {
    answer.wanted =
        entry == nullptr && ran.in_parts() ? wanted_of_parts(ran) : wanted(ran, entry, answer.seen);
    knows_all_ = knows_all_ && answer.wanted.known;
    count(ran, answer.wanted);
  }
  if (knows_all_ || answer.kind == Answer::Kind::refused) {
    show([&](Checker& checker) { checker.answered(answer); });
  }
}

void Judge::count(const Ran& ran, const Oracle::Answer& wanted) {
  if (ran.run != nullptr) {
    coverage_.hit("branch command ran in turns");
    coverage_.hit("branch command wrote several entries", ran.run->parts > 1 ? 1 : 0);
  }
  for (std::size_t i = 0; i < wanted.results.size() && is_door(ran.request); ++i) {
    const Words& words = ran.request.commands[i].args;
    std::string name = words.front();
    for (const char* option : {"GT", "LT", "PX", "KEEPTTL"}) {
      if (std::ranges::find(words, option) != words.end()) {
        name += std::string(" ") + option;
      }
    }
    coverage_.hit("command " + name);
  }
  for (const std::string& branch : wanted.branches) {
    coverage_.hit(branch);
  }
}

void Judge::replied(std::size_t index, const wire::Response& response, std::uint64_t now_us) {
  NodeHistory& node = history_.node(index);
  const Written* entry = nullptr;
  if (!response.repeated && refusal(response) == nullptr) {
    entry = history_.ending_at({node.self, response.token.at(node.self)});
  }
  show([&](Checker& checker) { checker.replied(node, response, entry, now_us); });
}

// ---------------------------------------------------------------- messages

void Judge::sending(std::size_t index, const std::vector<replica::Send>& sends,
                    const replica::Config& config) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.sending(node, sends, config); });
}

void Judge::said(std::size_t index, const wire::PeerMessage& message) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.said(node, message); });
}

void Judge::unsent(std::size_t index, replica::ConnectionId connection, std::uint64_t bytes) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.unsent(node, connection, bytes); });
}

void Judge::heard(std::size_t index, const Hearing& hearing, std::uint64_t now_us) {
  const auto& [from, connection, message] = hearing;
  NodeHistory& node = history_.node(index);
  std::optional<std::uint64_t> clock_ms;
  if (const auto* hello = std::get_if<wire::Hello>(&message)) {
    clock_ms = hello->clock_ms;
  } else if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
    clock_ms = heartbeat->clock_ms;
  }
  if (clock_ms) {
    const auto ahead_ms = static_cast<std::int64_t>(*clock_ms - now_us / 1000);
    const auto known = node.clocks_ahead_ms.try_emplace(from, ahead_ms).first;
    known->second = std::max(known->second, ahead_ms);
  }
  show([&](Checker& checker) { checker.heard(node, connection, message); });
}

void Judge::digested(std::size_t index, const VersionVector& applied, const Digest& digest) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.digested(node, applied, digest); });
}

// ---------------------------------------------------------------- disks

void Judge::synced(std::size_t index, std::uint64_t position) {
  NodeHistory& node = history_.node(index);
  node.synced = std::max(node.synced, position);
}

void Judge::froze(std::size_t index) {
  NodeHistory& node = history_.node(index);
  node.frozen[node.position] = node.state;
}

void Judge::ingested(std::size_t index, const FaultyStore& store) {
  NodeHistory& node = history_.node(index);
  const std::uint64_t w = store.state_position();
  if (w == node.ingested || violation_) {
    return;
  }
  const auto frozen = node.frozen.find(w);
  if (frozen == node.frozen.end()) {
    complain("I3",
             node.name + " has ingested a checkpoint of a log position where it froze nothing");
    return;
  }
  show([&](Checker& checker) { checker.ingested(node, w, store); });
  digested(index, node.applied_at[w], frozen->second.digest());
  node.ingested = w;
  node.ingested_state = std::move(frozen->second);
  node.frozen.erase(node.frozen.begin(), std::next(frozen));
  node.applied_at.erase(node.applied_at.begin(), node.applied_at.find(w));
}

void Judge::truncating(std::size_t index, std::uint64_t first_kept, const replica::View& view,
                       const FaultyStore& store) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.truncating(node, first_kept, view, store); });
}

void Judge::crashed(std::size_t index, const Crash& crash) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.crashed(node, crash); });
  node.asked.clear();
}

// Only of a node that has never ingested a checkpoint: its history can go back by its log alone.
void Judge::restored(std::size_t index, const FaultyStore& store) {
  NodeHistory& node = history_.node(index);
  if (node.ingested != 0 || store.state_position() != 0) {
    complain("sim", "only a node without a checkpoint can be restored");
  }
  node.synced = store.synced_position();
  node.applied_at.clear();
  show([&](Checker& checker) { checker.restored(node); });
}

void Judge::started(std::size_t index, const FaultyStore& store, const replica::View& view,
                    std::uint64_t now_us) {
  NodeHistory& node = history_.node(index);
  node.id = view.node;
  node.self = view.origin;
  node.started_us = now_us;
  node.clocks_ahead_ms.clear();
  node.answered = history_.head(node.self).n;
  ingested(index, store);  // if it died right after the file was in place
  if (violation_) {
    return;
  }
  const std::uint64_t w = node.ingested;
  node.frozen.clear();
  node.state = node.ingested_state;
  node.applied = w > 0 ? node.applied_at[w] : VersionVector{};
  node.position = w;
  node.applied_at.erase(node.applied_at.upper_bound(w), node.applied_at.end());
  for (std::uint64_t at = w + 1; at <= store.bounds().last && !violation_; ++at) {
    const auto bytes = store.read_record(at);
    read_log(node, bytes && *bytes ? **bytes : std::string(), at, true);
  }
  show([&](Checker& checker) { checker.started(node, view, store); });
}

// ---------------------------------------------------------------- looking

void Judge::looked(std::size_t index, const replica::View& view, const replica::Config& config) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.looked(node, view, config); });
}

void Judge::noted(std::size_t index, const replica::ConflictJournal& journal) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.noted(node, journal); });
}

void Judge::finally(std::size_t index, const replica::View& view) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.finally(node, view); });
}

}  // namespace starling::sim
