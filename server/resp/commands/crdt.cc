// What only a replicated store can tell: why a key shows what it shows, and what a session has
// seen.
#include <array>
#include <string>

#include "server/resp/commands/families.h"
#include "server/resp/json_reply.h"
#include "server/resp/session.h"
#include "server/resp/session_token.h"

namespace starling::resp {
namespace {

// Inside MULTI it tells of what was there before the transaction.
void look(Call& call, StoreResult<std::string> (replica::Replica::*ask)(const ObjectKey&)) {
  if (!call.object(call[1]).exists()) {
    call.reply.nil();
    return;
  }
  const auto json =
      (call.server.backend().replica().*ask)(ObjectKey{call.db, std::string(call[1])});
  if (json) {
    write_json(call.reply, *json);
  } else {
    call.tx->fail(json.error());
  }
}

void explain(Call& call) { look(call, &replica::Replica::explain); }
void why(Call& call) { look(call, &replica::Replica::why); }

// What lost, newest first, and how much of it was dropped. KEY is one of the selected database;
// without it, of all.
void conflicts(Call& call) {
  replica::ConflictQuery query;
  for (std::size_t i = 1; i < call.size(); i += 2) {
    const bool count = is_word(call[i], "COUNT");
    if (i + 1 == call.size() || (!count && !is_word(call[i], "KEY"))) {
      call.syntax_error();
      return;
    }
    if (count) {
      const auto number = call.integer(i + 1);
      if (!number) {
        return;
      }
      if (*number < 1) {
        call.reply.error("ERR COUNT must be above 0");
        return;
      }
      query.limit = static_cast<std::size_t>(*number);
    } else {
      query.key = ObjectKey{call.db, std::string(call[i + 1])};
    }
  }
  write_json(call.reply, call.server.backend().replica().conflicts(query));
}

// Without a token: that of what this connection can have seen. With one: OK as soon as this node
// has applied what the token names, so that a client that moves from node to node reads its writes.
void session(Call& call) {
  constexpr std::uint64_t patience_us = 5'000'000;
  const VersionVector& applied = call.server.backend().replica().applied();
  if (call.size() > 2) {
    call.wrong_arity();
    return;
  }
  if (call.size() == 1) {
    call.reply.bulk(token_text(applied));
    return;
  }
  const auto wanted = parse_token(call[1]);
  if (!wanted) {
    call.reply.error("ERR this is no session token: SESSION without an argument gives one");
    return;
  }
  if (wanted->leq(applied)) {
    call.reply.ok();
    return;
  }
  const bool within_multi = call.tx != nullptr;
  const std::uint64_t deadline_us = call.session.asked_since_us() + patience_us;
  if (within_multi || call.server.backend().now().monotonic_us >= deadline_us) {
    call.reply.error(
        "BEHIND this node has not yet applied all that the token names; try again, or ask the node "
        "that gave it");
    return;
  }
  call.server.backend().wake_by(deadline_us);
  call.session.ask_again();
}

}  // namespace

std::span<const Binding> crdt_commands() {
  static constexpr std::array bindings{Binding{"session", session}};
  return bindings;
}
std::span<const Binding> crdt_commands_on_data() {
  static constexpr std::array bindings{
      Binding{"crdt.conflicts", conflicts},
      Binding{"crdt.explain", explain},
      Binding{"crdt.why", why},
  };
  return bindings;
}

}  // namespace starling::resp
