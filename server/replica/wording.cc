#include "server/replica/wording.h"

#include <algorithm>
#include <cstdio>

#include "server/replica/bytes_json.h"

namespace starling::replica {

std::string_view clipped(std::string_view text, std::size_t size) {
  size = std::min(text.size(), size);
  constexpr std::size_t longest_tail = 3;  // of a character; what goes on for longer is no text
  for (std::size_t back = 0; back <= std::min(size, longest_tail); ++back) {
    const std::size_t end = size - back;
    if (end == text.size() || (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80) {
      return text.substr(0, end);
    }
  }
  return text.substr(0, size);
}

std::string shown(std::string_view bytes, std::uint64_t whole) {
  const std::uint64_t size = std::max<std::uint64_t>(whole, bytes.size());
  if (!is_utf8(bytes)) {
    return std::to_string(size) + " bytes";
  }
  const std::string_view beginning = clipped(bytes);
  const std::string text = "\"" + std::string(beginning) + "\"";
  return size > beginning.size() ? text + "…" : text;
}

// Civil-from-days (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
std::string utc(std::uint64_t unix_ms) {
  const std::uint64_t days = unix_ms / 86'400'000;
  const std::uint64_t z = days + 719'468;
  const std::uint64_t era = z / 146'097;
  const std::uint64_t day_of_era = z % 146'097;
  const std::uint64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::uint64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::uint64_t month_index = (5 * day_of_year + 2) / 153;
  const std::uint64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const std::uint64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  const std::uint64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const std::uint64_t ms = unix_ms % 86'400'000;
  char text[64];
  std::snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                static_cast<unsigned>(year), static_cast<unsigned>(month),
                static_cast<unsigned>(day), static_cast<unsigned>(ms / 3'600'000),
                static_cast<unsigned>(ms / 60'000 % 60), static_cast<unsigned>(ms / 1000 % 60),
                static_cast<unsigned>(ms % 1000));
  return text;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  }
  return text;
}

}  // namespace starling::replica
