#include "tests/fuzz/resp_play.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <utility>

#include "server/resp/call.h"
#include "server/resp/request_parser.h"

namespace starling::fuzz {
namespace {

using resp::is_word;
using resp::RequestParser;
using resp::Session;
using Words = std::vector<std::string>;

// Small, so that every limit is met; and many checkpoints, so that cells come from the store.
replica::Config small_node() {
  replica::Config config;
  config.memory_bytes = 256u << 10;
  config.checkpoint_bytes = 4u << 10;
  return config;
}
const resp::Options small_limits{
    .max_value_bytes = 64u << 10,
    .max_queued_bytes = 16u << 10,
    .max_queued_commands = 32,
    .databases = 4,
};
constexpr std::size_t most_held = 48u << 20;  // a million choices of SRANDMEMBER in one reply
constexpr std::uint64_t most_in_tables = 16u << 20;

std::string shown(std::string_view bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 400)) {
    if (c >= ' ' && c <= '~') {
      text.push_back(c);
    } else {
      std::array<char, 8> code{};
      (void)std::snprintf(code.data(), code.size(), "\\x%02x", static_cast<unsigned char>(c));
      text += code.data();
    }
  }
  return text;
}

std::string shown(const Words& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : " ") + shown(word);
  }
  return text;
}

// Says what was asked and answered, because a fuzzer's input tells nobody anything.
void promise(bool kept, std::string_view what, const Words& words, std::string_view reply) {
  if (!kept) {
    (void)std::fprintf(stderr, "broken promise: %s\n  asked: %s\n  answered: %s\n",
                       std::string(what).c_str(), shown(words).c_str(), shown(reply).c_str());
    std::abort();
  }
}

std::string encoded(const Words& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

bool is_message(const RespValue& value) {
  return (value.type == '>' || value.type == '*') && value.parts.size() >= 3 &&
         value.parts.front().type == '$' &&
         (value.parts.front().text == "message" || value.parts.front().text == "pmessage");
}

bool subscribes(std::string_view name) {
  return is_word(name, "SUBSCRIBE") || is_word(name, "PSUBSCRIBE") ||
         is_word(name, "UNSUBSCRIBE") || is_word(name, "PUNSUBSCRIBE");
}

bool is_reply_switch(const Words& words, std::string_view to) {
  return words.size() == 3 && is_word(words[0], "CLIENT") && is_word(words[1], "REPLY") &&
         is_word(words[2], to);
}

// As many replies as requests, whatever the state of the connection.
bool is_plain(const Words& words) {
  return !words.empty() && !subscribes(words[0]) && !is_word(words[0], "CLIENT") &&
         !is_word(words[0], "EXEC") && !is_word(words[0], "QUIT") && !is_word(words[0], "RESET") &&
         !is_word(words[0], "SHUTDOWN") && !is_word(words[0], "POST") &&
         !is_word(words[0], "HOST:") && !is_word(words[0], "HELLO");
}

}  // namespace

RespPlay::RespPlay()
    : node_(small_node()), server_(std::make_unique<resp::Server>(node_, small_limits)) {
  for (std::size_t client = 0; client < clients; ++client) {
    connect(client);
  }
}

void RespPlay::connect(std::size_t client) {
  sessions_[client] =
      std::make_unique<Session>(*server_, "client" + std::to_string(client), "node");
}

RespPlay::Before RespPlay::before(const Session& session) {
  Before before{session.replies, session.protocol(), session.subscriptions(),
                session.multi.has_value(), false};
  if (session.multi) {
    before.multi_subscribes = std::ranges::any_of(
        session.multi->commands,
        [](const Session::Queued& queued) { return subscribes(queued.command->facts->name); });
  }
  return before;
}

RespPlay::Expected RespPlay::replies_to(const Words& words, const Before& before) {
  const std::string_view name = words[0];
  if (is_word(name, "POST") || is_word(name, "HOST:")) {
    return 0;
  }
  const bool answers_often = (subscribes(name) && !before.in_multi) ||
                             (is_word(name, "EXEC") && before.in_multi && before.multi_subscribes);
  if (before.replies != Session::Replies::on) {
    const bool on_again = is_reply_switch(words, "ON") && !before.in_multi;
    if (on_again || (is_word(name, "RESET") && words.size() == 1)) {
      return 1;
    }
    return answers_often ? std::nullopt : Expected(0);
  }
  const bool only_listens = before.subscriptions > 0 && before.protocol == resp::Protocol::resp2;
  if ((is_reply_switch(words, "OFF") || is_reply_switch(words, "SKIP")) && !before.in_multi &&
      !only_listens) {
    return 0;
  }
  return answers_often ? std::nullopt : Expected(1);
}

