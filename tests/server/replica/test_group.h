// One group over a memory store, driven by hand: commands, ticks, checkpoints, restarts, and runs
// carried to other groups.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "crdt/varint.h"
#include "server/replica/checkpoint.h"
#include "server/replica/group.h"
#include "tests/server/replica/commands.h"
#include "tests/server/replica/test_store.h"

namespace starling::test {

using replica::CheckpointDone;
using replica::CheckpointJob;
using replica::Group;

// Objects of more rows are never loaded whole, so that every path is met with a few cells.
inline Group::Limits small_objects(std::size_t rows, std::uint64_t memory_bytes = 1u << 30) {
  return {
      .tables = {.memory_bytes = memory_bytes, .whole_object_rows = rows, .wholesale_cells = rows}};
}

class TestGroup {
 public:
  explicit TestGroup(std::uint64_t node, Group::Limits limits = {})
      : node_(node), limits_(limits), store_(std::make_unique<TestStore>()) {
    start();
  }

  // -- commands --

  // All of them as one entry; its record is written before this returns.
  std::vector<Result> run(std::vector<Command> commands, std::optional<OpId> op_id = {}) {
    auto executed = execute(std::move(commands), op_id);
    REQUIRE_MESSAGE(executed, executed.error().message);
    return std::move(executed->results);
  }
  Result run(const Command& one) { return std::move(run(std::vector<Command>{one}).front()); }
  std::expected<Group::Executed, wire::Error> execute(std::vector<Command> commands,
                                                      std::optional<OpId> op_id = {}) {
    wire::Request request;
    request.commands = std::move(commands);
    request.op_id = op_id;
    auto executed = group_->execute(request, now_ms, static_cast<std::int64_t>(now_ms));
    tick();
    return executed;
  }
  ErrorCode refusal(const Command& one) {
    auto executed = execute({one});
    REQUIRE(!executed);
    return executed.error().code;
  }
  std::int64_t number(const Command& one) { return std::get<std::int64_t>(run(one)); }
  std::vector<std::string> list(const Command& one) {
    return std::get<std::vector<std::string>>(run(one));
  }
  std::string text(const Command& one) { return std::get<std::string>(run(one)); }

  // Work on a transaction, as front doors run it.
  void work(const Group::Work& work) {
    const auto ran = group_->run(work, now_ms, static_cast<std::int64_t>(now_ms));
    REQUIRE_MESSAGE(ran, ran.error().message);
    tick();
  }

  void tick() {
    ++now_ms;
    if (!group_->has_record()) {
      return;
    }
    auto written = group_->take_record();
    REQUIRE(store_->append(written.position, written.bytes));
    for (Run& run : written.own) {
      own_.push_back(std::move(run));
    }
  }

  // -- exchange --

  // What this group has written under its present origin, in order.
  [[nodiscard]] const std::vector<Run>& own() const { return own_; }
  Group::Admitted admit(Run run) {
    auto admitted = group_->admit(std::move(run), now_ms);
    tick();
    return admitted;
  }
  // Everything `other` has that is not here, by way of its log.
  void pull_from(const TestGroup& other) {
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& c : other->applied().components()) {
        const std::uint64_t have = (*this)->applied().at(c.origin);
        if (have >= c.n) {
          continue;
        }
        const auto found = other->log().read(c.origin, have, c.n, SIZE_MAX);
        REQUIRE(found);
        for (const Run& run : found->runs) {
          moved |= admit(run).entries > 0;
        }
      }
    }
  }

  // -- checkpoints --

  void freeze() {
    REQUIRE(!group_->tables().freezing());
    job_ = group_->checkpoint(now_ms);
  }
  // The job runs; the group hears of it only by `told`.
  void write() {
    const auto synced = store_->sync();
    REQUIRE(synced);
    group_->synced(*synced);
    done_ = job_->run(*store_);
    job_.reset();
  }
  void told() {
    group_->checkpoint_done(*done_);
    (void)group_->tables().thaw(3);  // the rest when it is read, or at the next freeze
    done_.reset();
  }
  CheckpointDone checkpoint() {
    freeze();
    write();
    const CheckpointDone done = *done_;
    told();
    return done;
  }
  CheckpointDone failed_checkpoint() {
    store_->fail_checkpoints = true;
    auto done = checkpoint();
    store_->fail_checkpoints = false;
    return done;
  }
  [[nodiscard]] bool writing() const { return job_ != nullptr; }
  [[nodiscard]] bool written() const { return done_.has_value(); }

  // -- life --

  void restart(bool after_power_cut = false) {
    store_ = store_->restarted(after_power_cut);
    job_.reset();
    done_.reset();
    own_.clear();
    start();
  }

  // -- looking --

  // The audit digest of what is stored, with the V it belongs to (R7.2).
  // A page of a scan or an export, as large as can be, from the last checkpoint.
  [[nodiscard]] std::vector<std::string> page(replica::CutJobKind kind) const {
    replica::CutJob::Params params;
    params.kind = kind;
    params.limit = 1u << 20;
    params.now_ms = static_cast<std::int64_t>(now_ms);
    return replica::CutJob(params).run(*store_).items;
  }
  [[nodiscard]] replica::CutJobDone digest() const {
    replica::CutJob::Params params;
    params.kind = replica::CutJobKind::digest;
    return replica::CutJob(params).run(*store_);
  }

  Group* operator->() { return group_.get(); }
  const Group* operator->() const { return group_.get(); }
  Group& operator*() { return *group_; }
  TestStore& store() { return *store_; }

  std::uint64_t now_ms = 1'790'000'000'000;

 private:
  void start() {
    group_ = std::make_unique<Group>(*store_, limits_);
    const auto recovered = group_->recover(now_ms);
    REQUIRE_MESSAGE(recovered, recovered.error().message);
    Origin self;
    self.node = node_;
    self.epoch = ++epoch_;
    self.nonce = 7;
    group_->begin(self);
  }

  std::uint64_t node_;
  std::uint32_t epoch_ = 0;
  Group::Limits limits_;
  std::unique_ptr<TestStore> store_;
  std::unique_ptr<Group> group_;
  std::vector<Run> own_;
  std::unique_ptr<CheckpointJob> job_;
  std::optional<CheckpointDone> done_;
};

}  // namespace starling::test
