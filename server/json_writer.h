// A streaming JSON writer: no tree, no allocation but the output.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace starling {

// Calls must nest properly; commas come by themselves. Text must be UTF-8 (the caller encodes other
// bytes first); control characters and quotes are escaped.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  JsonWriter& key(std::string_view name) {
    separate();
    quote(name);
    out_.push_back(':');
    fresh_ = true;
    return *this;
  }

  JsonWriter& value(std::string_view text) {
    separate();
    quote(text);
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool truth) { return raw(truth ? "true" : "false"); }
  JsonWriter& value(std::int64_t number) { return number_text(number); }
  JsonWriter& value(std::uint64_t number) { return number_text(number); }
  JsonWriter& value(int number) { return number_text(number); }
  JsonWriter& value(unsigned number) { return number_text(number); }
  JsonWriter& value(double number) { return std::isfinite(number) ? number_text(number) : null(); }
  JsonWriter& null() { return raw("null"); }

  // Text that is JSON already.
  JsonWriter& raw(std::string_view json) {
    separate();
    out_.append(json);
    return *this;
  }

  [[nodiscard]] std::string take() { return std::exchange(out_, {}); }

 private:
  JsonWriter& open(char bracket) {
    separate();
    out_.push_back(bracket);
    fresh_ = true;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_.push_back(bracket);
    fresh_ = false;
    return *this;
  }

  void separate() {
    if (!fresh_) {
      out_.push_back(',');
    }
    fresh_ = false;
  }

  template <typename Number>
  JsonWriter& number_text(Number number) {
    char buffer[32];
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, number);
    return raw({buffer, end});
  }

  void quote(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    out_.push_back('"');
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        out_.push_back('\\');
        out_.push_back(c);
      } else if (c == '\n') {
        out_.append("\\n");
      } else if (byte < 0x20 || byte == 0x7F) {
        out_.append("\\u00");
        out_.push_back(digits[byte >> 4]);
        out_.push_back(digits[byte & 0xF]);
      } else {
        out_.push_back(c);
      }
    }
    out_.push_back('"');
  }

  std::string out_;
  bool fresh_ = true;
};

}  // namespace starling
