// One line per thing an operator should know, on stderr:
//   time=2026-01-31T12:00:00.000Z level=warning msg="a client was refused" door=client
//   reason=no_hello
#pragma once

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace starling {

// May be called from any thread. Values are quoted where needed; control characters and bytes that
// are not ASCII never reach the terminal as they are.
class Log {
 public:
  enum class Level : std::uint8_t { info, warning, error };
  struct Field {
    std::string_view name;
    std::string value;
  };
  using Fields = std::initializer_list<Field>;

  explicit Log(std::FILE* file = stderr);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  void write(Level level, std::string_view message, Fields fields = {});
  void info(std::string_view message, Fields fields = {}) { write(Level::info, message, fields); }
  void warning(std::string_view message, Fields fields = {}) {
    write(Level::warning, message, fields);
  }
  void error(std::string_view message, Fields fields = {}) { write(Level::error, message, fields); }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// `text` as the value of a field: as it is if it is one plain word, else quoted and escaped.
[[nodiscard]] std::string log_value(std::string_view text);

}  // namespace starling
