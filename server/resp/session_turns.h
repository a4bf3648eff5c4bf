// What a session holds while its command runs in turns (decision 0008).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp/session.h"

namespace starling::resp {

struct Session::Long {
  Long(Session& session, const Command& runs, Args said);
  ~Long();
  Long(const Long&) = delete;
  Long& operator=(const Long&) = delete;

  const Command& command;
  std::vector<std::string> args;
  std::vector<std::string_view> words;  // the same
  std::vector<std::string> keys;        // locked
  replica::KeyLocks& locks;
  std::size_t& running;
  std::string out;
  ReplyWriter reply = ReplyWriter(out);
  replica::Replica::Outcome outcome;
  std::unique_ptr<LongCommand> run;
};

// It promises to be one entry, however large: all keys at once, everything there is.
[[nodiscard]] bool is_one_entry(const CommandFacts& facts);
// It writes a key that it reads, too: cut into parts, a crash between two would lose what was read.
[[nodiscard]] bool reads_its_target(const CommandFacts& facts,
                                    std::span<const std::string_view> args);

}  // namespace starling::resp
