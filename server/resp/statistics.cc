#include "server/resp/statistics.h"

namespace starling::resp {

void ErrorCounts::note(std::string_view text) {
  ++total_;
  const std::string_view code = text.substr(0, text.find(' '));
  if (const auto found = by_code_.find(code); found != by_code_.end()) {
    ++found->second;
  } else if (by_code_.size() < max_codes) {
    by_code_.emplace(code, 1);
  }
}

}  // namespace starling::resp
