// INFO: facts and counts as name:value lines, in Redis's sections and by Redis's names where we
// have the same thing. What we do not have is left out, not made up.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "server/replica/keyspace.h"
#include "server/resp/commands/families.h"
#include "server/resp/session.h"

namespace starling::resp {
namespace {

// Of one database.
struct KeyFigures {
  std::int64_t keys = 0;
  std::int64_t expires = 0;
  std::int64_t average_ttl_ms = 0;  // of those that expire
};

struct Report {
  Server& server;
  NodeFacts facts;
  replica::View view;
  replica::Now now;
  std::vector<KeyFigures> keys;  // of each database
  std::string text;

  void title(std::string_view name) {
    text.append(text.empty() ? "# " : "\r\n# ").append(name).append("\r\n");
  }
  void line(std::string_view name, std::string_view value) {
    text.append(name).append(":").append(value).append("\r\n");
  }
  void line(std::string_view name, std::uint64_t value) { line(name, std::to_string(value)); }
};

std::string with_decimals(double value, int decimals) {
  std::array<char, 64> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  return {buffer.data(), static_cast<std::size_t>(size)};
}

// As Redis writes bytes for people.
std::string for_people(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 4> units{"K", "M", "G", "T"};
  if (bytes < 1024) {
    return std::to_string(bytes) + "B";
  }
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return with_decimals(value, 2) + std::string(units[unit]);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return with_decimals(
             whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole), 2) +
         "%";
}

std::string hex(std::uint64_t value) {
  std::array<char, 17> buffer{};
  (void)std::snprintf(buffer.data(), buffer.size(), "%016llx",
                      static_cast<unsigned long long>(value));
  return buffer.data();
}

// ---------------------------------------------------------------- sections

void server_section(Report& out) {
  out.title("Server");
  out.line("redis_version", compatible_redis_version);
  out.line("redis_mode", "standalone");
  out.line("starling_version", out.facts.version);
  out.line("node_name", out.facts.name);
  out.line("os", out.facts.system);
  out.line("arch_bits", sizeof(void*) * 8);
  out.line("process_id", out.facts.process);
  // Another start is another run, as in Redis; here the node's epoch tells them apart.
  out.line("run_id", hex(out.view.node) + hex(out.view.origin.epoch) + "00000000");
  out.line("tcp_port", out.facts.port);
  out.line("server_time_usec", out.now.unix_ms * 1000);
  out.line("uptime_in_seconds", out.facts.uptime_seconds);
  out.line("uptime_in_days", out.facts.uptime_seconds / 86'400);
}

void clients_section(Report& out) {
  std::uint64_t waiting = 0;
  std::uint64_t largest_input = 0;
  for (const auto& [id, session] : out.server.sessions()) {
    waiting += session->waits() ? 1 : 0;
    largest_input = std::max<std::uint64_t>(largest_input, session->input_bytes());
  }
  out.title("Clients");
  out.line("connected_clients", out.server.sessions().size());
  out.line("maxclients", out.server.options().max_clients);
  out.line("client_recent_max_input_buffer", largest_input);
  out.line("blocked_clients", waiting);
  out.line("tracking_clients", 0);
}

void memory_section(Report& out) {
  std::uint64_t clients = 0;
  for (const auto& [id, session] : out.server.sessions()) {
    clients += session->held();
  }
  out.title("Memory");
  // One figure for both: the allocator is not asked, the process is.
  out.line("used_memory", out.facts.memory_bytes);
  out.line("used_memory_human", for_people(out.facts.memory_bytes));
  out.line("used_memory_rss", out.facts.memory_bytes);
  out.line("used_memory_rss_human", for_people(out.facts.memory_bytes));
  out.line("used_memory_peak", out.facts.memory_peak_bytes);
  out.line("used_memory_peak_human", for_people(out.facts.memory_peak_bytes));
  out.line("used_memory_peak_perc", percent(out.facts.memory_bytes, out.facts.memory_peak_bytes));
  out.line("used_memory_dataset", out.view.table_bytes);
  out.line("used_memory_dataset_perc", percent(out.view.table_bytes, out.facts.memory_bytes));
  out.line("total_system_memory", out.facts.system_memory_bytes);
  out.line("total_system_memory_human", for_people(out.facts.system_memory_bytes));
  out.line("mem_clients_normal", clients);
  out.line("maxmemory", out.facts.memory_limit);
  out.line("maxmemory_human", for_people(out.facts.memory_limit));
  out.line("maxmemory_policy", "noeviction");
}

// The log is to us what the append-only file is to Redis, the checkpoint what the RDB file is.
void persistence_section(Report& out) {
  out.title("Persistence");
  out.line("loading", out.view.ready ? 0 : 1);
  out.line("rdb_last_save_time", out.facts.durable_until_unix_s);
  out.line("rdb_saves", out.view.checkpoints);
  out.line("aof_enabled", 1);
  out.line("aof_last_write_status", "ok");  // a node that cannot write its log stops (R2.4)
  out.line("log_position", out.view.log_position);
  out.line("state_position", out.view.state_position);
  out.line("checkpoint_failures", out.view.checkpoint_failures);
}

void stats_section(Report& out) {
  const Statistics& statistics = out.server.statistics();
  out.title("Stats");
  out.line("total_connections_received", statistics.connections_received);
  out.line("total_commands_processed", statistics.commands_processed);
  out.line("total_net_input_bytes", out.facts.bytes_received);
  out.line("total_net_output_bytes", out.facts.bytes_sent);
  out.line("instantaneous_ops_per_sec", out.facts.commands_per_second);
  out.line("rejected_connections", out.facts.connections_rejected);
  out.line("expired_keys", out.view.expired_keys);
  out.line("evicted_keys", 0);
  out.line("keyspace_hits", statistics.keyspace_hits);
  out.line("keyspace_misses", statistics.keyspace_misses);
  out.line("pubsub_channels", out.server.pubsub().channels().size());
  out.line("pubsub_patterns", out.server.pubsub().patterns());
  out.line("total_error_replies", statistics.errors.total());
}

// Clients that look for a master find one: every node takes writes. Its peers are in the section
// Crdt, because none of them is a replica in Redis's sense.
void replication_section(Report& out) {
  out.title("Replication");
  out.line("role", "master");
  out.line("connected_slaves", 0);
  out.line("master_replid", hex(out.view.node) + hex(out.view.origin.epoch) + "00000000");
  out.line("master_repl_offset", out.view.log_position);
}

void cpu_section(Report& out) {
  out.title("CPU");
  out.line("used_cpu_sys", with_decimals(static_cast<double>(out.facts.system_cpu_us) / 1e6, 6));
  out.line("used_cpu_user", with_decimals(static_cast<double>(out.facts.user_cpu_us) / 1e6, 6));
}

void commandstats_section(Report& out) {
  out.title("Commandstats");
  for (const auto& [facts, counts] : out.server.statistics().commands) {
    const double each =
        counts.calls == 0 ? 0 : static_cast<double>(counts.us) / static_cast<double>(counts.calls);
    out.line("cmdstat_" + std::string(facts->name),
             "calls=" + std::to_string(counts.calls) + ",usec=" + std::to_string(counts.us) +
                 ",usec_per_call=" + with_decimals(each, 2) +
                 ",rejected_calls=" + std::to_string(counts.rejected) +
                 ",failed_calls=" + std::to_string(counts.failed));
  }
}

void errorstats_section(Report& out) {
  out.title("Errorstats");
  for (const auto& [code, count] : out.server.statistics().errors.by_code()) {
    out.line("errorstat_" + code, "count=" + std::to_string(count));
  }
}

void cluster_section(Report& out) {
  out.title("Cluster");
  out.line("cluster_enabled", 0);
}

// What Redis has no words for.
void crdt_section(Report& out) {
  const replica::View& view = out.view;
  const auto connected = std::ranges::count_if(
      view.peers, [](const replica::PeerView& peer) { return peer.connected; });
  out.title("Crdt");
  out.line("node_id", hex(view.node));
  out.line("epoch", view.origin.epoch);
  out.line("ready", view.ready ? 1 : 0);
  out.line("peers", view.peers.size());
  out.line("peers_connected", static_cast<std::uint64_t>(connected));
  out.line("entries_applied", view.entries_applied);
  out.line("duplicates_dropped", view.duplicates_dropped);
  out.line("held_bytes", view.held_bytes);
  out.line("quarantined", view.quarantined);
  out.line("conflicts", view.conflict_lines);
  out.line("conflicts_dropped", view.conflict_lines_dropped);
  for (std::size_t i = 0; i < view.peers.size(); ++i) {
    const replica::PeerView& peer = view.peers[i];
    std::string told = "name=" + peer.name + ",address=" + peer.address +
                       ",connected=" + (peer.connected ? "1" : "0") +
                       ",cut=" + (peer.cut ? "1" : "0") +
                       ",behind_ops=" + std::to_string(peer.behind_ops) +
                       ",ahead_ops=" + std::to_string(peer.ahead_ops);
    if (peer.heard) {
      told += ",last_heard_ms=" + std::to_string(peer.heard->ms_ago) +
              ",clock_skew_ms=" + std::to_string(peer.heard->clock_skew_ms);
    }
    out.line("peer" + std::to_string(i), told);
  }
}

void keyspace_section(Report& out) {
  out.title("Keyspace");
  for (std::size_t db = 0; db < out.keys.size(); ++db) {
    const KeyFigures& figures = out.keys[db];
    if (figures.keys > 0) {
      out.line("db" + std::to_string(db), "keys=" + std::to_string(figures.keys) +
                                              ",expires=" + std::to_string(figures.expires) +
                                              ",avg_ttl=" + std::to_string(figures.average_ttl_ms));
    }
  }
}

// How many keys expire nobody counts: some of them tell. Keys come in the order of their hashes, so
// that any page of them is as good as any other. Exact where all keys are looked at.
KeyFigures key_figures(replica::Transaction& transaction, std::uint8_t db) {
  constexpr std::int64_t sample = 256;
  KeyFigures figures{.keys = replica::key_count(transaction, db)};
  std::int64_t seen = 0;
  std::int64_t expiring = 0;
  double ttl_ms = 0;
  std::uint64_t cursor = 0;
  int pages = figures.keys > 0 ? 8 : 0;  // some hold nothing but keys of other databases
  for (; pages > 0 && seen < sample; --pages) {
    const auto page =
        replica::scan(transaction, db, cursor, static_cast<std::size_t>(sample - seen));
    for (const replica::ListedKey& key : page.keys) {
      ++seen;
      if (key.deadline) {
        ++expiring;
        ttl_ms += static_cast<double>(*key.deadline - transaction.now_ms());
      }
    }
    cursor = page.next;
    if (cursor == 0) {
      break;
    }
  }
  const bool all = cursor == 0;
  figures.expires = all || seen == 0 ? expiring : expiring * figures.keys / seen;
  figures.average_ttl_ms =
      expiring == 0 ? 0 : static_cast<std::int64_t>(ttl_ms / static_cast<double>(expiring));
  return figures;
}

struct Section {
  std::string_view name;
  bool by_default;
  void (*write)(Report&);
};
constexpr Section keyspace{"KEYSPACE", true, keyspace_section};
constexpr std::array sections{
    Section{"SERVER", true, server_section},
    Section{"CLIENTS", true, clients_section},
    Section{"MEMORY", true, memory_section},
    Section{"PERSISTENCE", true, persistence_section},
    Section{"STATS", true, stats_section},
    Section{"REPLICATION", true, replication_section},
    Section{"CPU", true, cpu_section},
    Section{"COMMANDSTATS", false, commandstats_section},
    Section{"ERRORSTATS", true, errorstats_section},
    Section{"CLUSTER", true, cluster_section},
    keyspace,
    Section{"CRDT", true, crdt_section},
};

bool asks_for(const Call& call, const Section& section) {
  if (call.size() == 1) {
    return section.by_default;
  }
  return std::ranges::any_of(call.args.subspan(1), [&](std::string_view word) {
    return is_word(word, section.name) || is_word(word, "ALL") || is_word(word, "EVERYTHING") ||
           (is_word(word, "DEFAULT") && section.by_default);
  });
}

void info(Call& call) {
  Backend& backend = call.server.backend();
  const replica::Now now = backend.now();
  Report report{call.server, backend.facts(), backend.replica().view(now), now, {}, {}};
  const auto count = [&](replica::Transaction& transaction) {
    for (std::size_t db = 0; db < call.server.options().databases; ++db) {
      report.keys.push_back(key_figures(transaction, static_cast<std::uint8_t>(db)));
    }
  };
  if (!asks_for(call, keyspace)) {
    // Nobody wants them.
  } else if (call.tx != nullptr) {
    count(*call.tx);
  } else if (backend.replica().run(count, {}, now).ran != replica::Replica::Ran::done) {
    report.keys.clear();  // the node does not serve data yet, but tells of itself
  }
  for (const Section& section : sections) {
    if (asks_for(call, section)) {
      section.write(report);
    }
  }
  call.reply.verbatim(report.text);
}

}  // namespace

std::span<const Binding> info_commands() {
  static constexpr std::array bindings{Binding{"info", info}};
  return bindings;
}

}  // namespace starling::resp
