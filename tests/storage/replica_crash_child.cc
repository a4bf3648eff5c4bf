// Runs a replica core over a store on disk, with little memory, until it is killed. It does what
// the driver and its threads do, one after another, so that every moment between two effects can be
// the last.
//
// usage: replica_crash_child DATA JOURNAL SEED LIFE TICKS POINT NTH
//        POINT is a name of failpoint.h or replica_crash_points.h, reached for the NTH time.
//
// Journal lines: "appended N", "synced N FILE:SIZE,...", "state N", "floor N", "evicted BYTES".
// What goes into the log is kept a second time, in JOURNAL.LIFE: varint position, varint requests
// done with it, bytes V, bytes record.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "crdt/varint.h"
#include "server/replica/replica.h"
#include "storage/rocksdb/rocksdb_store.h"
#include "tests/storage/crash_child.h"
#include "tests/storage/replica_workload.h"

namespace starling::test {
namespace {

namespace fs = std::filesystem;

class Child {
 public:
  explicit Child(const std::vector<std::string>& args)
      : data_(args[0]),
        workload_(std::stoull(args[2])),
        journal_(args[1]),
        kept_(args[1] + "." + args[3]),
        fuse_(args[5], std::stoi(args[6])) {
    RocksDbOptions options;
    options.log_write_buffer_bytes = 96 << 10;  // flushes and compactions happen too
    options.failpoint = [this](std::string_view name) { fuse_.reached(name); };
    store_ = must(RocksDbStore::open(data_, options));
    replica::Config config;
    config.name = "a";
    config.memory_bytes = 96 << 10;
    config.checkpoint_bytes = 16 << 10;
    config.wholesale_cells = 8;
    config.thawed_per_tick = 8;
    config.truncate_log = true;
    config.random_seed = std::stoull(args[3]);
    replica_ = must(replica::Replica::open(*store_, config, now_));
    journal_.note_synced(store_->bounds().last, data_);  // with the fact that names its origin
    done_ = requests_done();
  }

  void work(int ticks) {
    for (int tick = 1; tick <= ticks; ++tick) {
      if (unanswered_.empty()) {
        submit(1 + mix(tick) % 4);
      } else if (store_->checkpoint_stalled()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the core's time goes on
      }
      end_tick();
      if (tick % 7 == 0) {
        sync();
      }
      if (tick % 2 == 0) {
        go_on_with_checkpoint();
      }
    }
  }

 private:
  [[nodiscard]] static std::uint64_t mix(int tick) {
    return static_cast<std::uint64_t>(tick) * 0x9E3779B97F4A7C15 >> 32;
  }

  // How many requests the log has kept, asked before anything is written.
  std::uint64_t requests_done() {
    ask(0, {get(ReplicaWorkload::counter)});
    while (!unanswered_.empty()) {
      end_tick();
    }
    const auto* text = std::get_if<std::string>(&counted_);
    return text == nullptr ? 0 : std::stoull(*text);
  }

  void ask(replica::RequestId id, std::vector<Command> commands) {
    wire::Request request;
    request.commands = std::move(commands);
    unanswered_.insert(id);
    replica_->step(replica::ClientRequest{id, std::move(request)}, now_);
  }

  void submit(std::uint64_t count) {
    for (std::uint64_t number = done_ + 1; number <= done_ + count; ++number) {
      ask(number, workload_.request(number));
    }
  }

  void end_tick() {
    now_.monotonic_us += 5'000;
    now_.unix_ms += 5;
    replica_->step(replica::TimerFired{}, now_);
    replica::Effects effects = replica_->end_tick(now_);
    fuse_.reached("tick ended");
    const std::uint64_t evicted = replica_->view(now_).evicted_bytes;
    if (evicted > evicted_) {
      journal_.note("evicted " + std::to_string(evicted - std::exchange(evicted_, evicted)) + '\n');
      fuse_.reached("clean cells evicted");
    }
    perform(std::move(effects));
  }

  void perform(replica::Effects effects) {
    for (const auto& fact : effects.facts) {
      must(store_->put_fact(fact.name, fact.value));
      journal_.note_synced(store_->bounds().last, data_);
    }
    for (const replica::Reply& reply : effects.replies) {
      answered(reply);
    }
    if (effects.record) {
      write(*effects.record);
    }
    if (effects.checkpoint) {
      job_ = std::move(effects.checkpoint);
      fuse_.reached("table frozen");
    }
    if (effects.truncate_below) {
      must(store_->truncate(*effects.truncate_below));
      // Storing the floor syncs the log's file, so a power cut must leave it too.
      journal_.note_synced(store_->bounds().last, data_);
      journal_.note("floor " + std::to_string(*effects.truncate_below) + '\n');
    }
  }

  // Nobody hears of it before its record is in the log.
  void answered(const replica::Reply& reply) {
    require(unanswered_.erase(reply.id) == 1, "an answer to nothing");
    for (const Result& result : reply.response.results) {
      const auto* error = std::get_if<wire::Error>(&result);
      require(error == nullptr, error == nullptr ? "" : error->message);
    }
    if (reply.id == 0) {
      counted_ = reply.response.results.front();
    } else {
      require(reply.id == done_ + 1, "requests overtake each other");
      done_ = reply.id;
    }
  }

  void write(const replica::LogWrite& record) {
    std::string v;
    put_version_vector(v, replica_->applied());
    std::string bytes;
    put_varint(bytes, record.position);
    put_varint(bytes, done_);
    put_bytes(bytes, v);
    put_bytes(bytes, record.record);
    kept_.note(bytes);
    must(store_->append(record.position, record.record));
    journal_.note("appended " + std::to_string(record.position) + '\n');
    fuse_.reached("tick promised");
  }

  void sync() {
    synced_ = must(store_->sync());
    journal_.note_synced(synced_, data_);
    replica_->step(replica::LogSynced{synced_}, now_);
  }

  // One step of it: the log is synced if it must be, the job runs, the core is told. In between
  // others write.
  void go_on_with_checkpoint() {
    if (finished_) {
      const auto finished = *std::exchange(finished_, std::nullopt);
      require(!finished.error, finished.error ? finished.error->message : "");
      replica_->step(finished, now_);
      fuse_.reached("checkpoint told");
    } else if (job_ && synced_ < job_->position()) {
      sync();
    } else if (job_) {
      finished_ = job_->run(*store_);
      journal_.note("state " + std::to_string(store_->state_position()) + '\n');
      job_.reset();
    }
  }

  fs::path data_;
  ReplicaWorkload workload_;
  ChildJournal journal_;
  ChildJournal kept_;
  Fuse fuse_;
  replica::Now now_{1'000'000, 1'790'000'000'000};
  std::unique_ptr<RocksDbStore> store_;
  std::unique_ptr<replica::Replica> replica_;
  std::set<replica::RequestId> unanswered_;
  std::uint64_t done_ = 0;  // requests
  Result counted_;
  std::uint64_t evicted_ = 0;
  std::uint64_t synced_ = 0;  // up to this position
  std::unique_ptr<replica::CheckpointJob> job_;
  std::optional<replica::CheckpointDone> finished_;
};

}  // namespace
}  // namespace starling::test

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  starling::test::require(args.size() == 7, "wants DATA JOURNAL SEED LIFE TICKS POINT NTH");
  starling::test::Child child(args);
  child.work(std::stoi(args[4]));
  return 0;
}
