#include "server/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include <CLI/CLI.hpp>

namespace starling {
namespace {

constexpr std::size_t max_name_size = 64;
constexpr std::size_t max_join = 64;

struct Unit {
  std::string_view suffix;
  std::uint64_t bytes;
};
constexpr std::array units{Unit{"", 1}, Unit{"K", std::uint64_t{1} << 10},
                           Unit{"M", std::uint64_t{1} << 20}, Unit{"G", std::uint64_t{1} << 30},
                           Unit{"T", std::uint64_t{1} << 40}};

// Collects the first complaint: `--flag VALUE: sentence`.
class Reader {
 public:
  explicit Reader(const CLI::App& app) : app_(app) {}

  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }

  void complain(const std::string& flag, std::string_view value, std::string_view sentence) {
    if (!problem_) {
      std::string shown;
      for (const char c : value.substr(0, 100)) {
        shown += c >= ' ' && c < 0x7F ? c : '?';
      }
      problem_ = flag + " \"" + shown + "\" " + std::string(sentence);
    }
  }

  void address(const std::string& flag, std::optional<net::Address>& out, bool may_be_off) {
    const auto text = given(flag);
    if (!text) {
      return;
    }
    if (may_be_off && *text == "off") {
      out.reset();
      return;
    }
    auto parsed = net::parse_address(*text);
    if (!parsed) {
      complain(flag, *text, parsed.error() + (may_be_off ? ", or off" : ""));
    } else if (!may_be_off && parsed->port == 0) {
      complain(flag, *text, "has port 0; allowed: 1 to 65535");
    } else {
      out = std::move(*parsed);
    }
  }

  void size(const std::string& flag, std::uint64_t& out, std::uint64_t least, std::uint64_t most) {
    if (const auto text = given(flag)) {
      if (const auto parsed = parse_size(*text, least, most)) {
        out = *parsed;
      } else {
        complain(flag, *text, parsed.error());
      }
    }
  }

  void number(const std::string& flag, std::uint64_t& out, std::uint64_t least,
              std::uint64_t most) {
    if (const auto text = given(flag)) {
      const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
      if (text->empty() || error != std::errc() || end != text->data() + text->size() ||
          out < least || out > most) {
        complain(
            flag, *text,
            "is not allowed; allowed: " + std::to_string(least) + " to " + std::to_string(most));
      }
    }
  }

  void milliseconds(const std::string& flag, std::chrono::milliseconds& out, std::uint64_t least,
                    std::uint64_t most) {
    auto value = static_cast<std::uint64_t>(out.count());
    number(flag, value, least, most);
    out = std::chrono::milliseconds(value);
  }

  void name(const std::string& flag, std::string& out) {
    if (const auto text = given(flag)) {
      const bool fine =
          !text->empty() && text->size() <= max_name_size && std::ranges::all_of(*text, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '.' || c == '-' || c == '_';
          });
      if (!fine) {
        complain(flag, *text,
                 "is not a name; allowed: 1 to 64 letters, digits, dots, dashes and underscores");
      }
      out = *text;
    }
  }

  [[nodiscard]] std::optional<std::string> given(const std::string& flag) const {
    const CLI::Option* option = app_.get_option(flag);
    if (option->count() == 0) {
      return std::nullopt;
    }
    return option->as<std::string>();
  }

 private:
  const CLI::App& app_;
  std::optional<std::string> problem_;
};

