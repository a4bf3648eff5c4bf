// Who belongs to the cluster and where they are found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/messages.h"

namespace starling::replica {

// Facts about members, spread in Hello and MemberFacts and kept across restarts; for each node the
// higher revision wins, so a node that moved is found again. Only a node itself revises its facts.
// Runs on: core strand.
class Members {
 public:
  // Adds or updates; true if that changed anything.
  bool merge(const wire::Member& member);
  [[nodiscard]] const wire::Member* find(std::uint64_t node) const;
  [[nodiscard]] const wire::Member* find_name(std::string_view name) const;
  [[nodiscard]] const std::vector<wire::Member>& all() const { return members_; }
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  // Equal on nodes that know the same facts.
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static std::optional<Members> decode(std::string_view bytes);

 private:
  std::vector<wire::Member> members_;  // by node
  std::uint64_t hash_ = 0;             // asked for in every tick
};

}  // namespace starling::replica
