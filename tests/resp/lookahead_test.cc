#include "server/resp/lookahead.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace starling::resp {
namespace {

std::vector<std::string> keys_ahead(std::string_view bytes) {
  const Ahead ahead = look_ahead(bytes);
  return {ahead.keys.begin(), ahead.keys.end()};
}

TEST_CASE("the keys of a pipeline are seen ahead, in their order") {
  const std::string get = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
  const std::string set = "*3\r\n$3\r\nSET\r\n$2\r\nbb\r\n$5\r\nv\r\nal\r\n";
  const std::string ping = "*1\r\n$4\r\nPING\r\n";
  CHECK(keys_ahead(get + set + ping + get) == std::vector<std::string>{"a", "bb", "a"});
  CHECK(look_ahead(get + set + ping + get).requests == 4);
}

TEST_CASE("not more requests are looked at than fit") {
  std::string many;
  for (int i = 0; i < 100; ++i) {
    many += "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
  }
  CHECK(look_ahead(many).requests == lookahead);
}

TEST_CASE("what has not come as a whole, or is no array of bulk strings, ends it") {
  const std::string get = "*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
  for (std::size_t cut = 0; cut < get.size(); ++cut) {
    CHECK(look_ahead(get + get.substr(0, cut)).requests == 1);
  }
  for (const std::string_view odd :
       {"GET a\r\n", "*-1\r\n", "*\r\n", "*2x\r\n", "*2\r\n:3\r\n", "*2\r\n$-1\r\n",
        "*99999999999999999999\r\n", "*2\r\n$99999999\r\nx", "*2\r\n$3\r\nGET\r\n$1\r\na",
        "\r\n"}) {
    CAPTURE(odd);
    CHECK(look_ahead(odd).requests == 0);
    CHECK(look_ahead(get + std::string(odd)).requests == 1);
  }
}

}  // namespace
}  // namespace starling::resp
