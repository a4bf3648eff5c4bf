// Redis's request protocol: bytes in, arguments out. Knows no command.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/small_vector.h"

namespace starling::resp {

// The words of one request, its name first. Views: see RequestParser::arguments.
using Arguments = SmallVector<std::string_view, 8>;

// Reads requests, as arrays of bulk strings or as inline words, from bytes that arrive in any
// pieces. Error texts are Redis 7.0's, because clients and their tests know them.
//
// The caller keeps the bytes: it passes everything that was received and not yet consumed, drops
// `consumed()` bytes after each call, and calls again with more. Where the parser was, it
// remembers; no byte is looked at twice.
class RequestParser {
 public:
  struct Limits {
    std::size_t line = 64u << 10;      // inline request, or a line with a length
    std::size_t arguments = 1u << 20;  // of one request
    std::size_t bulk = 512u << 20;     // a longer argument ends the connection, as in Redis
    std::size_t argument = 9u << 20;   // a longer one is thrown away as it arrives: `too_large`
    std::size_t request = 80u << 20;   // of one request, framing included
  };
  enum class Status : std::uint8_t {
    incomplete,  // wants more bytes
    request,     // `arguments` holds one
    too_large,   // one was read to its end and thrown away: answer `error`, the stream goes on
    broken,      // not the protocol: answer `error`, then close
  };

  explicit RequestParser(const Limits& limits) : limits_(limits) {}

  // Reads one request from the beginning of `bytes`, or goes on with one.
  [[nodiscard]] Status next(std::string_view bytes);
  // So many bytes at the front of what was passed are done with. Dropping them ends the life of
  // `arguments`.
  [[nodiscard]] std::size_t consumed() const { return consumed_; }
  // Views into the bytes that were passed, and into the parser for inline words with quotes; good
  // until the next call.
  [[nodiscard]] const Arguments& arguments() const { return arguments_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  // Between two requests: nothing of a further one has been read.
  [[nodiscard]] bool at_boundary() const { return state_ == State::start; }

 private:
  enum class State : std::uint8_t { start, inline_line, count_line, length_line, data };
  struct Word {
    std::size_t offset;
    std::size_t size;
  };

  Status read(std::string_view request);
  Status read_inline(std::string_view request);
  Status read_array(std::string_view request);
  std::optional<Status> read_count(std::string_view request);
  std::optional<Status> read_length(std::string_view request);
  bool read_data(std::string_view request);
  // The line at `at_`, without its CRLF, or why there is none.
  std::optional<Status> read_line(std::string_view request, std::string_view too_long,
                                  std::string_view& line);
  Status broken(std::string text);

  Limits limits_;
  State state_ = State::start;
  // All positions are counted from the first byte of the request.
  std::size_t at_ = 0;        // next byte to look at
  std::size_t searched_ = 0;  // no line ends before this
  std::size_t missing_ = 0;   // arguments still to come
  std::size_t left_ = 0;      // of the argument being read, its CRLF included
  std::size_t total_ = 0;     // bytes of all its arguments
  std::string oversized_;     // set: the request is being thrown away, and why
  SmallVector<Word, 8> words_;
  std::deque<std::string> unquoted_;
  Arguments arguments_;
  std::size_t consumed_ = 0;
  std::string error_;
};

// Splits a line into words as Redis's command line does: spaces separate, "…" knows \n \r \t \b \a
// \\ \" \xHH, '…' knows \'. False if a quote is not closed or runs into a word.
[[nodiscard]] bool split_words(std::string_view line, std::deque<std::string>& words);

}  // namespace starling::resp
