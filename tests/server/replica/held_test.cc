#include "server/replica/held.h"

#include <map>
#include <random>
#include <string>

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
    Held* const found = table.find(key, place_of(key));
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
    CHECK(table.find(key_of(i), place_of(key_of(i))) == held);
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
  CHECK(table.find({0, "a"}, 42) == &a);
  CHECK(table.find({0, "b"}, 42) == &b);
  CHECK(table.find({1, "a"}, 42) == nullptr);
  table.erase(a);
  CHECK(table.find({0, "a"}, 42) == nullptr);
  CHECK(table.find({0, "b"}, 42) == &b);
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
