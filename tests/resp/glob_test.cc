#include "server/resp/glob.h"

#include <chrono>
#include <random>
#include <string>

#include <doctest/doctest.h>

namespace starling::resp {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  return Glob(pattern).matches(text);
}

// The definition, by recursion: slow and plain. Stars, question marks and letters only.
bool by_definition(std::string_view pattern, std::string_view text) {
  if (pattern.empty() || text.empty()) {
    return text.empty() && pattern.find_first_not_of('*') == std::string_view::npos;
  }
  if (pattern[0] == '*') {
    return by_definition(pattern.substr(1), text) || by_definition(pattern, text.substr(1));
  }
  return (pattern[0] == '?' || pattern[0] == text[0]) &&
         by_definition(pattern.substr(1), text.substr(1));
}

TEST_CASE("patterns match as in Redis") {
  CHECK(matches("hello", "hello"));
  CHECK_FALSE(matches("hello", "hell"));
  CHECK_FALSE(matches("hell", "hello"));
  CHECK(matches("h?llo", "hallo"));
  CHECK_FALSE(matches("h?llo", "hllo"));
  CHECK(matches("h*llo", "hllo"));
  CHECK(matches("h*llo", "heeeello"));
  CHECK(matches("*", "anything"));
  CHECK(matches("a*", "a"));
  CHECK(matches("**a**", "bab"));
  CHECK(matches("*a*b", "xaxbxb"));
  CHECK_FALSE(matches("*a*b", "xbxa"));
  CHECK(matches("h[ae]llo", "hello"));
  CHECK_FALSE(matches("h[ae]llo", "hillo"));
  CHECK(matches("h[^e]llo", "hallo"));
  CHECK_FALSE(matches("h[^e]llo", "hello"));
  CHECK(matches("h[a-c]llo", "hbllo"));
  CHECK(matches("h[c-a]llo", "hbllo"));  // a range may stand the wrong way round
  CHECK_FALSE(matches("h[a-c]llo", "hdllo"));
  CHECK(matches("a\\*b", "a*b"));
  CHECK_FALSE(matches("a\\*b", "axb"));
  CHECK(matches("[\\]]", "]"));
  CHECK(matches(std::string_view("a\0?", 3), std::string_view("a\0\n", 3)));
}

TEST_CASE("the corners of patterns are Redis's, too") {
  CHECK(matches("*", ""));  // taken for no pattern at all
  CHECK_FALSE(matches("**", ""));
  CHECK(matches("", ""));
  CHECK_FALSE(matches("", "a"));
  CHECK_FALSE(matches("[]", "a"));
  CHECK_FALSE(matches("[", "a"));
  CHECK(matches("[^", "a"));
  CHECK(matches("[ab", "b"));
  CHECK(matches("a\\", "a\\"));
  CHECK(matches("[\\", "\\"));
  CHECK(matches("[a-]x", "^"));  // a range to the bracket, and nothing closes the class
  CHECK_FALSE(matches("[a-]x", "ax"));
}

TEST_CASE("every short pattern of stars, marks and letters matches what the definition says") {
  std::mt19937 random(7);
  const auto word = [&](std::string_view letters, std::size_t most) {
    std::string text;
    for (auto left = random() % (most + 1); left > 0; --left) {
      text += letters[random() % letters.size()];
    }
    return text;
  };
  for (int i = 0; i < 100'000; ++i) {
    const std::string pattern = word("ab?**", 8);
    const std::string text = "a" + word("ab", 9);  // of an empty text Redis has its own idea
    CAPTURE(pattern);
    CAPTURE(text);
    REQUIRE(matches(pattern, text) == by_definition(pattern, text));
  }
}

// CVE-2022-36021, CVE-2024-31228: patterns that took exponential time, or the stack.
TEST_CASE("no pattern takes long") {
  std::string stars;
  while (stars.size() < max_pattern_bytes - 1) {
    stars += "a*";
  }
  for (const std::string& pattern :
       {stars + "b", std::string(max_pattern_bytes, '['), std::string(max_pattern_bytes, '?'),
        std::string(max_pattern_bytes, '\\'),
        "*" + std::string(max_pattern_bytes - 2, 'a') + "b"}) {
    const std::string text(10'000, 'a');
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(matches(pattern, text));
    // With backtracking it would be years; a sanitizer on a busy machine takes a second.
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  }
}

}  // namespace
}  // namespace starling::resp
