// What a replica tells of itself and of its peers.
#include <algorithm>
#include <string>
#include <utility>

#include "server/json_writer.h"
#include "server/replica/replica_impl.h"

namespace starling::replica {

std::vector<std::string> Replica::Impl::client_addresses() const {
  std::vector<std::string> addresses{config_.client_address};
  for (const wire::Member& member : replicator_->members().all()) {
    if (member.node != node_ && member.state == wire::MemberState::active &&
        !member.client_address.empty()) {
      addresses.push_back(member.client_address);
    }
  }
  return addresses;
}

View Replica::Impl::view(Now now) const {
  View view;
  view.ready = joined_ && !stopping_;
  if (stopping_) {
    view.not_ready_reasons.emplace_back("shutting down");
  }
  if (!joined_) {
    view.not_ready_reasons.emplace_back(
        replicator_->needs_bootstrap() ? "needs bootstrap: its peers no longer hold the whole log"
        : replicator_->join_goal()     ? "catching up with the member it joined"
                                       : "no member of --join was reached yet");
  }
  if (!store_.has_room(0)) {
    view.not_ready_reasons.emplace_back("the disk is nearly full: writes are refused");
  }
  for (const std::string& conflict : replicator_->conflicts(now)) {
    view.degraded_reasons.push_back(conflict);
  }
  for (const auto& [origin, problem] : group_.stalled()) {
    view.degraded_reasons.push_back("entries of node " + std::to_string(origin.node) +
                                    " are not accepted: " + problem);
  }
  if (quarantined_ > 0) {
    view.degraded_reasons.push_back(std::to_string(quarantined_) +
                                    " stored cells did not decode and were left alone");
  }
  view.node = node_;
  view.origin = group_.self();
  view.applied = group_.applied();
  view.durable = group_.durable();
  view.log_position = group_.log_position();
  view.state_position = store_.state_position();
  view.table_bytes = group_.tables().bytes();
  view.evicted_bytes = group_.tables().evicted_bytes();
  view.held_bytes = group_.held().bytes();
  view.waiting_bytes = waiting_.bytes();
  view.waiting_requests = waiting_.size();
  view.checkpoints = ingested_;
  view.checkpoint_failures = checkpoint_failures_;
  view.commands = commands_;
  view.entries_applied = group_.entries_from_peers();
  view.write_stalls = write_stalls_;
  view.write_stall_us =
      write_stall_us_ + (stalled_since_us_ ? now.monotonic_us - *stalled_since_us_ : 0);
  view.peers_refused = replicator_->refused();
  view.duplicates_dropped = group_.duplicates();
  view.runs_dropped = group_.runs_dropped();
  view.markers = group_.tables().markers().size();
  view.quarantined = quarantined_;
  view.expired_keys = expiry_.expired();
  view.conflict_lines = group_.conflicts().size();
  view.conflict_lines_dropped = group_.conflicts().dropped();
  for (std::size_t i = 0; i < conflict_classes; ++i) {
    view.conflicts[i] = group_.conflicts().count(static_cast<ConflictClass>(i));
  }
  view.peers = replicator_->views(now);
  for (const PeerView& peer : view.peers) {
    if (peer.cut) {
      view.degraded_reasons.push_back("the link to " + peer.name + " is cut on purpose");
    } else if (!peer.connected) {
      view.degraded_reasons.push_back(peer.name + " is away");
    }
  }
  return view;
}

std::string Replica::Impl::status(Now now, const DigestRound* round) const {
  const View view = this->view(now);
  const auto version_text = [](const VersionVector& v) {
    std::string bytes;
    put_version_vector(bytes, v);
    return to_hex({0, roll_hash(0, bytes)}).substr(16);
  };
  const wire::DigestReply* own = nullptr;
  if (round != nullptr) {
    const auto found = round->answers.find(node_);
    own = found == round->answers.end() ? nullptr : &found->second;
  }
  bool converged = own != nullptr;
  JsonWriter json;
  json.begin_object();
  json.key("cluster").value(config_.cluster);
  json.key("name").value(config_.name);
  json.key("node").value(std::to_string(node_));
  json.key("client").value(config_.client_address);
  json.key("peer").value(config_.peer_address);
  json.key("ready").value(view.ready);
  json.key("reasons").begin_array();
  for (const auto* reasons : {&view.not_ready_reasons, &view.degraded_reasons}) {
    for (const std::string& reason : *reasons) {
      json.value(reason);
    }
  }
  if (round != nullptr && !round->failure.empty()) {
    json.value(round->failure);
  }
  json.end_array();
  json.key("position").value(view.log_position);
  json.key("checkpoint").value(view.state_position);
  json.key("memory_bytes").value(view.table_bytes);
  json.key("version").value(version_text(view.applied));
  std::uint64_t ops = 0;
  for (const auto& c : view.applied.components()) {
    ops += c.n;
  }
  json.key("ops").value(ops);
  if (own != nullptr) {
    json.key("digest").value(to_hex(own->digest));
    json.key("cells").value(own->cells);
  }
  json.key("members").begin_array();
  for (const PeerView& peer : view.peers) {
    const wire::Member* member = replicator_->members().find(peer.node);
    json.begin_object();
    json.key("name").value(peer.name);
    json.key("node").value(std::to_string(peer.node));
    json.key("peer").value(peer.address);
    json.key("client").value(member != nullptr ? member->client_address : "");
    json.key("state").value(peer.cut ? "cut" : peer.connected ? "up" : "down");
    json.key("behind_ops").value(peer.behind_ops);
    json.key("ahead_ops").value(peer.ahead_ops);
    if (peer.heard) {
      json.key("last_heard_ms").value(peer.heard->ms_ago);
      json.key("clock_skew_ms").value(peer.heard->clock_skew_ms);
      json.key("bytes_sent").value(peer.bytes_sent);
      json.key("bytes_received").value(peer.bytes_received);
    }
    if (round != nullptr && round->asked.contains(peer.node)) {
      const auto theirs = round->answers.find(peer.node);
      const bool answered = theirs != round->answers.end();
      const bool equal_v = answered && own != nullptr && theirs->second.applied == own->applied;
      const bool agrees = equal_v && theirs->second.digest == own->digest;
      if (answered) {
        json.key("digest").value(to_hex(theirs->second.digest));
      }
      json.key("version_equal").value(equal_v);
      json.key("converged").value(agrees);
      if (equal_v && !agrees) {
        json.key("alarm").value("equal versions, different content: stored data is damaged");
      }
      converged = converged && agrees;
    }
    json.end_object();
  }
  json.end_array();
  if (round != nullptr) {
    json.key("converged").value(converged);
  }
  json.end_object();
  return json.take();
}

}  // namespace starling::replica
