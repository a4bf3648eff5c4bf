// What takes long to free, for another thread to free.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace starling::replica {

// A million nodes go back to the heap in some 200 ms, during which the strand would serve nobody.
class Garbage {
 public:
  // `nodes`: about so many allocations.
  template <typename T>
  void add(T&& dropped, std::size_t nodes) {
    constexpr std::size_t many = 1000;
    if (nodes >= many) {
      dropped_.push_back(std::make_shared<std::decay_t<T>>(std::forward<T>(dropped)));
    }
  }
  [[nodiscard]] std::vector<std::shared_ptr<void>> take() { return std::exchange(dropped_, {}); }

 private:
  std::vector<std::shared_ptr<void>> dropped_;
};

}  // namespace starling::replica
