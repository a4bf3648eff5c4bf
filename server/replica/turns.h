// How a long command shares the strand: it works in turns, and between two of them whoever else has
// work runs (R5.8: longer replies go in slices).
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "server/replica/effects.h"

namespace starling::replica {

// Given by whoever runs the command; the core itself knows neither threads nor clocks.
// Runs on: core strand, as the command does.
class Turns {
 public:
  Turns() = default;
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  virtual ~Turns() = default;

  // So many changes make an entry of their own.
  [[nodiscard]] virtual std::size_t part_ops() const = 0;
  // This turn has lasted long enough. Asked for every cell.
  [[nodiscard]] virtual bool over() = 0;
  // Others have theirs; then the time at which the next turn begins. nullopt: nobody wants the rest
  // of the answer, or it may not go on.
  [[nodiscard]] virtual std::optional<Now> next() = 0;
  // The same for one that has to wait: its next turn may come somewhat later.
  [[nodiscard]] virtual std::optional<Now> rest() = 0;
  // The same, and meanwhile it does something for which it needs nothing but what it has in hand.
  [[nodiscard]] virtual std::optional<Now> aside(const std::function<void()>& work) = 0;
};

}  // namespace starling::replica
