// A hash: every field is a string of its own (register plus increments), so writes to different
// fields never meet.
#pragma once

#include "crdt/string.h"

namespace starling {

// The two cells of one field, read as one value.
using HashFieldView = StringView;

}  // namespace starling
