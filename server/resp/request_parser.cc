#include "server/resp/request_parser.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace starling::resp {
namespace {

constexpr std::size_t crlf_size = 2;

// As Redis's string2ll: no sign but a minus, no leading zeros, no spaces.
std::optional<std::int64_t> strict_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) {
    return std::nullopt;
  }
  const std::string_view digits = text.front() == '-' ? text.substr(1) : text;
  const bool plain = digits.front() != '0' || text == "0";
  return plain ? std::optional(value) : std::nullopt;
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r';
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<unsigned>(c - '0');
  }
  const char lower = static_cast<char>(c | 0x20);
  if (lower >= 'a' && lower <= 'f') {
    return static_cast<unsigned>(lower - 'a') + 10;
  }
  return std::nullopt;
}

// One word of a command line, from its first byte on.
class WordReader {
 public:
  explicit WordReader(std::string_view text) : text_(text) {}

  // False if a quote is not closed, or closed in the middle of a word.
  bool read(std::string& word) {
    while (at_ < text_.size() && !is_space(text_[at_])) {
      const char c = text_[at_++];
      if (c == '"' || c == '\'') {
        if (!(c == '"' ? read_double_quoted(word) : read_single_quoted(word))) {
          return false;
        }
        return at_ == text_.size() || is_space(text_[at_]);
      }
      word.push_back(c);
    }
    return true;
  }
  [[nodiscard]] std::size_t length() const { return at_; }

