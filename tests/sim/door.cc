#include "tests/sim/door.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "server/resp/command_keys.h"
#include "server/resp/server.h"
#include "server/resp/session.h"
#include "tests/sim/door_command.h"
#include "tests/sim/fiber_command.h"
#include "tests/sim/timeline.h"

namespace starling::sim {
namespace {

using wire::ErrorCode;
using wire::Result;

void put_request(std::string& out, const Words& words) {
  out += "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
}

// Redis tells errors apart by their text; the checkers by what is meant.
wire::Error error_of(std::string_view text) {
  const auto says = [&](std::string_view part) {
    return text.find(part) != std::string_view::npos;
  };
  const ErrorCode code = text.starts_with("WRONGTYPE")                    ? ErrorCode::wrong_type
                         : text.starts_with("LOADING")                    ? ErrorCode::not_ready
                         : says("disk is nearly full")                    ? ErrorCode::no_space
                         : says("would overflow")                         ? ErrorCode::overflow
                         : says("not an integer") || says("not a number") ? ErrorCode::not_a_number
                                                                          : ErrorCode::bad_request;
  return {code, std::string(text)};
}

// Replies of RESP2. A list becomes a list of texts, whatever was in it.
class Replies {
 public:
  explicit Replies(std::string_view bytes) : rest_(bytes) {}

  // nullopt: it is not all there yet.
  std::optional<Result> next() {
    const auto head = line();
    if (!head) {
      return std::nullopt;
    }
    const std::string_view text = head->substr(1);
    switch (head->front()) {
      case '+':
        return text == "OK" ? Result(wire::Ok{}) : Result(std::string(text));
      case '-':
        return error_of(text);
      case ':':
        return number(text);
      case '$':
        return number(text) < 0 ? std::optional<Result>(wire::Nil{})
                                : as_result(bytes(static_cast<std::size_t>(number(text))));
      default:
        return number(text) < 0 ? std::optional<Result>(wire::Nil{})
                                : list(static_cast<std::size_t>(number(text)));
    }
  }
  std::optional<std::vector<Result>> one() {
    auto one = next();
    return one ? std::optional(std::vector<Result>{std::move(*one)}) : std::nullopt;
  }
  // The same for the answer to EXEC: the replies in it.
  std::optional<std::vector<Result>> many() {
    if (!rest_.starts_with('*') || rest_.starts_with("*-1")) {
      return one();
    }
    const auto head = line();
    std::vector<Result> results;
    for (std::int64_t left = head ? number(head->substr(1)) : 0; left > 0; --left) {
      auto one = next();
      if (!one) {
        return std::nullopt;
      }
      results.push_back(std::move(*one));
    }
    return head ? std::optional(std::move(results)) : std::nullopt;
  }

 private:
  static std::int64_t number(std::string_view digits) {
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  }
  static std::optional<Result> as_result(std::optional<std::string> text) {
    return text ? std::optional<Result>(std::move(*text)) : std::nullopt;
  }
  std::optional<std::string_view> line() {
    const std::size_t end = rest_.find("\r\n");
    if (end == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    return line;
  }
  std::optional<std::string> bytes(std::size_t count) {
    if (rest_.size() < count + 2) {
      return std::nullopt;
    }
    std::string bytes(rest_.substr(0, count));
    rest_.remove_prefix(count + 2);
    return bytes;
  }
  std::optional<Result> list(std::size_t count) {
    std::vector<std::string> texts;
    for (; count > 0; --count) {
      auto one = next();
      if (!one) {
        return std::nullopt;
      }
      if (auto* text = std::get_if<std::string>(&*one)) {
        texts.push_back(std::move(*text));
      } else if (const auto* integer = std::get_if<std::int64_t>(&*one)) {
        texts.push_back(std::to_string(*integer));
      } else if (auto* inner = std::get_if<std::vector<std::string>>(&*one)) {
        std::ranges::move(*inner, std::back_inserter(texts));
      } else {
        texts.emplace_back(std::holds_alternative<wire::Ok>(*one) ? "OK" : "nil");
      }
    }
    return texts;
  }

  std::string_view rest_;
};

// What comes in no particular order is put into one.
void sort_reply(const Words& words, Result& result) {
  auto* list = std::get_if<std::vector<std::string>>(&result);
  if (list == nullptr) {
    return;
  }
  const std::string name = resp::upper_case(words.front());
  if (name == "SMEMBERS" || name == "KEYS" || name == "HKEYS" || name == "SUNION") {
    std::ranges::sort(*list);
  } else if (name == "HGETALL") {
    std::vector<std::pair<std::string, std::string>> fields;
    for (std::size_t i = 0; i + 1 < list->size(); i += 2) {
      fields.emplace_back(std::move((*list)[i]), std::move((*list)[i + 1]));
    }
    std::ranges::sort(fields);
    list->clear();
    for (auto& [field, value] : fields) {
      list->push_back(std::move(field));
      list->push_back(std::move(value));
    }
  }
}

}  // namespace

// Its turns come when they are due: those of most commands soon, those of some after others have
// had time for much.
class Door::LongCommand final : public FiberCommand {
 public:
  LongCommand(Door& door, Work work, Clock clock, const Pace& pace)
      : FiberCommand(std::move(work), std::move(clock), pace,
                     [&door, most = door.random_.between(2, 40)] {
                       return static_cast<std::size_t>(door.random_.between(1, most));
                     }),
        door_(door),
        run_(door.begin_long()),
        pause_us_(longest_pause_us(door.random_)) {
    wait();
  }

