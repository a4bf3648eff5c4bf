#include "storage/memory_store.h"

#include <utility>

namespace starling {
namespace {

class MemoryRows final : public RowIterator {
 public:
  using Rows = std::map<std::string, std::string, std::less<>>;

  MemoryRows(std::shared_ptr<const Rows> rows, std::string_view from, std::string_view to)
      : rows_(std::move(rows)),
        it_(rows_->lower_bound(from)),
        end_(to.empty() ? rows_->end() : rows_->lower_bound(to)) {}

  bool valid() const override { return it_ != end_; }
  std::string_view key() const override { return it_->first; }
  std::string_view value() const override { return it_->second; }
  void next() override { ++it_; }
  void seek(std::string_view key) override {
    if (it_ != end_ && it_->first < key) {
      const auto found = rows_->lower_bound(key);
      it_ = end_ != rows_->end() && (found == rows_->end() || end_->first < found->first) ? end_
                                                                                          : found;
    }
  }
  StoreResult<void> status() const override { return {}; }

 private:
  std::shared_ptr<const Rows> rows_;
  Rows::const_iterator it_;
  Rows::const_iterator end_;
};

class MemoryCut final : public Cut {
 public:
  MemoryCut(std::shared_ptr<const MemoryRows::Rows> rows, std::uint64_t position)
      : rows_(std::move(rows)), position_(position) {}

  std::uint64_t position() const override { return position_; }
  StoreResult<std::optional<std::string>> get(std::string_view key) const override {
    const auto it = rows_->find(key);
    return it == rows_->end() ? std::nullopt : std::optional(it->second);
  }
  std::unique_ptr<RowIterator> scan(std::string_view from, std::string_view to) const override {
    return std::make_unique<MemoryRows>(rows_, from, to);
  }

 private:
  std::shared_ptr<const MemoryRows::Rows> rows_;
  std::uint64_t position_;
};

}  // namespace

class MemoryCheckpoint final : public CheckpointWriter {
 public:
  MemoryCheckpoint(MemoryStore& store, std::uint64_t position)
      : store_(store), position_(position) {}

  StoreResult<void> put(std::string_view key, std::string_view value) override {
    return add(key, std::string(value));
  }
  StoreResult<void> erase(std::string_view key) override { return add(key, std::nullopt); }

  StoreResult<void> ingest() override {
    auto next = std::make_shared<MemoryStore::Rows>(*store_.state_);
    for (auto& [key, value] : rows_) {
      if (value) {
        (*next)[key] = std::move(*value);
      } else {
        next->erase(key);
      }
    }
    store_.state_ = std::move(next);
    store_.state_position_ = position_;
    return {};
  }

 private:
  StoreResult<void> add(std::string_view key, std::optional<std::string> value) {
    if (!rows_.empty() && rows_.rbegin()->first >= key) {
      return std::unexpected(
          StoreError{StoreError::Code::refused, "checkpoint rows must be in ascending key order"});
    }
    rows_.emplace_hint(rows_.end(), std::string(key), std::move(value));
    return {};
  }

  MemoryStore& store_;
  std::uint64_t position_;
  std::map<std::string, std::optional<std::string>> rows_;
};

std::unique_ptr<MemoryStore> MemoryStore::clone() const {
  auto copy = std::make_unique<MemoryStore>();
  copy->log_ = log_;
  copy->log_end_ = log_end_;
  copy->synced_ = synced_;
  copy->state_ = state_;
  copy->state_position_ = state_position_;
  copy->facts_ = facts_;
  copy->crash();
  return copy;
}

void MemoryStore::crash() {
  log_.erase(log_.upper_bound(synced_), log_.end());
  log_end_ = std::min(log_end_, std::max(synced_, state_position_));
}

StoreResult<void> MemoryStore::append(std::uint64_t position, std::string_view record) {
  if (position != log_end_ + 1) {
    return std::unexpected(
        StoreError{StoreError::Code::refused, "log positions must be consecutive: expected " +
                                                  std::to_string(log_end_ + 1) + ", got " +
                                                  std::to_string(position)});
  }
  log_.emplace_hint(log_.end(), position, record);
  log_end_ = position;
  return {};
}

StoreResult<std::uint64_t> MemoryStore::sync() {
  synced_ = log_end_;
  return synced_;
}

StoreResult<std::optional<std::string>> MemoryStore::read_record(std::uint64_t position) const {
  const auto it = log_.find(position);
  return it == log_.end() ? std::nullopt : std::optional(it->second);
}

LogBounds MemoryStore::bounds() const {
  return log_.empty() ? LogBounds{log_end_ + 1, log_end_}
                      : LogBounds{log_.begin()->first, log_.rbegin()->first};
}

StoreResult<void> MemoryStore::truncate(std::uint64_t first_kept) {
  log_.erase(log_.begin(), log_.lower_bound(std::min(first_kept, state_position_ + 1)));
  return {};
}

StoreResult<std::optional<std::string>> MemoryStore::get(std::string_view key) const {
  const auto it = state_->find(key);
  return it == state_->end() ? std::nullopt : std::optional(it->second);
}

std::unique_ptr<Cut> MemoryStore::cut() const {
  return std::make_unique<MemoryCut>(state_, state_position_);
}

StoreResult<std::unique_ptr<CheckpointWriter>> MemoryStore::begin_checkpoint(
    std::uint64_t position) {
  return std::make_unique<MemoryCheckpoint>(*this, position);
}

StoreResult<void> MemoryStore::put_fact(std::string_view name, std::string_view value) {
  facts_.insert_or_assign(std::string(name), std::string(value));
  return {};
}

StoreResult<std::optional<std::string>> MemoryStore::get_fact(std::string_view name) const {
  const auto it = facts_.find(name);
  return it == facts_.end() ? std::nullopt : std::optional(it->second);
}

}  // namespace starling
