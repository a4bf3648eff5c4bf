// The fuzz target's play (tests/fuzz/resp_play.h) with inputs by chance: runs under every compiler
// and every sanitizer, and needs no fuzzer.
#include <random>
#include <string>

#include <doctest/doctest.h>

#include "tests/fuzz/resp_play.h"

namespace starling::test {
namespace {

std::string random_bytes(std::mt19937& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random());
  }
  return bytes;
}

TEST_CASE("commands of the table, drawn by chance, keep every promise of the dispatcher") {
  const char* given = std::getenv("STARLING_SEED");
  const auto seed = given != nullptr ? static_cast<std::uint32_t>(std::stoul(given)) : 1U;
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 150; ++i) {
    fuzz::RespPlay play;
    play.drawn(random_bytes(random, 600));
    play.audit();
  }
}

TEST_CASE("row 14: bytes by chance keep every promise of the dispatcher") {
  std::mt19937 random(14);
  // What is likely to mean something.
  constexpr std::string_view parts[] = {"*", "$",  "\r\n", "\n",  "1",   "2",     "3",
                                        "4", "0",  "-",    "GET", "SET", "PING",  "k",
                                        " ", "\"", "'",    "\\x", "\0",  "*1\r\n"};
  for (int i = 0; i < 300; ++i) {
    fuzz::RespPlay play;
    std::string bytes = i % 3 == 0 ? random_bytes(random, 500) : std::string();
    while (bytes.size() < 500) {
      bytes += parts[random() % std::size(parts)];
    }
    play.raw(bytes, random() % 8);
    play.audit();
  }
}

}  // namespace
}  // namespace starling::test
