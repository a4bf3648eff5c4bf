// What goes wrong in a seed, and that it ends.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "tests/sim/cluster.h"

namespace starling::sim {

// Crashes, partitions, bad weather, slow nodes, wrong clocks and failing disks, at random times.
class Faults {
 public:
  Faults(Cluster& cluster, std::uint64_t seed) : cluster_(cluster), random_(seed) {}

  void schedule(std::uint64_t within_us);
  void strike();   // one more, now
  void end_all();  // everything heals; all nodes run
  // That had an effect: a crash that is to come counts when it comes.
  [[nodiscard]] std::uint64_t happened() const;

 private:
  using Kind = void (Faults::*)();
  void crash();
  void crash_at_work();
  void crash_at_work(std::uint64_t within_us);
  void crash_soon();
  void crash_in_disk_write();
  void crash_while_starting();
  void stop_for_a_while();
  void split();
  void isolate();
  void block_one_way();
  void partition_by_command();
  void reset_connections();
  void bad_weather();
  void slow_node();
  void jump_clock();
  void spoil_checkpoints();
  void delay_checkpoints();
  void fill_disk();

  void heal_by_command(std::size_t node);
  // One that is up, if any is: nothing can be done to the others.
  [[nodiscard]] std::size_t any_node();
  template <typename What>
  void ends_within(std::uint64_t us, What what) {
    cluster_.after(random_.between(second / 2, us), std::move(what));
  }
  void say(const char* kind, const std::string& line);

  Cluster& cluster_;
  Random random_;
  SimNetwork::Weather usual_weather_;
  bool over_ = false;
};

}  // namespace starling::sim
