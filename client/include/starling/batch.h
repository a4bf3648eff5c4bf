// Several commands as one request.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <starling/handles.h>

namespace starling {

// Where the answer of one command of a batch will be found.
template <typename T>
struct Slot {
  std::size_t index = 0;
};

// Collects commands. All writes of a batch become one entry: atomic and isolated where it is
// accepted, visible all at once everywhere else. If one command is refused, none has an effect.
//
//   starling::Batch batch;
//   batch.string("greeting").set("hello");
//   const auto visits = batch.counter("visits").add(1);
//   const auto reply = client.run(batch);             // Result<BatchReply>
//   if (reply) { use(reply->get(visits)); }           // Result<std::int64_t>
class Batch : public Verbs<Batch> {
 public:
  template <typename T>
  Slot<T> call(Command command, const CallOptions& /*options*/ = {}) {
    commands_.push_back(std::move(command));
    return {commands_.size() - 1};
  }
  [[nodiscard]] bool empty() const { return commands_.empty(); }
  [[nodiscard]] std::size_t size() const { return commands_.size(); }
  [[nodiscard]] const std::vector<Command>& commands() const { return commands_; }

 private:
  std::vector<Command> commands_;
};

class BatchReply {
 public:
  BatchReply() = default;
  explicit BatchReply(Reply reply) : reply_(std::move(reply)) {}
  template <typename T>
  [[nodiscard]] Result<T> get(Slot<T> slot) const {
    if (slot.index >= reply_.values.size()) {
      return std::unexpected(Error{ErrorCode::bad_request, "this slot is of another batch"});
    }
    return decode<T>(reply_.values[slot.index]);
  }
  // It had already been applied under its OperationId.
  [[nodiscard]] bool repeated() const { return reply_.repeated; }
  [[nodiscard]] const std::vector<Value>& values() const { return reply_.values; }

 private:
  Reply reply_;
};

}  // namespace starling
