// A log-linear histogram of latencies: fixed memory, at most 1.6 % relative error, mergeable.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace starling::bench {

// Values in microseconds up to about 2^40. Each power of two is cut into 64 equal buckets.
class Histogram {
 public:
  void add(std::uint64_t value, std::uint64_t times = 1) {
    counts_[bucket(value)] += times;
    count_ += times;
    max_ = std::max(max_, value);
  }

  void merge(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      counts_[i] += other.counts_[i];
    }
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }

  // The upper edge of the bucket that holds the given quantile, 0 < q <= 1.
  [[nodiscard]] std::uint64_t quantile(double q) const {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(count_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && seen >= wanted) {
        return std::min(upper_edge(i), max_);
      }
    }
    return max_;
  }

 private:
  static constexpr unsigned linear_bits = 6;
  static constexpr std::size_t linear = 1u << linear_bits;
  static constexpr std::size_t powers = 36;

  static std::size_t bucket(std::uint64_t value) {
    if (value < linear) {
      return static_cast<std::size_t>(value);
    }
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - linear_bits - 1;
    const std::size_t index =
        (shift + 1) * linear + static_cast<std::size_t>(value >> shift) - linear;
    return std::min(index, linear * powers - 1);
  }

  static std::uint64_t upper_edge(std::size_t index) {
    if (index < linear) {
      return index;
    }
    const std::size_t shift = index / linear - 1;
    return ((static_cast<std::uint64_t>(index % linear) + linear + 1) << shift) - 1;
  }

  std::array<std::uint64_t, linear * powers> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace starling::bench
