// The members of one sorted set in the order of their scores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/cell.h"
#include "crdt/cell_key.h"
#include "server/replica/turns.h"

namespace starling::replica {

// Derived from the member cells of one object, local, never replicated (R4.1). A tree whose nodes
// know how many lie below them, ordered by score and then by name, and a table that finds a
// member's score: ranks and positions cost O(log n).
class ScoreIndex {
 public:
  struct Entry {
    double score = 0;
    const std::string& member;
  };

  ScoreIndex();
  ScoreIndex(ScoreIndex&&) noexcept;
  ScoreIndex& operator=(ScoreIndex&&) noexcept;
  ~ScoreIndex();

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::optional<double> score(std::string_view member) const;
  // Sets a member's score, or takes the member out.
  void put(std::string_view member, std::optional<double> score);

  // How many lie before a bound. `before` must be true of a first part of the order only.
  [[nodiscard]] std::size_t count_before(const std::function<bool(const Entry&)>& before) const;
  [[nodiscard]] std::optional<std::size_t> rank(std::string_view member) const;
  // `count` of them from this rank on; or, from the end, from this rank counted from the end on.
  enum class Direction : std::uint8_t { up, down };
  void for_each(std::size_t rank, std::size_t count, Direction direction,
                const std::function<void(const Entry&)>& visit) const;

 private:
  struct Members;
  std::unique_ptr<Members> members_;
};

// Makes an index from the cells of an object, met kind by kind.
class ScoreIndexBuilder {
 public:
  ScoreIndexBuilder();
  ScoreIndexBuilder(const ScoreIndexBuilder&) = delete;
  ScoreIndexBuilder& operator=(const ScoreIndexBuilder&) = delete;
  ~ScoreIndexBuilder();

  // All the increments before the first register.
  void increments(const CellName& name, const CellValue& value);
  void member(const CellName& name, const CellValue& value);
  // In turns, if there are any; nullopt: there was not another one.
  [[nodiscard]] std::optional<ScoreIndex> finish(Turns* turns = nullptr);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace starling::replica