  bool take_turn() override {
    const replica::Now now = door_.shell_.now();
    if (now.monotonic_us < due_us_) {
      return false;
    }
    run_->before = door_.own();
    run_->times_ms.push_back(door_.replica_.expiry_ms(now));
    const bool ended = FiberCommand::take_turn();
    const bool is_its_answers = ended && run_->parts == 0 && !run_->abandoned;
    if (door_.own() > run_->before && !is_its_answers) {
      door_.wrote_part(run_);
    }
    if (!ended) {
      wait();
    }
    return ended;
  }

 private:
  static std::uint64_t longest_pause_us(Random& random) {
    return random.chance(0.5) ? 4 * ms : random.chance(0.5) ? 150 * ms : 1'500 * ms;
  }
  void wait() {
    const std::uint64_t most_us = std::min(pause_us_, door_.in_turns_->longest_pause_us);
    const std::uint64_t delay_us = door_.random_.between(200, most_us);
    due_us_ = door_.shell_.now().monotonic_us + delay_us;
    door_.shell_.wake(delay_us);
  }

  Door& door_;
  std::shared_ptr<LongRun> run_;
  std::uint64_t pause_us_;
  std::uint64_t due_us_ = 0;
};

class Door::Node final : public resp::Backend {
 public:
  explicit Node(Door& door) : door_(door), server_(*this, options(door)) {}

  [[nodiscard]] resp::Server& server() { return server_; }

  [[nodiscard]] replica::Replica& replica() override { return door_.replica_; }
  [[nodiscard]] replica::Now now() const override { return door_.shell_.now(); }
  // Without bytes: a session has said something, and no other has run since.
  void want_tick(std::size_t bytes) override {
    if (bytes == 0) {
      (void)server_.take_outspoken();  // or it would not tell us of its next reply
      door_.look();
    }
  }
  void wake_by(std::uint64_t) override {}
  [[nodiscard]] bool tick_is_full() const override { return door_.replica_.tick_full(); }
  [[nodiscard]] std::uint64_t random() override { return door_.random_.next(); }
  [[nodiscard]] resp::NodeFacts facts() const override { return {}; }
  void shut_down() override {}

 private:
  static resp::Options options(Door& door) {
    resp::Options options;
    if (door.in_turns_) {
      options.long_cells = door.in_turns_->long_cells;
      options.pace.part_ops = door.in_turns_->part_ops;
      options.start_long = [&door](resp::LongCommand::Work work, resp::LongCommand::Clock clock,
                                   resp::LongCommand::Pace pace) {
        return std::make_unique<LongCommand>(door, std::move(work), std::move(clock), pace);
      };
    }
    return options;
  }

