// What a node says about its cluster, read from its JSON. Fields that are missing stay at their
// defaults: the node may be older or newer than we are.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace starling::cli {

struct MemberView {
  std::string name;
  std::string client;
  std::string state;  // up, down, cut, left
  bool self = false;
  bool version_equal = false;
  std::int64_t behind_ops = 0;
  std::int64_t ahead_ops = 0;
  std::int64_t last_heard_ms = -1;
  std::string digest;
  bool converged = false;

  [[nodiscard]] bool reachable() const { return self || state == "up"; }
};

struct StatusView {
  std::string cluster;
  std::string name;
  std::string node;
  bool ready = false;
  bool converged = false;
  std::string version;
  std::string digest;
  std::int64_t cells = -1;
  std::vector<std::string> reasons;  // why it is not ready, or what is wrong though it is
  std::vector<MemberView> members;
};

[[nodiscard]] std::expected<StatusView, std::string> parse_status(std::string_view json);

}  // namespace starling::cli
