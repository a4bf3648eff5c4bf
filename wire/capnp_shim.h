#pragma once

// Cap'n Proto 0.9 compares `const char*` with kj::StringPtr in a way that newer compilers find
// ambiguous under C++20 and later (clang does today). Declaring the two overloads before any Cap'n
// Proto header settles it. Include this first in every file that includes a Cap'n Proto header.
#include <kj/string.h>

namespace kj {
inline bool operator==(const char* a, const StringPtr& b) { return b.operator==(StringPtr(a)); }
inline bool operator!=(const char* a, const StringPtr& b) { return !(a == b); }
}  // namespace kj