// ---------------------------------------------------------------- asking

void RespPlay::raw(std::string_view stream, std::size_t piece) {
  constexpr std::size_t client = 0;
  RequestParser probe(server_->parser_limits());
  while (!stream.empty()) {
    const auto status = probe.next(stream);
    const bool whole = status != RequestParser::Status::incomplete;
    const std::string_view sent = stream.substr(0, whole ? probe.consumed() : stream.size());
    const Before state = before(*sessions_[client]);
    Words words;
    Expected expected = whole ? 1 : 0;
    if (status == RequestParser::Status::request) {
      words.assign(probe.arguments().begin(), probe.arguments().end());
      expected = replies_to(words, state);
    } else if (state.replies != Session::Replies::on) {
      expected = 0;
    }
    send(client, sent, piece);
    stream.remove_prefix(sent.size());
    check(client, words, state, expected);
    if (sessions_[client]->closing() || stuck_) {
      connect(client);
      probe = RequestParser(server_->parser_limits());
    }
  }
}

void RespPlay::drawn(std::string_view input) {
  Choices choices(input);
  while (!choices.done()) {
    const std::size_t client = choices.below(clients);
    switch (choices.below(16)) {
      case 11:
        ask(client, {"MULTI"}, 0);
        for (std::size_t left = 1 + choices.below(5); left > 0; --left) {
          // Sometimes somebody else is quicker, and perhaps the key was watched.
          ask(choices.one_in(8) ? choices.below(clients) : client, draw_command(choices), 0);
        }
        ask(client, {"EXEC"}, 0);
        break;
      case 12: {
        constexpr std::array<std::uint64_t, 4> pauses{1, 100, 1500, 61'000};
        node_.pass_ms(pauses[choices.below(pauses.size())]);
        break;
      }
      case 13: {
        std::vector<Words> requests;
        for (std::size_t left = 2 + choices.below(6); left > 0; --left) {
          requests.push_back(draw_command(choices));
        }
        ask_at_once(client, requests);
        break;
      }
      case 14:
        node_.store.set_full(choices.one_in(4));
        break;
      case 15:
        send(client, choices.bytes(64), 1);
        sessions_[client]->output().clear();
        connect(client);
        break;
      default: {
        const std::size_t piece = choices.one_in(8) ? 1 + choices.below(7) : 0;
        ask(client, draw_command(choices), piece);
        break;
      }
    }
  }
}

void RespPlay::ask(std::size_t client, const Words& words, std::size_t piece) {
  const Before state = before(*sessions_[client]);
  send(client, encoded(words), piece);
  check(client, words, state, replies_to(words, state));
  if (sessions_[client]->closing() || stuck_) {
    connect(client);
  }
}

// In one piece: what one of them does to the connection counts for those behind it.
void RespPlay::ask_at_once(std::size_t client, const std::vector<Words>& requests) {
  const Before state = before(*sessions_[client]);
  std::string bytes;
  Words all;
  for (const Words& words : requests) {
    bytes += encoded(words);
    all.insert(all.end(), words.begin(), words.end());
    all.emplace_back(";");
  }
  send(client, bytes, 0);
  const bool plain = std::ranges::all_of(requests, is_plain);
  const bool on = state.replies == Session::Replies::on;
  if (plain && on && !stuck_) {
    check(client, all, state, requests.size());
  } else {
    promise(parse_resp(sessions_[client]->output()).has_value(), "replies are well formed", all,
            sessions_[client]->output());
    sessions_[client]->output().clear();
    check_others(client, all);
  }
  if (sessions_[client]->closing() || stuck_) {
    connect(client);
  }
}

void RespPlay::send(std::size_t client, std::string_view bytes, std::size_t piece) {
  Session& session = *sessions_[client];
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece == 0 ? bytes.size() : piece);
    session.received(part);
    bytes.remove_prefix(part.size());
  }
  settle(client);
}

// Until it waits no more: for a turn, for the end of a pause, for other nodes until its time is up.
void RespPlay::settle(std::size_t client) {
  constexpr int rounds = 64;
  const Session& session = *sessions_[client];
  for (int round = 0; round < rounds && session.waits(); ++round) {
    node_.end_tick();
    server_->go_on();
    if (round > rounds / 8) {
      node_.pass_ms(round < rounds / 2 ? 250 : 1'000'000);
    }
    if (round == rounds * 3 / 4) {
      server_->pause() = {};
    }
  }
  node_.end_tick();
  (void)server_->take_outspoken();
  stuck_ = session.waits();
}

