// A hash map that grows in small steps.
#include "server/replica/linear_hash_map.h"

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

#include <doctest/doctest.h>

namespace starling::test {
namespace {

using replica::LinearHashMap;
using Numbers = LinearHashMap<std::uint64_t, std::uint64_t>;

// std::hash of a number is the number; this is a hash.
std::uint64_t scattered(std::uint64_t i) { return i * 0x9e3779b97f4a7c15; }

TEST_CASE("a linear hash map holds what a map would") {
  std::mt19937_64 random(7);
  Numbers numbers;
  std::map<std::uint64_t, std::uint64_t> model;
  for (int step = 0; step < 200'000; ++step) {
    const std::uint64_t key = scattered(random() % 30'000);
    switch (random() % 4) {
      case 0:
        CHECK(numbers.erase(key) == model.erase(key));
        break;
      case 1:
        if (const auto found = numbers.find(key); found != numbers.end()) {
          auto node = numbers.extract(found);
          CHECK(node.mapped() == model.at(key));
          node.mapped() = step;
          CHECK(numbers.insert(std::move(node)).inserted);
          model[key] = step;
        }
        break;
      default:
        CHECK(numbers.try_emplace(key, step).second == model.try_emplace(key, step).second);
    }
  }
  CHECK(numbers.size() == model.size());
  std::map<std::uint64_t, std::uint64_t> walked;
  for (const auto& [key, value] : std::as_const(numbers)) {
    CHECK(walked.emplace(key, value).second);
  }
  CHECK(walked == model);
}

TEST_CASE("a linear hash map that grows leaves its elements where they are") {
  Numbers numbers;
  std::map<std::uint64_t, const Numbers::value_type*> places;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const auto [it, fresh] = numbers.try_emplace(scattered(i), i);
    REQUIRE(fresh);
    places.emplace(i, &*it);
  }
  for (const auto& [i, place] : places) {
    REQUIRE(&*numbers.find(scattered(i)) == place);
  }
}

TEST_CASE("what is inserted a second time comes back") {
  Numbers numbers;
  Numbers other;
  numbers.try_emplace(1, 10);
  other.try_emplace(1, 20);
  const auto refused = numbers.insert(other.extract(other.find(1)));
  CHECK_FALSE(refused.inserted);
  CHECK(refused.position->second == 10);
  CHECK(refused.node.mapped() == 20);
  CHECK(other.empty());
}

TEST_CASE("the first element can be taken away until none is left, and so can any") {
  for (const bool first : {true, false}) {
    CAPTURE(first);
    Numbers numbers;
    std::set<std::uint64_t> left;
    for (std::uint64_t i = 0; i < 20'000; ++i) {
      numbers.try_emplace(scattered(i), i);
      left.insert(i);
    }
    while (!numbers.empty()) {
      const auto element = first ? numbers.begin() : numbers.any();
      CHECK(left.erase(element->second) == 1);
      numbers.erase(element);
    }
    CHECK(left.empty());
    CHECK(numbers.begin() == numbers.end());
    numbers.try_emplace(scattered(5), 5);
    CHECK(numbers.begin()->second == 5);
  }
}

TEST_CASE("any element is one of another shard each time") {
  Numbers numbers;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    numbers.try_emplace(scattered(i), i);
  }
  std::set<std::uint64_t> met;
  for (int i = 0; i < 4; ++i) {
    met.insert(numbers.any()->second);
  }
  CHECK(met.size() == 4);
}

}  // namespace
}  // namespace starling::test
