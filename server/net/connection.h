// A socket as a session sees it. No Asio here: sessions are tested without one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace starling::net {

// The session behind a connection. Calls come on the core strand, never from inside another call to
// the connection other than `flush`.
class ConnectionHandler {
 public:
  ConnectionHandler() = default;
  ConnectionHandler(const ConnectionHandler&) = delete;
  ConnectionHandler& operator=(const ConnectionHandler&) = delete;
  virtual ~ConnectionHandler() = default;

  // Some of what was readable; the view is valid during the call.
  virtual void received(std::string_view bytes) = 0;
  // The other side will send nothing more; it may still read.
  virtual void ended() = 0;
  // Broken. The last call.
  virtual void broken() = 0;
};

// Runs on: core strand.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;  // closes at once

  // From here on `handler` is called; it must outlive the connection or its `close`.
  virtual void start(ConnectionHandler& handler) = 0;
  // Nothing is sent before `flush`: what one tick has to say leaves in one write. What the socket
  // does not take at once follows by itself; the session bounds it by `unsent`.
  virtual void write(std::string_view bytes) = 0;
  // The same, and takes the buffer, so that a large one is not copied: it is empty afterwards.
  virtual void hand_over(std::string& bytes) = 0;
  virtual void flush() = 0;
  [[nodiscard]] virtual std::size_t unsent() const = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // Sends what is unsent, then says that nothing more comes; reads on, so that the other side gets
  // to see it, but hands nothing to the handler except `ended` and `broken`.
  virtual void finish() = 0;
  // At once; the handler is not called again.
  virtual void close() = 0;
  // Both ends as HOST:PORT.
  [[nodiscard]] virtual const std::string& remote() const = 0;
  [[nodiscard]] virtual const std::string& local() const = 0;
};

}  // namespace starling::net
