#include "server/http/pages.h"

#include <algorithm>

#include "server/config.h"
#include "server/json_writer.h"

namespace starling::http {
namespace {

using Answer = SnapshotBoard::Answer;

constexpr std::chrono::seconds stuck{30};
constexpr std::chrono::seconds silent{2};  // not ready: the core has other things to do

double seconds_of(std::uint64_t microseconds) { return static_cast<double>(microseconds) / 1e6; }

std::vector<std::string> reasons_not_ready(const Answer& answer) {
  if (!answer.snapshot) {
    return {"starting: recovering what the data directory holds"};
  }
  std::vector<std::string> reasons = answer.snapshot->view.not_ready_reasons;
  if (answer.age > silent) {
    reasons.emplace_back("the core does not answer");
  }
  if (answer.snapshot->stopping && reasons.empty()) {
    reasons.emplace_back("shutting down");
  }
  if (!answer.snapshot->view.ready && reasons.empty()) {
    reasons.emplace_back("not ready");
  }
  return reasons;
}

void write_peers(JsonWriter& json, const replica::View& view) {
  json.key("peers").begin_array();
  for (const replica::PeerView& peer : view.peers) {
    json.begin_object();
    json.key("name").value(peer.name);
    json.key("address").value(peer.address);
    json.key("connected").value(peer.connected);
    json.key("cut").value(peer.cut);
    json.key("behind_ops").value(peer.behind_ops);
    json.key("ahead_ops").value(peer.ahead_ops);
    json.key("last_heard_ms");
    peer.heard ? json.value(peer.heard->ms_ago) : json.null();
    json.key("clock_skew_ms");
    peer.heard ? json.value(peer.heard->clock_skew_ms) : json.null();
    json.end_object();
  }
  json.end_array();
}

void write_load(JsonWriter& json, const Facts& facts) {
  const Snapshot& snapshot = *facts.answer.snapshot;
  const ShellCounters& counters = snapshot.counters;
  json.key("load").begin_object();
  json.key("requests_per_second").value(snapshot.requests_per_second);
  json.key("clients").value(counters.clients + counters.resp_clients);
  json.key("resp_clients").value(counters.resp_clients);
  json.key("requests_in_flight").value(counters.requests_in_flight + counters.resp_clients_waiting);
  json.key("client_buffered_bytes")
      .value(counters.client_buffered_bytes + counters.resp_buffered_bytes);
  json.key("peer_buffered_bytes").value(counters.peer_buffered_bytes);
  json.key("cpu_cores").value(snapshot.cpu_cores);
  json.key("cpu_seconds").value(facts.process.cpu_seconds);
  json.key("resident_bytes").value(facts.process.resident_bytes);
  json.key("memory_limit_bytes").value(facts.memory_limit_bytes);
  json.key("table_bytes").value(snapshot.view.table_bytes);
  json.key("disk_free_bytes").value(facts.disk.free_bytes);
  json.key("disk_total_bytes").value(facts.disk.total_bytes);
  json.key("unsaved_records").value(snapshot.view.log_position - snapshot.view.state_position);
  json.end_object();
}

// One gauge or counter per peer.
template <typename Value>
void per_peer(MetricsText& text, const replica::View& view, Value value) {
  for (const replica::PeerView& peer : view.peers) {
    text.sample(value(peer), {{"peer", peer.name}});
  }
}

// In seconds, of each peer that was ever heard: a 0 would say that the others were just now.
template <typename Number>
void per_heard_peer(MetricsText& text, const replica::View& view,
                    Number replica::PeerView::Heard::* milliseconds) {
  for (const replica::PeerView& peer : view.peers) {
    if (peer.heard) {
      text.sample(static_cast<double>((*peer.heard).*milliseconds) / 1e3, {{"peer", peer.name}});
    }
  }
}

void write_peer_metrics(MetricsText& text, const replica::View& view) {
  using replica::PeerView;
  text.gauge("starling_peer_connected", "1 if there is a connection to this member.");
  per_peer(text, view, [](const PeerView& p) { return std::uint64_t{p.connected ? 1u : 0u}; });
  text.gauge("starling_peer_behind_ops",
             "Replication lag: operations held here that this member has not confirmed.");
  per_peer(text, view, [](const PeerView& p) { return p.behind_ops; });
  text.gauge("starling_peer_ahead_ops", "Operations this member has that are not here yet.");
  per_peer(text, view, [](const PeerView& p) { return p.ahead_ops; });
  text.gauge("starling_peer_last_heard_seconds",
             "Time since this member was last heard; absent if it never was since the start.");
  per_heard_peer(text, view, &PeerView::Heard::ms_ago);
  text.gauge("starling_peer_clock_skew_seconds",
             "Clock of this member minus ours, when it was last heard.");
  per_heard_peer(text, view, &PeerView::Heard::clock_skew_ms);
  text.counter("starling_peer_push_sent_bytes_total", "Bytes of entries sent to this member.");
  per_peer(text, view, [](const PeerView& p) { return p.bytes_sent; });
  text.counter("starling_peer_push_received_bytes_total",
               "Bytes of entries received from this member.");
  per_peer(text, view, [](const PeerView& p) { return p.bytes_received; });
  text.gauge("starling_peer_push_under_way_bytes",
             "Bytes of entries sent to this member that it has not acknowledged yet.");
  per_peer(text, view, [](const PeerView& p) { return p.bytes_under_way; });
}

void write_core_metrics(MetricsText& text, const Snapshot& snapshot) {
  const replica::View& view = snapshot.view;
  text.counter("starling_commands_total", "Commands of clients that were run or refused.")
      .sample(view.commands);
  text.counter("starling_entries_applied_total", "Entries of other members applied here.")
      .sample(view.entries_applied);
  text.counter("starling_write_stalls_total",
               "Times that writes had to wait until a checkpoint made room in memory.")
      .sample(view.write_stalls);
  text.counter("starling_write_stall_seconds_total", "Time in which writes had to wait for that.")
      .sample(seconds_of(view.write_stall_us));
  text.counter("starling_duplicates_dropped_total", "Entries that arrived more than once.")
      .sample(view.duplicates_dropped);
  text.counter("starling_expired_keys_total", "Keys that this node took away because they expired.")
      .sample(view.expired_keys);
  text.counter(
      "starling_conflicts_total",
      "What lost to a write that had not seen it, by type; lines of the conflict journal.");
  for (std::size_t i = 0; i < replica::conflict_classes; ++i) {
    text.sample(view.conflicts[i],
                {{"type", replica::name(static_cast<replica::ConflictClass>(i))}});
  }
  text.gauge("starling_conflict_lines", "Lines in the conflict journal.")
      .sample(view.conflict_lines);
  text.counter("starling_conflict_lines_dropped_total",
               "Lines that left the conflict journal because it was full.")
      .sample(view.conflict_lines_dropped);
  text.gauge("starling_held_bytes", "Entries that came before what they depend on.")
      .sample(view.held_bytes);
  text.gauge("starling_table_bytes", "Memory of the tables.").sample(view.table_bytes);
  text.gauge("starling_markers", "Wide deletes that still sweep stored cells.")
      .sample(view.markers);
  text.gauge("starling_quarantined_cells", "Stored cells that do not decode.")
      .sample(view.quarantined);
  text.gauge("starling_log_position", "Last record of the log.").sample(view.log_position);
  text.gauge("starling_state_position", "Log position of the last checkpoint.")
      .sample(view.state_position);
  text.counter("starling_checkpoints_total", "Checkpoints ingested.").sample(view.checkpoints);
  text.counter("starling_checkpoint_failures_total", "Checkpoints that failed.")
      .sample(view.checkpoint_failures);
}

void write_shell_metrics(MetricsText& text, const ShellCounters& c) {
  text.gauge("starling_clients", "Client connections.").sample(c.clients);
  text.counter("starling_clients_accepted_total", "Client connections ever accepted.")
      .sample(c.clients_accepted);
  text.counter("starling_client_requests_total", "Requests received.").sample(c.client_requests);
  text.gauge("starling_client_requests_in_flight", "Requests not answered yet.")
      .sample(c.requests_in_flight);
  text.counter("starling_client_received_bytes_total", "Bytes received from clients.")
      .sample(c.client_bytes_received);
  text.counter("starling_client_sent_bytes_total", "Bytes sent to clients.")
      .sample(c.client_bytes_sent);
  text.gauge("starling_resp_clients", "Redis clients connected.").sample(c.resp_clients);
  text.counter("starling_resp_commands_total", "Commands of Redis clients.")
      .sample(c.resp_commands);
  text.counter("starling_resp_received_bytes_total", "Bytes received from Redis clients.")
      .sample(c.resp_bytes_received);
  text.counter("starling_resp_sent_bytes_total", "Bytes sent to Redis clients.")
      .sample(c.resp_bytes_sent);
  text.gauge("starling_resp_clients_waiting",
             "Redis clients whose request waits for memory, a turn, other nodes or a pause.")
      .sample(c.resp_clients_waiting);
  text.gauge("starling_resp_buffered_bytes", "Bytes of Redis clients held, both directions.")
      .sample(c.resp_buffered_bytes);
  text.gauge("starling_client_buffered_bytes", "Bytes of clients held, both directions.")
      .sample(c.client_buffered_bytes);
  text.gauge("starling_peer_connections", "Connections to and from members.").sample(c.peers);
  text.counter("starling_peer_dials_failed_total", "Attempts to connect to a member that failed.")
      .sample(c.peer_dials_failed);
  text.counter("starling_peer_received_bytes_total", "Bytes received from members.")
      .sample(c.peer_bytes_received);
  text.counter("starling_peer_sent_bytes_total", "Bytes sent to members.")
      .sample(c.peer_bytes_sent);
  text.gauge("starling_peer_buffered_bytes", "Bytes to members not sent yet.")
      .sample(c.peer_buffered_bytes);
  text.counter("starling_ticks_total", "Turns of the core.").sample(c.ticks);
  text.counter("starling_tick_seconds_total", "Time spent ending ticks, log writes included.")
      .sample(seconds_of(c.tick_us));
  text.counter("starling_log_records_total", "Records appended to the log.").sample(c.log_records);
  text.counter("starling_log_bytes_total", "Bytes appended to the log.").sample(c.log_bytes);
  text.counter("starling_log_syncs_total", "Syncs of the log.").sample(c.log_syncs);
  text.counter("starling_log_sync_seconds_total", "Time spent syncing the log.")
      .sample(seconds_of(c.log_sync_us));
  text.counter("starling_checkpoint_seconds_total", "Time spent writing checkpoints.")
      .sample(seconds_of(c.checkpoint_us));
  text.counter("starling_checkpoint_bytes_total", "Bytes written by checkpoints.")
      .sample(c.checkpoint_bytes);
  text.counter("starling_checkpoint_cells_total", "Cells written by checkpoints.")
      .sample(c.checkpoint_cells);
}

// What only the core can tell of a peer: it spoke well, and is the wrong one.
void write_refused_peers(MetricsText& text, const replica::View& view) {
  using enum wire::Goodbye::Reason;
  for (const auto& [reason, label] :
       {std::pair{wrong_cluster, "wrong_cluster"}, std::pair{wrong_protocol, "wrong_protocol"},
        std::pair{same_node, "same_node"}, std::pair{fork, "fork"}}) {
    text.sample(view.peers_refused[static_cast<std::size_t>(reason)],
                {{"door", "peer"}, {"reason", label}});
  }
}

void write_rejections(MetricsText& text, const Rejections& rejections, const Snapshot* snapshot) {
  text.counter("starling_rejected_total", "Connections and requests turned away.");
  const auto list = [&](Door door, std::initializer_list<Rejection> reasons) {
    for (const Rejection reason : reasons) {
      text.sample(rejections.count(door, reason), {{"door", name(door)}, {"reason", name(reason)}});
    }
  };
  using enum Rejection;
  list(Door::client,
       {bad_frame, bad_message, wrong_protocol, no_hello, too_many, slow_reader, memory});
  list(Door::peer, {bad_frame, bad_message, no_hello, too_many, slow_reader});
  if (snapshot != nullptr) {
    write_refused_peers(text, snapshot->view);
  }
  list(Door::resp, {bad_frame, wrong_protocol, too_many, slow_reader, memory, slow_sender});
  list(Door::http, {bad_request, unknown_path, bad_method, slow_sender});
}

}  // namespace

Page livez(const Answer& answer) {
  if (answer.snapshot && answer.age > stuck) {
    return {.status = 503, .body = "the core has not answered for 30 seconds\n"};
  }
  return {.body = "alive\n"};
}

Page readyz(const Answer& answer) {
  const auto reasons = reasons_not_ready(answer);
  if (reasons.empty()) {
    return {.body = "ready\n"};
  }
  Page page{.status = 503, .body = {}};
  for (const std::string& reason : reasons) {
    page.body += reason + "\n";
  }
  return page;
}

Page health(const Facts& facts) {
  const Snapshot* snapshot = facts.answer.snapshot.get();
  std::vector<std::string> reasons = reasons_not_ready(facts.answer);
  if (snapshot != nullptr) {
    const auto& degraded = snapshot->view.degraded_reasons;
    reasons.insert(reasons.end(), degraded.begin(), degraded.end());
  }
  const bool draining = snapshot != nullptr && snapshot->stopping;
  JsonWriter json;
  json.begin_object();
  json.key("status").value(draining ? "draining" : reasons.empty() ? "ok" : "degraded");
  json.key("ready").value(reasons_not_ready(facts.answer).empty());
  json.key("reasons").begin_array();
  for (const std::string& reason : reasons) {
    json.value(reason);
  }
  json.end_array();
  json.key("version").value(version_text);
  json.key("uptime_seconds").value(facts.uptime_seconds);
  if (snapshot != nullptr) {
    json.key("name").value(snapshot->name);
    json.key("cluster").value(snapshot->cluster);
    json.key("node").value(std::to_string(snapshot->view.node));
    write_load(json, facts);
    write_peers(json, snapshot->view);
  }
  json.end_object();
  return {.content_type = "application/json", .body = json.take() + "\n"};
}

Page metrics(const Facts& facts, const Rejections& rejections) {
  MetricsText text;
  const Snapshot* snapshot = facts.answer.snapshot.get();
  if (snapshot != nullptr) {
    text.gauge("starling_info", "Who this is.")
        .sample(
            std::uint64_t{1},
            {{"name", snapshot->name}, {"cluster", snapshot->cluster}, {"version", version_text}});
  }
  text.gauge("starling_ready", "1 if clients are served here.")
      .sample(std::uint64_t{reasons_not_ready(facts.answer).empty() ? 1u : 0u});
  text.gauge("starling_memory_limit_bytes", "--memory.").sample(facts.memory_limit_bytes);
  text.gauge("starling_disk_free_bytes", "Free space where the data directory is.")
      .sample(facts.disk.free_bytes);
  text.gauge("starling_disk_size_bytes", "Size of the disk where the data directory is.")
      .sample(facts.disk.total_bytes);
  if (snapshot != nullptr) {
    write_core_metrics(text, *snapshot);
    write_peer_metrics(text, snapshot->view);
    write_shell_metrics(text, snapshot->counters);
  }
  write_rejections(text, rejections, snapshot);
  text.counter("process_cpu_seconds_total", "User and system CPU time.")
      .sample(facts.process.cpu_seconds);
  text.gauge("process_resident_memory_bytes", "Resident memory.")
      .sample(facts.process.resident_bytes);
  text.gauge("process_open_fds", "Open file descriptors.").sample(facts.process.open_files);
  text.gauge("process_max_fds", "Limit of open file descriptors.")
      .sample(facts.process.max_open_files);
  text.gauge("process_start_time_seconds", "Start time since the Unix epoch.")
      .sample(facts.start_unix_seconds);
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = text.take()};
}

}  // namespace starling::http
