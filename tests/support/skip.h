#pragma once

#include <cstdlib>
#include <string_view>

#include <doctest/doctest.h>

namespace starling::test {

// A test that cannot run here says SKIP and why, then returns. In CI it fails: there every check
// must run.
inline void skip(std::string_view reason) {
  const char* ci = std::getenv("CI");
  if (ci != nullptr && std::string_view(ci) == "true") {
    FAIL("skipped: ", reason);
  }
  MESSAGE("SKIP: ", reason);
}

}  // namespace starling::test
