// Counts steps down to the one at which something happens.
#pragma once

#include <cstdint>

namespace starling::sim {

class Fuse {
 public:
  void light(std::uint64_t steps) { left_ = steps; }  // 0: put it out
  // One more step: true if it is the one. An unlit fuse never is.
  [[nodiscard]] bool burns_down() {
    if (left_ == 0) {
      return false;
    }
    --left_;
    return left_ == 0;
  }

 private:
  std::uint64_t left_ = 0;
};

}  // namespace starling::sim
