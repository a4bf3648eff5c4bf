// What the commands over several sets or sorted sets share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "server/resp/call.h"

namespace starling::resp {

enum class SetOperation : std::uint8_t { intersection, union_, difference };

// numkeys, of which as many keys must follow. Otherwise the error is answered: this one if it is
// no positive number.
[[nodiscard]] std::optional<std::size_t> key_count(const Call& call, std::size_t argument,
                                                   std::string_view too_few);

// What follows the keys of SINTERCARD and ZINTERCARD: LIMIT n, where 0 means none.
[[nodiscard]] std::optional<std::size_t> cardinality_limit(const Call& call, std::size_t first);

}  // namespace starling::resp
