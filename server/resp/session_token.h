// What a session has seen, as a word that a client can carry to another node.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crdt/version_vector.h"

namespace starling::resp {

// The native client's token (client/convert.h) in hexadecimal digits.
[[nodiscard]] std::string token_text(const VersionVector& seen);
[[nodiscard]] std::optional<VersionVector> parse_token(std::string_view text);

}  // namespace starling::resp
