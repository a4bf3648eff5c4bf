// One client connection: hello, then requests, in frames (docs/client-protocol.md).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "server/net/client_door.h"
#include "wire/frame.h"

namespace starling::net {

// Invariant: every request of this session that the core has and has not answered is in
// `in_flight_`, in the order in which they were made.
// Runs on: core strand.
class ClientSession final : public ConnectionHandler {
 public:
  ClientSession(ClientDoor& door, std::uint32_t serial, std::unique_ptr<Connection> connection);

  void start();
  // Instead of `start`: says why not, and leaves.
  void refuse(Rejection reason, wire::Error error);
  void reply(replica::RequestId id, wire::Response response);
  void flush();
  // Answers what is in flight, then leaves.
  void drain();
  // At once, without a word.
  void cut_off(Rejection reason, std::string_view detail);
  void sweep(std::uint64_t now_us);

  [[nodiscard]] std::uint32_t serial() const { return serial_; }
  [[nodiscard]] bool gone() const { return state_ == State::gone; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size() - answered_; }
  // Bytes it makes us keep, and what the door has noted of them.
  [[nodiscard]] std::size_t held() const { return connection_->unsent() + reader_.buffered(); }
  std::size_t held_noted = 0;

  void received(std::string_view bytes) override;
  void ended() override;
  void broken() override;

 private:
  enum class State : std::uint8_t {
    greeting,  // waits for the ClientHello
    open,
    draining,  // takes no more requests, answers those it has
    leaving,   // has said its last words
    gone
  };

  void decode();
  void on_message(wire::ClientMessage message, std::size_t bytes);
  void on_hello(const wire::ClientHello& hello);
  void on_request(wire::Request request, std::size_t bytes);
  void leave();
  void leave_when_answered();
  void forget_requests();
  void go();

  ClientDoor& door_;
  std::uint32_t serial_;
  std::unique_ptr<Connection> connection_;
  wire::FrameReader reader_{wire::max_client_hello_body};
  State state_ = State::greeting;
  bool throttled_ = false;  // in_flight reached its limit, or the tick is full: goes on at a flush
  bool lingers_ = false;    // counted by the door as lingering
  std::uint64_t since_us_;  // of the connection, then of the last words
  // Lower halves of request ids, ascending but for their overflow; those before `answered_` are
  // done.
  std::vector<std::uint32_t> in_flight_;
  std::size_t answered_ = 0;
  std::uint32_t last_request_ = 0;
};

}  // namespace starling::net
