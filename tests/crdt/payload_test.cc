// What lies in the cells of a sorted set's member and of a deadline: bytes that every replica
// holds, so that they must have one form, and be read the same way whatever they are.
#include <cmath>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "crdt/deadline.h"
#include "crdt/sorted_set.h"
#include "tests/crdt/property.h"
#include "tests/crdt/random_values.h"

namespace starling::test {
namespace {

double random_score() {
  switch (number(0, 7)) {
    case 0:
      return std::numeric_limits<double>::infinity();
    case 1:
      return -std::numeric_limits<double>::infinity();
    case 2:
      return coin() ? 0.0 : -0.0;
    case 3:
      return std::numeric_limits<double>::denorm_min();
    default:
      return *rc::gen::arbitrary<double>();
  }
}

ScoreRule random_rule() { return static_cast<ScoreRule>(number(0, 2)); }

std::string random_payload() {
  std::string bytes(number(0, 12), '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(number(0, 255));
  }
  return bytes;
}

DottedCell cell_of(std::initializer_list<Score> scores) {
  DottedCell cell;
  std::uint64_t node = 0;
  for (const Score& score : scores) {
    ++node;
    cell.assign({{origin_of(node), 1}, hlc_at(node), encode_score(score)});
  }
  return cell;
}

}  // namespace

TEST_CASE("a score is read back bit by bit, and has one form") {
  check_property("scores, there and back", 10'000, [] {
    const Score score{random_score(), random_rule()};
    if (std::isnan(score.value)) {
      return;
    }
    const std::string bytes = encode_score(score);
    const Score read = decode_score(bytes);
    RC_ASSERT(read.value == score.value);
    RC_ASSERT(read.rule == score.rule);
    RC_ASSERT(encode_score(read) == bytes);
  });
  CHECK(encode_score({-0.0, ScoreRule::plain}) == encode_score({0.0, ScoreRule::plain}));
}

TEST_CASE("bytes that are no score read as a plain 0, and never as NaN") {
  check_property("hostile scores", 10'000, [] {
    const std::string bytes = random_payload();
    const Score read = decode_score(bytes);
    RC_ASSERT(!std::isnan(read.value));
    if (encode_score(read) != bytes && !bytes.empty()) {
      // One zero and one way to say "plain"; all else that is read was written so.
      RC_ASSERT(read.value == 0 || read.rule == ScoreRule::plain);
    }
  });
  CHECK(decode_score("").value == 0);
}

TEST_CASE("a deadline is read back, and bytes that are none expire nothing") {
  check_property("deadlines, there and back", 10'000, [] {
    const auto time = *rc::gen::arbitrary<std::int64_t>();
    RC_ASSERT(decode_deadline(encode_deadline(time)) == time);
    const std::string bytes = random_payload();
    if (bytes.size() != 8) {
      RC_ASSERT(decode_deadline(bytes) == never_expires);
    } else {
      RC_ASSERT(encode_deadline(decode_deadline(bytes)) == bytes);
    }
  });
}

TEST_CASE("among concurrent raises the greatest is read, among lowerings the smallest") {
  const OriginTotals none;
  using enum ScoreRule;
  CHECK(ScoreView(cell_of({{9, raised}, {7, raised}}), none).score() == 9);
  CHECK(ScoreView(cell_of({{1, lowered}, {3, lowered}}), none).score() == 1);
  // The later one decides between kinds, and only its kind is asked.
  CHECK(ScoreView(cell_of({{9, raised}, {7, plain}}), none).score() == 7);
  CHECK(ScoreView(cell_of({{9, plain}, {7, raised}}), none).score() == 7);
  CHECK(ScoreView(cell_of({{9, raised}, {1, lowered}, {7, raised}}), none).score() == 9);
}

}  // namespace starling::test
