#include "server/replica/cells.h"

#include <algorithm>

namespace starling::replica {
namespace {

std::uint64_t order_of(const CellName& name) {
  return (static_cast<std::uint64_t>(name.kind()) << 32) | name.place();
}

// The first of `n` sorted numbers that is not less. Places are spread evenly, so a guess by
// proportion between `low` and `high` lies close, and the search widens from there (interpolation
// search, Perl, Itai, Avni 1978; galloping, Bentley, Yao 1976).
template <typename At>
std::size_t first_not_less(std::size_t n, const At& at, std::uint64_t order, std::uint64_t low,
                           std::uint64_t high) {
  std::size_t from = 0;  // all before are less
  std::size_t to = n;    // none from here on is less
  constexpr std::size_t few = 8;
  if (n > few && low < order && order < high) {
    const double part = static_cast<double>(order - low) / static_cast<double>(high - low);
    const std::size_t guess =
        std::min(n - 1, static_cast<std::size_t>(part * static_cast<double>(n)));
    if (at(guess) < order) {
      from = guess + 1;
      for (std::size_t step = 1; from + step < n; step *= 2) {
        if (at(from + step) >= order) {
          to = from + step;
          break;
        }
        from += step + 1;
      }
    } else {
      to = guess;
      for (std::size_t step = 1; step < to; step *= 2) {
        if (at(to - step) < order) {
          from = to - step + 1;
          break;
        }
        to -= step;
      }
    }
  }
  while (from < to) {
    const std::size_t middle = from + (to - from) / 2;
    if (at(middle) < order) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

}  // namespace

Cells& Cells::operator=(Cells&& other) noexcept {
  if (this != &other) {
    clear();
    only_ = std::move(other.only_);
    other.only_.clear();
    pages_ = std::move(other.pages_);
    size_ = std::exchange(other.size_, 0);
    ++version_;
    ++other.version_;
  }
  return *this;
}

Cells::~Cells() { clear(); }

void Cells::clear() {
  for (std::size_t i = 0; i < page_count(); ++i) {
    for (const Slot& slot : page(i)) {
      delete slot.cell;  // NOLINT(cppcoreguidelines-owning-memory): slots own them
    }
  }
  only_.clear();
  pages_.reset();
  size_ = 0;
}

const Cells::value_type& Cells::back() const { return *page(page_count() - 1).back().cell; }

// Names of one kind and place are rare, but may lie on both sides of a page's end.
Cells::At Cells::bound(const CellName& name) const {
  const std::uint64_t order = order_of(name);
  const auto before = [&](const Slot& slot) {
    return slot.order != order ? slot.order < order : slot.cell->first.subkey() < name.subkey();
  };
  std::size_t i = 0;
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (pages_) {
    const auto& firsts = pages_->firsts;
    i = first_not_less(
        firsts.size(), [&](std::size_t at) { return firsts[at]; }, order, firsts.front(),
        firsts.back());
    i -= i > 0 ? 1 : 0;
    low = firsts[i];
    high = i + 1 < firsts.size() ? firsts[i + 1] : 0;
    while (high == order && i + 1 < firsts.size() && before(pages_->pages[i].back())) {
      ++i;
      high = i + 1 < firsts.size() ? firsts[i + 1] : 0;
    }
  }
  const auto page = this->page(i);
  std::size_t slot =
      first_not_less(page.size(), [&](std::size_t at) { return page[at].order; }, order, low, high);
  while (slot < page.size() && before(page[slot])) {
    ++slot;
  }
  if (slot == page.size() && i + 1 < page_count()) {
    return {i + 1, 0};
  }
  return {i, slot};
}

Cells::At Cells::bound_again(const CellName& name) {
  if (!pages_) {
    return bound(name);
  }
  const std::uint64_t order = order_of(name);
  Last& last = pages_->last;
  if (last.known && last.order == order && last.version == version_) {
    const Page& page = pages_->pages[last.at.page];
    if (last.at.i == page.size() || page[last.at.i].order != order ||
        page[last.at.i].cell->first == name) {
      return last.at;
    }
  }
  const At at = bound(name);
  const Page& page = pages_->pages[at.page];
  const bool first_of_page = at.i == 0;
  const bool first = first_of_page
                         ? at.page == 0 || pages_->pages[at.page - 1].back().order != order
                         : page[at.i - 1].order != order;
  last = {order, at, version_, first};
  return at;
}

Cells::At Cells::found_at(At at, const CellName& name) const {
  const auto page = this->page(at.page);
  return at.i < page.size() && page[at.i].cell->first == name ? at : last();
}

void Cells::split(std::size_t i) {
  if (!pages_) {
    pages_ = std::make_unique<Pages>();
    pages_->firsts.push_back(only_.front().order);
    pages_->pages.emplace_back(only_.begin(), only_.end());
    only_ = {};
  }
  Page& full = pages_->pages[i];
  const auto middle = full.begin() + static_cast<std::ptrdiff_t>(full.size() / 2);
  Page upper(middle, full.end());
  full.erase(middle, full.end());
  const auto next = static_cast<std::ptrdiff_t>(i) + 1;
  pages_->firsts.insert(pages_->firsts.begin() + next, upper.front().order);
  pages_->pages.insert(pages_->pages.begin() + next, std::move(upper));
}

Cells::At Cells::put(At at, std::unique_ptr<value_type> cell) {
  if (page(at.page).size() == page_slots) {
    split(at.page);
    const std::size_t lower = page(at.page).size();
    if (at.i > lower) {
      at = {at.page + 1, at.i - lower};
    }
  }
  const Slot slot{order_of(cell->first), cell.release()};
  const auto i = static_cast<std::ptrdiff_t>(at.i);
  if (!pages_) {
    only_.insert(only_.begin() + i, slot);
  } else {
    Page& page = pages_->pages[at.page];
    page.insert(page.begin() + i, slot);
    if (i == 0) {
      pages_->firsts[at.page] = slot.order;
    }
  }
  ++size_;
  ++version_;
  return at;
}

Cells::iterator Cells::emplace(const_iterator place, const CellName& name, CellDelta delta) {
  return {*this, put(place.at_, std::make_unique<value_type>(name, LayerCell(std::move(delta))))};
}

Cells::Inserted Cells::insert(node_type node) {
  const At at = bound(node.key());
  const auto page = this->page(at.page);
  if (at.i < page.size() && page[at.i].cell->first == node.key()) {
    return {page[at.i].cell, std::move(node)};
  }
  value_type* const cell = node.value_.get();
  put(at, std::move(node.value_));
  return {cell, {}};
}

Cells::node_type Cells::extract(iterator& cell) {
  const At at = cell.at_;
  node_type node{std::unique_ptr<value_type>(page(at.page)[at.i].cell)};
  --size_;
  ++version_;
  const auto i = static_cast<std::ptrdiff_t>(at.i);
  if (!pages_) {
    only_.erase(only_.begin() + i);
    return node;
  }
  Page& page = pages_->pages[at.page];
  page.erase(page.begin() + i);
  if (page.empty() && pages_->pages.size() > 1) {
    const auto gone = static_cast<std::ptrdiff_t>(at.page);
    pages_->firsts.erase(pages_->firsts.begin() + gone);
    pages_->pages.erase(pages_->pages.begin() + gone);
    if (at.page == pages_->pages.size()) {
      cell.at_ = last();
    }
    return node;
  }
  if (i == 0 && !page.empty()) {
    pages_->firsts[at.page] = page.front().order;
  }
  cell.to_slot();
  return node;
}

}  // namespace starling::replica
