// Deadlines as commands give them: seconds or milliseconds, from now or since 1970.
#pragma once

#include <cstdint>
#include <optional>

#include "server/resp/call.h"

namespace starling::resp {

struct ExpireUnit {
  bool seconds = true;
  bool from_now = true;
};

// The argument as unix ms, or nullopt and the error is answered. `positive`: zero and less are
// refused, as SET and its like do; EXPIRE takes them for "at once".
[[nodiscard]] std::optional<std::int64_t> expire_time(const Call& call, std::size_t argument,
                                                      ExpireUnit unit, bool positive);

// EX, PX, EXAT or PXAT; nullopt for any other word.
[[nodiscard]] std::optional<ExpireUnit> expire_option(std::string_view word);

}  // namespace starling::resp