void read_join(Reader& reader, std::vector<std::string>& join) {
  const auto text = reader.given("--join");
  if (!text) {
    return;
  }
  for (std::string_view rest = *text;;) {
    const auto comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    const auto parsed = net::parse_address(one);
    if (!parsed) {
      reader.complain("--join", one, parsed.error() + "; several are separated by commas");
      return;
    }
    if (parsed->port == 0) {
      reader.complain("--join", one, "has port 0; allowed: 1 to 65535");
      return;
    }
    join.push_back(net::to_string(*parsed));
    if (comma == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(comma + 1);
  }
  if (join.size() > max_join) {
    reader.complain("--join", *text, "names too many members; allowed: 1 to 64");
  }
}

// What must hold between flags.
void check_doors(Reader& reader, const Config& config) {
  const std::array<std::pair<const char*, const std::optional<net::Address>*>, 4> doors{
      {{"--client", &config.client},
       {"--peer", &config.peer},
       {"--resp", &config.resp},
       {"--http", &config.http}}};
  for (const auto& [flag, address] : doors) {
    if (*address && !config.insecure && !net::is_loopback((*address)->host)) {
      reader.complain(flag, net::to_string(**address),
                      "is not a loopback address, and there is no TLS and no login yet: whoever "
                      "reaches it reads and writes everything. Add --insecure if only trusted "
                      "hosts can reach it");
    }
  }
  for (std::size_t i = 0; i < doors.size(); ++i) {
    for (std::size_t j = i + 1; j < doors.size(); ++j) {
      const auto& a = *doors[i].second;
      const auto& b = *doors[j].second;
      if (a && b && *a == *b && a->port != 0) {
        reader.complain(doors[j].first, net::to_string(*b),
                        std::string("is already the address of ") + doors[i].first);
      }
    }
  }
  if (config.peer && net::is_wildcard(config.peer->host) && !config.advertise) {
    reader.complain("--peer", net::to_string(*config.peer),
                    "listens everywhere, so other nodes cannot know where to dial; name it with "
                    "--advertise HOST:PORT");
  }
  if (config.advertise && net::is_wildcard(config.advertise->host)) {
    reader.complain("--advertise", net::to_string(*config.advertise),
                    "is not an address that other nodes can dial");
  }
  if (!config.peer && !config.join.empty()) {
    reader.complain("--join", config.join.front(), "needs a peer door; --peer is off");
  }
}

}  // namespace

std::expected<std::uint64_t, std::string> parse_size(std::string_view text, std::uint64_t least,
                                                     std::uint64_t most) {
  const std::string range = "allowed: " + size_text(least) + " to " + size_text(most);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc()) {
    return std::unexpected("is not a size such as 64M; " + range);
  }
  std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const std::string_view ending : {"iB", "B"}) {
    if (suffix.ends_with(ending)) {
      suffix.remove_suffix(ending.size());
      break;
    }
  }
  const auto unit = std::ranges::find(units, suffix, &Unit::suffix);
  if (unit == units.end()) {
    return std::unexpected("is not a size such as 64M; " + range);
  }
  if (number > UINT64_MAX / unit->bytes || number * unit->bytes < least ||
      number * unit->bytes > most) {
    return std::unexpected("is out of range; " + range);
  }
  return number * unit->bytes;
}

