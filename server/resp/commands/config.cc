// CONFIG, SLOWLOG and LATENCY: what can be set, and what is kept for whoever looks after the node.
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <vector>

#include "crdt/string.h"
#include "server/resp/commands/families.h"
#include "server/resp/commands/help.h"
#include "server/resp/glob.h"
#include "server/resp/server.h"
#include "server/resp/settings.h"

namespace starling::resp {
namespace {

// ---------------------------------------------------------------- CONFIG

void config_get(Call& call) {
  std::vector<Glob> wanted;
  for (const std::string_view pattern : call.args.subspan(2)) {
    if (pattern.size() > max_pattern_bytes) {
      call.reply.error("ERR a pattern is longer than " + std::to_string(max_pattern_bytes) +
                       " bytes");
      return;
    }
    wanted.emplace_back(lower(pattern));
  }
  auto all = settings(call.server);
  std::erase_if(all, [&](const auto& one) {
    return std::ranges::none_of(wanted, [&](const Glob& glob) { return glob.matches(one.first); });
  });
  call.reply.map(all.size());
  for (const auto& [name, value] : all) {
    call.reply.bulk(name);
    call.reply.bulk(value);
  }
}

void config_set(Call& call) {
  if (call.size() % 2 != 0) {
    call.syntax_error();
    return;
  }
  constexpr std::size_t most = 64;  // there are not as many
  if (call.size() > 2 * most) {
    call.syntax_error();
    return;
  }
  NewSettings wanted;
  for (std::size_t i = 2; i < call.size(); i += 2) {
    wanted.push_back({lower(call[i]), call[i], call[i + 1]});
  }
  if (auto changed = change_settings(call.server, wanted); !changed) {
    call.reply.error(changed.error());
    return;
  }
  call.reply.ok();
}

void config_resetstat(Call& call) {
  call.server.statistics() = {};
  call.reply.ok();
}

// ---------------------------------------------------------------- SLOWLOG

void slowlog_get(Call& call) {
  std::int64_t most = 10;
  if (call.size() > 3) {
    call.wrong_subcommand();
    return;
  }
  if (call.size() == 3) {
    const auto count = parse_integer(call[2]);
    if (!count || *count < -1) {
      call.reply.error("ERR count should be greater than or equal to -1");
      return;
    }
    most = *count;
  }
  const auto& entries = call.server.slow_log().entries();
  const std::size_t shown =
      most < 0 ? entries.size() : std::min(entries.size(), static_cast<std::size_t>(most));
  call.reply.array(shown);
  for (std::size_t i = 0; i < shown; ++i) {
    const SlowLog::Entry& entry = entries[i];
    call.reply.array(6);
    call.reply.integer(static_cast<std::int64_t>(entry.id));
    call.reply.integer(static_cast<std::int64_t>(entry.unix_s));
    call.reply.integer(static_cast<std::int64_t>(entry.us));
    call.reply.array(entry.args.size());
    for (const std::string& arg : entry.args) {
      call.reply.bulk(arg);
    }
    call.reply.bulk(entry.client);
    call.reply.bulk(entry.client_name);
  }
}

void slowlog_len(Call& call) {
  call.reply.integer(static_cast<std::int64_t>(call.server.slow_log().entries().size()));
}

void slowlog_reset(Call& call) {
  call.server.slow_log().clear();
  call.reply.ok();
}

// ---------------------------------------------------------------- LATENCY

// Nothing is sampled: latency-monitor-threshold is 0 and cannot be changed, and Redis with that
// setting answers the same. /metrics has the times of ticks, syncs and checkpoints.
void no_samples(Call& call) { call.reply.array(0); }
void latency_reset(Call& call) { call.reply.integer(0); }
void latency_doctor(Call& call) {
  call.reply.verbatim(
      "Delays are not sampled here. The times of ticks, log syncs and checkpoints are in /metrics, "
      "slow commands in SLOWLOG.\n");
}

}  // namespace

std::span<const Binding> config_commands() {
  static constexpr std::array bindings{
      Binding{"config|get", config_get},
      Binding{"config|set", config_set},
      Binding{"config|resetstat", config_resetstat},
      Binding{"config|help", container_help},
      Binding{"slowlog|get", slowlog_get},
      Binding{"slowlog|len", slowlog_len},
      Binding{"slowlog|reset", slowlog_reset},
      Binding{"slowlog|help", container_help},
      Binding{"latency|latest", no_samples},
      Binding{"latency|history", no_samples},
      Binding{"latency|reset", latency_reset},
      Binding{"latency|doctor", latency_doctor},
      Binding{"latency|help", container_help},
  };
  return bindings;
}

}  // namespace starling::resp
