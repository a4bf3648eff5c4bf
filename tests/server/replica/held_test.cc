#include "server/replica/held.h"

#include <map>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "server/replica/stored_filter.h"

namespace starling::replica {
namespace {

ObjectKey key_of(std::uint64_t i) { return {static_cast<std::uint8_t>(i % 3), std::to_string(i)}; }

TEST_CASE("what is held of an object is found until it is erased, and stays in its place") {
  std::mt19937_64 random(3);
  HeldTable table;
  std::map<std::uint64_t, Held*> model;
  for (int step = 0; step < 200'000; ++step) {
    const std::uint64_t i = random() % 40'000;
    const ObjectKey key = key_of(i);
    Held* const found = table.find(key, place_of(key)).held;
    const auto known = model.find(i);
    REQUIRE(found == (known == model.end() ? nullptr : known->second));
    if (found == nullptr) {
      model[i] = &table.add(key, place_of(key));
    } else if (random() % 2 == 0) {
      table.erase(*found);
      model.erase(i);
    }
  }
  CHECK(table.size() == model.size());
  for (const auto& [i, held] : model) {
    CHECK(held->key == key_of(i));
    CHECK(table.find(key_of(i), place_of(key_of(i))).held == held);
  }
  while (!model.empty()) {
    table.erase(*model.begin()->second);
    model.erase(model.begin());
  }
  CHECK(table.bytes() == 0);
}

TEST_CASE("objects whose places are equal are told apart by their keys") {
  HeldTable table;
  Held& a = table.add({0, "a"}, 42);
  Held& b = table.add({0, "b"}, 42);
  CHECK(table.find({0, "a"}, 42).held == &a);
  CHECK(table.find({0, "b"}, 42).held == &b);
  CHECK(table.find({1, "a"}, 42).held == nullptr);
  table.erase(a);
  CHECK(table.find({0, "a"}, 42).held == nullptr);
  CHECK(table.find({0, "b"}, 42).held == &b);
}

TEST_CASE("a packed object takes the place of a held one, and gives it back") {
  std::mt19937_64 random(5);
  HeldTable table;
  std::map<std::uint64_t, std::string> packed;  // its rows
  std::map<std::uint64_t, Held*> held;
  for (int step = 0; step < 100'000; ++step) {
    const std::uint64_t i = random() % 5'000;
    const ObjectKey key = key_of(i);
    const HeldTable::Found found = table.find(key, place_of(key));
    REQUIRE((found.held != nullptr) == held.contains(i));
    REQUIRE((found.packed != nullptr) == packed.contains(i));
    if (found.held == nullptr && found.packed == nullptr) {
      held[i] = &table.add(key, place_of(key));
    } else if (random() % 4 == 0) {
      found.held != nullptr ? table.erase(*found.held) : table.erase(*found.packed);
      held.erase(i);
      packed.erase(i);
    } else if (found.held != nullptr) {
      std::string rows;
      Packed::put_row(rows, {CellKind::string_register, {}, std::to_string(step)});
      CHECK(table.replace(*found.held, Packed::make(key, rows)).object() == key);
      packed[i] = std::to_string(step);
      held.erase(i);
    } else {
      CHECK(found.packed->cell(CellKind::string_register) == packed.at(i));
      CHECK(found.packed->cell(CellKind::deadline).empty());
      const auto [now, rows] = table.replace(*found.packed);
      CHECK(now.key == key);
      held[i] = &now;
      packed.erase(i);
    }
  }
  CHECK(table.size() == held.size() + packed.size());
  CHECK(held.size() > 100);
  CHECK(packed.size() > 100);
}

TEST_CASE("a packed object has its rows in their order") {
  std::string rows;
  Packed::put_row(rows, {CellKind::deadline, {}, "soon"});
  Packed::put_row(rows, {CellKind::hash_field, "name", std::string(300, 'x')});
  Packed::put_row(rows, {CellKind::hash_field, std::string("\0", 1), {}});
  const auto packed = Packed::make({7, "key"}, rows);
  CHECK(packed->object() == ObjectKey{7, "key"});
  CHECK(packed->is({7, "key"}));
  CHECK_FALSE(packed->is({6, "key"}));
  std::vector<std::string> seen;
  packed->for_each([&](const Packed::Row& row) {
    seen.push_back(std::string(row.subkey) + "=" + std::string(row.cell));
  });
  CHECK(seen ==
        std::vector<std::string>{"=soon", "name=" + std::string(300, 'x'), std::string("\0=", 2)});
}

TEST_CASE("a filter says yes for all that was added, and seldom for anything else") {
  StoredFilter filter(64u << 20);
  filter.begin_empty();
  constexpr std::uint64_t many = 300'000;
  for (std::uint64_t i = 0; i < many; ++i) {
    filter.add(place_of(key_of(i)));
  }
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < many; ++i) {
    REQUIRE(filter.may_hold(place_of(key_of(i))));
    wrong += filter.may_hold(place_of(key_of(many + i))) ? 1 : 0;
  }
  MESSAGE(wrong << " of " << many << " others are taken for stored");
  CHECK(wrong < many / 20);
  CHECK(filter.bytes() < 8 * many);
}

TEST_CASE("a filter that does not know what is stored, or may not grow, says yes") {
  StoredFilter unknown(64u << 20);
  unknown.add(1);
  CHECK(unknown.may_hold(2));
  StoredFilter small(5000);
  small.begin_empty();
  CHECK_FALSE(small.may_hold(2));
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    small.add(place_of(key_of(i)));
  }
  CHECK(small.may_hold(place_of(key_of(100'001))));
  CHECK(small.bytes() == 0);
}

}  // namespace
}  // namespace starling::replica
