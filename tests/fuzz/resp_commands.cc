#include "tests/fuzz/resp_commands.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <span>

namespace starling::fuzz {
namespace {

using resp::CommandFacts;
using Words = std::vector<std::string>;

using Commands = std::vector<const CommandFacts*>;

const Commands& every_command() {
  static const Commands commands = [] {
    Commands all;
    for (const CommandFacts& facts : resp::command_table()) {
      all.push_back(&facts);
      for (const CommandFacts& subcommand : facts.subcommands) {
        all.push_back(&subcommand);
      }
    }
    return all;
  }();
  return commands;
}

// Half of the table is about connections and servers, which is not where most of the code is.
const Commands& commands_on_data() {
  static const Commands commands = [] {
    Commands all = every_command();
    std::erase_if(all, [](const CommandFacts* facts) {
      return facts->group > resp::Group::transactions || facts->first_key == 0;
    });
    return all;
  }();
  return commands;
}

template <std::size_t size>
std::string one_of(Choices& choices, const std::array<std::string_view, size>& pool) {
  return std::string(pool[choices.below(size)]);
}

// ---------------------------------------------------------------- words

std::string integer(Choices& choices) {
  constexpr std::array<std::string_view, 24> pool{
      "0",   "1",          "2",         "3",
      "10",  "100",        "-1",        "-2",
      "-3",  "7",          "1000",      "4294967295",
      "-10", "2147483647", "-100",      "9223372036854775807",
      "5",   "4",          "00",        "-9223372036854775808",
      "",    "1x",         "536870912", "9223372036854775808"};
  return one_of(choices, pool);
}

std::string decimal(Choices& choices) {
  constexpr std::array<std::string_view, 16> pool{
      "1",   "0.1",  "-2.5", "inf",    "-inf", "3",      "1e308", "-1e308",
      "1e2", "0x10", "-0",   "5e-324", "nan",  "1e5000", "",      "0.30000000000000004"};
  return one_of(choices, pool);
}

std::string bound(Choices& choices) {
  constexpr std::array<std::string_view, 16> pool{"-inf", "+inf",  "0",   "(1",   "2",   "-1",
                                                  "10",   "(-inf", "[a",  "(a",   "[m2", "-",
                                                  "+",    "(",     "nan", "[\xff"};
  return one_of(choices, pool);
}

// A name that the object's family shares, or now and then that of another.
std::string key(Choices& choices, resp::Group group) {
  const auto family = static_cast<std::size_t>(group);
  constexpr std::size_t families = 5;  // string … sorted_set
  const std::size_t of = family < families && !choices.one_in(4) ? family : choices.below(families);
  std::string name{"sghez"[of]};
  name += std::to_string(choices.below(4));
  return name;
}

std::string text(Choices& choices) {
  switch (choices.below(8)) {
    case 0:
      return "m" + std::to_string(choices.below(16));
    case 1:
      return integer(choices);
    case 2:
      return decimal(choices);
    case 3:
      return "a";
    case 4:
      return std::string(choices.bytes(32));
    case 5:
      return std::string(choices.below(300), static_cast<char>(choices.byte()));
    case 6:
      return {};
    default:
      return "m" + std::to_string(choices.below(1024));
  }
}

std::string pattern(Choices& choices) {
  constexpr std::array<std::string_view, 8> pool{"*",     "s*",  "?1",       "[^s]*",
                                                 "[a-z]", "\\*", "*a*a*a*b", "h[0-9"};
  return choices.one_in(8) ? text(choices) : one_of(choices, pool);
}

std::string any(Choices& choices) { return choices.one_in(3) ? integer(choices) : text(choices); }

bool begins(std::string_view text, std::string_view with) { return text.starts_with(with); }

// ---------------------------------------------------------------- syntax

// Reads a line such as "key [count [WITHVALUES]]" and writes words that fit it.
class Syntax {
 public:
  Syntax(const CommandFacts& facts, Choices& choices, Words& words)
      : group_(facts.group), rest_(facts.arguments), choices_(choices), words_(words) {}

  void write() { sequence(true); }

 private:
  // To the end of the line, or to the bracket that closes it.
  void sequence(bool wanted) {
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (c == ']') {
        return;
      }
      if (c == ' ' || c == '|') {
        rest_.remove_prefix(1);
      } else if (c == '[') {
        rest_.remove_prefix(1);
        option(wanted);
      } else {
        word(wanted);
      }
    }
  }

  // "[…]": left out, or written, or written several times where it says "...".
  void option(bool wanted) {
    const std::string_view inside = rest_.substr(0, closing());
    const bool repeated = inside.ends_with(" ...");
    std::size_t times = !wanted ? 0 : choices_.below(2);
    if (repeated && wanted) {
      times = begins(inside, "key") && keys_left_ > 0 ? keys_left_ - 1 : choices_.below(4);
    }
    const std::string_view after = rest_.substr(inside.size());
    for (; times > 0; --times) {
      alternatives(repeated ? inside.substr(0, inside.size() - 4) : inside);
    }
    rest_ = after;
    if (!rest_.empty()) {
      rest_.remove_prefix(1);  // ]
    }
  }

