#include "server/resp/reply_writer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "crdt/sorted_set.h"

namespace starling::resp {
namespace {

constexpr std::string_view crlf = "\r\n";

using Digits = std::array<char, 24>;

std::string_view digits_of(std::int64_t value, Digits& digits) {
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), static_cast<std::size_t>(end - digits.data())};
}

}  // namespace

std::string number_text(double value) { return format_score(value); }

void ReplyWriter::header(char type, std::size_t count) {
  Digits digits;
  out_.push_back(type);
  out_.append(digits_of(static_cast<std::int64_t>(count), digits)).append(crlf);
}

void ReplyWriter::simple(std::string_view text) {
  out_.push_back('+');
  out_.append(text).append(crlf);
}

void ReplyWriter::error(std::string_view text) {
  if (hear_error_) {
    hear_error_(text);
  }
  out_.push_back('-');
  for (const char c : text) {
    out_.push_back(c == '\r' || c == '\n' ? ' ' : c);
  }
  out_.append(crlf);
}

void ReplyWriter::integer(std::int64_t value) {
  Digits digits;
  out_.push_back(':');
  out_.append(digits_of(value, digits)).append(crlf);
}

void ReplyWriter::bulk(std::string_view bytes) {
  if (!fits(bytes.size())) {
    return;
  }
  if (announced_ > 0) {
    make_room(bytes.size());
  }
  header('$', bytes.size());
  out_.append(bytes).append(crlf);
}

void ReplyWriter::bulk_integer(std::int64_t value) {
  Digits digits;
  bulk(digits_of(value, digits));
}

void ReplyWriter::nil() { out_.append(protocol_ == Protocol::resp3 ? "_\r\n" : "$-1\r\n"); }

void ReplyWriter::nil_array() { out_.append(protocol_ == Protocol::resp3 ? "_\r\n" : "*-1\r\n"); }

void ReplyWriter::number(double value) {
  if (protocol_ == Protocol::resp2) {
    bulk(number_text(value));
    return;
  }
  out_.push_back(',');
  out_.append(number_text(value)).append(crlf);
}

void ReplyWriter::boolean(bool value) {
  if (protocol_ == Protocol::resp2) {
    integer(value ? 1 : 0);
  } else {
    out_.append(value ? "#t\r\n" : "#f\r\n");
  }
}

void ReplyWriter::verbatim(std::string_view text) {
  if (protocol_ == Protocol::resp2) {
    bulk(text);
    return;
  }
  header('=', text.size() + 4);
  out_.append("txt:").append(text).append(crlf);
}

void ReplyWriter::array(std::size_t parts) { aggregate('*', parts, parts); }

void ReplyWriter::map(std::size_t pairs) {
  protocol_ == Protocol::resp2 ? aggregate('*', pairs * 2, pairs * 2)
                               : aggregate('%', pairs, pairs * 2);
}

void ReplyWriter::set(std::size_t parts) {
  aggregate(protocol_ == Protocol::resp2 ? '*' : '~', parts, parts);
}

void ReplyWriter::push(std::size_t parts) {
  aggregate(protocol_ == Protocol::resp2 ? '*' : '>', parts, parts);
}

void ReplyWriter::aggregate(char type, std::size_t count, std::size_t parts) {
  constexpr std::size_t many = 4096;
  announced_ = parts >= many ? parts : 0;
  header(type, count);
}

// As if all parts were like the first: a buffer that grows is copied, and a large one for longer
// than others should wait.
void ReplyWriter::make_room(std::size_t part_bytes) {
  constexpr std::size_t frame = 16;       // $, digits, two line ends; and some parts are longer
  constexpr std::size_t most = 64 << 20;  // from there on it grows as usual
  const std::size_t each = std::min(part_bytes, most) + frame;
  const std::size_t all = std::min(std::exchange(announced_, 0), most / each) * each;
  out_.reserve(std::min(out_.size() + all, end_));
}

}  // namespace starling::resp
