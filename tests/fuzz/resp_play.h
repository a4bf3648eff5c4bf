// Plays hostile input against the dispatcher of the RESP door and stops where a promise is broken.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp/server.h"
#include "server/resp/session.h"
#include "tests/fuzz/resp_commands.h"
#include "tests/fuzz/resp_value.h"
#include "tests/resp/memory_node.h"

namespace starling::fuzz {

// Some clients of one node in memory. Whatever they send:
// - what comes back is the protocol, in the version that the client speaks, to the last byte;
// - every request has its reply, and no client gets one that it did not ask for;
// - what a connection and the tables hold stays within bounds;
// - at the end all ways of asking what a key holds agree, and so does the node after a restart.
// A promise that is broken ends the process.
class RespPlay {
 public:
  RespPlay();

  // Bytes as somebody might send them, in pieces of this size.
  void raw(std::string_view stream, std::size_t piece);
  // Commands of the table, pauses and changes of client, as the input decides.
  void drawn(std::string_view input);
  // Looks at all that is stored, then again after a restart.
  void audit();

 private:
  using Words = std::vector<std::string>;
  // What a client is about to hear is decided by what it was before.
  struct Before {
    resp::Session::Replies replies;
    resp::Protocol protocol;
    std::size_t subscriptions;
    bool in_multi;
    bool multi_subscribes;  // a queued command answers more than once
  };
  // How many replies there must be; nullopt: at least one.
  using Expected = std::optional<std::size_t>;

  void connect(std::size_t client);
  [[nodiscard]] static Before before(const resp::Session& session);
  [[nodiscard]] static Expected replies_to(const Words& words, const Before& before);
  void ask(std::size_t client, const Words& words, std::size_t piece);
  void ask_at_once(std::size_t client, const std::vector<Words>& requests);
  void send(std::size_t client, std::string_view bytes, std::size_t piece);
  void settle(std::size_t client);
  void check(std::size_t client, const Words& words, const Before& before, Expected expected);
  void check_others(std::size_t client, const Words& words);
  void check_bounds(const Words& words);
  [[nodiscard]] std::string picture();

  static constexpr std::size_t clients = 3;
  test::MemoryNode node_;
  std::unique_ptr<resp::Server> server_;
  std::array<std::unique_ptr<resp::Session>, clients> sessions_;
  bool stuck_ = false;  // the last one asked waits for what will never come
};

}  // namespace starling::fuzz
