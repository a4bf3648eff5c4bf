#include "crdt/hybrid_clock.h"

#include <doctest/doctest.h>

namespace starling::test {

TEST_CASE("a timestamp carries wall time in its upper 48 bits") {
  CHECK(hlc_unix_ms(hlc_at(1'700'000'000'123)) == 1'700'000'000'123);
  CHECK(hlc_at(2) > hlc_at(1) + 0xFFFF);
}

TEST_CASE("a clock ticks forward although wall time stands still or goes back") {
  HybridClock clock;
  const Hlc first = clock.tick(1000);
  const Hlc second = clock.tick(1000);
  const Hlc third = clock.tick(10);
  CHECK(first < second);
  CHECK(second < third);
  CHECK(hlc_unix_ms(third) == 1000);
}

TEST_CASE("what happens after a timestamp was seen is later than it") {
  HybridClock clock;
  clock.observe(hlc_at(1400), 1000);
  CHECK(clock.tick(1000) > hlc_at(1400));
}

TEST_CASE("a clock far ahead pulls others at most 500 ms forward") {
  HybridClock clock;
  clock.observe(hlc_at(99'000'000), 1000);
  CHECK(hlc_unix_ms(clock.tick(1000)) == 1500);
  clock.observe(~Hlc{0}, 1000);
  CHECK(hlc_unix_ms(clock.tick(1000)) == 1500);
}

TEST_CASE("an old timestamp does not pull a clock back") {
  HybridClock clock;
  const Hlc now = clock.tick(5000);
  clock.observe(hlc_at(1), 5000);
  CHECK(clock.last() == now);
}

TEST_CASE("after a restart a clock goes on behind its own high water, however far ahead that was") {
  HybridClock clock;
  clock.restore(hlc_at(99'000'000));
  CHECK(clock.tick(1000) == hlc_at(99'000'000) + 1);
  clock.restore(hlc_at(5));
  CHECK(clock.last() == hlc_at(99'000'000) + 1);
}

}  // namespace starling::test
