#include "tests/sim/faulty_store.h"

#include <utility>

namespace starling::sim {
namespace {

std::unexpected<StoreError> died() {
  return std::unexpected(StoreError{StoreError::Code::io, "the simulated node died here"});
}
std::unexpected<StoreError> no_room() {
  return std::unexpected(StoreError{StoreError::Code::no_space, "no room for the checkpoint"});
}

}  // namespace

class FaultyCheckpoint final : public CheckpointWriter {
 public:
  FaultyCheckpoint(FaultyStore& store, std::unique_ptr<CheckpointWriter> writer)
      : store_(store), writer_(std::move(writer)) {}

  StoreResult<void> put(std::string_view key, std::string_view value) override {
    auto room = row();
    return room ? writer_->put(key, value) : room;
  }
  StoreResult<void> erase(std::string_view key) override {
    auto room = row();
    return room ? writer_->erase(key) : room;
  }
  StoreResult<void> ingest() override {
    if (!store_.lives()) {
      return died();
    }
    return store_.no_room_ ? no_room() : writer_->ingest();
  }

 private:
  StoreResult<void> row() {
    if (!store_.lives()) {
      return died();
    }
    if (store_.rows_.burns_down()) {
      return no_room();
    }
    return {};
  }

  FaultyStore& store_;
  std::unique_ptr<CheckpointWriter> writer_;
};

bool FaultyStore::lives() {
  if (fuse_.burns_down()) {
    dead_ = true;
  }
  return !dead_;
}

void FaultyStore::revive() {
  dead_ = false;
  fuse_.light(0);
}

void FaultyStore::restore(std::unique_ptr<MemoryStore> backup) {
  disk_ = std::move(backup);
  synced_ = disk_->bounds().last;
}

StoreResult<void> FaultyStore::append(std::uint64_t position, std::string_view record) {
  return lives() ? disk_->append(position, record) : died();
}

StoreResult<std::uint64_t> FaultyStore::sync() {
  if (!lives()) {
    return died();
  }
  auto position = disk_->sync();
  synced_ = position ? *position : synced_;
  return position;
}

StoreResult<void> FaultyStore::truncate(std::uint64_t first_kept) {
  return lives() ? disk_->truncate(first_kept) : died();
}

StoreResult<std::unique_ptr<CheckpointWriter>> FaultyStore::begin_checkpoint(
    std::uint64_t position) {
  auto writer = disk_->begin_checkpoint(position);
  if (!writer) {
    return writer;
  }
  return std::make_unique<FaultyCheckpoint>(*this, std::move(*writer));
}

StoreResult<void> FaultyStore::put_fact(std::string_view name, std::string_view value) {
  return lives() ? disk_->put_fact(name, value) : died();
}

}  // namespace starling::sim
