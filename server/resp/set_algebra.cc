#include "server/resp/set_algebra.h"

#include <limits>
#include <string>

#include "crdt/string.h"

namespace starling::resp {

std::optional<std::size_t> key_count(const Call& call, std::size_t argument,
                                     std::string_view too_few) {
  const auto count = parse_integer(call[argument]);
  if (!count || *count < 1) {
    call.reply.error("ERR " + std::string(too_few));
    return std::nullopt;
  }
  if (static_cast<std::uint64_t>(*count) > call.size() - argument - 1) {
    call.reply.error("ERR Number of keys can't be greater than number of args");
    return std::nullopt;
  }
  return static_cast<std::size_t>(*count);
}

std::optional<std::size_t> cardinality_limit(const Call& call, std::size_t first) {
  std::size_t limit = 0;
  for (std::size_t i = first; i < call.size(); i += 2) {
    if (!is_word(call[i], "LIMIT") || i + 1 == call.size()) {
      call.syntax_error();
      return std::nullopt;
    }
    const auto given = parse_integer(call[i + 1]);
    if (!given || *given < 0) {
      call.reply.error("ERR LIMIT can't be negative");
      return std::nullopt;
    }
    limit = static_cast<std::size_t>(*given);
  }
  return limit == 0 ? std::numeric_limits<std::size_t>::max() : limit;
}

}  // namespace starling::resp
