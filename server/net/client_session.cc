#include "server/net/client_session.h"

#include <algorithm>
#include <utility>

#include "wire/codec.h"

namespace starling::net {
namespace {

replica::RequestId request_id(std::uint32_t serial, std::uint32_t number) {
  return (std::uint64_t{serial} << 32) | number;
}

std::string refusal(wire::Error error) {
  wire::Response response;
  response.results.emplace_back(std::move(error));
  return wire::encode(wire::ClientMessage(std::move(response)));
}

}  // namespace

ClientSession::ClientSession(ClientDoor& door, std::uint32_t serial,
                             std::unique_ptr<Connection> connection)
    : door_(door),
      serial_(serial),
      connection_(std::move(connection)),
      since_us_(door.core_.now_us()) {}

void ClientSession::start() { connection_->start(*this); }

void ClientSession::received(std::string_view bytes) {
  door_.counters_.client_bytes_received += bytes.size();
  reader_.feed(bytes);
  decode();
  door_.account(*this);
}

void ClientSession::decode() {
  while (state_ == State::greeting || state_ == State::open) {
    if (in_flight() >= door_.limits_.in_flight || door_.core_.tick_is_full()) {
      throttled_ = true;
      connection_->pause_reading();
      door_.flush_after_tick(*this);
      return;
    }
    const auto body = reader_.next();
    if (!body) {
      refuse(Rejection::bad_frame,
             {wire::ErrorCode::bad_request, std::string(wire::message(body.error()))});
      return;
    }
    if (!*body) {
      return;
    }
    auto message = wire::decode_client(**body);
    if (!message) {
      refuse(Rejection::bad_message,
             {wire::ErrorCode::bad_request, std::string(wire::message(message.error()))});
      return;
    }
    on_message(std::move(*message), (*body)->size() + wire::frame_header_size);
  }
}

void ClientSession::on_message(wire::ClientMessage message, std::size_t bytes) {
  if (auto* hello = std::get_if<wire::ClientHello>(&message);
      hello != nullptr && state_ == State::greeting) {
    on_hello(*hello);
  } else if (auto* request = std::get_if<wire::Request>(&message);
             request != nullptr && state_ == State::open) {
    on_request(std::move(*request), bytes);
  } else {
    refuse(Rejection::bad_message,
           {wire::ErrorCode::bad_request, state_ == State::greeting
                                              ? "the first message must be a ClientHello"
                                              : "after the hello only requests are expected"});
  }
}

void ClientSession::on_hello(const wire::ClientHello& hello) {
  if (hello.protocol != wire::protocol_version) {
    refuse(Rejection::wrong_protocol,
           {wire::ErrorCode::unsupported,
            "this node speaks protocol " + std::to_string(wire::protocol_version) +
                ", the client speaks " + std::to_string(hello.protocol) +
                "; use programs of the same version"});
    return;
  }
  state_ = State::open;
  reader_.set_max_body(wire::max_frame_body);
  const std::string frame = wire::encode(wire::ClientMessage(door_.core_.server_hello()));
  door_.counters_.client_bytes_sent += frame.size();
  connection_->write(frame);
  connection_->flush();
}

void ClientSession::on_request(wire::Request request, std::size_t bytes) {
  in_flight_.push_back(++last_request_);
  ++door_.counters_.client_requests;
  ++door_.counters_.requests_in_flight;
  door_.core_.step(replica::ClientRequest{request_id(serial_, last_request_), std::move(request)},
                   bytes);
}

void ClientSession::reply(replica::RequestId id, wire::Response response) {
  const auto number = static_cast<std::uint32_t>(id);
  const auto begin = in_flight_.begin() + static_cast<std::ptrdiff_t>(answered_);
  const auto at =
      std::lower_bound(begin, in_flight_.end(), number, [](std::uint32_t a, std::uint32_t b) {
        return static_cast<std::int32_t>(a - b) < 0;  // right across the overflow of the numbers
      });
  if (at == in_flight_.end() || *at != number) {
    return;
  }
  if (at == begin) {
    ++answered_;  // the usual case, without moving the others
  } else {
    in_flight_.erase(at);
  }
  if (answered_ == in_flight_.size()) {
    in_flight_.clear();
    answered_ = 0;
  } else if (answered_ > 1024 && answered_ > in_flight_.size() / 2) {
    in_flight_.erase(in_flight_.begin(),
                     in_flight_.begin() + static_cast<std::ptrdiff_t>(answered_));
    answered_ = 0;
  }
  --door_.counters_.requests_in_flight;
  const std::string frame = wire::encode(wire::ClientMessage(std::move(response)));
  door_.counters_.client_bytes_sent += frame.size();
  connection_->write(frame);
}

void ClientSession::flush() {
  if (state_ == State::gone) {
    return;
  }
  connection_->flush();
  if (state_ == State::gone) {
    return;  // the write found it broken
  }
  if (connection_->unsent() > door_.limits_.unsent) {
    cut_off(Rejection::slow_reader, "it does not read the replies to its requests");
    return;
  }
  if (throttled_ && in_flight() <= door_.limits_.in_flight / 2) {
    throttled_ = false;
    decode();
    if (!throttled_ && (state_ == State::greeting || state_ == State::open)) {
      connection_->resume_reading();
    }
  }
  leave_when_answered();
  door_.account(*this);
}

// The other side is done asking; what it asked is still answered.
void ClientSession::ended() {
  if ((state_ == State::open || state_ == State::draining) && in_flight() > 0) {
    state_ = State::draining;
    return;
  }
  if (connection_->unsent() > 0 && state_ != State::leaving) {
    leave();
    return;
  }
  go();
}

void ClientSession::broken() { go(); }

void ClientSession::refuse(Rejection reason, wire::Error error) {
  door_.rejections_.note(Door::client, reason, connection_->remote(), error.message);
  connection_->write(refusal(std::move(error)));
  leave();
}

void ClientSession::drain() {
  if (state_ == State::greeting || state_ == State::open) {
    state_ = State::draining;
    leave_when_answered();
  }
}

void ClientSession::leave_when_answered() {
  if (state_ == State::draining && in_flight() == 0) {
    leave();
  }
}

void ClientSession::leave() {
  forget_requests();
  state_ = State::leaving;
  since_us_ = door_.core_.now_us();
  if (door_.lingering_ >= door_.limits_.lingering && !door_.draining_) {
    connection_->flush();
    go();
    return;
  }
  lingers_ = true;
  ++door_.lingering_;
  connection_->finish();
}

void ClientSession::cut_off(Rejection reason, std::string_view detail) {
  door_.rejections_.note(Door::client, reason, connection_->remote(), detail);
  go();
}

void ClientSession::sweep(std::uint64_t now_us) {
  if (state_ == State::greeting && now_us >= since_us_ + door_.limits_.hello_us) {
    refuse(Rejection::no_hello, {wire::ErrorCode::timeout, "no ClientHello came in time"});
  } else if (state_ == State::leaving && now_us >= since_us_ + door_.limits_.linger_us) {
    go();
  }
}

void ClientSession::forget_requests() {
  if (in_flight() == 0) {
    return;
  }
  replica::ClientGone gone;
  for (std::size_t i = answered_; i < in_flight_.size(); ++i) {
    gone.ids.push_back(request_id(serial_, in_flight_[i]));
  }
  door_.counters_.requests_in_flight -= gone.ids.size();
  in_flight_.clear();
  answered_ = 0;
  door_.core_.step(std::move(gone), 0);
}

void ClientSession::go() {
  if (state_ == State::gone) {
    return;
  }
  forget_requests();
  state_ = State::gone;
  if (lingers_) {
    --door_.lingering_;
  }
  connection_->close();
  door_.remove(*this);
}

}  // namespace starling::net
