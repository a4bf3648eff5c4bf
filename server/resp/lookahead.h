// What the requests of a pipeline will ask for, seen before they run.
#pragma once

#include <string_view>

#include "crdt/small_vector.h"

namespace starling::resp {

// So many requests are looked at together.
inline constexpr std::size_t lookahead = 16;

struct Ahead {
  SmallVector<std::string_view, lookahead> keys;  // the second word of each, nearly always its key
  std::size_t requests = 0;
};

// Of the requests at the front of these bytes that have come as a whole and are arrays, as every
// client library sends them; at most `lookahead`. A guess, for whoever can use one: what is not
// understood at a glance ends it.
[[nodiscard]] Ahead look_ahead(std::string_view bytes);

}  // namespace starling::resp
