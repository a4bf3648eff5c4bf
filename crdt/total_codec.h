// Totals as bytes, for cells and entries alike.
#pragma once

#include <cmath>

#include "crdt/total.h"
#include "crdt/varint.h"

namespace starling {

inline void put_total(std::string& out, const Total& total) {
  put_u8(out, total.has_real() ? 1 : 0);
  put_signed(out, total.units);
  if (total.has_real()) {
    put_double(out, total.real.hi + 0.0);  // no negative zero: equal totals have equal bytes
    put_double(out, total.real.lo + 0.0);
  }
}

[[nodiscard]] inline Total read_total(ByteReader& in) {
  const std::uint8_t flags = in.u8();
  Total total;
  if (flags > 1) {
    in.fail();
    return total;
  }
  total.units = in.signed_varint();
  if (flags == 1) {
    total.real.hi = in.real();
    total.real.lo = in.real();
    const auto canonical = [](double part) {
      return std::isfinite(part) && !(part == 0 && std::signbit(part));
    };
    if (!canonical(total.real.hi) || !canonical(total.real.lo) || !total.has_real()) {
      in.fail();
      return {};
    }
  }
  return total;
}

}  // namespace starling
