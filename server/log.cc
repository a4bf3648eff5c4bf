#include "server/log.h"

#include <mutex>

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

namespace starling {
namespace {

// spdlog's own sinks for stderr reopen or colour it; this one only writes whole lines.
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(std::FILE* file) : file_(file) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    std::fwrite(line.data(), 1, line.size(), file_);
    std::fflush(file_);
  }
  void flush_() override { std::fflush(file_); }

 private:
  std::FILE* file_;
};

bool is_plain(char c) { return c > ' ' && c < 0x7F && c != '"' && c != '\\' && c != '='; }

spdlog::level::level_enum level_of(Log::Level level) {
  switch (level) {
    case Log::Level::info:
      return spdlog::level::info;
    case Log::Level::warning:
      return spdlog::level::warn;
    case Log::Level::error:
      break;
  }
  return spdlog::level::err;
}

std::string quoted(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c >= ' ' && c < 0x7F) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 0xF];
    }
  }
  return out += '"';
}

}  // namespace

struct Log::Impl {
  explicit Impl(std::FILE* file) : logger("starling", std::make_shared<FileSink>(file)) {
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "time=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v", spdlog::pattern_time_type::utc));
  }
  spdlog::logger logger;
};

Log::Log(std::FILE* file) : impl_(std::make_unique<Impl>(file)) {}
Log::~Log() = default;

void Log::write(Level level, std::string_view message, Fields fields) {
  std::string line = "msg=" + quoted(message);
  for (const Field& field : fields) {
    line.append(" ").append(field.name).append("=").append(log_value(field.value));
  }
  impl_->logger.log(level_of(level), spdlog::string_view_t(line));
}

std::string log_value(std::string_view text) {
  bool plain = !text.empty();
  for (const char c : text) {
    plain = plain && is_plain(c);
  }
  return plain ? std::string(text) : quoted(text);
}

}  // namespace starling
