// Two nodes that cannot hear each other, and what both answer when they have met again.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/stage.h"

namespace starling::sim {

using Lines = std::vector<std::string>;

// What a reply is to be.
struct Wanted : wire::Result {
  Wanted(const char* text) : wire::Result(std::string(text)) {}          // NOLINT: reads well
  Wanted(int number) : wire::Result(std::int64_t{number}) {}             // NOLINT
  Wanted(Lines list) : wire::Result(std::move(list)) {}                  // NOLINT
  Wanted(wire::Nil nil) : wire::Result(nil) {}                           // NOLINT
  Wanted(wire::ErrorCode code) : wire::Result(wire::Error{code, {}}) {}  // NOLINT
};

// A cluster of two that is split once both have seen the same.
class TwoSides {
 public:
  // What both have seen comes first.
  explicit TwoSides(Stage& stage, const Lines& before = {}) : stage_(stage) {
    a_ = stage.node();
    b_ = stage.node();
    stage.settle();
    for (const std::string& line : before) {
      (void)stage.redis(a_, line);
    }
    stage.settle();
    stage.isolate(b_);
  }

  // Each is later than everything before it.
  wire::Result a(std::string_view line) { return say(a_, line); }
  wire::Result b(std::string_view line) { return say(b_, line); }
  void a_answers(std::string_view line, const Wanted& wanted) { answers(a_, line, wanted); }
  void b_answers(std::string_view line, const Wanted& wanted) { answers(b_, line, wanted); }
  void heal() {
    stage_.heal();
    stage_.settle();
  }
  // Both, when they have seen the same.
  void agree(std::string_view line, const Wanted& wanted) {
    heal();
    stage_.expect_redis(a_, line, wanted);
    stage_.expect_redis(b_, line, wanted);
  }
  [[nodiscard]] NodeIndex node_a() const { return a_; }
  [[nodiscard]] NodeIndex node_b() const { return b_; }
  [[nodiscard]] Stage& stage() { return stage_; }

 private:
  wire::Result say(NodeIndex node, std::string_view line) {
    stage_.run(5 * ms);
    return stage_.redis(node, line);
  }
  void answers(NodeIndex node, std::string_view line, const Wanted& wanted) {
    stage_.run(5 * ms);
    stage_.expect_redis(node, line, wanted);
  }

  Stage& stage_;
  NodeIndex a_ = 0;
  NodeIndex b_ = 0;
};

}  // namespace starling::sim
