#include "server/resp/lookahead.h"

#include <cstddef>
#include <optional>

namespace starling::resp {
namespace {

class Glance {
 public:
  explicit Glance(std::string_view bytes) : rest_(bytes) {}

  // A line of this kind: its number.
  std::optional<std::size_t> number(char kind) {
    constexpr std::size_t most_digits = 7;
    if (rest_.empty() || rest_[0] != kind) {
      return std::nullopt;
    }
    std::size_t value = 0;
    for (std::size_t i = 1; i <= most_digits + 1 && i + 1 < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '\r' && i > 1) {
        rest_.remove_prefix(i + 2);
        return value;
      }
      if (c < '0' || c > '9') {
        return std::nullopt;
      }
      value = 10 * value + static_cast<std::size_t>(c - '0');
    }
    return std::nullopt;
  }

  std::optional<std::string_view> word() {
    const auto size = number('$');
    if (!size || rest_.size() < *size + 2) {
      return std::nullopt;
    }
    const std::string_view word = rest_.substr(0, *size);
    rest_.remove_prefix(*size + 2);
    return word;
  }

 private:
  std::string_view rest_;
};

}  // namespace

Ahead look_ahead(std::string_view bytes) {
  Ahead ahead;
  Glance glance(bytes);
  while (ahead.requests < lookahead) {
    const auto words = glance.number('*');
    if (!words) {
      return ahead;
    }
    std::string_view key;
    for (std::size_t i = 0; i < *words; ++i) {
      const auto word = glance.word();
      if (!word) {
        return ahead;
      }
      if (i == 1) {
        key = *word;
      }
    }
    ++ahead.requests;
    if (*words > 1) {
      ahead.keys.push_back(key);
    }
  }
  return ahead;
}

}  // namespace starling::resp