// ---------------------------------------------------------------- judging

void RespPlay::check(std::size_t client, const Words& words, const Before& before,
                     Expected expected) {
  Session& session = *sessions_[client];
  const std::string output = std::exchange(session.output(), {});
  const auto replies = parse_resp(output);
  promise(replies.has_value(), "replies are well formed", words, output);
  const bool exec = !words.empty() && is_word(words[0], "EXEC");
  if (before.protocol == session.protocol() && !exec) {
    const bool resp2 = before.protocol == resp::Protocol::resp2;
    promise(std::ranges::none_of(*replies,
                                 [&](const RespValue& reply) {
                                   return resp2 ? reply.has_resp3() : reply.has_resp2();
                                 }),
            "replies are of the version that the client speaks", words, output);
  }
  const bool may_hear = exec || before.subscriptions > 0 || session.subscriptions() > 0;
  const auto messages = may_hear ? std::ranges::count_if(*replies, is_message) : 0;
  const std::size_t answered = replies->size() - static_cast<std::size_t>(messages);
  if (stuck_) {
    promise(answered == 0, "nobody is answered before the answer is known", words, output);
  } else if (!expected) {
    promise(answered > 0 || before.replies != Session::Replies::on, "a request is answered", words,
            output);
  } else {
    const bool shuts_down = !words.empty() && is_word(words[0], "SHUTDOWN") && session.closing();
    promise(answered == (shuts_down ? 0 : *expected), "there are as many replies as requests",
            words, output);
  }
  check_others(client, words);
  check_bounds(words);
}

void RespPlay::check_others(std::size_t client, const Words& words) {
  for (std::size_t other = 0; other < clients; ++other) {
    if (other == client) {
      continue;
    }
    const std::string output = std::exchange(sessions_[other]->output(), {});
    const auto heard = parse_resp(output);
    promise(heard && std::ranges::all_of(*heard, is_message),
            "others hear nothing but messages of channels", words, output);
    if (sessions_[other]->closing()) {
      connect(other);
    }
  }
}

void RespPlay::check_bounds(const Words& words) {
  for (const auto& session : sessions_) {
    promise(session->held() <= most_held, "what a connection holds is bounded", words,
            std::to_string(session->held()));
  }
  const auto held = node_.replica().view(node_.time).table_bytes;
  promise(held <= most_in_tables, "the tables are bounded", words, std::to_string(held));
}

// ---------------------------------------------------------------- the end

namespace {

// One more client, which believes nothing until it has asked in every way.
class Auditor {
 public:
  Auditor(resp::Server& server, test::MemoryNode& node)
      : server_(server), node_(node), session_(server, "auditor", "node") {}

  const RespValue& ask(Words words) {
    session_.received(encoded(words));
    for (int round = 0; round < 64 && session_.waits(); ++round) {
      node_.end_tick();
      server_.go_on();
    }
    node_.end_tick();
    words_ = std::move(words);
    bytes_ = std::exchange(session_.output(), {});
    auto replies = parse_resp(bytes_);
    agree(replies && replies->size() == 1 && !replies->front().is_error(), "it is answered");
    reply_ = std::move(replies->front());
    return reply_;
  }
  std::string text(Words words) { return std::string(ask(std::move(words)).text); }
  std::int64_t number(Words words) {
    const std::string_view digits = ask(std::move(words)).text;
    std::int64_t value = 0;
    (void)std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }
  Words list(Words words) {
    Words items;
    for (const RespValue& part : ask(std::move(words)).parts) {
      items.emplace_back(part.text);
    }
    return items;
  }
  void agree(bool truth, std::string_view what) const { promise(truth, what, words_, bytes_); }

