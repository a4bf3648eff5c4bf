#include "crdt/digest.h"

#include <doctest/doctest.h>

#include "tests/crdt/random_values.h"

namespace starling::test {
namespace {

const CellKey element{{0, "s"}, {CellKind::set_element, "x"}};

CellValue live(const Dot& dot) {
  DottedCell cell;
  cell.assign({dot, 0, ""});
  return cell;
}

}  // namespace

TEST_CASE("a cell that shows nothing has no digest") {
  CHECK(digest_of(element, empty_cell(CellKind::set_element)) == Digest{});
  OriginTotals residue;
  residue.join(residue.increment(a, 1, Total::of(5)));
  residue.reset(residue.observed()[0], {a, 2});
  CHECK(digest_of({{0, "c"}, {CellKind::string_totals, ""}}, residue) == Digest{});
}

TEST_CASE("a digest tells keys, subkeys, kinds, databases and dots apart") {
  const Digest digest = digest_of(element, live({a, 1}));
  CHECK(digest != digest_of({{1, "s"}, {CellKind::set_element, "x"}}, live({a, 1})));
  CHECK(digest != digest_of({{0, "t"}, {CellKind::set_element, "x"}}, live({a, 1})));
  CHECK(digest != digest_of({{0, "s"}, {CellKind::set_element, "y"}}, live({a, 1})));
  CHECK(digest != digest_of({{0, "s"}, {CellKind::flag, "x"}}, live({a, 1})));
  CHECK(digest != digest_of(element, live({a, 2})));
  CHECK(digest != digest_of(element, live({origin_of(1, 2), 1})));
  CHECK(digest != Digest{});
}

TEST_CASE("the sum of digests does not depend on order and carries into the high half") {
  Digest x{0, ~std::uint64_t{0}};
  x += Digest{0, 1};
  CHECK(x == Digest{1, 0});
  const Digest p = digest_of(element, live({a, 1}));
  const Digest q = digest_of(element, live({a, 2}));
  Digest forward = p;
  forward += q;
  Digest backward = q;
  backward += p;
  CHECK(forward == backward);
}

TEST_CASE("the digest of a counter does not see which start of a node added what") {
  const CellKey counter{{0, "c"}, {CellKind::string_totals, ""}};
  OriginTotals two_starts;
  two_starts.join(two_starts.increment(origin_of(1, 1), 1, Total::of(5)));
  two_starts.join(two_starts.increment(origin_of(1, 2), 1, Total::of(7)));
  OriginTotals folded;
  folded.join(folded.increment(origin_of(1, 2), 1, Total::of(12)));
  CHECK(digest_of(counter, two_starts) == digest_of(counter, folded));
  OriginTotals other_node;
  other_node.join(other_node.increment(origin_of(2, 2), 1, Total::of(12)));
  CHECK(digest_of(counter, other_node) != digest_of(counter, folded));
}

TEST_CASE("a counter at zero is not the same as no counter") {
  const CellKey counter{{0, "c"}, {CellKind::string_totals, ""}};
  OriginTotals up_and_down;
  up_and_down.join(up_and_down.increment(a, 1, Total::of(5)));
  up_and_down.join(up_and_down.increment(a, 2, Total::of(-5)));
  CHECK(digest_of(counter, up_and_down) != Digest{});
  up_and_down.reset(up_and_down.observed()[0], {a, 3});
  CHECK(digest_of(counter, up_and_down) == Digest{});
}

TEST_CASE("the digest does not see the numbers that stored cells give to origins") {
  const DottedCell cell = std::get<DottedCell>(live({a, 1}));
  OriginTable first;
  first.intern(a);
  OriginTable second;
  second.intern(origin_of(9));
  second.intern(a);
  const auto x = decode_stored(CellKind::set_element,
                               encode_stored(CellKind::set_element, cell, first), first);
  const auto y = decode_stored(CellKind::set_element,
                               encode_stored(CellKind::set_element, cell, second), second);
  REQUIRE(x);
  REQUIRE(y);
  CHECK(digest_of(element, *x) == digest_of(element, *y));
}

TEST_CASE("a digest is printed as 32 lower-case digits") {
  CHECK(to_hex({0x0123456789ABCDEF, 1}) == "0123456789abcdef0000000000000001");
}

}  // namespace starling::test
