#include "client/cli/input.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>

namespace starling::cli {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) {
      (void)std::fclose(file);
    }
  }
};

// The escape behind a backslash at line[at] inside double quotes; moves `at` to its last character.
std::expected<char, std::string> escape(std::string_view line, std::size_t& at) {
  if (++at >= line.size()) {
    return std::unexpected("a backslash at the end of the line");
  }
  switch (line[at]) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'x': {
      unsigned value = 0;
      const std::string_view digits = line.substr(at + 1, 2);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (error != std::errc{} || digits.size() != 2 || end != digits.data() + 2) {
        return std::unexpected("\\x wants two hexadecimal digits");
      }
      at += 2;
      return static_cast<char>(value);
    }
    default:
      return line[at];
  }
}

}  // namespace

std::expected<std::string, std::string> read_whole(const std::string& path) {
  const std::unique_ptr<std::FILE, CloseFile> file(path == "-" ? stdin
                                                               : std::fopen(path.c_str(), "rb"));
  const auto failed = [&path] {
    return std::unexpected(fmt::format("cannot read {}: {}", path == "-" ? "standard input" : path,
                                       std::strerror(errno)));
  };
  if (!file) {
    return failed();
  }
  std::string content;
  char buffer[64u << 10];
  while (const std::size_t size = std::fread(buffer, 1, sizeof(buffer), file.get())) {
    content.append(buffer, size);
  }
  if (std::ferror(file.get()) != 0) {
    return failed();
  }
  return content;
}

std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 0
             ? std::optional(number)
             : std::nullopt;
}

std::expected<std::vector<std::string>, std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  bool inside = false;  // a word has begun
  char quote = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char character = line[at];
    if (quote == 0 && (character == ' ' || character == '\t')) {
      inside = false;
      continue;
    }
    if (!inside) {
      if (words.empty() && character == '#') {
        return words;
      }
      words.emplace_back();
      inside = true;
    }
    if (quote == 0 && (character == '\'' || character == '"')) {
      quote = character;
    } else if (quote != 0 && character == quote) {
      quote = 0;
    } else if (quote == '"' && character == '\\') {
      const auto escaped = escape(line, at);
      if (!escaped) {
        return std::unexpected(escaped.error());
      }
      words.back() += *escaped;
    } else if (quote == 0 && character == '\\') {
      if (++at >= line.size()) {
        return std::unexpected("a backslash at the end of the line");
      }
      words.back() += line[at];
    } else {
      words.back() += character;
    }
  }
  if (quote != 0) {
    return std::unexpected(fmt::format("a {} is not closed", quote));
  }
  return words;
}

}  // namespace starling::cli
