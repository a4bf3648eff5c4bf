// The command line of kvd, checked. docs/operations.md explains every flag.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "server/net/address.h"
#include "server/replica/replica.h"

namespace starling {

inline constexpr const char* version_text = "0.1.0";

struct Config {
  std::filesystem::path data;
  std::string name;
  std::string cluster = "starling";
  // Doors; empty: closed. Port 0 takes a free one.
  std::optional<net::Address> client = net::Address{"127.0.0.1", 7001};
  std::optional<net::Address> peer = net::Address{"127.0.0.1", 7002};
  std::optional<net::Address> resp = net::Address{"127.0.0.1", 6380};
  std::optional<net::Address> http = net::Address{"127.0.0.1", 7080};
  std::optional<net::Address> advertise;         // what other nodes dial
  std::optional<net::Address> advertise_client;  // what clients are told
  std::vector<std::string> join;
  replica::SyncMode sync = replica::SyncMode::everysec;
  std::uint64_t memory_bytes = 0;
  std::uint64_t max_value_bytes = 8u << 20;
  std::uint64_t max_clients = 10'000;
  std::uint64_t conflict_lines = 10'000;
  std::uint64_t output_limit_bytes = 64u << 20;
  std::chrono::milliseconds hello_timeout{10'000};
  bool allow_faults = false;
  bool insecure = false;
  bool accept_loss = false;

  // For tests.
  std::uint64_t checkpoint_bytes = 64u << 20;
  std::uint64_t long_cells = 4096;  // a Redis client's command that looks at more runs in turns …
  std::uint64_t turn_us = 1000;     // … of so long
  std::chrono::milliseconds checkpoint_age{60'000};
  std::chrono::milliseconds heartbeat{100};
  std::chrono::milliseconds peer_timeout{5'000};
  bool truncate_log = false;
};

// What the defaults depend on.
struct Host {
  std::string name = "node";
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;
};

// The program ends here: help (code 0) or a sentence about what is wrong (code 2).
struct Farewell {
  int code = 0;
  std::string text;
};

// `args` without the name of the program.
[[nodiscard]] std::expected<Config, Farewell> parse_command_line(std::vector<std::string> args,
                                                                 const Host& host);

// "64M", "64MiB", "64MB" and 67108864 are the same; the error says what is allowed.
[[nodiscard]] std::expected<std::uint64_t, std::string> parse_size(std::string_view text,
                                                                   std::uint64_t least,
                                                                   std::uint64_t most);
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace starling
