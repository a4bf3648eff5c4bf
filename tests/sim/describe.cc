#include "tests/sim/describe.h"

#include <array>
#include <string_view>

#include "tests/sim/door_command.h"

namespace starling::sim {
namespace {

constexpr std::array message_names = {"Hello",       "Push",      "Pull",        "PullNack",
                                      "Ack",         "Heartbeat", "MemberFacts", "DigestRequest",
                                      "DigestReply", "Goodbye"};

std::string short_text(const std::string& text) {
  constexpr std::size_t longest = 40;
  return text.size() > longest ? text.substr(0, longest) + "…" : text;
}

std::string short_name(const Origin& origin) {
  return std::to_string(origin.node % 1000) + "/" + std::to_string(origin.epoch % 100'000);
}

const char* name_of(wire::CommandCode code) {
  using enum wire::CommandCode;
  switch (code) {
    case get:
      return "get";
    case set:
      return "set";
    case incr:
      return "incr";
    case del:
      return "del";
    case exists:
      return "exists";
    case type:
      return "type";
    case set_add:
      return "set-add";
    case set_remove:
      return "set-remove";
    case set_has:
      return "set-has";
    case set_members:
      return "set-members";
    case set_size:
      return "set-size";
    case hash_set:
      return "hash-set";
    case hash_get:
      return "hash-get";
    case hash_del:
      return "hash-del";
    case hash_get_all:
      return "hash-get-all";
    case hash_size:
      return "hash-size";
    case hash_incr:
      return "hash-incr";
    case flag_enable:
      return "flag-enable";
    case flag_disable:
      return "flag-disable";
    case flag_get:
      return "flag-get";
    case mv_set:
      return "mv-set";
    case mv_get:
      return "mv-get";
    case expire:
      return "expire";
    case zset_add:
      return "zset-add";
    case scan:
      return "scan";
    case export_:
      return "export";
    case why:
      return "why";
    case explain:
      return "explain";
    case conflicts:
      return "conflicts";
    case status:
      return "status";
    case partition:
      return "partition";
    case heal:
      return "heal";
  }
  return "?";
}

}  // namespace

const char* name_of(const wire::PeerMessage& message) { return message_names[message.index()]; }

std::string describe(const VersionVector& vector) {
  std::uint64_t sum = 0;
  for (const auto& c : vector.components()) {
    sum += c.n;
  }
  return std::to_string(vector.components().size()) + "/" + std::to_string(sum);
}

std::string describe(const wire::PeerMessage& message) {
  std::string out = name_of(message);
  if (const auto* push = std::get_if<wire::Push>(&message)) {
    out += " " + short_name(push->run.origin) + ":" + std::to_string(push->run.first) + "-" +
           std::to_string(push->run.last) + (push->answers_pull ? " (pulled)" : "");
  } else if (const auto* pull = std::get_if<wire::Pull>(&message)) {
    out += " " + short_name(pull->origin) + " after " + std::to_string(pull->after) + " up to " +
           std::to_string(pull->upto);
  } else if (const auto* ack = std::get_if<wire::Ack>(&message)) {
    out += " V " + describe(ack->applied) + " D " + describe(ack->durable);
  } else if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
    out += " V " + describe(heartbeat->applied) + " D " + describe(heartbeat->durable);
  } else if (const auto* goodbye = std::get_if<wire::Goodbye>(&message)) {
    out += " " + goodbye->detail;
  }
  return out;
}

std::string describe(const wire::Command& command) {
  if (is_door(command)) {
    std::string words = command.db == 0 ? "" : std::to_string(command.db) + ":";
    for (const std::string& word : command.args) {
      words += (words.empty() || words.back() == ':' ? "" : " ") + short_text(word);
    }
    return words;
  }
  std::string out = std::string(name_of(command.code)) + " " + command.key;
  for (const std::string& arg : command.args) {
    out += " " + short_text(arg);
  }
  return command.number != 0 ? out + " " + std::to_string(command.number) : out;
}

std::string describe(const wire::Result& result) {
  struct Describe {
    std::string operator()(const wire::Nil&) const { return "nil"; }
    std::string operator()(const wire::Ok&) const { return "ok"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(const std::string& text) const { return "\"" + short_text(text) + "\""; }
    std::string operator()(const std::vector<std::string>& list) const {
      std::string out = "[";
      for (const std::string& item : list) {
        out += (out.size() > 1 ? " " : "") + short_text(item);
      }
      return out + "]";
    }
    std::string operator()(const wire::Error& error) const {
      return "error " + std::to_string(static_cast<int>(error.code)) +
             (error.message.empty() ? "" : " (" + error.message + ")");
    }
  };
  return std::visit(Describe{}, result);
}

}  // namespace starling::sim
