#include "tests/fuzz/resp_value.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>

namespace starling::fuzz {
namespace {

constexpr int deepest = 16;

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  [[nodiscard]] bool done() const { return rest_.empty(); }

  std::optional<RespValue> value(int depth = 0) {
    const auto head = line();
    if (!head || head->empty() || depth > deepest) {
      return std::nullopt;
    }
    RespValue value{head->front(), head->substr(1), {}};
    switch (value.type) {
      case '+':
      case '-':
        return value;
      case ':':
        return integer(value.text) ? std::optional(value) : std::nullopt;
      case ',':
        return is_double(value.text) ? std::optional(value) : std::nullopt;
      case '#':
        return value.text == "t" || value.text == "f" ? std::optional(value) : std::nullopt;
      case '_':
        return value.text.empty() ? std::optional(value) : std::nullopt;
      case '$':
      case '=':
        return blob(value);
      case '*':
      case '~':
      case '%':
      case '>':
        return aggregate(value, depth);
      default:
        return std::nullopt;
    }
  }

 private:
  // Up to a CRLF; neither of the two may stand alone within.
  std::optional<std::string_view> line() {
    const std::size_t end = rest_.find_first_of("\r\n");
    if (end == std::string_view::npos || rest_.substr(end, 2) != "\r\n") {
      return std::nullopt;
    }
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return line;
  }

  static std::optional<std::int64_t> integer(std::string_view digits) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool whole = error == std::errc() && end == digits.data() + digits.size();
    return whole && std::to_string(value) == digits ? std::optional(value) : std::nullopt;
  }

  static bool is_double(std::string_view text) {
    if (text == "inf" || text == "-inf") {
      return true;
    }
    const std::string copy(text);
    char* end = nullptr;
    (void)std::strtod(copy.c_str(), &end);
    return !copy.empty() && end == copy.c_str() + copy.size() &&
           copy.find_first_not_of("0123456789+-.e") == std::string::npos;
  }

  std::optional<RespValue> blob(RespValue value) {
    const auto size = integer(value.text);
    if (value.type == '$' && size == -1) {
      return RespValue{'0', {}, {}};
    }
    if (!size || *size < 0 || rest_.size() < static_cast<std::size_t>(*size) + 2 ||
        rest_.substr(static_cast<std::size_t>(*size), 2) != "\r\n") {
      return std::nullopt;
    }
    value.text = rest_.substr(0, static_cast<std::size_t>(*size));
    rest_.remove_prefix(static_cast<std::size_t>(*size) + 2);
    if (value.type == '=' && !value.text.starts_with("txt:")) {
      return std::nullopt;
    }
    return value;
  }

  std::optional<RespValue> aggregate(RespValue value, int depth) {
    const auto size = integer(value.text);
    if (value.type == '*' && size == -1) {
      return RespValue{'0', {}, {}};
    }
    // Every part takes three bytes at least.
    if (!size || *size < 0 || static_cast<std::size_t>(*size) > rest_.size()) {
      return std::nullopt;
    }
    value.text = {};
    for (std::int64_t left = *size * (value.type == '%' ? 2 : 1); left > 0; --left) {
      auto part = this->value(depth + 1);
      if (!part) {
        return std::nullopt;
      }
      value.parts.push_back(std::move(*part));
    }
    return value;
  }

  std::string_view rest_;
};

bool is_of_resp3(char type) { return std::string_view("_~%>=,#").find(type) != std::string::npos; }

}  // namespace

bool RespValue::has_resp2() const {
  return type == '0' || std::ranges::any_of(parts, &RespValue::has_resp2);
}

bool RespValue::has_resp3() const {
  return is_of_resp3(type) || std::ranges::any_of(parts, &RespValue::has_resp3);
}

std::optional<std::vector<RespValue>> parse_resp(std::string_view bytes) {
  Reader reader(bytes);
  std::vector<RespValue> values;
  while (!reader.done()) {
    auto value = reader.value();
    if (!value) {
      return std::nullopt;
    }
    values.push_back(std::move(*value));
  }
  return values;
}

}  // namespace starling::fuzz
