// A process that dies anywhere, or a power cut right then, loses nothing that was promised (R5.2,
// R5.4, I3). A child works on a store and is killed; we open what it left.
#include <chrono>
#include <filesystem>
#include <random>

#include <doctest/doctest.h>

#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/crash_site.h"
#include "tests/storage/crash_workload.h"
#include "tests/storage/store_helpers.h"

namespace starling::test {
namespace {

namespace fs = std::filesystem;

class StoreCrashSite : public CrashSite {
 public:
  explicit StoreCrashSite(std::uint64_t seed)
      : CrashSite("storage_crash_child"), workload_(seed), seed_(seed) {}

  End live(int steps, const std::string& failpoint, int nth,
           std::chrono::microseconds patience = std::chrono::seconds(60)) {
    return CrashSite::live(
        {std::to_string(seed_), std::to_string(steps), failpoint, std::to_string(nth)}, patience);
  }

  // Opens what is left and holds it against the promises and the workload.
  void inspect() {
    const Promises promises = this->promises();
    const auto store = must(RocksDbStore::open(data()));
    const LogBounds bounds = store->bounds();
    const std::uint64_t w = store->state_position();
    CHECK(bounds.last >= (power_was_cut() ? promises.synced : promises.appended));
    CHECK(bounds.last >= w);
    CHECK(w >= promises.state);
    CHECK(bounds.first <= w + 1);
    CHECK(bounds.first >= promises.floor);
    for (std::uint64_t position = bounds.first; position <= bounds.last; ++position) {
      const bool same = must(store->read_record(position)) == workload_.record(position);
      REQUIRE(same);
    }
    const bool exact = rows_of(*store) == workload_.state_at(w);
    CHECK_MESSAGE(exact, "the state is not the log's prefix up to ", w);
    CHECK(fs::is_empty(data() / "incoming"));
    for (const auto& entry : fs::directory_iterator(data())) {
      CHECK(entry.path().extension() != ".tmp");
    }
    inspected(bounds.last);
    records_checked_ += bounds.last + 1 - bounds.first;
  }

  [[nodiscard]] std::uint64_t records_checked() const { return records_checked_; }

 private:
  CrashWorkload workload_;
  std::uint64_t seed_;
  std::uint64_t records_checked_ = 0;
};

TEST_CASE("a process killed at any failpoint loses nothing it was promised") {
  StoreCrashSite site(1);
  int kills = 0;
  for (const std::string_view failpoint : failpoint_names) {
    for (const int nth : {1, 3}) {
      CAPTURE(failpoint);
      CAPTURE(nth);
      REQUIRE(site.live(400, std::string(failpoint), nth) == End::killed);
      site.inspect();
      ++kills;
    }
  }
  MESSAGE(kills, " kills at ", failpoint_names.size(), " failpoints, ", site.records_checked(),
          " records checked");
}

TEST_CASE("a power cut at any failpoint loses nothing that was synced") {
  std::mt19937_64 random(2);
  std::uint64_t dropped = 0;
  int cuts = 0;
  StoreCrashSite site(2);
  for (const std::string_view failpoint : failpoint_names) {
    for (const int nth : {2, 5}) {
      CAPTURE(failpoint);
      CAPTURE(nth);
      REQUIRE(site.live(400, std::string(failpoint), nth) == End::killed);
      site.cut_power(random);
      site.inspect();
      ++cuts;
    }
  }
  dropped = site.dropped_bytes();
  CHECK(dropped > 0);
  MESSAGE(cuts, " power cuts, ", dropped, " unsynced bytes dropped, ", site.records_checked(),
          " records checked");
}

TEST_CASE("a process killed at random moments, during start too, loses nothing") {
  std::mt19937_64 random(3);
  StoreCrashSite site(3);
  int killed = 0;
  for (int round = 0; round < 40; ++round) {
    CAPTURE(round);
    const std::chrono::microseconds patience(random() % 250'000);
    const End end = site.live(1'000'000, "none", 0, patience);
    REQUIRE(end != End::failed);
    killed += end == End::killed ? 1 : 0;
    if (!fs::exists(site.data())) {
      continue;  // killed before it did anything
    }
    if (round % 3 == 0) {
      site.cut_power(random);
    }
    site.inspect();
  }
  CHECK(killed == 40);
  MESSAGE(killed, " kills, ", site.dropped_bytes(), " unsynced bytes dropped, ",
          site.records_checked(), " records checked");
}

}  // namespace
}  // namespace starling::test
