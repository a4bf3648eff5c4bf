#include "server/net/resp_door.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/resp/session.h"

namespace starling::net {

// One client: its socket and its session.
class RespConnection final : public ConnectionHandler {
 public:
  RespConnection(RespDoor& door, std::unique_ptr<Connection> connection)
      : door_(door),
        connection_(std::move(connection)),
        session_(door.server_, connection_->remote(), connection_->local()) {}

  [[nodiscard]] std::uint64_t id() const { return session_.id(); }
  [[nodiscard]] bool gone() const { return state_ == State::gone; }
  [[nodiscard]] std::size_t held() const { return session_.held() + connection_->unsent(); }
  std::size_t held_noted = 0;

  void start() { connection_->start(*this); }

  void refuse(Rejection reason, std::string_view error) {
    door_.rejections_.note(Door::resp, reason, connection_->remote(), error);
    session_.reply().error(error);
    send();
    leave();
  }

  void received(std::string_view bytes) override {
    if (state_ != State::open) {
      return;
    }
    door_.counters_.resp_bytes_received += bytes.size();
    progress_us_ = now();
    session_.received(bytes);
    if (session_.waits()) {
      connection_->pause_reading();  // what it asks further waits in the socket, until it speaks
    }
    door_.account(*this);
  }

  void ended() override {
    // The other side is done asking; what it asked is still answered, at the end of the tick.
    other_side_ended_ = true;
    if (state_ == State::open) {
      state_ = State::draining;
      session_.speak();
    } else {
      go();
    }
  }

  void broken() override { go(); }

  [[nodiscard]] bool waits() const { return session_.waits(); }
  // Gone, but a command that writes goes on to its end.
  [[nodiscard]] bool works() const { return session_.works(); }

  void flush() {
    if (state_ == State::gone) {
      return;
    }
    send();
    if (state_ == State::gone) {
      return;  // the write found it broken
    }
    if (connection_->unsent() > door_.limits_.unsent) {
      cut_off(Rejection::slow_reader, "it does not read the replies to its commands");
      return;
    }
    if ((state_ == State::open && session_.closing()) ||
        (state_ == State::draining && !session_.waits())) {
      note_offence();
      leave();
    }
    if (!session_.waits()) {
      connection_->resume_reading();
    }
    door_.account(*this);
  }

  void drain() {
    if (state_ == State::open) {
      state_ = State::draining;
      flush();
    }
  }

  void cut_off(Rejection reason, std::string_view detail) {
    door_.rejections_.note(Door::resp, reason, connection_->remote(), detail);
    go();
  }

  void sweep() {
    if (state_ == State::leaving && now() >= leaving_since_us_ + door_.limits_.linger_us) {
      go();
    } else if (state_ == State::open && session_.input_bytes() > 0 && !session_.waits() &&
               now() >= progress_us_ + door_.limits_.partial_us) {
      cut_off(Rejection::slow_sender, "a request was begun and not finished");
    } else {
      door_.account(*this);
    }
  }

  void go() {
    if (state_ == State::gone) {
      return;
    }
    state_ = State::gone;
    session_.abandon();
    if (lingers_) {
      --door_.lingering_;
    }
    connection_->close();
    door_.remove(*this);
  }

 private:
  enum class State : std::uint8_t {
    open,
    draining,  // runs nothing more; what it has run is answered
    leaving,   // has said its last words
    gone
  };

  [[nodiscard]] std::uint64_t now() const { return door_.backend_.now().monotonic_us; }

  // Only here bytes go to the socket: it sends by itself whatever it has been given.
  void send() {
    std::string& output = session_.output();
    if (!output.empty()) {
      door_.counters_.resp_bytes_sent += output.size();
      constexpr std::size_t kept = 64 << 10;
      if (output.capacity() > kept) {
        connection_->hand_over(output);
      } else {
        connection_->write(output);
        output.clear();
      }
    }
    connection_->flush();
  }

  void note_offence() {
    using Offence = resp::Session::Offence;
    const auto note = [this](Rejection reason, std::string_view detail) {
      door_.rejections_.note(Door::resp, reason, connection_->remote(), detail);
    };
    switch (session_.offence()) {
      case Offence::none:
        break;
      case Offence::not_the_protocol:
        note(Rejection::bad_frame, "this is not Redis's protocol");
        break;
      case Offence::http:
        note(
            Rejection::wrong_protocol,
            "this is HTTP, perhaps of a browser that was made to attack; the admin door is --http");
        break;
      case Offence::tls:
        note(Rejection::wrong_protocol, "this is TLS, and the door speaks without");
        break;
    }
  }

