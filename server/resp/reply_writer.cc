#include "server/resp/reply_writer.h"

#include <array>
#include <charconv>

#include "crdt/sorted_set.h"

namespace starling::resp {
namespace {

constexpr std::string_view line_end = "\r\n";

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
  out_.append(digits_of(static_cast<std::int64_t>(count), digits)).append(line_end);
}

void ReplyWriter::simple(std::string_view text) {
  out_.push_back('+');
  out_.append(text).append(line_end);
}

void ReplyWriter::error(std::string_view text) {
  if (hear_error_) {
    hear_error_(text);
  }
  out_.push_back('-');
  for (const char c : text) {
    out_.push_back(c == '\r' || c == '\n' ? ' ' : c);
  }
  out_.append(line_end);
}

void ReplyWriter::integer(std::int64_t value) {
  Digits digits;
  out_.push_back(':');
  out_.append(digits_of(value, digits)).append(line_end);
}

void ReplyWriter::bulk(std::string_view bytes) {
  header('$', bytes.size());
  out_.append(bytes).append(line_end);
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
  out_.append(number_text(value)).append(line_end);
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
  out_.append("txt:").append(text).append(line_end);
}

void ReplyWriter::array(std::size_t parts) { header('*', parts); }

void ReplyWriter::map(std::size_t pairs) {
  protocol_ == Protocol::resp2 ? header('*', pairs * 2) : header('%', pairs);
}

void ReplyWriter::set(std::size_t parts) {
  header(protocol_ == Protocol::resp2 ? '*' : '~', parts);
}

void ReplyWriter::push(std::size_t parts) {
  header(protocol_ == Protocol::resp2 ? '*' : '>', parts);
}

}  // namespace starling::resp
