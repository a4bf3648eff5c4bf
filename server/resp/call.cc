#include "server/resp/call.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "crdt/string.h"
#include "server/resp/server.h"

namespace starling::resp {

replica::Object Call::object(std::string_view key) const {
  replica::Object object(*tx, ObjectKey{db, std::string(key)});
  if (facts.has(flag::readonly)) {
    Statistics& statistics = server.statistics();
    ++(object.exists() ? statistics.keyspace_hits : statistics.keyspace_misses);
  }
  return object;
}

std::optional<replica::Object> Call::object(std::string_view key, ObjectType wanted) {
  replica::Object object = this->object(key);
  if (!object.is(wanted)) {
    wrong_type();
    return std::nullopt;
  }
  return object;
}

void Call::wrong_arity() const {
  reply.error("ERR wrong number of arguments for '" + name() + "' command");
}

void Call::wrong_subcommand() const {
  reply.error("ERR unknown subcommand or wrong number of arguments for '" +
              std::string(args[1].substr(0, 128)) + "'. Try " + upper_case(args[0]) + " HELP.");
}

void Call::invalid_expire() const {
  reply.error("ERR invalid expire time in '" + name() + "' command");
}

std::optional<std::int64_t> Call::integer(std::size_t i) const {
  const auto value = parse_integer(args[i]);
  if (!value) {
    not_an_integer();
  }
  return value;
}

bool Call::value_fits(std::size_t bytes) const {
  const std::uint64_t limit = server.options().max_value_bytes;
  if (bytes <= limit) {
    return true;
  }
  constexpr std::size_t redis_limit = 512u << 20;
  if (bytes > redis_limit) {
    reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    return false;
  }
  reply.error("ERR the value would have " + std::to_string(bytes) + " bytes; the limit is " +
              std::to_string(limit) + " (--max-value)");
  return false;
}

bool Call::elements_fit(std::size_t first, std::size_t step) const {
  for (std::size_t i = first; i < args.size(); i += step) {
    if (args[i].size() > max_element_bytes) {
      reply.error("ERR an element or field has " + std::to_string(args[i].size()) +
                  " bytes; the limit is " + std::to_string(max_element_bytes));
      return false;
    }
  }
  return true;
}

std::string upper_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::toupper(c); });
  return out;
}

bool is_word(std::string_view argument, std::string_view upper_case_word) {
  if (argument.size() != upper_case_word.size()) {
    return false;
  }
  for (std::size_t i = 0; i < argument.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(argument[i])) != upper_case_word[i]) {
      return false;
    }
  }
  return true;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::optional<double> parse_score(std::string_view text) {
  if (text.empty() || std::isspace(static_cast<unsigned char>(text[0])) != 0) {
    return std::nullopt;
  }
  const std::string copy(text);  // strtod wants an end
  char* end = nullptr;
  errno = 0;
  const double value = std::strtod(copy.c_str(), &end);
  const bool out_of_range = errno == ERANGE && (std::isinf(value) || value == 0);
  if (end != copy.c_str() + copy.size() || std::isnan(value) || out_of_range) {
    return std::nullopt;
  }
  return value;
}

}  // namespace starling::resp
