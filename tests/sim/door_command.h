// Commands of the Redis door in the simulator's own currency, so that requests, answers and
// checkers are the same for both front doors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/messages.h"

namespace starling::sim {

// No native command has this number. `args` are the words, the command's name first; `key` is the
// word after it, as for nearly all commands.
inline constexpr auto door_code = static_cast<wire::CommandCode>(1000);

using Words = std::vector<std::string>;

[[nodiscard]] inline wire::Command door_command(Words words, std::uint8_t db = 0) {
  std::string key = words.size() > 1 ? words[1] : std::string();
  return {door_code, db, std::move(key), std::move(words), 0};
}
// "ZADD board GT 5 ann" as words.
[[nodiscard]] inline wire::Command door_command(std::string_view line, std::uint8_t db = 0) {
  Words words;
  while (!line.empty()) {
    const std::size_t end = std::min(line.find(' '), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return door_command(std::move(words), db);
}

// Which words of a command that random schedules use are keys.
[[nodiscard]] inline std::size_t keys_of_words(const Words& words) {
  const std::string& name = words.front();
  return name == "SUNION" || name == "SUNIONSTORE" ? words.size() - 1 : words.size() > 1 ? 1 : 0;
}

[[nodiscard]] inline bool is_door(const wire::Command& command) {
  return command.code == door_code;
}
// A request is for one door or for the other.
[[nodiscard]] inline bool is_door(const wire::Request& request) {
  return !request.commands.empty() && is_door(request.commands.front());
}

}  // namespace starling::sim
