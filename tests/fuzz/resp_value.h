// Replies as a strict client reads them; written apart from the writer that it judges.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace starling::fuzz {

struct RespValue {
  char type = 0;          // as on the wire; '0': nil as RESP2 says it
  std::string_view text;  // without type, length and line ends
  std::vector<RespValue> parts;

  [[nodiscard]] bool is_error() const { return type == '-'; }
  // Something that only this version of the protocol says, here or inside.
  [[nodiscard]] bool has_resp2() const;
  [[nodiscard]] bool has_resp3() const;
};

// All values in `bytes`, to the last byte; nullopt if one of them is not well formed or not whole.
[[nodiscard]] std::optional<std::vector<RespValue>> parse_resp(std::string_view bytes);

}  // namespace starling::fuzz
