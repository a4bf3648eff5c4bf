// Talks to servers the plain way: RESP one request after the other, and HTTP. For preparing and
// asking, not for load; see resp_load.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace starling::bench {

struct RespReply {
  char kind = '+';  // + - : $ * as on the wire; _ for null
  std::string text{};
  std::int64_t number = 0;
  std::vector<RespReply> parts{};
  [[nodiscard]] bool is_error() const { return kind == '-'; }
};

// Appends `word` to a command; the command begins with resp_head(how many words).
void append_word(std::string& out, std::string_view word);
void append_head(std::string& out, std::size_t words);
void append_command(std::string& out, const std::vector<std::string_view>& words);

// A connection to a RESP door on the loopback. Throws Failure if it breaks, or if no answer comes
// within two minutes.
class RespConnection {
 public:
  static std::optional<RespConnection> try_open(std::uint16_t port);
  static RespConnection open(std::uint16_t port);
  ~RespConnection();
  RespConnection(RespConnection&& other) noexcept;
  RespConnection& operator=(RespConnection&& other) = delete;
  RespConnection(const RespConnection&) = delete;
  RespConnection& operator=(const RespConnection&) = delete;

  RespReply ask(const std::vector<std::string_view>& words);
  // As ask, but an error of the server is a Failure.
  RespReply must(const std::vector<std::string_view>& words);

 private:
  explicit RespConnection(int socket) : socket_(socket) {}
  RespReply read_reply();
  std::string read_line();
  std::string read_bytes(std::size_t count);
  void read_more();

  int socket_ = -1;
  std::string buffer_;
  std::size_t at_ = 0;  // what is before has been read
};

// A connected socket, TCP_NODELAY; -1 if nobody listens.
[[nodiscard]] int connect_loopback(std::uint16_t port);

// The body of GET path. Throws Failure.
[[nodiscard]] std::string http_body(std::uint16_t port, std::string_view path);

// Does the server have this command? Asks COMMAND INFO.
[[nodiscard]] bool has_command(RespConnection& connection, std::string_view name);

}  // namespace starling::bench
