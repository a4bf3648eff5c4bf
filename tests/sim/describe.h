// Commands, results and messages in words, for traces and complaints.
#pragma once

#include <string>

#include "wire/messages.h"

namespace starling::sim {

[[nodiscard]] const char* name_of(const wire::PeerMessage& message);
[[nodiscard]] std::string describe(const wire::PeerMessage& message);
[[nodiscard]] std::string describe(const wire::Command& command);
[[nodiscard]] std::string describe(const wire::Result& result);
// "3/120": components, and operations in all of them.
[[nodiscard]] std::string describe(const VersionVector& vector);

}  // namespace starling::sim
