// Text that may go to a log, a terminal or a JSON document as it is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace starling::wire {

// Valid UTF-8 without control characters. Names and addresses must be.
[[nodiscard]] bool is_plain_text(std::string_view text);

// `text` with a question mark for every byte that is not plain, cut to `limit` bytes between
// characters.
[[nodiscard]] std::string make_plain_text(std::string_view text, std::size_t limit);

}  // namespace starling::wire
