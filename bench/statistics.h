// Medians and quartiles of a handful of repetitions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace starling::bench {

struct Spread {
  double median = 0;
  double q1 = 0;
  double q3 = 0;
};

// Between neighbours by distance, as R's default does. Zeros for no values.
inline Spread spread_of(std::vector<double> values) {
  if (values.empty()) {
    return {};
  }
  std::ranges::sort(values);
  const auto at = [&](double part) {
    const double place = part * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(std::floor(place));
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return values[below] + (values[above] - values[below]) * (place - std::floor(place));
  };
  return {at(0.5), at(0.25), at(0.75)};
}

inline double median_of(std::vector<double> values) { return spread_of(std::move(values)).median; }

}  // namespace starling::bench
