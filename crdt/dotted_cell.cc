#include "crdt/dotted_cell.h"

#include <algorithm>
#include <utility>

namespace starling {

const Sibling* DottedCell::winner() const {
  const auto it = std::ranges::max_element(siblings_, [](const Sibling& a, const Sibling& b) {
    return std::pair(a.hlc, a.dot) < std::pair(b.hlc, b.dot);
  });
  return it == siblings_.end() ? nullptr : &*it;
}

void DottedCell::assign(Sibling sibling) {
  const auto it = std::lower_bound(
      siblings_.begin(), siblings_.end(), sibling.dot.origin,
      [](const Sibling& s, const Origin& origin) { return s.dot.origin < origin; });
  if (it == siblings_.end() || it->dot.origin != sibling.dot.origin) {
    siblings_.insert(it, std::move(sibling));
  } else if (it->dot.n < sibling.dot.n) {
    *it = std::move(sibling);
  }
}

void DottedCell::kill(const VersionVector& context) {
  const auto dead = [&](const Sibling& s) { return context.covers(s.dot); };
  siblings_.erase(std::remove_if(siblings_.begin(), siblings_.end(), dead), siblings_.end());
}

}  // namespace starling
