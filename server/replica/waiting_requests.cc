#include "server/replica/waiting_requests.h"

#include <span>
#include <string>
#include <utility>

#include "crdt/mutants.h"

namespace starling::replica {
namespace {

// What it holds in memory, about.
std::size_t bytes_waiting(const ClientRequest& waiting) {
  std::size_t bytes =
      sizeof(WaitingRequests::Waiting) + std::as_bytes(waiting.request.token.components()).size();
  for (const wire::Command& command : waiting.request.commands) {
    bytes += sizeof(wire::Command) + command.key.size();
    for (const std::string& argument : command.args) {
      bytes += sizeof(std::string) + argument.size();
    }
  }
  return bytes;
}

}  // namespace

bool WaitingRequests::add(ClientRequest& request, std::uint64_t until_us) {
  const std::size_t bytes = bytes_waiting(request);
  const bool too_much = !waiting_.empty() && bytes_ + bytes > most_bytes_;
  if (waiting_.size() >= most_ || (too_much && !mutant("waiting_unbounded"))) {
    return false;
  }
  bytes_ += bytes;
  waiting_.push_back({std::move(request), until_us});
  return true;
}

WaitingRequests::Waiting WaitingRequests::take() {
  Waiting first = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= bytes_waiting(first.request);
  return first;
}

void WaitingRequests::forget(const std::set<RequestId>& ids) {
  std::erase_if(waiting_, [&](const Waiting& one) {
    if (!ids.contains(one.request.id)) {
      return false;
    }
    bytes_ -= bytes_waiting(one.request);
    return true;
  });
}

}  // namespace starling::replica
