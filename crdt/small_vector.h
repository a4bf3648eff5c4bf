// A vector whose first N elements need no allocation. Most cells hold one sibling and most version
// vectors a handful of components, so the common operation never touches the heap (issue "no
// allocation per operation"). Boost's container is header-only and well kept; see
// docs/dependencies.md.
#pragma once

#include <cstddef>

#include <boost/container/small_vector.hpp>

namespace starling {

template <typename T, std::size_t N>
using SmallVector = boost::container::small_vector<T, N>;

}  // namespace starling