  [[nodiscard]] std::size_t closing() const {
    std::size_t open = 0;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      open += rest_[i] == '[' ? 1 : 0;
      if (rest_[i] == ']' && open-- == 0) {
        return i;
      }
    }
    return rest_.size();
  }

  // "EX seconds|PX milliseconds" are two sequences; "TYPE normal|master" is one, with a choice in
  // it.
  void alternatives(std::string_view inside) {
    std::vector<std::string_view> parts;
    std::size_t depth = 0;
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= inside.size(); ++i) {
      if (i == inside.size() || (inside[i] == '|' && depth == 0)) {
        parts.push_back(inside.substr(begin, i - begin));
        begin = i + 1;
      } else {
        depth += inside[i] == '[' ? 1 : 0;
        depth -= inside[i] == ']' ? 1 : 0;
      }
    }
    const bool sequences = std::ranges::all_of(parts, [](std::string_view part) {
      return !part.empty() && std::isupper(static_cast<unsigned char>(part.front())) != 0;
    });
    rest_ = sequences ? parts[choices_.below(parts.size())] : inside;
    sequence(true);
  }

  void word(bool wanted) {
    const std::size_t end = std::min(rest_.find_first_of(" []"), rest_.size());
    std::string_view one = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (!wanted) {
      return;
    }
    std::vector<std::string_view> choices;
    while (!one.empty()) {
      const std::size_t bar = std::min(one.find('|'), one.size());
      choices.push_back(one.substr(0, bar));
      one.remove_prefix(std::min(bar + 1, one.size()));
    }
    words_.push_back(meant(choices[choices_.below(choices.size())]));
  }

  // What a word of the syntax stands for.
  std::string meant(std::string_view name) {
    if (choices_.one_in(32)) {
      return any(choices_);
    }
    if (std::isupper(static_cast<unsigned char>(name.front())) != 0) {
      return std::string(name);
    }
    if (begins(name, "key") || name == "source" || name == "destination" || name == "newkey") {
      return key(choices_, group_);
    }
    if (name == "numkeys") {
      keys_left_ = 1 + choices_.below(3);
      return choices_.one_in(8) ? integer(choices_) : std::to_string(keys_left_);
    }
    if (begins(name, "unix-")) {
      constexpr std::array<std::string_view, 6> pool{"1790000010",    "1790000010000", "1",
                                                     "1789999999000", "1790000000001", "-1"};
      return choices_.one_in(4) ? integer(choices_) : one_of(choices_, pool);
    }
    if (name == "score" || name == "weight" || name == "increment" || name == "decrement") {
      return choices_.one_in(2) ? integer(choices_) : decimal(choices_);
    }
    if (name == "min" || name == "max") {
      return bound(choices_);
    }
    if (name == "pattern" || name == "parameter") {
      return pattern(choices_);
    }
    if (name == "channel") {
      return std::string{"abc"[choices_.below(3)]};
    }
    if (name == "member" || name == "field" || name == "value" || name == "message") {
      return text(choices_);
    }
    if (name == "seconds" || name == "milliseconds") {
      return choices_.one_in(4) ? integer(choices_) : std::to_string(1 + choices_.below(2000));
    }
    if (name == "protover") {
      return choices_.one_in(4) ? integer(choices_) : std::to_string(2 + choices_.below(2));
    }
    if (name == "username") {
      return "default";
    }
    if (name == "command") {
      const Commands& all = every_command();
      return std::string(all[choices_.below(all.size())]->name);
    }
    return any(choices_);
  }

  resp::Group group_;
  std::string_view rest_;
  Choices& choices_;
  Words& words_;
  std::size_t keys_left_ = 0;
};

}  // namespace

std::vector<std::string> draw_command(Choices& choices) {
  const Commands& drawn_from = choices.one_in(4) ? every_command() : commands_on_data();
  const CommandFacts& facts = *drawn_from[choices.below(drawn_from.size())];
  Words words;
  const std::size_t bar = facts.name.find('|');
  words.emplace_back(facts.name.substr(0, bar));
  if (bar != std::string_view::npos) {
    words.emplace_back(facts.name.substr(bar + 1));
  }
  Syntax(facts, choices, words).write();
  switch (choices.below(32)) {  // what a fool or a liar would say
    case 29:
      words.pop_back();
      break;
    case 30:
      words.push_back(any(choices));
      break;
    case 31:
      words[choices.below(words.size())] = any(choices);
      break;
    default:
      break;
  }
  if (words.empty() || words.front().empty()) {
    words = {"PING"};
  }
  return words;
}

}  // namespace starling::fuzz
