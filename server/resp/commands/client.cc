// CLIENT: the connections of this node, seen and ended from one of them.
#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "crdt/string.h"
#include "server/resp/client_name.h"
#include "server/resp/commands/families.h"
#include "server/resp/commands/help.h"
#include "server/resp/session.h"

namespace starling::resp {
namespace {

// ---------------------------------------------------------------- kinds of clients

enum class Kind : std::uint8_t { normal, pubsub, replica };

Kind kind_of(const Session& session) {
  return session.subscriptions() > 0 ? Kind::pubsub : Kind::normal;
}

// A client is never a master or a replica here: nodes talk to each other through their own door.
std::optional<Kind> kind(const Call& call, std::size_t i) {
  if (is_word(call[i], "NORMAL")) {
    return Kind::normal;
  }
  if (is_word(call[i], "PUBSUB")) {
    return Kind::pubsub;
  }
  if (is_word(call[i], "REPLICA") || is_word(call[i], "SLAVE") || is_word(call[i], "MASTER")) {
    return Kind::replica;
  }
  call.reply.error("ERR Unknown client type '" + std::string(call[i].substr(0, 128)) + "'");
  return std::nullopt;
}

// ---------------------------------------------------------------- INFO, LIST

std::string flags_of(const Session& session) {
  std::string flags;
  flags += session.subscriptions() > 0 ? "P" : "";
  flags += session.multi ? "x" : "";
  flags += session.waits() ? "b" : "";
  flags += session.closing() ? "c" : "";
  flags += session.no_evict ? "e" : "";
  return flags.empty() ? "N" : flags;
}

// Redis's fields, without those that say something about its own buffers and events.
std::string line_about(const Session& session, std::uint64_t now_us) {
  std::string line;
  const auto field = [&](std::string_view name, std::string_view value) {
    line.append(line.empty() ? "" : " ").append(name).append("=").append(value);
  };
  const auto number = [&](std::string_view name, std::uint64_t value) {
    field(name, std::to_string(value));
  };
  number("id", session.id());
  field("addr", session.remote());
  field("laddr", session.local());
  field("name", session.name);
  number("age", (now_us - session.since_us) / 1'000'000);
  number("idle", (now_us - session.last_active_us) / 1'000'000);
  field("flags", flags_of(session));
  number("db", session.db);
  number("sub", session.channels.size());
  number("psub", session.patterns.size());
  number("ssub", 0);
  field("multi", session.multi ? std::to_string(session.multi->commands.size()) : "-1");
  number("qbuf", session.input_bytes());
  number("multi-mem", session.multi ? session.multi->bytes : 0);
  number("tot-mem", sizeof(Session) + session.held());
  field("cmd", session.last_command.empty() ? "NULL" : session.last_command);
  field("user", "default");
  field("redir", "-1");
  number("resp", static_cast<std::uint64_t>(session.protocol()));
  return line + "\n";
}

void client_info(Call& call) {
  call.reply.verbatim(line_about(call.session, call.server.backend().now().monotonic_us));
}

void client_list(Call& call) {
  std::optional<Kind> wanted_kind;
  std::optional<std::vector<std::uint64_t>> wanted_ids;
  if (call.size() == 4 && is_word(call[2], "TYPE")) {
    wanted_kind = kind(call, 3);
    if (!wanted_kind) {
      return;
    }
  } else if (call.size() > 3 && is_word(call[2], "ID")) {
    wanted_ids.emplace();
    for (std::size_t i = 3; i < call.size(); ++i) {
      const auto id = parse_integer(call[i]);
      if (!id) {
        call.reply.error("ERR Invalid client ID");
        return;
      }
      wanted_ids->push_back(static_cast<std::uint64_t>(*id));
    }
  } else if (call.size() != 2) {
    call.syntax_error();
    return;
  }
  const std::uint64_t now_us = call.server.backend().now().monotonic_us;
  const auto& sessions = call.server.sessions();
  std::string lines;
  if (wanted_ids) {
    for (const std::uint64_t id : *wanted_ids) {
      const auto found = sessions.find(id);
      if (found != sessions.end()) {
        lines += line_about(*found->second, now_us);
      }
    }
  } else {
    for (const auto& [id, session] : sessions) {
      if (!wanted_kind || kind_of(*session) == *wanted_kind) {
        lines += line_about(*session, now_us);
      }
    }
  }
  call.reply.verbatim(lines);
}

// ---------------------------------------------------------------- KILL

struct Victims {
  std::optional<std::uint64_t> id;
  std::optional<std::string_view> remote;
  std::optional<std::string_view> local;
  std::optional<Kind> kind;
  bool spare_me = true;

