// PUBLISH and SUBSCRIBE, on this node: messages do not travel to the others.
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "server/resp/commands/families.h"
#include "server/resp/commands/help.h"
#include "server/resp/glob.h"
#include "server/resp/session.h"

namespace starling::resp {
namespace {

// Each name is confirmed by itself: one command, several replies. A client that has turned replies
// off still learns what it listens to, as in Redis.
void confirm(Call& call, std::string_view verb, std::optional<std::string_view> name) {
  std::string apart;
  ReplyWriter writer(apart);
  writer.set_protocol(call.reply.protocol());
  const bool off = call.session.replies != Session::Replies::on;
  ReplyWriter& reply = off ? writer : call.reply;
  reply.push(3);
  reply.bulk(verb);
  name ? reply.bulk(*name) : reply.nil();
  reply.integer(static_cast<std::int64_t>(call.session.subscriptions()));
  if (off) {
    call.session.push(apart);
  }
}

bool name_fits(const Call& call, std::string_view what, std::string_view name, std::size_t limit) {
  if (name.size() <= limit) {
    return true;
  }
  call.reply.error("ERR a " + std::string(what) + " has " + std::to_string(name.size()) +
                   " bytes; the limit is " + std::to_string(limit));
  return false;
}

bool names_fit(const Call& call, std::string_view what, std::size_t limit) {
  std::size_t more = 0;
  for (const std::string_view name : call.args.subspan(1)) {
    if (!name_fits(call, what, name, limit)) {
      return false;
    }
    more += name.size() + PubSub::bytes_besides_name;
  }
  if (call.session.subscribed_bytes + more > PubSub::max_bytes_of_session) {
    call.reply.error("ERR too many subscriptions: one connection may hold " +
                     std::to_string(PubSub::max_bytes_of_session) + " bytes of them");
    return false;
  }
  return true;
}

void subscribe(Call& call) {
  if (!names_fit(call, "channel's name", max_channel_bytes)) {
    return;
  }
  for (const std::string_view channel : call.args.subspan(1)) {
    call.server.pubsub().subscribe(call.session, channel);
    confirm(call, "subscribe", channel);
  }
}

void psubscribe(Call& call) {
  if (!names_fit(call, "pattern", max_pattern_bytes)) {
    return;
  }
  for (const std::string_view pattern : call.args.subspan(1)) {
    call.server.pubsub().subscribe_pattern(call.session, pattern);
    confirm(call, "psubscribe", pattern);
  }
}

// The names given, or all there are.
std::vector<std::string> names(const Call& call, const auto& all) {
  if (call.size() == 1) {
    return {all.begin(), all.end()};
  }
  return {call.args.begin() + 1, call.args.end()};
}

void unsubscribe(Call& call) {
  const auto channels = names(call, call.session.channels);
  for (const std::string& channel : channels) {
    call.server.pubsub().unsubscribe(call.session, channel);
    confirm(call, "unsubscribe", channel);
  }
  if (channels.empty()) {
    confirm(call, "unsubscribe", std::nullopt);
  }
}

void punsubscribe(Call& call) {
  const auto patterns = names(call, call.session.patterns);
  for (const std::string& pattern : patterns) {
    call.server.pubsub().unsubscribe_pattern(call.session, pattern);
    confirm(call, "punsubscribe", pattern);
  }
  if (patterns.empty()) {
    confirm(call, "punsubscribe", std::nullopt);
  }
}

void publish(Call& call) {
  if (name_fits(call, "channel's name", call[1], max_channel_bytes)) {
    const std::size_t told = call.server.pubsub().publish(call[1], call[2]);
    call.server.backend().want_tick(told * call[2].size());
    call.reply.integer(static_cast<std::int64_t>(told));
  }
}

void channels(Call& call) {
  if (call.size() > 3) {
    call.wrong_subcommand();
    return;
  }
  if (call.size() == 3 && !name_fits(call, "pattern", call[2], max_pattern_bytes)) {
    return;
  }
  const Glob wanted(call.size() == 3 ? call[2] : "*");
  auto names = call.server.pubsub().channels();
  std::erase_if(names, [&](std::string_view name) { return !wanted.matches(name); });
  call.reply.array(names.size());
  for (const std::string_view name : names) {
    call.reply.bulk(name);
  }
}

void numsub(Call& call) {
  const auto asked = call.args.subspan(2);
  call.reply.array(2 * asked.size());
  for (const std::string_view channel : asked) {
    call.reply.bulk(channel);
    call.reply.integer(static_cast<std::int64_t>(call.server.pubsub().listeners(channel)));
  }
}

void numpat(Call& call) {
  call.reply.integer(static_cast<std::int64_t>(call.server.pubsub().patterns()));
}

}  // namespace

std::span<const Binding> pubsub_commands() {
  static constexpr std::array bindings{
      Binding{"subscribe", subscribe},
      Binding{"unsubscribe", unsubscribe},
      Binding{"psubscribe", psubscribe},
      Binding{"punsubscribe", punsubscribe},
      Binding{"publish", publish},
      Binding{"pubsub|channels", channels},
      Binding{"pubsub|numsub", numsub},
      Binding{"pubsub|numpat", numpat},
      Binding{"pubsub|help", container_help},
  };
  return bindings;
}

}  // namespace starling::resp