  Door& door_;
  resp::Server server_;
};

struct Door::Connection {
  explicit Connection(resp::Server& server) : session(server, "client", "node") {}
  resp::Session session;
  std::uint8_t db = 0;
};

Door::Door(replica::Replica& replica, Shell shell, const std::optional<InTurns>& in_turns,
           std::uint64_t seed)
    : replica_(replica),
      self_(replica.view(shell.now()).origin),
      shell_(std::move(shell)),
      in_turns_(in_turns),
      random_(seed),
      node_(std::make_unique<Node>(*this)) {}

Door::~Door() = default;

void Door::ask(replica::RequestId id, const wire::Request& request) {
  bury();
  auto connection = request.id == 0 ? nullptr : kept_[request.id];
  if (connection == nullptr) {
    connection = std::make_shared<Connection>(node_->server());
    if (request.id != 0) {
      kept_[request.id] = connection;
    }
  }
  Asked asked{connection, request.commands, 1, own(), nullptr};
  std::string bytes;
  const std::uint8_t db = request.commands.front().db;
  if (connection->db != db) {
    connection->db = db;
    put_request(bytes, {"SELECT", std::to_string(db)});
    ++asked.replies;
  }
  const bool multi = request.commands.size() > 1;
  if (multi) {
    put_request(bytes, {"MULTI"});
  }
  for (const wire::Command& command : request.commands) {
    put_request(bytes, command.args);
  }
  if (multi) {
    put_request(bytes, {"EXEC"});
    asked.replies += request.commands.size() + 1;
  }
  asked_.emplace(id, std::move(asked));
  connection->session.received(bytes);
}

// What only reads ends with its client, what writes does not.
void Door::give_up(replica::RequestId id) {
  if (const auto asked = asked_.find(id); asked != asked_.end()) {
    if (asked->second.run != nullptr) {
      asked->second.run->abandoned = true;
    }
    asked->second.connection->session.abandon();
    graveyard_.push_back(asked->second.connection);
    asked_.erase(asked);
  }
}

void Door::bury() {
  std::erase_if(graveyard_, [](const auto& one) { return !one->session.works(); });
}

void Door::go_on() {
  bury();
  for (auto& [id, asked] : asked_) {
    asked.before = own();
  }
  node_->server().go_on();
}

// ---------------------------------------------------------------- commands in turns

// Of the one session that has begun to work since the last was met.
std::shared_ptr<LongRun> Door::begin_long() {
  auto run = std::make_shared<LongRun>();
  run->begun_at = replica_.applied();
  const auto asked = std::ranges::find_if(asked_, [](const auto& one) {
    return one.second.run == nullptr && one.second.connection->session.works();
  });
  if (asked != asked_.end()) {
    run->id = asked->first;
    asked->second.run = run;
  }
  return run;
}

void Door::wrote_part(const std::shared_ptr<LongRun>& run) {
  ++run->parts;
  DoorAnswer part;
  part.id = run->id;
  part.response.token = replica_.applied();
  part.before = run->before;
  part.run = run;
  part.is_part = true;
  answers_.push_back(std::move(part));
}

bool Door::works() const {
  return std::ranges::any_of(
             asked_, [](const auto& one) { return one.second.connection->session.works(); }) ||
         std::ranges::any_of(graveyard_, [](const auto& one) { return one->session.works(); });
}

bool Door::works_for(replica::RequestId id) const {
  const auto asked = asked_.find(id);
  return asked != asked_.end() && asked->second.connection->session.works();
}

bool Door::writes_locked_key(const wire::Request& request) const {
  const replica::KeyLocks& locks = replica_.locks();
  return locks.any() && std::ranges::any_of(request.commands, [&](const wire::Command& command) {
           const std::vector<std::string_view> words(command.args.begin(), command.args.end());
           const resp::Command* known = node_->server().registry().find(words.front());
           return known != nullptr && known->facts->has(resp::flag::write) &&
                  std::ranges::any_of(
                      resp::places_of_keys(*known->facts, words), [&](std::size_t place) {
                        return !locks.allows(words[place], replica::KeyLocks::Use::write);
                      });
         });
}

void Door::look() {
  for (auto it = asked_.begin(); it != asked_.end();) {
    Asked& asked = it->second;
    Replies replies(asked.connection->session.output());
    bool complete = true;
    for (std::size_t i = 1; i < asked.replies && complete; ++i) {
      complete = replies.next().has_value();
    }
    auto results = !complete                   ? std::nullopt
                   : asked.commands.size() > 1 ? replies.many()
                                               : replies.one();
    if (!results) {
      ++it;
      continue;
    }
    for (std::size_t i = 0; i < std::min(results->size(), asked.commands.size()); ++i) {
      sort_reply(asked.commands[i].args, (*results)[i]);
    }
    DoorAnswer answer;
    answer.id = it->first;
    answer.response.token = replica_.applied();
    answer.response.results = std::move(*results);
    answer.before = asked.run != nullptr ? asked.run->before : asked.before;
    answer.expiry_ms = replica_.expiry_ms(shell_.now());
    answer.run = asked.run;
    answers_.push_back(std::move(answer));
    asked.connection->session.output().clear();
    graveyard_.push_back(asked.connection);
    it = asked_.erase(it);
  }
  for (auto& [id, asked] : asked_) {
    asked.before = own();
  }
}

std::vector<DoorAnswer> Door::take_answers() { return std::exchange(answers_, {}); }

}  // namespace starling::sim
