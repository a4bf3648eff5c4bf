// Commands as the table describes them, drawn by the bytes of a fuzzer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp/command_table.h"

namespace starling::fuzz {

// The input, read as decisions; at its end every decision is 0.
class Choices {
 public:
  explicit Choices(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) {
      return 0;
    }
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  std::size_t below(std::size_t bound) {
    const std::size_t high = bound > 256 ? byte() : 0;
    return (high * 256 + byte()) % bound;
  }
  bool one_in(std::size_t n) { return below(n) == n - 1; }
  std::string_view bytes(std::size_t most) {
    const std::string_view bytes = rest_.substr(0, below(most + 1));
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

 private:
  std::string_view rest_;
};

// The words of one command of the table, options and all, as its syntax line allows. What the words
// stand for comes from small pools, so that commands meet; some of it is nonsense.
[[nodiscard]] std::vector<std::string> draw_command(Choices& choices);

}  // namespace starling::fuzz