 private:
  resp::Server& server_;
  test::MemoryNode& node_;
  Session session_;
  Words words_;
  std::string bytes_;
  RespValue reply_;
};

std::string joined(const Words& words) {
  std::string text;
  for (const std::string& word : words) {
    text += std::to_string(word.size()) + ":" + word + ",";
  }
  return text;
}

std::int64_t size_of(const Words& words) { return static_cast<std::int64_t>(words.size()); }

std::string string_picture(Auditor& auditor, const std::string& key) {
  std::string value = auditor.text({"GET", key});
  auditor.agree(auditor.number({"STRLEN", key}) == static_cast<std::int64_t>(value.size()),
                "STRLEN fits GET");
  return value;
}

std::string hash_picture(Auditor& auditor, const std::string& key) {
  const Words all = auditor.list({"HGETALL", key});
  auditor.agree(!all.empty(), "no empty hash is left behind");
  auditor.agree(auditor.number({"HLEN", key}) * 2 == size_of(all), "HLEN fits HGETALL");
  auditor.agree(auditor.list({"HSCAN", key, "0", "COUNT", "100000"}).size() == 2, "HSCAN answers");
  for (std::size_t i = 0; i < all.size(); i += 2) {
    auditor.agree(auditor.text({"HGET", key, all[i]}) == all[i + 1], "HGET fits HGETALL");
  }
  return joined(all);
}

std::string set_picture(Auditor& auditor, const std::string& key) {
  const Words all = auditor.list({"SMEMBERS", key});
  auditor.agree(!all.empty(), "no empty set is left behind");
  auditor.agree(auditor.number({"SCARD", key}) == size_of(all), "SCARD fits SMEMBERS");
  for (const std::string& member : all) {
    auditor.agree(auditor.number({"SISMEMBER", key, member}) == 1, "SISMEMBER fits SMEMBERS");
  }
  return joined(all);
}

std::string sorted_set_picture(Auditor& auditor, const std::string& key) {
  const Words all = auditor.list({"ZRANGE", key, "0", "-1", "WITHSCORES"});
  auditor.agree(!all.empty(), "no empty sorted set is left behind");
  auditor.agree(auditor.number({"ZCARD", key}) * 2 == size_of(all), "ZCARD fits ZRANGE");
  for (std::size_t i = 0; i < all.size(); i += 2) {
    auditor.agree(auditor.text({"ZSCORE", key, all[i]}) == all[i + 1], "ZSCORE fits ZRANGE");
    auditor.agree(auditor.number({"ZRANK", key, all[i]}) == static_cast<std::int64_t>(i / 2),
                  "ZRANK fits ZRANGE");
  }
  return joined(all);
}

std::string key_picture(Auditor& auditor, const std::string& key) {
  const std::string type = auditor.text({"TYPE", key});
  std::string value;
  if (type == "string") {
    value = string_picture(auditor, key);
  } else if (type == "hash") {
    value = hash_picture(auditor, key);
  } else if (type == "set") {
    value = set_picture(auditor, key);
  } else if (type == "zset") {
    value = sorted_set_picture(auditor, key);
  } else {
    auditor.agree(false, "a key that is listed has a type");
  }
  return key + " " + type + " " + auditor.text({"PEXPIRETIME", key}) + " " + value + "\n";
}

std::set<std::string> scanned_keys(Auditor& auditor) {
  std::set<std::string> met;
  std::string cursor = "0";
  do {
    const RespValue& page = auditor.ask({"SCAN", cursor, "COUNT", "3"});
    cursor = page.parts.at(0).text;
    for (const RespValue& key : page.parts.at(1).parts) {
      met.emplace(key.text);
    }
  } while (cursor != "0");
  return met;
}

}  // namespace

std::string RespPlay::picture() {
  Auditor auditor(*server_, node_);
  std::string text;
  for (std::size_t db = 0; db < small_limits.databases; ++db) {
    (void)auditor.ask({"SELECT", std::to_string(db)});
    Words keys = auditor.list({"KEYS", "*"});
    std::ranges::sort(keys);
    auditor.agree(std::ranges::adjacent_find(keys) == keys.end(), "KEYS names a key once");
    // Keys that have expired and that nobody has killed yet are counted, as in Redis.
    auditor.agree(auditor.number({"DBSIZE"}) >= size_of(keys), "DBSIZE fits KEYS");
    auditor.agree(scanned_keys(auditor) == std::set<std::string>(keys.begin(), keys.end()),
                  "SCAN meets the keys that KEYS names");
    text += "db" + std::to_string(db) + "\n";
    for (const std::string& key : keys) {
      text += key_picture(auditor, key);
    }
  }
  return text;
}

void RespPlay::audit() {
  node_.store.set_full(false);
  server_->pause() = {};
  const std::string before = picture();
  for (auto& session : sessions_) {
    session.reset();
  }
  server_.reset();
  node_.restart();
  server_ = std::make_unique<resp::Server>(node_, small_limits);
  const std::string after = picture();
  promise(before == after, "a restart changes nothing", {before}, after);
  for (std::size_t client = 0; client < clients; ++client) {
    connect(client);
  }
}

}  // namespace starling::fuzz
