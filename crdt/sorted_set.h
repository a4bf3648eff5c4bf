// A sorted set: every member is a cell of its own, its score a base plus increments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crdt/dotted_cell.h"
#include "crdt/origin_totals.h"

namespace starling {

// How ZADD came to a score. Concurrent raises leave the greatest score and concurrent lowerings the
// smallest, so that a leaderboard never goes backwards; otherwise the later HLC decides.
enum class ScoreRule : std::uint8_t { plain = 0, raised = 1, lowered = 2 };

// The payload of a member's sibling. A score is any double but NaN.
struct Score {
  double value = 0;
  ScoreRule rule = ScoreRule::plain;
};
[[nodiscard]] std::string encode_score(const Score& score);
// Bytes that are no score read as a plain 0: every replica holds the same bytes.
[[nodiscard]] Score decode_score(std::string_view bytes);

// As Redis prints a score: 17 significant digits, "inf", "-inf".
[[nodiscard]] std::string format_score(double score);

// A thin view of the two cells of one member.
//   score = the winning base plus all increments; increments alone start at 0.
class ScoreView {
 public:
  ScoreView(const DottedCell& base, const OriginTotals& increments)
      : base_(base), increments_(increments) {}

  [[nodiscard]] bool exists() const { return !base_.empty() || increments_.exists(); }
  [[nodiscard]] std::optional<double> score() const;

 private:
  const DottedCell& base_;
  const OriginTotals& increments_;
};

}  // namespace starling
