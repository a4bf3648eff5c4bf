// A replica that dies anywhere, or whose power is cut right then, comes back with what it promised,
// and its state on disk is the log's prefix up to W (I3, I7). A child runs the core over a store
// and is killed; we open what it left.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "crdt/varint.h"
#include "server/replica/checkpoint.h"
#include "server/replica/group.h"
#include "storage/memory_store.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/crash_site.h"
#include "tests/storage/replica_crash_points.h"
#include "tests/storage/replica_workload.h"
#include "tests/storage/store_helpers.h"

namespace starling::test {
namespace {

using replica::CutJobDone;
using replica::Group;

constexpr std::uint64_t after_all_lives_ms = 1'800'000'000'000;

CutJobDone digest_of_store(const Store& store) {
  replica::CutJob::Params params;
  params.kind = replica::CutJobKind::digest;
  auto done = replica::CutJob(params).run(store);
  REQUIRE_FALSE(done.error);
  return done;
}

// A tick as the child's journal has it.
struct KeptTick {
  std::uint64_t requests = 0;  // done by then, since the first life
  VersionVector applied;
  std::string record;
};

class ReplicaCrashSite : public CrashSite {
 public:
  explicit ReplicaCrashSite(std::uint64_t seed)
      : CrashSite("replica_crash_child"), workload_(seed), seed_(seed) {}

  End live(std::string_view point, int nth,
           std::chrono::microseconds patience = std::chrono::seconds(60)) {
    return CrashSite::live(
        {std::to_string(seed_), std::to_string(++lives_), point == "none" ? "1000000" : "3000",
         std::string(point), std::to_string(nth)},
        patience);
  }

  void inspect() {
    const Promises promises = this->promises();
    const std::map<std::uint64_t, KeptTick> ticks = kept_ticks();
    const auto store = must(RocksDbStore::open(data()));
    const LogBounds bounds = store->bounds();
    const std::uint64_t w = store->state_position();
    CHECK(bounds.last >= (power_was_cut() ? promises.synced : promises.appended));
    CHECK(w >= promises.state);
    CHECK(w <= bounds.last);
    CHECK(bounds.first <= w + 1);
    CHECK(bounds.first >= promises.floor);
    for (std::uint64_t position = bounds.first; position <= bounds.last; ++position) {
      REQUIRE(ticks.contains(position));
      const bool same = must(store->read_record(position)) == ticks.at(position).record;
      REQUIRE(same);
    }
    check_state(*store, ticks);
    check_values(*store, ticks);
    inspected(bounds.last);
    values_checked_ += ReplicaWorkload::reads().size();
  }

  [[nodiscard]] std::uint64_t values_checked() const { return values_checked_; }

 private:
  // The state on disk is what the log up to W makes of nothing (I3).
  static void check_state(const Store& store, const std::map<std::uint64_t, KeptTick>& ticks) {
    MemoryStore log;
    for (std::uint64_t position = 1; position <= store.state_position(); ++position) {
      REQUIRE(ticks.contains(position));
      must(log.append(position, ticks.at(position).record));
    }
    must(log.sync());
    Group group(log, {});
    must(group.recover(after_all_lives_ms));
    group.begin({1, 1, 1});
    if (group.dirty()) {
      REQUIRE_FALSE(group.checkpoint(after_all_lives_ms)->run(log).error);
    }
    const CutJobDone of_disk = digest_of_store(store);
    const CutJobDone of_log = digest_of_store(log);
    CHECK(of_disk.applied == of_log.applied);
    CHECK(of_disk.cells == of_log.cells);
    CHECK(of_disk.digest == of_log.digest);
  }

  // State and log together give V, and the values that the requests up to it add up to.
  void check_values(const Store& store, const std::map<std::uint64_t, KeptTick>& ticks) const {
    Group group(store, {});
    must(group.recover(after_all_lives_ms));
    group.begin({1, 1, 1});
    const std::uint64_t last = store.bounds().last;
    const KeptTick tick = last == 0 ? KeptTick{} : ticks.at(last);
    CHECK(group.applied() == tick.applied);
    const PlainValues values = workload_.values_after(tick.requests);
    for (const Command& read : ReplicaWorkload::reads()) {
      wire::Request request;
      request.commands = {read};
      const auto executed =
          group.execute(request, after_all_lives_ms, static_cast<std::int64_t>(after_all_lives_ms));
      REQUIRE(executed);
      const bool same = executed->results.front() == values.answer(read);
      CHECK_MESSAGE(same, read.key, " is not what ", tick.requests, " requests have made it");
    }
  }

