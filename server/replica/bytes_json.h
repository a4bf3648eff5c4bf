// User bytes in JSON: text where they are UTF-8, {"b64": …} where they are not.
#pragma once

#include <string_view>

#include "server/json_writer.h"

namespace starling::replica {

[[nodiscard]] bool is_utf8(std::string_view bytes);
void write_bytes(JsonWriter& json, std::string_view bytes);

}  // namespace starling::replica