  [[nodiscard]] bool include(const Session& session, const Session& me) const {
    return (!id || session.id() == *id) && (!remote || session.remote() == *remote) &&
           (!local || session.local() == *local) && (!kind || kind_of(session) == *kind) &&
           !(spare_me && &session == &me);
  }
};

std::optional<Victims> victims(const Call& call) {
  Victims victims;
  for (std::size_t i = 2; i < call.size(); i += 2) {
    if (i + 1 == call.size()) {
      call.syntax_error();
      return std::nullopt;
    }
    const std::string_view value = call[i + 1];
    if (is_word(call[i], "ID")) {
      const auto id = parse_integer(value);
      if (!id || *id < 1) {
        call.reply.error("ERR client-id should be greater than 0");
        return std::nullopt;
      }
      victims.id = static_cast<std::uint64_t>(*id);
    } else if (is_word(call[i], "TYPE")) {
      victims.kind = kind(call, i + 1);
      if (!victims.kind) {
        return std::nullopt;
      }
    } else if (is_word(call[i], "ADDR")) {
      victims.remote = value;
    } else if (is_word(call[i], "LADDR")) {
      victims.local = value;
    } else if (is_word(call[i], "USER")) {
      if (value != "default") {
        call.reply.error("ERR No such user '" + std::string(value.substr(0, 128)) + "'");
        return std::nullopt;
      }
    } else if (is_word(call[i], "SKIPME") && (is_word(value, "YES") || is_word(value, "NO"))) {
      victims.spare_me = is_word(value, "YES");
    } else {
      call.syntax_error();
      return std::nullopt;
    }
  }
  return victims;
}

void kill(Call& call) {
  // The old form names one address and may mean this connection.
  const bool old_form = call.size() == 3;
  std::optional<Victims> who;
  if (old_form) {
    who.emplace();
    who->remote = call[2];
    who->spare_me = false;
  } else {
    who = victims(call);
  }
  if (!who) {
    return;
  }
  std::int64_t killed = 0;
  for (const auto& [id, session] : call.server.sessions()) {
    if (!session->closing() && who->include(*session, call.session)) {
      session->close();
      session->speak();  // the door looks after those who have something to say
      ++killed;
    }
  }
  if (!old_form) {
    call.reply.integer(killed);
  } else if (killed > 0) {
    call.reply.ok();
  } else {
    call.reply.error("ERR No such client");
  }
}

// ---------------------------------------------------------------- this connection

void id(Call& call) { call.reply.integer(static_cast<std::int64_t>(call.session.id())); }

void getname(Call& call) {
  if (call.session.name.empty()) {
    call.reply.nil();
  } else {
    call.reply.bulk(call.session.name);
  }
}

void setname(Call& call) {
  if (!is_client_name(call[2])) {
    call.reply.error(bad_client_name);
    return;
  }
  call.session.name = call[2];
  call.reply.ok();
}

void reply(Call& call) {
  if (is_word(call[2], "ON")) {
    call.session.replies = Session::Replies::on;
    call.reply.ok();
  } else if (!is_word(call[2], "OFF") && !is_word(call[2], "SKIP")) {
    call.syntax_error();
  } else if (call.tx != nullptr) {
    // Redis leaves a hole in EXEC's reply here, and the client waits for ever.
    call.reply.error("ERR replies cannot be turned off inside a transaction");
  } else if (is_word(call[2], "OFF")) {
    call.session.replies = Session::Replies::off;
  } else if (call.session.replies != Session::Replies::off) {
    call.session.replies = Session::Replies::skip_next;
  }
}

// Nobody is evicted for the memory that all clients take together, except the one that holds the
// most when there is none left; so this is kept and shown, and protects from nothing else.
void no_evict(Call& call) {
  if (!is_word(call[2], "ON") && !is_word(call[2], "OFF")) {
    call.syntax_error();
    return;
  }
  call.session.no_evict = is_word(call[2], "ON");
  call.reply.ok();
}

// ---------------------------------------------------------------- PAUSE

void pause(Call& call) {
  if (call.size() > 4) {
    call.wrong_subcommand();
    return;
  }
  bool writes_only = false;
  if (call.size() == 4) {
    writes_only = is_word(call[3], "WRITE");
    if (!writes_only && !is_word(call[3], "ALL")) {
      call.reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL");
      return;
    }
  }
  const auto ms = parse_integer(call[2]);
  const std::uint64_t now_us = call.server.backend().now().monotonic_us;
  constexpr std::int64_t longest_ms = std::numeric_limits<std::int64_t>::max() / 2000;
  if (!ms || *ms > longest_ms) {
    call.reply.error("ERR timeout is not an integer or out of range");
    return;
  }
  if (*ms < 0) {
    call.reply.error("ERR timeout is negative");
    return;
  }
  // Two pauses hold until the later end and as much as the stricter one.
  Pause& pause = call.server.pause();
  const bool holds = now_us < pause.until_us;
  pause.writes_only = writes_only && (!holds || pause.writes_only);
  pause.until_us =
      std::max(holds ? pause.until_us : 0, now_us + static_cast<std::uint64_t>(*ms) * 1000);
  call.reply.ok();
}

void unpause(Call& call) {
  call.server.pause() = {};
  call.reply.ok();
}

}  // namespace

std::span<const Binding> client_commands() {
  static constexpr std::array bindings{
      Binding{"client|id", id},
      Binding{"client|info", client_info},
      Binding{"client|list", client_list},
      Binding{"client|kill", kill},
      Binding{"client|getname", getname},
      Binding{"client|setname", setname},
      Binding{"client|reply", reply},
      Binding{"client|no-evict", no_evict},
      Binding{"client|pause", pause},
      Binding{"client|unpause", unpause},
      Binding{"client|help", container_help},
  };
  return bindings;
}

}  // namespace starling::resp
