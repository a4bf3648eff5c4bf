#include "tests/sim/faulty_store.h"

#include <utility>

#include "crdt/mutants.h"

namespace starling::sim {
namespace {

std::unexpected<StoreError> crashed() {
  return std::unexpected(StoreError{StoreError::Code::io, "the simulated node died here"});
}

}  // namespace

class FaultyCheckpoint final : public CheckpointWriter {
 public:
  FaultyCheckpoint(FaultyStore& store, std::unique_ptr<CheckpointWriter> writer)
      : store_(store), writer_(std::move(writer)) {}

  StoreResult<void> put(std::string_view key, std::string_view value) override {
    ++rows_;
    if (!store_.lives()) {
      return die();
    }
    return writer_->put(key, value);
  }
  StoreResult<void> erase(std::string_view key) override {
    ++rows_;
    if (!store_.lives()) {
      return die();
    }
    return writer_->erase(key);
  }
  StoreResult<void> ingest() override {
    if (!store_.lives()) {
      return crashed();
    }
    if (store_.fail_checkpoints_) {
      return std::unexpected(StoreError{StoreError::Code::no_space, "no room for the file"});
    }
    auto ingested = writer_->ingest();
    store_.ingests_ += ingested ? 1 : 0;
    return ingested;
  }

 private:
  StoreResult<void> die() {
    if (mutant("checkpoint_torn") && rows_ > 1) {
      (void)writer_->ingest();
    }
    return crashed();
  }

  FaultyStore& store_;
  std::unique_ptr<CheckpointWriter> writer_;
  std::uint64_t rows_ = 0;
};

bool FaultyStore::lives() {
  if (fuse_ > 0 && --fuse_ == 0) {
    dead_ = true;
  }
  return !dead_;
}

void FaultyStore::restore(const MemoryStore& backup) {
  disk_ = backup.clone();
  synced_ = disk_->bounds().last;
  revive();
}

StoreResult<void> FaultyStore::append(std::uint64_t position, std::string_view record) {
  return lives() ? disk_->append(position, record) : crashed();
}

StoreResult<std::uint64_t> FaultyStore::sync() {
  if (!lives()) {
    return crashed();
  }
  auto position = disk_->sync();
  synced_ = position ? *position : synced_;
  return position;
}

StoreResult<void> FaultyStore::truncate(std::uint64_t first_kept) {
  return lives() ? disk_->truncate(first_kept) : crashed();
}

StoreResult<std::unique_ptr<CheckpointWriter>> FaultyStore::begin_checkpoint(
    std::uint64_t position) {
  if (dead_) {
    return crashed();
  }
  auto writer = disk_->begin_checkpoint(position);
  if (!writer) {
    return writer;
  }
  return std::make_unique<FaultyCheckpoint>(*this, std::move(*writer));
}

StoreResult<void> FaultyStore::put_fact(std::string_view name, std::string_view value) {
  return lives() ? disk_->put_fact(name, value) : crashed();
}

}  // namespace starling::sim
