// Who listens to what on this node, and what they are told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp/glob.h"

namespace starling::resp {

class Session;

inline constexpr std::size_t max_channel_bytes = 4096;  // every pattern is held against a name

// A message goes to those who listen at that moment, at most once, and is forgotten. One that
// cannot take it is cut off, so that it notices that it missed something.
// Runs on: core strand.
class PubSub {
 public:
  // What all messages of one tick may take in memory, copies for each listener counted.
  static constexpr std::size_t max_unsent_bytes = 64u << 20;
  // Names and patterns that one connection may listen to, with what each costs besides.
  static constexpr std::size_t max_bytes_of_session = 16u << 20;
  static constexpr std::size_t bytes_besides_name = 256;

  // False: it did already, or did not.
  bool subscribe(Session& session, std::string_view channel);
  bool unsubscribe(Session& session, std::string_view channel);
  bool subscribe_pattern(Session& session, std::string_view pattern);
  bool unsubscribe_pattern(Session& session, std::string_view pattern);
  void leave(Session& session);

  // How many times it was passed on: once for each channel and pattern.
  std::size_t publish(std::string_view channel, std::string_view message);
  // What was said has left.
  void sent() { unsent_bytes_ = 0; }

  [[nodiscard]] std::vector<std::string_view> channels() const;
  [[nodiscard]] std::size_t listeners(std::string_view channel) const;
  [[nodiscard]] std::size_t patterns() const { return patterns_.size(); }

 private:
  using Listeners = std::map<std::uint64_t, Session*>;
  struct Pattern {
    Glob glob;
    Listeners listeners;
  };

  std::size_t tell(const Listeners& listeners, const std::vector<std::string_view>& parts);

  std::map<std::string, Listeners, std::less<>> channels_;
  std::map<std::string, Pattern, std::less<>> patterns_;
  std::size_t unsent_bytes_ = 0;
};

}  // namespace starling::resp
