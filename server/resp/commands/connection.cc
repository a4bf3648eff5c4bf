// What a connection says about itself: protocol, database, who it is.
#include <array>
#include <optional>
#include <string>

#include "crdt/string.h"
#include "server/resp/client_name.h"
#include "server/resp/commands/families.h"
#include "server/resp/session.h"

namespace starling::resp {
namespace {

constexpr std::string_view wrong_password =
    "WRONGPASS invalid username-password pair or user is disabled.";

void ping(Call& call) {
  if (call.size() > 2) {
    call.wrong_arity();
    return;
  }
  const bool has_message = call.size() == 2;
  if (call.session.subscriptions() > 0 && call.reply.protocol() == Protocol::resp2) {
    // Where messages come in between, a client tells replies by their shape.
    call.reply.array(2);
    call.reply.bulk("pong");
    call.reply.bulk(has_message ? call[1] : "");
  } else if (has_message) {
    call.reply.bulk(call[1]);
  } else {
    call.reply.simple("PONG");
  }
}

void echo(Call& call) { call.reply.bulk(call[1]); }

void quit(Call& call) {
  call.reply.ok();
  call.session.close();
}

void reset(Call& call) {
  call.session.reset();
  call.reply.simple("RESET");
}

void select(Call& call) {
  const auto index = call.integer(1);
  if (!index) {
    return;
  }
  if (*index < 0 || static_cast<std::uint64_t>(*index) >= call.server.options().databases) {
    call.reply.error("ERR DB index is out of range");
    return;
  }
  call.session.db = static_cast<std::uint8_t>(*index);
  call.reply.ok();
}

// There is one user, `default`, and it has no password: any will do, as in Redis.
bool may_be(std::string_view user) { return user == "default"; }

void auth(Call& call) {
  if (call.size() > 3) {
    call.syntax_error();
  } else if (call.size() == 2) {
    call.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  } else if (!may_be(call[1])) {
    call.reply.error(wrong_password);
  } else {
    call.reply.ok();
  }
}

void describe_server(Call& call) {
  call.reply.map(7);
  call.reply.bulk("server");
  call.reply.bulk("redis");
  call.reply.bulk("version");
  call.reply.bulk(compatible_redis_version);
  call.reply.bulk("proto");
  call.reply.integer(static_cast<int>(call.reply.protocol()));
  call.reply.bulk("id");
  call.reply.integer(static_cast<std::int64_t>(call.session.id()));
  call.reply.bulk("mode");
  call.reply.bulk("standalone");
  call.reply.bulk("role");
  call.reply.bulk("master");  // every node takes writes
  call.reply.bulk("modules");
  call.reply.array(0);
}

// Nothing of it holds unless all of it is right.
void hello(Call& call) {
  std::optional<Protocol> protocol;
  if (call.size() > 1) {
    const auto version = parse_integer(call[1]);
    if (!version) {
      call.reply.error("ERR Protocol version is not an integer or out of range");
      return;
    }
    if (*version != 2 && *version != 3) {
      call.reply.error("NOPROTO unsupported protocol version");
      return;
    }
    protocol = *version == 2 ? Protocol::resp2 : Protocol::resp3;
  }
  std::optional<std::string_view> name;
  for (std::size_t i = 2; i < call.size(); ++i) {
    const std::size_t left = call.size() - 1 - i;
    if (is_word(call[i], "AUTH") && left >= 2) {
      if (!may_be(call[i + 1])) {
        call.reply.error(wrong_password);
        return;
      }
      i += 2;
    } else if (is_word(call[i], "SETNAME") && left >= 1) {
      name = call[++i];
      if (!is_client_name(*name)) {
        call.reply.error(bad_client_name);
        return;
      }
    } else {
      call.reply.error("ERR Syntax error in HELLO option '" + std::string(call[i].substr(0, 128)) +
                       "'");
      return;
    }
  }
  if (name) {
    call.session.name = *name;
  }
  if (protocol) {
    call.reply.set_protocol(*protocol);
  }
  describe_server(call);
}

}  // namespace

std::span<const Binding> connection_commands() {
  static constexpr std::array bindings{
      Binding{"ping", ping},   Binding{"echo", echo},     Binding{"quit", quit},
      Binding{"reset", reset}, Binding{"select", select}, Binding{"auth", auth},
      Binding{"hello", hello},
  };
  return bindings;
}

}  // namespace starling::resp
