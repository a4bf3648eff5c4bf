// An add-wins set: one cell per element, and a remove takes back only the adds it had seen
// (observed-remove, Shapiro et al. 2011; one dot per element, Bieniusa et al. 2012).
#pragma once

#include "crdt/dotted_cell.h"

namespace starling {

[[nodiscard]] inline bool set_contains(const DottedCell& element) { return !element.empty(); }

}  // namespace starling
