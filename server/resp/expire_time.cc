#include "server/resp/expire_time.h"

#include <limits>

namespace starling::resp {

std::optional<std::int64_t> expire_time(const Call& call, std::size_t argument, ExpireUnit unit,
                                        bool positive) {
  constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t earliest = std::numeric_limits<std::int64_t>::min();
  const auto given = call.integer(argument);
  if (!given) {
    return std::nullopt;
  }
  std::int64_t time = *given;
  if (positive && time <= 0) {
    call.invalid_expire();
    return std::nullopt;
  }
  if (unit.seconds) {
    if (time > latest / 1000 || time < earliest / 1000) {
      call.invalid_expire();
      return std::nullopt;
    }
    time *= 1000;
  }
  if (unit.from_now) {
    const std::int64_t now = call.tx->now_ms();
    if (time > latest - now) {
      call.invalid_expire();
      return std::nullopt;
    }
    time += now;
  }
  // The greatest number means "never": nobody tells the two apart.
  return time == latest ? latest - 1 : time;
}

std::optional<ExpireUnit> expire_option(std::string_view word) {
  if (is_word(word, "EX")) {
    return ExpireUnit{.seconds = true, .from_now = true};
  }
  if (is_word(word, "PX")) {
    return ExpireUnit{.seconds = false, .from_now = true};
  }
  if (is_word(word, "EXAT")) {
    return ExpireUnit{.seconds = true, .from_now = false};
  }
  if (is_word(word, "PXAT")) {
    return ExpireUnit{.seconds = false, .from_now = false};
  }
  return std::nullopt;
}

}  // namespace starling::resp
