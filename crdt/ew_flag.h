// An enable-wins flag: a disable takes back only the enables it had seen.
#pragma once

#include "crdt/dotted_cell.h"

namespace starling {

[[nodiscard]] inline bool flag_is_on(const DottedCell& cell) { return !cell.empty(); }

}  // namespace starling
