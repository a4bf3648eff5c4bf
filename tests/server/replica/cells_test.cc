#include "server/replica/cells.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace starling::replica {
namespace {

CellName element(const std::string& name) { return {CellKind::set_element, name}; }

std::vector<CellName> names_of(const Cells& cells) {
  std::vector<CellName> names;
  for (const auto& [name, cell] : cells) {
    names.push_back(name);
  }
  return names;
}

void put(Cells& cells, const CellName& name) {
  const auto place = cells.lower_bound(name);
  if (place == cells.end() || place->first != name) {
    CHECK(cells.emplace(place, name, CellDelta(name.kind()))->first == name);
  }
}

// Two elements that lie at one place: only their names tell them apart.
std::vector<std::string> twins() {
  std::map<std::uint32_t, std::string> seen;
  for (int i = 0;; ++i) {
    const std::string name = std::to_string(i);
    const auto [known, fresh] = seen.emplace(place_of(name), name);
    if (!fresh) {
      return {known->second, name};
    }
  }
}

TEST_CASE("cells come in the order of their names, however they came and went") {
  std::mt19937 random(7);
  Cells cells;
  std::map<CellName, int> model;
  const auto some = [&] {
    const CellKind kinds[] = {CellKind::header, CellKind::hash_field, CellKind::hash_totals};
    return CellName(kinds[random() % 3], std::to_string(random() % 3000));
  };
  for (int step = 0; step < 40'000; ++step) {
    const CellName name = some();
    if (random() % 5 < 3) {
      put(cells, name);
      model[name] = step;
    } else if (auto cell = cells.find(name); cell != cells.end()) {
      const auto next = std::next(model.find(name));
      CHECK(cells.extract(cell).key() == name);
      model.erase(name);
      CHECK((cell == cells.end()) == (next == model.end()));
      if (next != model.end()) {
        CHECK(cell->first == next->first);
      }
    }
    const CellName probe = some();
    const auto bound = cells.lower_bound(probe);
    const auto expected = model.lower_bound(probe);
    REQUIRE((bound == cells.end()) == (expected == model.end()));
    if (expected != model.end()) {
      REQUIRE(bound->first == expected->first);
    }
    REQUIRE(cells.contains(probe) == model.contains(probe));
  }
  std::vector<CellName> expected;
  for (const auto& [name, step] : model) {
    expected.push_back(name);
  }
  CHECK(names_of(cells) == expected);
  CHECK(cells.size() == model.size());
  CHECK(cells.back().first == expected.back());
}

TEST_CASE("names at one place are told apart, also where a page ends between them") {
  const auto names = twins();
  for (int before = 0; before < 300; ++before) {
    Cells cells;
    for (int i = 0; i < before; ++i) {
      put(cells, element("x" + std::to_string(i)));
    }
    put(cells, element(names[0]));
    put(cells, element(names[1]));
    for (int i = 0; i < 300 - before; ++i) {
      put(cells, element("y" + std::to_string(i)));
    }
    CHECK(cells.contains(element(names[0])));
    CHECK(cells.contains(element(names[1])));
    auto cell = cells.find(element(names[1]));
    CHECK(cells.extract(cell).key() == element(names[1]));
    CHECK_FALSE(cells.contains(element(names[1])));
    CHECK(std::ranges::is_sorted(names_of(cells)));
  }
}

TEST_CASE("a cell stays where it is in memory from map to map") {
  Cells from;
  for (int i = 0; i < 1000; ++i) {
    put(from, element(std::to_string(i)));
  }
  auto cell = from.find(element("500"));
  const LayerCell* const address = &cell->second;
  Cells to;
  CHECK(&to.insert(from.extract(cell)).cell->second == address);
  for (int i = 0; i < 1000; ++i) {
    put(to, element(std::to_string(i)));
  }
  CHECK(&to.find(element("500"))->second == address);
  auto again = from.lower_bound(element("501"));
  const auto refused = to.insert(from.extract(again));
  CHECK_FALSE(refused.left.empty());  // one of that name was there
}

TEST_CASE("a map that was moved from is empty, and says that it has changed") {
  Cells cells;
  put(cells, element("a"));
  const auto version = cells.version();
  const Cells taken = std::move(cells);
  CHECK(taken.size() == 1);
  CHECK(cells.empty());                 // NOLINT(bugprone-use-after-move): as documented
  CHECK(cells.version() != version);    // NOLINT(bugprone-use-after-move)
  CHECK(cells.begin() == cells.end());  // NOLINT(bugprone-use-after-move)
}

}  // namespace
}  // namespace starling::replica
