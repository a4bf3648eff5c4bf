#include "server/net/peer_door.h"

#include <utility>

#include "wire/codec.h"

namespace starling::net {

// One connection to another node.
class PeerDoor::Session final : public ConnectionHandler {
 public:
  Session(PeerDoor& door, replica::ConnectionId id, std::unique_ptr<Connection> connection)
      : door_(door), id_(id), connection_(std::move(connection)), since_us_(door.core_.now_us()) {}

  [[nodiscard]] replica::ConnectionId id() const { return id_; }
  [[nodiscard]] std::size_t unsent() const { return connection_->unsent(); }

  void start() { connection_->start(*this); }

  void send(const wire::PeerMessage& message) {
    const std::string frame = wire::encode(message);
    door_.counters_.peer_bytes_sent += frame.size();
    connection_->write(frame);
  }

  void flush() {
    connection_->flush();
    if (state_ != State::gone && connection_->unsent() > door_.limits_.unsent) {
      turn_away(Rejection::slow_reader, "it does not read what it gave credit for");
    }
  }

  // The core knows already.
  void finish() {
    state_ = State::leaving;
    since_us_ = door_.core_.now_us();
    connection_->finish();
  }

  void sweep(std::uint64_t now_us) {
    if (state_ == State::greeting && now_us >= since_us_ + door_.limits_.hello_us) {
      turn_away(Rejection::no_hello, "no Hello came in time");
    } else if (state_ == State::leaving && now_us >= since_us_ + door_.limits_.linger_us) {
      go();
    }
  }

  // Also while the tick is full (R1.4): clients that ask without end would otherwise keep the
  // deltas of others away. There are few peers, and what is read of one in a turn is bounded.
  void received(std::string_view bytes) override {
    door_.counters_.peer_bytes_received += bytes.size();
    reader_.feed(bytes);
    while (state_ == State::greeting || state_ == State::open) {
      const auto body = reader_.next();
      if (!body) {
        turn_away(Rejection::bad_frame, wire::message(body.error()));
        return;
      }
      if (!*body) {
        return;
      }
      const std::size_t size = (*body)->size() + wire::frame_header_size;
      auto message = wire::decode_peer(**body);
      if (!message) {
        turn_away(Rejection::bad_message, wire::message(message.error()));
        return;
      }
      if (state_ == State::greeting) {
        greeted(*message);
      }
      door_.core_.step(replica::PeerReceived{id_, std::move(*message), size}, size);
    }
  }

  void ended() override { go(); }
  void broken() override { go(); }

 private:
  enum class State : std::uint8_t { greeting, open, leaving, gone };

  // What is wrong with a hello the core says, in a Goodbye.
  void greeted(const wire::PeerMessage& message) {
    if (std::holds_alternative<wire::Hello>(message)) {
      state_ = State::open;
      reader_.set_max_body(wire::max_frame_body);
    }
  }

  void turn_away(Rejection reason, std::string_view detail) {
    door_.rejections_.note(Door::peer, reason, connection_->remote(), detail);
    go();
  }

  void go() {
    const State before = std::exchange(state_, State::gone);
    if (before == State::gone) {
      return;
    }
    connection_->close();
    if (before != State::leaving) {
      door_.core_.step(replica::PeerClosed{id_}, 0);
    }
    door_.remove(*this);
  }

  PeerDoor& door_;
  replica::ConnectionId id_;
  std::unique_ptr<Connection> connection_;
  wire::FrameReader reader_{wire::max_peer_hello_body};
  State state_ = State::greeting;
  std::uint64_t since_us_;
};

PeerDoor::PeerDoor(Core& core, Limits limits, ShellCounters& counters, Rejections& rejections)
    : core_(core), limits_(limits), counters_(counters), rejections_(rejections) {}

PeerDoor::~PeerDoor() = default;

void PeerDoor::accept(std::unique_ptr<Connection> connection) {
  ++counters_.peers_accepted;
  if (sessions_.size() >= limits_.connections) {
    rejections_.note(Door::peer, Rejection::too_many, connection->remote());
    return;
  }
  add(std::move(connection), std::nullopt);
}

void PeerDoor::dialed(replica::DialId dial, std::unique_ptr<Connection> connection) {
  ++counters_.peers_dialed;
  add(std::move(connection), dial);
}

void PeerDoor::add(std::unique_ptr<Connection> connection, std::optional<replica::DialId> dial) {
  const replica::ConnectionId id = ++last_id_;
  auto owned = std::make_unique<Session>(*this, id, std::move(connection));
  Session& session = *owned;
  sessions_.emplace(id, std::move(owned));
  counters_.peers = sessions_.size();
  core_.step(replica::PeerConnected{id, dial}, 0);
  session.start();
}

void PeerDoor::send(const replica::Send& send) {
  const auto found = sessions_.find(send.connection);
  if (found == sessions_.end()) {
    return;  // the core will hear of its end
  }
  found->second->send(send.message);
  if (written_.empty() || written_.back() != send.connection) {
    written_.push_back(send.connection);
  }
}

void PeerDoor::close(replica::Close close) {
  if (const auto found = sessions_.find(close.connection); found != sessions_.end()) {
    found->second->finish();
  }
}

void PeerDoor::flush() {
  for (const replica::ConnectionId id : std::exchange(written_, {})) {
    if (const auto found = sessions_.find(id); found != sessions_.end()) {
      found->second->flush();
    }
  }
  graveyard_.clear();
}

void PeerDoor::sweep() {
  graveyard_.clear();
  const std::uint64_t now = core_.now_us();
  std::vector<Session*> all;
  std::size_t unsent = 0;
  for (const auto& [id, session] : sessions_) {
    all.push_back(session.get());
    unsent += session->unsent();
  }
  counters_.peer_buffered_bytes = unsent;
  for (Session* session : all) {
    session->sweep(now);
  }
}

void PeerDoor::remove(Session& session) {
  const auto found = sessions_.find(session.id());
  graveyard_.push_back(std::move(found->second));
  sessions_.erase(found);
  counters_.peers = sessions_.size();
}

}  // namespace starling::net
