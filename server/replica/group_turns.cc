// Work that takes long: what it writes in each turn is an entry of its own (decision 0008).
#include <utility>

#include "server/replica/group.h"

namespace starling::replica {

// Between two turns of a command the group goes on as if there were none: the transaction starts
// anew on what is there then.
class Group::RunInTurns final : public LongRun {
 public:
  RunInTurns(Group& group, const ExpiryTime& expiry_ms, Turns& turns)
      : group_(group), expiry_ms_(expiry_ms), turns_(turns) {}

  void belongs_to(Transaction& transaction) {
    transaction_ = &transaction;
    transaction.take_turns(*this);
  }
  [[nodiscard]] std::expected<void, wire::Error> end() {
    if (refusal_) {
      return std::unexpected(*refusal_);
    }
    if (const auto& error = transaction_->error()) {
      return std::unexpected(wire::Error{wire::ErrorCode::storage, error->message});
    }
    return transaction_->empty() ? std::expected<void, wire::Error>()
                                 : group_.write(*transaction_, std::nullopt, {});
  }

  bool over() override { return transaction_->empty() && turns_.over(); }

  [[nodiscard]] std::size_t part_ops() const override { return turns_.part_ops(); }
  std::optional<Now> next() override { return go_on(turns_.next()); }
  std::optional<Now> rest() override { return go_on(turns_.rest()); }
  std::optional<Now> aside(const std::function<void()>& work) override {
    return go_on(turns_.aside(work));
  }

  void write_part(Transaction& transaction) override {
    if (transaction.error()) {
      return;  // it was stopped, and its command does not know yet (scenario stopped_in_turns)
    }
    if (auto written = group_.write(transaction, std::nullopt, {}); !written) {
      refusal_ = std::move(written.error());
    }
    if (refusal_ || !next()) {
      transaction.fail(stopped());
    }
  }

 private:
  std::optional<Now> go_on(std::optional<Now> now) {
    if (now) {
      group_.tables_.evict();
      transaction_->start_anew(group_.streams_[group_.self_].n + 1,
                               group_.clock_.tick(now->unix_ms), group_.applied_, expiry_ms_(*now));
    }
    return now;
  }

  Group& group_;
  const ExpiryTime& expiry_ms_;
  Turns& turns_;
  Transaction* transaction_ = nullptr;
  std::optional<wire::Error> refusal_;
};

std::expected<void, wire::Error> Group::run_in_turns(const Work& work, Now now,
                                                     const ExpiryTime& expiry_ms, Turns& turns) {
  RunInTurns run(*this, expiry_ms, turns);
  Transaction transaction(tables_, self_, streams_[self_].n + 1, clock_.tick(now.unix_ms), applied_,
                          expiry_ms(now));
  run.belongs_to(transaction);
  work(transaction);
  return run.end();
}

}  // namespace starling::replica