 private:
  bool read_double_quoted(std::string& word) {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') {
        return true;
      }
      if (c == '\\' && at_ < text_.size()) {
        read_escape(word);
      } else {
        word.push_back(c);
      }
    }
    return false;
  }

  void read_escape(std::string& word) {
    const char c = text_[at_++];
    if (c == 'x' && at_ + 1 < text_.size()) {
      const auto high = hex_digit(text_[at_]);
      const auto low = hex_digit(text_[at_ + 1]);
      if (high && low) {
        word.push_back(static_cast<char>(*high * 16 + *low));
        at_ += 2;
        return;
      }
    }
    constexpr std::string_view names = "nrtba";
    constexpr std::string_view meanings = "\n\r\t\b\a";
    const std::size_t known = names.find(c);
    word.push_back(known == std::string_view::npos ? c : meanings[known]);
  }

  bool read_single_quoted(std::string& word) {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '\'') {
        return true;
      }
      if (c == '\\' && at_ < text_.size() && text_[at_] == '\'') {
        word.push_back(text_[at_++]);
      } else {
        word.push_back(c);
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

bool split_words(std::string_view line, std::deque<std::string>& words) {
  for (;;) {
    while (!line.empty() && is_space(line.front())) {
      line.remove_prefix(1);
    }
    if (line.empty()) {
      return true;
    }
    WordReader reader(line);
    if (!reader.read(words.emplace_back())) {
      return false;
    }
    line.remove_prefix(reader.length());
  }
}

RequestParser::Status RequestParser::next(std::string_view bytes) {
  std::size_t begin = 0;
  for (;;) {
    const Status status = read(bytes.substr(begin));
    if (status == Status::incomplete) {
      consumed_ = begin;
      if (!oversized_.empty()) {  // nobody needs what has passed
        consumed_ += std::exchange(at_, 0);
        searched_ = 0;
      }
      return status;
    }
    begin += std::exchange(at_, 0);
    searched_ = 0;
    consumed_ = begin;
    state_ = State::start;
    if (status != Status::request || !arguments_.empty()) {
      return status;
    }  // else an empty array or a blank line, which asks for nothing
  }
}

RequestParser::Status RequestParser::read(std::string_view request) {
  if (state_ == State::start) {
    if (request.empty()) {
      return Status::incomplete;
    }
    arguments_.clear();
    oversized_.clear();
    words_.clear();
    total_ = 0;
    state_ = request.front() == '*' ? State::count_line : State::inline_line;
  }
  return state_ == State::inline_line ? read_inline(request) : read_array(request);
}

RequestParser::Status RequestParser::read_inline(std::string_view request) {
  const std::size_t end = request.find('\n', searched_);
  if (std::min(end, request.size()) > limits_.line) {
    return broken("too big inline request");
  }
  if (end == std::string_view::npos) {
    searched_ = request.size();
    return Status::incomplete;
  }
  at_ = end + 1;
  unquoted_.clear();
  if (!split_words(request.substr(0, end), unquoted_)) {
    return broken("unbalanced quotes in request");
  }
  arguments_.assign(unquoted_.begin(), unquoted_.end());
  return Status::request;
}

RequestParser::Status RequestParser::read_array(std::string_view request) {
  if (state_ == State::count_line) {
    if (const auto status = read_count(request)) {
      return *status;
    }
  }
  while (missing_ > 0) {
    if (state_ == State::length_line) {
      if (const auto status = read_length(request)) {
        return *status;
      }
    }
    if (!read_data(request)) {
      return Status::incomplete;
    }
    --missing_;
    state_ = State::length_line;
  }
  if (!oversized_.empty()) {
    error_ = std::move(oversized_);
    oversized_.clear();
    return Status::too_large;
  }
  for (const Word& word : words_) {
    arguments_.push_back(request.substr(word.offset, word.size));
  }
  return Status::request;
}

std::optional<RequestParser::Status> RequestParser::read_count(std::string_view request) {
  std::string_view line;
  if (const auto status = read_line(request, "too big mbulk count string", line)) {
    return status;
  }
  const auto count = strict_integer(line.substr(1));
  if (!count || *count > static_cast<std::int64_t>(limits_.arguments)) {
    return broken("invalid multibulk length");
  }
  missing_ = static_cast<std::size_t>(std::max<std::int64_t>(*count, 0));
  state_ = State::length_line;
  return std::nullopt;
}

std::optional<RequestParser::Status> RequestParser::read_length(std::string_view request) {
  std::string_view line;
  if (const auto status = read_line(request, "too big bulk count string", line)) {
    return status;
  }
  if (line.empty() || line.front() != '$') {
    const char found = line.empty() ? '\r' : line.front();
    return broken(std::string("expected '$', got '") + found + "'");
  }
  const auto size = strict_integer(line.substr(1));
  if (!size || *size < 0 || static_cast<std::uint64_t>(*size) > limits_.bulk) {
    return broken("invalid bulk length");
  }
  left_ = static_cast<std::size_t>(*size) + crlf_size;
  total_ += static_cast<std::size_t>(*size);
  if (static_cast<std::size_t>(*size) > limits_.argument) {
    oversized_ = "an argument of " + std::to_string(*size) + " bytes is over the limit of " +
                 std::to_string(limits_.argument);
  } else if (total_ > limits_.request) {
    oversized_ = "the request has more than " + std::to_string(limits_.request) + " bytes";
  }
  state_ = State::data;
  return std::nullopt;
}

// As Redis does, trusts that two bytes of line end follow the data.
bool RequestParser::read_data(std::string_view request) {
  if (!oversized_.empty()) {
    const std::size_t here = std::min(request.size() - at_, left_);
    at_ += here;
    left_ -= here;
    return left_ == 0;
  }
  if (request.size() - at_ < left_) {
    return false;
  }
  words_.push_back({at_, left_ - crlf_size});
  at_ += left_;
  return true;
}

std::optional<RequestParser::Status> RequestParser::read_line(std::string_view request,
                                                              std::string_view too_long,
                                                              std::string_view& line) {
  const std::size_t end = request.find('\r', std::max(searched_, at_));
  if (std::min(end, request.size()) - at_ > limits_.line) {
    return broken(std::string(too_long));
  }
  if (end == std::string_view::npos) {
    searched_ = request.size();
    return Status::incomplete;
  }
  searched_ = end;
  if (end + crlf_size > request.size()) {
    return Status::incomplete;  // the LF is still on its way
  }
  line = request.substr(at_, end - at_);
  at_ = end + crlf_size;
  return std::nullopt;
}

RequestParser::Status RequestParser::broken(std::string text) {
  error_ = "Protocol error: " + std::move(text);
  return Status::broken;
}

}  // namespace starling::resp
