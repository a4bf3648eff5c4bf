// Two groups that exchange entries, and what may happen to either of them at any time: the ground
// of random histories, whose classes add what is written and what is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>

#include <doctest/doctest.h>

#include "tests/server/replica/test_group.h"

namespace starling::test {

class TwoGroups {
 public:
  TwoGroups(const TwoGroups&) = delete;
  TwoGroups& operator=(const TwoGroups&) = delete;
  virtual ~TwoGroups() = default;

 protected:
  TwoGroups(std::uint32_t seed, const replica::Group::Limits& first,
            const replica::Group::Limits& second)
      : random_(seed), groups_{TestGroup(1, first), TestGroup(2, second)} {}

  // What the state has derived must be what its cells say.
  virtual void check_rows(TestGroup& at) = 0;

  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }
  TestGroup& any_group() { return groups_[static_cast<std::size_t>(below(2))]; }

  // Choices 0 to 4: entries of the other, a step of a checkpoint, a restart, an eviction. False for
  // any other: it is the caller's.
  bool disturb(int choice, TestGroup& at) {
    switch (choice) {
      case 0:
        any_group().pull_from(any_group());
        return true;
      case 1:
      case 2:
        step_checkpoint(at);
        return true;
      case 3:
        if (below(4) == 0) {
          at.restart();
        }
        return true;
      case 4:
        at->tables().evict();
        return true;
      default:
        return false;
    }
  }

  static void end_checkpoint(TestGroup& at) {
    if (at.writing()) {
      at.write();
    }
    if (at.written()) {
      at.told();
    }
  }

  std::mt19937 random_;
  TestGroup groups_[2];

 private:
  void step_checkpoint(TestGroup& at) {
    if (at.written()) {
      at.told();
      if (at->tables().freezing()) {
        FAIL("the checkpoint did not end");
      }
    } else if (at.writing()) {
      at.store().fail_checkpoints = below(4) == 0;
      at.write();
      if (!std::exchange(at.store().fail_checkpoints, false)) {
        check_rows(at);
      }
    } else {
      at.freeze();
    }
  }
};

}  // namespace starling::test
