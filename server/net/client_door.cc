#include "server/net/client_door.h"

#include <algorithm>
#include <utility>

#include "server/net/client_session.h"

namespace starling::net {

ClientDoor::ClientDoor(Core& core, Limits limits, ShellCounters& counters, Rejections& rejections)
    : core_(core), limits_(limits), counters_(counters), rejections_(rejections) {}

ClientDoor::~ClientDoor() = default;

void ClientDoor::accept(std::unique_ptr<Connection> connection) {
  ++counters_.clients_accepted;
  const bool full = sessions_.size() - lingering_ >= limits_.clients;
  if (draining_ || (full && lingering_ >= limits_.lingering)) {
    if (full) {
      rejections_.note(Door::client, Rejection::too_many, connection->remote());
    }
    return;
  }
  const Serial serial = next_serial();
  auto owned = std::make_unique<ClientSession>(*this, serial, std::move(connection));
  ClientSession& session = *owned;
  sessions_.emplace(serial, std::move(owned));
  counters_.clients = sessions_.size();
  session.start();
  if (full) {
    session.refuse(Rejection::too_many,
                   {wire::ErrorCode::busy, "this node has " + std::to_string(limits_.clients) +
                                               " clients already (--max-clients); retry later"});
  }
}

ClientDoor::Serial ClientDoor::next_serial() {
  do {
    ++last_serial_;
  } while (sessions_.contains(last_serial_));
  return last_serial_;
}

void ClientDoor::reply(replica::Reply reply) {
  const auto serial = static_cast<Serial>(reply.id >> 32);
  const auto found = sessions_.find(serial);
  if (found == sessions_.end()) {
    return;  // it is gone, and did not wait
  }
  found->second->reply(reply.id, std::move(reply.response));
  flush_after_tick(*found->second);
}

void ClientDoor::flush_after_tick(const ClientSession& session) {
  if (answered_.empty() || answered_.back() != session.serial()) {
    answered_.push_back(session.serial());
  }
}

void ClientDoor::flush() {
  for (const Serial serial : std::exchange(answered_, {})) {
    if (const auto found = sessions_.find(serial); found != sessions_.end()) {
      found->second->flush();
    }
  }
  graveyard_.clear();
}

void ClientDoor::sweep() {
  graveyard_.clear();
  const std::uint64_t now = core_.now_us();
  std::vector<ClientSession*> all;
  all.reserve(sessions_.size());
  for (const auto& [serial, session] : sessions_) {
    all.push_back(session.get());
  }
  for (ClientSession* session : all) {  // may remove itself, which leaves it in the graveyard
    session->sweep(now);
  }
  for (const auto& [serial, session] : sessions_) {
    const std::size_t held = session->held();
    held_ += held - session->held_noted;
    session->held_noted = held;
  }
  counters_.client_buffered_bytes = held_;
}

void ClientDoor::drain() {
  draining_ = true;
  std::vector<ClientSession*> all;
  all.reserve(sessions_.size());
  for (const auto& [serial, session] : sessions_) {
    all.push_back(session.get());
  }
  for (ClientSession* session : all) {
    session->drain();
  }
}

void ClientDoor::remove(ClientSession& session) {
  held_ -= session.held_noted;
  session.held_noted = 0;
  const auto found = sessions_.find(session.serial());
  graveyard_.push_back(std::move(found->second));
  sessions_.erase(found);
  counters_.clients = sessions_.size();
  counters_.client_buffered_bytes = held_;
}

void ClientDoor::account(ClientSession& session) {
  if (session.gone()) {
    return;
  }
  const std::size_t held = session.held();
  held_ += held - session.held_noted;
  session.held_noted = held;
  counters_.client_buffered_bytes = held_;
  while (held_ > limits_.held && !sessions_.empty()) {
    cut_off_the_largest();
  }
}

void ClientDoor::cut_off_the_largest() {
  const auto largest = std::ranges::max_element(
      sessions_, {}, [](const auto& entry) { return entry.second->held_noted; });
  largest->second->cut_off(Rejection::memory,
                           "it held the most while all clients together held too much");
}

}  // namespace starling::net
