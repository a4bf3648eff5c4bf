// Redis's reply protocol: values in, bytes out. Knows no command.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace starling::resp {

enum class Protocol : std::uint8_t { resp2 = 2, resp3 = 3 };

// Appends replies to a buffer. Each call writes in the protocol that holds at that moment, so a
// switch in the middle of a pipeline leaves what was answered before as it is. What RESP2 cannot
// say is written as Redis writes it there: a map as a flat array, a set as an array, a double and
// a big number as a bulk string, a boolean as 0 or 1.
// An aggregate says how many parts follow; the caller then writes them.
class ReplyWriter {
 public:
  explicit ReplyWriter(std::string& out) : out_(out) {}

  void set_protocol(Protocol protocol) { protocol_ = protocol; }
  [[nodiscard]] Protocol protocol() const { return protocol_; }

  void simple(std::string_view text);  // +text; no line ends within
  void ok() { simple("OK"); }
  // From now on it may write so many bytes; what goes beyond that is left out.
  void limit(std::size_t bytes) {
    end_ = out_.size() + bytes;
    overflowed_ = false;
  }
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  // Whoever wants to know of errors; there may be nobody.
  void report_errors_to(std::function<void(std::string_view text)> hear) {
    hear_error_ = std::move(hear);
  }
  // -text. Without a code in front ("ERR …") Redis's own "ERR" is put there by the caller. Line
  // ends become spaces, so that no input can split a reply.
  void error(std::string_view text);
  void integer(std::int64_t value);
  void bulk(std::string_view bytes);
  // A bulk string of which the text form of a number is known to be short.
  void bulk_integer(std::int64_t value);
  void nil();        // of a value
  void nil_array();  // of an aggregate; in RESP3 the same
  void number(double value);
  void boolean(bool value);
  void verbatim(std::string_view text);  // "txt" in RESP3
  void array(std::size_t parts);
  void map(std::size_t pairs);
  void set(std::size_t parts);
  void push(std::size_t parts);  // an array in RESP2

 private:
  void header(char type, std::size_t count);
  void aggregate(char type, std::size_t count, std::size_t parts);
  void make_room(std::size_t part_bytes);
  // Only what others determine in size is asked.
  [[nodiscard]] bool fits(std::size_t bytes) {
    overflowed_ = overflowed_ || bytes > end_ - std::min(end_, out_.size());
    return !overflowed_;
  }

  std::string& out_;
  std::size_t end_ = std::numeric_limits<std::size_t>::max();
  bool overflowed_ = false;
  std::size_t announced_ = 0;  // parts of a large aggregate of which none is written yet
  std::function<void(std::string_view)> hear_error_;
  Protocol protocol_ = Protocol::resp2;
};

// As Redis prints a score or a float: 17 significant digits, "inf", "-inf".
[[nodiscard]] std::string number_text(double value);

}  // namespace starling::resp