  void leave() {
    state_ = State::leaving;
    leaving_since_us_ = now();
    // Others must not take it for a client that still listens.
    session_.close();
    door_.server_.pubsub().leave(session_);
    if (other_side_ended_ && connection_->unsent() == 0) {
      go();
      return;
    }
    if (door_.lingering_ >= door_.limits_.lingering && !door_.draining_) {
      go();
      return;
    }
    lingers_ = true;
    ++door_.lingering_;
    connection_->finish();
  }

  RespDoor& door_;
  std::unique_ptr<Connection> connection_;
  resp::Session session_;
  State state_ = State::open;
  bool lingers_ = false;  // counted by the door
  bool other_side_ended_ = false;
  std::uint64_t leaving_since_us_ = 0;
  std::uint64_t progress_us_ = 0;  // when it sent something last
};

RespDoor::RespDoor(resp::Backend& backend, const resp::Options& options, const Limits& limits,
                   ShellCounters& counters, Rejections& rejections)
    : backend_(backend),
      server_(backend, options),
      limits_(limits),
      counters_(counters),
      rejections_(rejections) {}

RespDoor::~RespDoor() = default;

void RespDoor::accept(std::unique_ptr<Connection> connection) {
  ++counters_.resp_clients_accepted;
  const bool full = connections_.size() - lingering_ >= limits_.clients;
  if (draining_ || (full && lingering_ >= limits_.lingering)) {
    if (full) {
      rejections_.note(Door::resp, Rejection::too_many, connection->remote());
    }
    return;
  }
  auto owned = std::make_unique<RespConnection>(*this, std::move(connection));
  RespConnection& accepted = *owned;
  connections_.emplace(accepted.id(), std::move(owned));
  counters_.resp_clients = connections_.size();
  accepted.start();
  if (full) {
    accepted.refuse(Rejection::too_many, "ERR max number of clients reached");
  }
}

void RespDoor::flush() {
  for (resp::Session* session : server_.take_outspoken()) {
    if (const auto found = connections_.find(session->id()); found != connections_.end()) {
      found->second->flush();
    }
  }
  bury();
  server_.go_on();
  counters_.resp_commands = server_.commands_processed;
}

void RespDoor::sweep() {
  bury();
  for (RespConnection* connection : all()) {
    connection->sweep();  // may remove itself, which leaves it in the graveyard
  }
  server_.go_on();
}

bool RespDoor::empty() const {
  return connections_.empty() && std::ranges::none_of(graveyard_, [](const auto& connection) {
           return connection->works();
         });
}

std::uint64_t RespDoor::waiting() const {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(connections_, [](const auto& entry) { return entry.second->waits(); }));
}

void RespDoor::bury() {
  std::erase_if(graveyard_, [](const auto& connection) { return !connection->works(); });
}

void RespDoor::drain() {
  draining_ = true;
  for (RespConnection* connection : all()) {
    connection->drain();
  }
}

std::vector<RespConnection*> RespDoor::all() const {
  std::vector<RespConnection*> all;
  all.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) {
    all.push_back(connection.get());
  }
  return all;
}

void RespDoor::remove(RespConnection& connection) {
  held_ -= connection.held_noted;
  connection.held_noted = 0;
  const auto found = connections_.find(connection.id());
  graveyard_.push_back(std::move(found->second));
  connections_.erase(found);
  counters_.resp_clients = connections_.size();
  counters_.resp_buffered_bytes = held_;
}

void RespDoor::account(RespConnection& connection) {
  if (connection.gone()) {
    return;
  }
  const std::size_t held = connection.held();
  held_ += held - connection.held_noted;
  connection.held_noted = held;
  while (held_ > limits_.held && !connections_.empty()) {
    const auto largest = std::ranges::max_element(
        connections_, {}, [](const auto& entry) { return entry.second->held_noted; });
    largest->second->cut_off(Rejection::memory,
                             "it held the most while all clients together held too much");
  }
  counters_.resp_buffered_bytes = held_;
}

}  // namespace starling::net
