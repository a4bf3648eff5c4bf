#include "server/resp/pubsub.h"

#include <array>
#include <utility>

#include "server/resp/reply_writer.h"
#include "server/resp/session.h"

namespace starling::resp {
namespace {

std::string message_bytes(Protocol protocol, const std::vector<std::string_view>& parts) {
  std::string bytes;
  ReplyWriter writer(bytes);
  writer.set_protocol(protocol);
  writer.push(parts.size());
  for (const std::string_view part : parts) {
    writer.bulk(part);
  }
  return bytes;
}

}  // namespace

bool PubSub::subscribe(Session& session, std::string_view channel) {
  if (!session.channels.emplace(channel).second) {
    return false;
  }
  session.subscribed_bytes += channel.size() + bytes_besides_name;
  channels_[std::string(channel)].emplace(session.id(), &session);
  return true;
}

bool PubSub::unsubscribe(Session& session, std::string_view channel) {
  const auto found = channels_.find(channel);
  if (found == channels_.end() || found->second.erase(session.id()) == 0) {
    return false;
  }
  session.channels.erase(session.channels.find(channel));
  session.subscribed_bytes -= channel.size() + bytes_besides_name;
  if (found->second.empty()) {
    channels_.erase(found);
  }
  return true;
}

bool PubSub::subscribe_pattern(Session& session, std::string_view pattern) {
  if (!session.patterns.emplace(pattern).second) {
    return false;
  }
  session.subscribed_bytes += pattern.size() + bytes_besides_name;
  const auto [at, is_new] = patterns_.try_emplace(std::string(pattern), Pattern{Glob(pattern), {}});
  at->second.listeners.emplace(session.id(), &session);
  return true;
}

bool PubSub::unsubscribe_pattern(Session& session, std::string_view pattern) {
  const auto found = patterns_.find(pattern);
  if (found == patterns_.end() || found->second.listeners.erase(session.id()) == 0) {
    return false;
  }
  session.patterns.erase(session.patterns.find(pattern));
  session.subscribed_bytes -= pattern.size() + bytes_besides_name;
  if (found->second.listeners.empty()) {
    patterns_.erase(found);
  }
  return true;
}

void PubSub::leave(Session& session) {
  while (!session.channels.empty()) {
    unsubscribe(session, std::string(*session.channels.begin()));
  }
  while (!session.patterns.empty()) {
    unsubscribe_pattern(session, std::string(*session.patterns.begin()));
  }
}

std::size_t PubSub::publish(std::string_view channel, std::string_view message) {
  std::size_t told = 0;
  if (const auto found = channels_.find(channel); found != channels_.end()) {
    told += tell(found->second, {"message", channel, message});
  }
  for (const auto& [text, pattern] : patterns_) {
    if (pattern.glob.matches(channel)) {
      told += tell(pattern.listeners, {"pmessage", text, channel, message});
    }
  }
  return told;
}

std::size_t PubSub::tell(const Listeners& listeners, const std::vector<std::string_view>& parts) {
  const std::array texts{message_bytes(Protocol::resp2, parts),
                         message_bytes(Protocol::resp3, parts)};
  std::size_t told = 0;
  for (const auto& [id, session] : listeners) {
    if (session->closing()) {
      continue;
    }
    const std::string& text = texts[session->protocol() == Protocol::resp2 ? 0 : 1];
    unsent_bytes_ += text.size();
    if (unsent_bytes_ > max_unsent_bytes) {
      session->close();
      session->speak();
      continue;
    }
    session->push(text);
    ++told;
  }
  return told;
}

std::vector<std::string_view> PubSub::channels() const {
  std::vector<std::string_view> names;
  names.reserve(channels_.size());
  for (const auto& [name, listeners] : channels_) {
    names.emplace_back(name);
  }
  return names;
}

std::size_t PubSub::listeners(std::string_view channel) const {
  const auto found = channels_.find(channel);
  return found == channels_.end() ? 0 : found->second.size();
}

}  // namespace starling::resp