std::string size_text(std::uint64_t bytes) {
  std::size_t unit = 0;
  while (unit + 1 < units.size() && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + std::string(units[unit].suffix);
}

std::expected<Config, Farewell> parse_command_line(std::vector<std::string> args,
                                                   const Host& host) {
  CLI::App app("kvd, a node of Starling: a replicated key-value store that merges.", "kvd");
  app.set_version_flag("--version", std::string("kvd ") + version_text);
  std::map<std::string, std::string> ignored;  // CLI11 wants a place for every value
  const auto option = [&](const char* flag, const char* type, const std::string& help,
                          const char* group = "Options") {
    app.add_option(flag, ignored[flag], help)->type_name(type)->group(group);
  };
  const auto toggle = [&](const char* flag, const std::string& help,
                          const char* group = "Options") {
    app.add_flag(std::string(flag), help)->group(group);
  };
  option("--data", "DIR", "Where this node keeps its data (required)");
  option("--name", "NAME", "Unique in the cluster; default: the host's name");
  option("--cluster", "NAME", "Only nodes of the same cluster talk; default: starling");
  option("--client", "ADDR", "Door for kvctl and native clients; default: 127.0.0.1:7001");
  option("--peer", "ADDR", "Door for other nodes; default: 127.0.0.1:7002");
  option("--resp", "ADDR", "Door for Redis clients; default: 127.0.0.1:6380");
  option("--http", "ADDR", "Door for health and metrics; default: 127.0.0.1:7080");
  option("--advertise", "ADDR", "What other nodes dial; default: the address of --peer");
  option("--advertise-client", "ADDR",
         "What clients of other nodes are told; default: the host of --advertise, the port of "
         "--client");
  option("--join", "ADDR[,ADDR]", "Peer doors of members to meet");
  option("--sync", "MODE",
         "os, everysec or always: when a write is safe from a power cut; default: everysec");
  option("--memory", "SIZE", "Bound for tables and caches; default: half of what there is");
  option("--max-value", "SIZE", "Largest value; default: 8M");
  option("--conflict-lines", "N", "Latest lines of the conflict journal to keep; default: 10000");
  option("--max-clients", "N", "So many native clients, and so many Redis clients; default: 10000");
  option("--output-limit", "SIZE", "Unread replies after which a client is cut off; default: 64M");
  toggle("--insecure", "Allow doors on addresses that are not loopback, without TLS and login");
  toggle("--allow-faults", "Allow kvctl to cut links between nodes");
  toggle("--accept-loss", "Open a damaged directory with what is left of it (sole member only)");
  constexpr auto tests = "For tests";
  option("--checkpoint-bytes", "SIZE", "Checkpoint after this much change; default: 64M", tests);
  option("--checkpoint-age", "MS", "Checkpoint this long after a change; default: 60000", tests);
  option("--long-cells", "N",
         "Commands of Redis clients that look at more run in turns; default: 4096", tests);
  option("--turn-us", "US", "How long such a turn is; default: 1000", tests);
  option("--heartbeat-ms", "MS", "Between two heartbeats to a peer; default: 100", tests);
  option("--peer-timeout-ms", "MS", "A peer silent for so long is away; default: 5000", tests);
  option("--hello-timeout-ms", "MS", "For the first message of a connection; default: 10000",
         tests);
  toggle("--truncate-log", "Drop log records that every member has; joiners may then be refused",
         tests);

  try {
    std::ranges::reverse(args);  // CLI11 takes them from the back
    app.parse(std::move(args));
  } catch (const CLI::CallForHelp&) {
    return std::unexpected(Farewell{0, app.help()});
  } catch (const CLI::CallForVersion& version) {
    return std::unexpected(Farewell{0, std::string(version.what()) + "\n"});
  } catch (const CLI::ParseError& error) {
    return std::unexpected(
        Farewell{2, std::string("kvd: ") + error.what() + "\nkvd --help lists all flags\n"});
  }

  Config config;
  config.name = host.name;
  Reader reader(app);
  if (const auto data = reader.given("--data"); data && !data->empty()) {
    config.data = *data;
  } else {
    reader.complain("--data", data.value_or(""), "is required: name the directory of this node");
  }
  reader.name("--name", config.name);
  reader.name("--cluster", config.cluster);
  reader.address("--client", config.client, true);
  reader.address("--peer", config.peer, true);
  reader.address("--resp", config.resp, true);
  reader.address("--http", config.http, true);
  reader.address("--advertise", config.advertise, false);
  reader.address("--advertise-client", config.advertise_client, false);
  read_join(reader, config.join);
  if (const auto mode = reader.given("--sync")) {
    if (*mode == "os") {
      config.sync = replica::SyncMode::os;
    } else if (*mode == "always") {
      config.sync = replica::SyncMode::always;
    } else if (*mode != "everysec") {
      reader.complain("--sync", *mode, "is not a mode; allowed: os, everysec, always");
    }
  }
  constexpr std::uint64_t mib = 1u << 20;
  config.memory_bytes = std::max(host.memory_bytes / 2, 32 * mib);
  reader.size("--memory", config.memory_bytes, 32 * mib, std::uint64_t{16} << 40);
  reader.size("--max-value", config.max_value_bytes, 1024, 32 * mib);
  reader.number("--conflict-lines", config.conflict_lines, 0, 100'000);
  reader.number("--max-clients", config.max_clients, 1, 1'000'000);
  reader.size("--output-limit", config.output_limit_bytes, mib, std::uint64_t{4} << 30);
  reader.size("--checkpoint-bytes", config.checkpoint_bytes, 4096, std::uint64_t{1} << 40);
  reader.number("--long-cells", config.long_cells, 1, std::uint64_t{1} << 32);
  reader.number("--turn-us", config.turn_us, 0, 1'000'000);
  reader.milliseconds("--checkpoint-age", config.checkpoint_age, 1, 86'400'000);
  reader.milliseconds("--heartbeat-ms", config.heartbeat, 1, 60'000);
  reader.milliseconds("--peer-timeout-ms", config.peer_timeout, 10, 600'000);
  reader.milliseconds("--hello-timeout-ms", config.hello_timeout, 10, 600'000);
  config.allow_faults = app.count("--allow-faults") > 0;
  config.insecure = app.count("--insecure") > 0;
  config.accept_loss = app.count("--accept-loss") > 0;
  config.truncate_log = app.count("--truncate-log") > 0;
  check_doors(reader, config);
  if (reader.problem()) {
    return std::unexpected(
        Farewell{2, "kvd: " + *reader.problem() + "\nkvd --help lists all flags\n"});
  }
  return config;
}

}  // namespace starling
