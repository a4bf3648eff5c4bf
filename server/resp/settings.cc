#include "server/resp/settings.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "crdt/string.h"
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
  if (value == now) {
    return {};
  }
  if (name == "maxmemory-policy") {
    return std::unexpected(failed(name, "argument(s) must be one of the following: noeviction"));
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