  // What an earlier life had written behind a power cut is void: the later one counts. The last of
  // a life may be torn.
  [[nodiscard]] std::map<std::uint64_t, KeptTick> kept_ticks() const {
    std::map<std::uint64_t, KeptTick> ticks;
    for (int life = 1; life <= lives_; ++life) {
      std::ifstream file(journal().string() + '.' + std::to_string(life), std::ios::binary);
      const std::string all{std::istreambuf_iterator<char>(file), {}};
      ByteReader in(all);
      while (in.ok() && !in.at_end()) {
        const std::uint64_t position = in.varint();
        KeptTick tick;
        tick.requests = in.varint();
        ByteReader vector(in.bytes());
        tick.applied = read_version_vector(vector);
        tick.record = in.bytes();
        if (in.ok()) {
          ticks[position] = std::move(tick);
        }
      }
    }
    return ticks;
  }

  ReplicaWorkload workload_;
  std::uint64_t seed_;
  int lives_ = 0;
  std::uint64_t values_checked_ = 0;
};

std::vector<std::string_view> all_crash_points() {
  std::vector<std::string_view> points(replica_crash_points.begin(), replica_crash_points.end());
  points.insert(points.end(), failpoint_names.begin(), failpoint_names.end());
  return points;
}

void report(const ReplicaCrashSite& site, const std::string& deaths) {
  const Promises promises = site.promises();
  CHECK(promises.checkpoints > 0);
  CHECK(promises.evictions > 0);
  MESSAGE(deaths, "; ", promises.appended, " ticks, ", promises.checkpoints, " checkpoints, ",
          promises.evictions, " evictions; ", site.dropped_bytes(), " unsynced bytes dropped, ",
          site.values_checked(), " values checked");
}

std::string at_all_points(int deaths, const std::string& of_what) {
  return std::to_string(deaths) + of_what + std::to_string(all_crash_points().size()) + " points";
}

TEST_CASE("a replica killed at any point of a tick or a checkpoint keeps every promise") {
  ReplicaCrashSite site(11);
  int kills = 0;
  for (const std::string_view point : all_crash_points()) {
    for (const int nth : {1, 4}) {
      CAPTURE(point);
      CAPTURE(nth);
      REQUIRE(site.live(point, nth) == End::killed);
      site.inspect();
      ++kills;
    }
  }
  report(site, at_all_points(kills, " kills at "));
}

TEST_CASE("a power cut at any such point takes from a replica only what was not synced") {
  std::mt19937_64 random(12);
  ReplicaCrashSite site(12);
  int cuts = 0;
  for (const std::string_view point : all_crash_points()) {
    for (const int nth : {2, 5}) {
      CAPTURE(point);
      CAPTURE(nth);
      REQUIRE(site.live(point, nth) == End::killed);
      site.cut_power(random);
      site.inspect();
      ++cuts;
    }
  }
  CHECK(site.dropped_bytes() > 0);
  report(site, at_all_points(cuts, " power cuts at "));
}

TEST_CASE("a replica killed at random moments keeps every promise") {
  std::mt19937_64 random(13);
  ReplicaCrashSite site(13);
  int kills = 0;
  for (; kills < 15; ++kills) {
    CAPTURE(kills);
    const std::chrono::microseconds patience(random() % 250'000);
    REQUIRE(site.live("none", 0, patience) == End::killed);
    if (!std::filesystem::exists(site.data())) {
      continue;  // killed before it did anything
    }
    if (kills % 3 == 0) {
      site.cut_power(random);
    }
    site.inspect();
  }
  report(site, std::to_string(kills) + " kills");
}

}  // namespace
}  // namespace starling::test
