// Between the public values and those of the wire.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <starling/command.h>

#include "wire/messages.h"

namespace starling {

[[nodiscard]] std::vector<wire::Command> to_wire(std::vector<Command> commands);
[[nodiscard]] Reply from_wire(wire::Response response);  // of which no result is an error
[[nodiscard]] Error from_wire(wire::Error error);

// A session token as opaque bytes: a version vector as in checkpoints and run headers.
[[nodiscard]] std::string encode_token(const VersionVector& token);
[[nodiscard]] std::optional<VersionVector> decode_token(std::string_view bytes);

}  // namespace starling
