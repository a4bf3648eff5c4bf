#include "server/resp/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <system_error>

#include "crdt/string.h"
#include "server/resp/call.h"
#include "server/resp/server.h"

namespace starling::resp {
namespace {

std::string failed(std::string_view name, std::string_view why) {
  return "ERR CONFIG SET failed (possibly related to argument '" + std::string(name) + "') - " +
         std::string(why);
}

bool is_unknown(const std::vector<std::pair<std::string, std::string>>& all,
                std::string_view name) {
  return std::ranges::none_of(all, [&](const auto& one) { return one.first == name; });
}

struct Bounds {
  std::int64_t least, most;
};

std::optional<Bounds> changeable(std::string_view name) {
  if (name == "slowlog-log-slower-than") {
    return Bounds{-1, std::numeric_limits<std::int64_t>::max()};
  }
  if (name == "slowlog-max-len") {
    return Bounds{0, SlowLog::most_entries};
  }
  return std::nullopt;
}

// As Redis reads it: "100mb" is 100 * 1024 * 1024 bytes, "100m" a hundred millions, nothing is 0,
// and what is larger than a number can be is the largest there is.
std::optional<std::uint64_t> parse_memory(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string unit = lower(text.substr(digits));
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 8> units{{{"", 1},
                                                                             {"b", 1},
                                                                             {"k", 1000},
                                                                             {"kb", 1 << 10},
                                                                             {"m", 1'000'000},
                                                                             {"mb", 1 << 20},
                                                                             {"g", 1'000'000'000},
                                                                             {"gb", 1 << 30}}};
  const auto* const found =
      std::ranges::find(units, unit, [](const auto& one) { return one.first; });
  if (found == units.end()) {
    return std::nullopt;
  }
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t number = 0;
  const char* const begin = text.data();
  if (digits > 0 && std::from_chars(begin, begin + digits, number).ec != std::errc()) {
    return most;
  }
  return number > most / found->second ? most : number * found->second;
}

bool deletes_keys(std::string_view policy) {
  constexpr std::array<std::string_view, 7> policies{
      "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
      "allkeys-lru",  "allkeys-lfu",  "allkeys-random"};
  return std::ranges::find(policies, policy) != policies.end();
}

std::expected<void, std::string> check_memory(std::string_view name, std::string_view value,
                                              std::string_view now) {
  const auto bytes = parse_memory(value);
  if (!bytes) {
    return std::unexpected(failed(name, "argument must be a memory value"));
  }
  if (std::to_string(*bytes) != now) {
    return std::unexpected(failed(name, "it is '" + std::string(now) +
                                            "' (kvd --memory) as long as the node runs; no key is "
                                            "deleted for it, data beyond it stays on disk"));
  }
  return {};
}

std::expected<void, std::string> check_policy(std::string_view name, const std::string& policy) {
  if (policy == "noeviction") {
    return {};
  }
  if (deletes_keys(policy)) {
    return std::unexpected(
        failed(name, "'" + policy +
                         "' deletes keys when memory is full; here data goes to disk instead, so "
                         "that it must be noeviction"));
  }
  return std::unexpected(failed(name, "argument(s) must be one of the following: noeviction"));
}

std::expected<void, std::string> check(std::string_view name, std::string_view value,
                                       std::string_view now) {
  if (const auto range = changeable(name)) {
    const auto number = parse_integer(value);
    if (!number) {
      return std::unexpected(failed(name, "argument couldn't be parsed into an integer"));
    }
    if (*number < range->least || *number > range->most) {
      return std::unexpected(failed(name, "argument must be between " +
                                              std::to_string(range->least) + " and " +
                                              std::to_string(range->most) + " inclusive"));
    }
    return {};
  }
  if (name == "maxmemory") {
    return check_memory(name, value, now);
  }
  if (name == "maxmemory-policy") {
    return check_policy(name, lower(value));
  }
  if (value == now) {
    return {};
  }
  return std::unexpected(
      failed(name, "it is '" + std::string(now) + "' as long as the node runs; see kvd --help"));
}

}  // namespace

std::vector<std::pair<std::string, std::string>> settings(Server& server) {
  const NodeFacts facts = server.backend().facts();
  std::vector<std::pair<std::string, std::string>> all = facts.options;
  const auto add = [&](std::string name, std::string value) {
    all.emplace_back(std::move(name), std::move(value));
  };
  add("appendonly", "yes");
  add("cluster-enabled", "no");
  add("databases", std::to_string(server.options().databases));
  add("latency-monitor-threshold", "0");
  add("maxclients", std::to_string(server.options().max_clients));
  add("maxmemory", std::to_string(facts.memory_limit));
  add("maxmemory-policy", "noeviction");
  add("port", std::to_string(facts.port));
  add("proto-max-bulk-len", std::to_string(server.parser_limits().bulk));
  add("save", "");
  add("slowlog-log-slower-than", std::to_string(server.slow_log().threshold_us));
  add("slowlog-max-len", std::to_string(server.slow_log().most()));
  add("timeout", "0");
  std::ranges::sort(all);
  return all;
}

std::expected<void, std::string> change_settings(Server& server, const NewSettings& wanted) {
  const auto all = settings(server);
  for (const auto& [name, asked, value] : wanted) {
    if (is_unknown(all, name)) {
      return std::unexpected("ERR Unknown option or number of arguments for CONFIG SET - '" +
                             std::string(asked.substr(0, 128)) + "'");
    }
  }
  for (const auto& [name, asked, value] : wanted) {
    if (std::ranges::count(wanted, name, &NewSetting::name) > 1) {
      return std::unexpected(failed(name, "duplicate parameter"));
    }
    const auto found = std::ranges::find(all, name, [](const auto& one) { return one.first; });
    if (auto good = check(name, value, found->second); !good) {
      return good;
    }
  }
  for (const auto& [name, asked, value] : wanted) {
    if (name == "slowlog-log-slower-than") {
      server.slow_log().threshold_us = *parse_integer(value);
    } else if (name == "slowlog-max-len") {
      server.slow_log().keep(static_cast<std::size_t>(*parse_integer(value)));
    }
  }
  return {};
}

}  // namespace starling::resp
