#include "tests/sim/judge.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "server/replica/record.h"
#include "tests/sim/checkers.h"
#include "tests/sim/describe.h"

namespace starling::sim {
namespace {

using replica::Record;
using wire::ErrorCode;

Checkers all_checkers() {
  Checkers all;
  for (auto* some :
       {checkers_of_entries, checkers_of_answers, checkers_of_disks, checkers_of_peers}) {
    std::ranges::move(some(), std::back_inserter(all));
  }
  return all;
}

std::string full_name(const Checker& checker) { return checker.rule() + " " + checker.property(); }

// Commands that read a cut or the node itself: their answers are checked at the end of a seed.
bool is_special(const wire::Request& request) {
  return request.commands.empty() || request.commands.front().code >= wire::CommandCode::scan;
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

}  // namespace

// ---------------------------------------------------------------- checkers

void Checker::belongs_to(Judge& judge) {
  judge_ = &judge;
  checks_ = &judge.coverage().counter("checker " + full_name(*this));
}
History& Checker::history() const { return judge_->history(); }
void Checker::hit(std::string_view branch) const { judge_->coverage().hit(branch); }
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

void Judge::ticked(std::size_t index, const replica::Effects& effects) {
  NodeHistory& node = history_.node(index);
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
  for (const replica::Reply& reply : effects.replies) {
    const auto asked = node.asked.find(reply.id);
    if (asked == node.asked.end()) {
      complain("R2.2", node.name + " answers a request that nobody made, or answers twice");
      return;
    }
    const wire::Request request = std::move(asked->second);
    node.asked.erase(asked);
    if (!violation_) {
      answered(node, request, reply.response);
    }
  }
  for (const Written* written : own) {
    if (written->id == no_entry) {
      complain("R1.3", node.name + " wrote entry " + history_.shown(written->first()) +
                           " that belongs to no request");
    }
  }
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
    }
  }
  node.position = position;
  node.applied_at[position] = node.applied;
}

// ---------------------------------------------------------------- answers

void Judge::requested(std::size_t index, replica::RequestId id, const wire::Request& request) {
  history_.node(index).asked.insert_or_assign(id, request);
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
Answer::Kind Judge::kind_of(const NodeHistory& node, const wire::Response& response) {
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
  return response.token.at(node.self) > node.answered ? Answer::Kind::write : Answer::Kind::read;
}

void Judge::answered(NodeHistory& node, const wire::Request& request,
                     const wire::Response& response) {
  if (is_special(request)) {
    return;
  }
  const Answer::Kind kind = kind_of(node, response);
  const Dot last{node.self, response.token.at(node.self)};
  Written* entry = kind == Answer::Kind::write ? history_.ending_at(last) : nullptr;
  if (kind == Answer::Kind::write && entry == nullptr) {
    return;  // it is not in this tick's record: R2.2 is broken if this answer leaves
  }
  Answer answer{node,
                request,
                response,
                kind,
                entry,
                entry ? entry->entry.deps : response.token,
                applied_before(node, request, response.token),
                {}};
  if (entry != nullptr) {
    history_.link(*entry, response.results);
    node.answered = last.n;
    answer.wanted = history_.oracle().execute(request.commands, answer.seen, entry->id);
  } else if (kind == Answer::Kind::read) {
    answer.wanted = history_.oracle().read(request.commands, answer.seen);
  }
  show([&](Checker& checker) { checker.answered(answer); });
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

void Judge::said(std::size_t index, const wire::PeerMessage& message) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.said(node, message); });
}

void Judge::heard(std::size_t index, const wire::PeerMessage& message) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.heard(node, message); });
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

void Judge::finally(std::size_t index, const replica::View& view) {
  NodeHistory& node = history_.node(index);
  show([&](Checker& checker) { checker.finally(node, view); });
}

}  // namespace starling::sim
