#include "server/resp/glob.h"

#include <algorithm>
#include <optional>

namespace starling::resp {
namespace {

unsigned char take(std::string_view& rest) {
  const auto c = static_cast<unsigned char>(rest.front());
  rest.remove_prefix(1);
  return c;
}

// Redis compares the ends of a range as signed characters.
int rank(unsigned char c) { return static_cast<signed char>(c); }

}  // namespace

Glob::Glob(std::string_view pattern) : everything_(pattern == "*") {
  for (std::string_view rest = pattern; !rest.empty();) {
    const unsigned char c = take(rest);
    if (c == '*') {
      if (tokens_.empty() || tokens_.back().kind != Kind::any_run) {
        tokens_.push_back({Kind::any_run});
      }
    } else if (c == '?') {
      tokens_.push_back({Kind::any_one});
    } else if (c == '[') {
      read_class(rest);
    } else {
      tokens_.push_back({Kind::one, c == '\\' && !rest.empty() ? take(rest) : c});
    }
  }
}

void Glob::read_class(std::string_view& rest) {
  Class members;
  const bool inverted = rest.starts_with('^');
  rest.remove_prefix(inverted ? 1 : 0);
  while (!rest.empty()) {
    unsigned char c = take(rest);
    if (c == '\\' && !rest.empty()) {
      members.set(take(rest));
    } else if (c == ']') {
      break;
    } else if (rest.size() >= 2 && rest[0] == '-') {
      take(rest);
      const auto [low, high] = std::minmax({rank(c), rank(take(rest))});
      for (int i = low; i <= high; ++i) {
        members.set(static_cast<unsigned char>(i));
      }
    } else {
      members.set(c);
    }
  }
  tokens_.push_back({Kind::one_of, 0, classes_.size()});
  classes_.push_back(inverted ? ~members : members);
}

bool Glob::fits(const Token& token, unsigned char c) const {
  switch (token.kind) {
    case Kind::one:
      return token.character == c;
    case Kind::any_one:
      return true;
    case Kind::one_of:
      return classes_[token.of_class].test(c);
    case Kind::any_run:
      break;
  }
  return false;
}

bool Glob::matches(std::string_view text) const {
  if (everything_ || text.empty()) {
    return everything_ || tokens_.empty();
  }
  std::size_t token = 0;
  std::size_t at = 0;
  std::optional<std::size_t> after_star;  // the token behind the last star that was met
  std::size_t resume = 0;                 // where that star's run ends for now
  while (at < text.size()) {
    if (token < tokens_.size() && tokens_[token].kind == Kind::any_run) {
      after_star = ++token;
      resume = at;
    } else if (token < tokens_.size() &&
               fits(tokens_[token], static_cast<unsigned char>(text[at]))) {
      ++token;
      ++at;
    } else if (after_star && *after_star < tokens_.size()) {
      token = *after_star;
      at = ++resume;
    } else if (after_star) {
      return true;  // the pattern ends with a star
    } else {
      return false;
    }
  }
  while (token < tokens_.size() && tokens_[token].kind == Kind::any_run) {
    ++token;
  }
  return token == tokens_.size();
}

}  // namespace starling::resp
