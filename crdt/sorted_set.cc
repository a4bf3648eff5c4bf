#include "crdt/sorted_set.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "crdt/mutants.h"
#include "crdt/varint.h"

namespace starling {

std::string encode_score(const Score& score) {
  std::string out;
  put_double(out, score.value == 0 ? 0.0 : score.value);  // there is one zero
  if (score.rule != ScoreRule::plain) {
    put_u8(out, static_cast<std::uint8_t>(score.rule));
  }
  return out;
}

Score decode_score(std::string_view bytes) {
  ByteReader in(bytes);
  Score score;
  score.value = in.real();
  const std::uint8_t rule = in.remaining() > 0 ? in.u8() : 0;
  if (!in.complete() || rule > static_cast<std::uint8_t>(ScoreRule::lowered) ||
      std::isnan(score.value)) {
    return {};
  }
  score.rule = static_cast<ScoreRule>(rule);
  return score;
}

std::string format_score(double score) {
  if (std::isinf(score)) {
    return score > 0 ? "inf" : "-inf";
  }
  std::array<char, 40> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.17g", score);
  return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<double> ScoreView::score() const {
  if (!exists()) {
    return std::nullopt;
  }
  double base = 0;
  if (const Sibling* winner = base_.winner()) {
    const Score won = decode_score(winner->bytes);
    base = won.value;
    for (const Sibling& sibling : base_.siblings()) {
      const Score other = decode_score(sibling.bytes);
      if (won.rule != ScoreRule::plain && other.rule == won.rule && !mutant("raise_is_plain")) {
        base = won.rule == ScoreRule::raised ? std::max(base, other.value)
                                             : std::min(base, other.value);
      }
    }
  }
  if (!increments_.exists() || !std::isfinite(base)) {
    return base;
  }
  const Total sum = increments_.value();
  const auto units = static_cast<double>(saturate(sum.units));
  return (DoubleDouble{base, 0} + DoubleDouble{units, 0} + sum.real).hi;
}

}  // namespace starling
