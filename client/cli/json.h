// Bytes, answers and failures as JSON texts, without the library in the header.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "client/cli/command_table.h"

namespace starling::cli {

// A JSON string, or {"b64":"..."} where the bytes are not UTF-8.
[[nodiscard]] std::string json_bytes(std::string_view bytes);
// {"key":...,"result":...}
[[nodiscard]] std::string json_result(Show show, std::string_view key, const Value& value);
[[nodiscard]] std::string json_value(Show show, const Value& value);
[[nodiscard]] std::string json_failure(std::string_view code, std::string_view what,
                                       std::string_view where, std::string_view cause,
                                       std::string_view advice);

// The "sentences" of what `why` answers; empty if there are none.
[[nodiscard]] std::vector<std::string> json_sentences(std::string_view json);

[[nodiscard]] std::string base64(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace starling::cli
