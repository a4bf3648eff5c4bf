// Strings and counters: one object with a register and the increments over it.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "crdt/deadline.h"
#include "crdt/string.h"
#include "server/replica/valued.h"
#include "server/resp/commands/families.h"
#include "server/resp/expire_time.h"

namespace starling::resp {
namespace {

using replica::Object;
using replica::Valued;

std::string text_of(const Object& object) { return Valued::string(object).text().value_or(""); }

void reply_text(const Call& call, const Object& object) {
  if (const std::string* plain = Valued::plain_text(object)) {
    call.reply.bulk(*plain);
    return;
  }
  const auto text = Valued::string(object).text();
  text ? call.reply.bulk(*text) : call.reply.nil();
}

// The string under a key, or nullopt and the error is answered.
std::optional<Object> string_at(Call& call, std::string_view key) {
  return call.object(key, ObjectType::string);
}

// A write of the whole value that leaves the deadline.
void rewrite(Object& object, std::string value) {
  object.create(ObjectType::string);
  Valued::assign_string(object, std::move(value));
}

void replace(Object& object, std::string_view value, bool keep_deadline = false) {
  object.clear_for(ObjectType::string, keep_deadline);
  Valued::assign_string(object, std::string(value));
}

// ---------------------------------------------------------------- reading

void get(Call& call) {
  if (const auto object = string_at(call, call[1])) {
    reply_text(call, *object);
  }
}

void mget(Call& call) {
  call.reply.array(call.size() - 1);
  for (std::size_t i = 1; i < call.size(); ++i) {
    const Object object = call.object(call[i]);
    if (object.type() == ObjectType::string) {
      reply_text(call, object);
    } else {
      call.reply.nil();
    }
  }
}

void strlen_(Call& call) {
  if (const auto object = string_at(call, call[1])) {
    call.reply.integer(static_cast<std::int64_t>(text_of(*object).size()));
  }
}

void getrange(Call& call) {
  const auto start = call.integer(2);
  const auto stop = start ? call.integer(3) : std::nullopt;
  if (!stop) {
    return;
  }
  const auto object = string_at(call, call[1]);
  if (!object) {
    return;
  }
  const std::string text = text_of(*object);
  const auto size = static_cast<std::int64_t>(text.size());
  std::int64_t from = *start;
  std::int64_t to = *stop;
  if (from < 0 && to < 0 && from > to) {
    call.reply.bulk("");
    return;
  }
  from = std::max<std::int64_t>(from < 0 ? size + from : from, 0);
  to = std::min(std::max<std::int64_t>(to < 0 ? size + to : to, 0), size - 1);
  if (from > to || size == 0) {
    call.reply.bulk("");
    return;
  }
  call.reply.bulk(std::string_view(text).substr(static_cast<std::size_t>(from),
                                                static_cast<std::size_t>(to - from + 1)));
}

// ---------------------------------------------------------------- writing

struct SetOptions {
  bool if_absent = false;
  bool if_present = false;
  bool get = false;
  bool keep_deadline = false;
  std::optional<ExpireUnit> unit;
  std::size_t time = 0;  // argument
};

std::optional<SetOptions> set_options(const Call& call) {
  SetOptions options;
  for (std::size_t i = 3; i < call.size(); ++i) {
    const std::string_view word = call[i];
    if (is_word(word, "NX") && !options.if_present) {
      options.if_absent = true;
    } else if (is_word(word, "XX") && !options.if_absent) {
      options.if_present = true;
    } else if (is_word(word, "GET")) {
      options.get = true;
    } else if (is_word(word, "KEEPTTL") && !options.unit) {
      options.keep_deadline = true;
    } else if (const auto unit = expire_option(word);
               unit && !options.unit && !options.keep_deadline && i + 1 < call.size()) {
      options.unit = unit;
      options.time = ++i;
    } else {
      call.syntax_error();
      return std::nullopt;
    }
  }
  return options;
}

void set(Call& call) {
  const auto options = set_options(call);
  if (!options) {
    return;
  }
  std::optional<std::int64_t> deadline;
  if (options->unit) {
    deadline = expire_time(call, options->time, *options->unit, true);
    if (!deadline) {
      return;
    }
  }
  Object object = call.object(call[1]);
  if (options->get) {
    if (!object.is(ObjectType::string)) {
      call.wrong_type();
      return;
    }
    reply_text(call, object);
  }
  if ((options->if_absent && object.exists()) || (options->if_present && !object.exists())) {
    if (!options->get) {
      call.reply.nil();
    }
    return;
  }
  if (deadline && *deadline <= call.tx->now_ms()) {
    object.erase();  // it would have expired already
  } else {
    replace(object, call[2], options->keep_deadline);
    if (deadline) {
      object.expire_at(*deadline);
    }
  }
  if (!options->get) {
    call.reply.ok();
  }
}

void setnx(Call& call) {
  Object object = call.object(call[1]);
  if (object.exists()) {
    call.reply.integer(0);
    return;
  }
  replace(object, call[2]);
  call.reply.integer(1);
}

void set_with_time(Call& call, ExpireUnit unit) {
  const auto deadline = expire_time(call, 2, unit, true);
  if (!deadline) {
    return;
  }
  Object object = call.object(call[1]);
  replace(object, call[3]);
  object.expire_at(*deadline);
  call.reply.ok();
}

void setex(Call& call) { set_with_time(call, {.seconds = true}); }
void psetex(Call& call) { set_with_time(call, {.seconds = false}); }

void getset(Call& call) {
  if (auto object = string_at(call, call[1])) {
    reply_text(call, *object);
    replace(*object, call[2]);
  }
}

void getdel(Call& call) {
  if (auto object = string_at(call, call[1])) {
    reply_text(call, *object);
    object->erase();
  }
}

void getex(Call& call) {
  std::optional<ExpireUnit> unit;
  bool persist = false;
  for (std::size_t i = 2; i < call.size(); ++i) {
    const auto given = expire_option(call[i]);
    if (given && !unit && !persist && i + 1 < call.size()) {
      unit = given;
      ++i;
    } else if (is_word(call[i], "PERSIST") && !unit && !persist) {
      persist = true;
    } else {
      call.syntax_error();
      return;
    }
  }
  auto object = string_at(call, call[1]);
  if (!object) {
    return;
  }
  if (!object->exists()) {
    call.reply.nil();
    return;
  }
  std::optional<std::int64_t> deadline;
  if (unit) {
    deadline = expire_time(call, 3, *unit, true);
    if (!deadline) {
      return;
    }
  }
  reply_text(call, *object);
  if (deadline && *deadline <= call.tx->now_ms()) {
    object->erase();
  } else if (deadline) {
    object->expire_at(*deadline);
  } else if (persist && object->deadline()) {
    object->expire_at(never_expires);
  }
}

void mset(Call& call) {
  if (call.size() % 2 == 0) {
    call.wrong_arity();
    return;
  }
  for (std::size_t i = 1; i < call.size(); i += 2) {
    Object object = call.object(call[i]);
    replace(object, call[i + 1]);
  }
  call.reply.ok();
}

void msetnx(Call& call) {
  if (call.size() % 2 == 0) {
    call.wrong_arity();
    return;
  }
  for (std::size_t i = 1; i < call.size(); i += 2) {
    if (call.object(call[i]).exists()) {
      call.reply.integer(0);
      return;
    }
  }
  for (std::size_t i = 1; i < call.size(); i += 2) {
    Object object = call.object(call[i]);
    replace(object, call[i + 1]);
  }
  call.reply.integer(1);
}

void append(Call& call) {
  auto object = string_at(call, call[1]);
  if (!object) {
    return;
  }
  std::string text = text_of(*object);
  if (!call.value_fits(text.size() + call[2].size())) {
    return;
  }
  text.append(call[2]);
  const auto size = static_cast<std::int64_t>(text.size());
  rewrite(*object, std::move(text));
  call.reply.integer(size);
}

void setrange(Call& call) {
  const auto offset = call.integer(2);
  if (!offset) {
    return;
  }
  if (*offset < 0) {
    call.reply.error("ERR offset is out of range");
    return;
  }
  auto object = string_at(call, call[1]);
  if (!object) {
    return;
  }
  std::string text = text_of(*object);
  const std::string_view patch = call[3];
  if (patch.empty()) {
    call.reply.integer(static_cast<std::int64_t>(text.size()));
    return;
  }
  const auto at = static_cast<std::size_t>(*offset);
  if (!call.value_fits(at + patch.size())) {
    return;
  }
  text.resize(std::max(text.size(), at + patch.size()), '\0');
  std::ranges::copy(patch, text.begin() + *offset);
  const auto size = static_cast<std::int64_t>(text.size());
  rewrite(*object, std::move(text));
  call.reply.integer(size);
}

// ---------------------------------------------------------------- counting

void add(Call& call, std::int64_t delta) {
  auto object = string_at(call, call[1]);
  if (!object) {
    return;
  }
  Valued value = Valued::string(*object);
  const auto before = value.view().integer();
  if (!before || value.view().hides_increments()) {
    call.not_an_integer();
    return;
  }
  const Int128 sum = static_cast<Int128>(*before) + delta;
  if (sum != saturate(sum)) {
    call.reply.error("ERR increment or decrement would overflow");
    return;
  }
  object->create(ObjectType::string);
  value.add(Total::of(delta));
  call.reply.integer(static_cast<std::int64_t>(sum));
}

void incr(Call& call) { add(call, 1); }
void decr(Call& call) { add(call, -1); }

void incrby(Call& call) {
  if (const auto delta = call.integer(2)) {
    add(call, *delta);
  }
}

void decrby(Call& call) {
  const auto delta = call.integer(2);
  if (!delta) {
    return;
  }
  if (*delta == std::numeric_limits<std::int64_t>::min()) {
    call.reply.error("ERR decrement would overflow");
    return;
  }
  add(call, -*delta);
}

void incrbyfloat(Call& call) {
  auto object = string_at(call, call[1]);
  if (!object) {
    return;
  }
  Valued value = Valued::string(*object);
  const auto before = parse_long(value.text().value_or("0"));
  const auto delta = before ? parse_long(call[2]) : std::nullopt;
  if (!delta || value.view().hides_increments()) {
    call.not_a_float();
    return;
  }
  const auto exact = parse_decimal(call[2]);  // none: it is beyond what a double can hold
  if (!exact || !std::isfinite(static_cast<double>(*before + *delta))) {
    call.reply.error("ERR increment would produce NaN or Infinity");
    return;
  }
  object->create(ObjectType::string);
  value.add(Total::of_real(*exact));
  call.reply.bulk(text_of(*object));
}

// ---------------------------------------------------------------- longest common subsequence

struct LcsOptions {
  bool length = false;
  bool indexes = false;
  bool with_lengths = false;
  std::int64_t least = 0;
};

std::optional<LcsOptions> lcs_options(const Call& call) {
  LcsOptions options;
  for (std::size_t i = 3; i < call.size(); ++i) {
    if (is_word(call[i], "LEN")) {
      options.length = true;
    } else if (is_word(call[i], "IDX")) {
      options.indexes = true;
    } else if (is_word(call[i], "WITHMATCHLEN")) {
      options.with_lengths = true;
    } else if (is_word(call[i], "MINMATCHLEN") && i + 1 < call.size()) {
      const auto least = call.integer(++i);
      if (!least) {
        return std::nullopt;
      }
      options.least = std::max<std::int64_t>(*least, 0);
    } else {
      call.syntax_error();
      return std::nullopt;
    }
  }
  if (options.length && options.indexes) {
    call.reply.error("ERR If you want both the length and indexes, please just use IDX.");
    return std::nullopt;
  }
  return options;
}

// Wagner & Fischer's table of lengths for all pairs of prefixes, read backwards for one longest
// subsequence; of several, the one that Redis finds.
class LongestCommon {
 public:
  struct Match {
    std::size_t a_first, a_last, b_first, b_last;
    [[nodiscard]] std::size_t size() const { return a_last - a_first + 1; }
  };

  LongestCommon(std::string_view a, std::string_view b)
      : a_(a), b_(b), lengths_((a.size() + 1) * (b.size() + 1)) {
    for (std::size_t i = 1; i <= a.size(); ++i) {
      for (std::size_t j = 1; j <= b.size(); ++j) {
        at(i, j) =
            a[i - 1] == b[j - 1] ? at(i - 1, j - 1) + 1 : std::max(at(i - 1, j), at(i, j - 1));
      }
    }
  }

  [[nodiscard]] std::size_t length() const { return at(a_.size(), b_.size()); }

  // Runs of equal characters, the last one first.
  [[nodiscard]] std::vector<Match> matches() const {
    std::vector<Match> matches;
    std::size_t i = a_.size();
    std::size_t j = b_.size();
    bool open = false;  // the last run may still grow to the left
    while (i > 0 && j > 0) {
      if (a_[i - 1] == b_[j - 1]) {
        --i;
        --j;
        if (open && matches.back().a_first == i + 1 && matches.back().b_first == j + 1) {
          matches.back().a_first = i;
          matches.back().b_first = j;
        } else {
          matches.push_back({i, i, j, j});
          open = true;
        }
      } else {
        at(i - 1, j) > at(i, j - 1) ? --i : --j;
        open = false;
      }
    }
    return matches;
  }

 private:
  [[nodiscard]] std::uint32_t& at(std::size_t i, std::size_t j) {
    return lengths_[i * (b_.size() + 1) + j];
  }
  [[nodiscard]] std::uint32_t at(std::size_t i, std::size_t j) const {
    return lengths_[i * (b_.size() + 1) + j];
  }

  std::string_view a_;
  std::string_view b_;
  std::vector<std::uint32_t> lengths_;
};

void lcs(Call& call) {
  constexpr std::size_t most_pairs = 16u << 20;  // some 50 ms of everybody's time
  const Object first = call.object(call[1]);
  const Object second = call.object(call[2]);
  if (!first.is(ObjectType::string) || !second.is(ObjectType::string)) {
    call.reply.error("ERR The specified keys must contain string values");
    return;
  }
  const auto options = lcs_options(call);
  if (!options) {
    return;
  }
  const std::string a = text_of(first);
  const std::string b = text_of(second);
  if (a.size() >= most_pairs || b.size() >= most_pairs ||
      (a.size() + 1) * (b.size() + 1) > most_pairs) {
    call.reply.error("ERR the strings are too long for LCS: the product of their lengths may be " +
                     std::to_string(most_pairs));
    return;
  }
  const LongestCommon common(a, b);
  if (options->length) {
    call.reply.integer(static_cast<std::int64_t>(common.length()));
    return;
  }
  auto matches = common.matches();
  if (!options->indexes) {
    std::string text;
    for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
      text.append(a, match->a_first, match->size());
    }
    call.reply.bulk(text);
    return;
  }
  std::erase_if(matches, [&](const LongestCommon::Match& match) {
    return match.size() < static_cast<std::size_t>(options->least);
  });
  call.reply.map(2);
  call.reply.bulk("matches");
  call.reply.array(matches.size());
  for (const LongestCommon::Match& match : matches) {
    call.reply.array(options->with_lengths ? 3 : 2);
    call.reply.array(2);
    call.reply.integer(static_cast<std::int64_t>(match.a_first));
    call.reply.integer(static_cast<std::int64_t>(match.a_last));
    call.reply.array(2);
    call.reply.integer(static_cast<std::int64_t>(match.b_first));
    call.reply.integer(static_cast<std::int64_t>(match.b_last));
    if (options->with_lengths) {
      call.reply.integer(static_cast<std::int64_t>(match.size()));
    }
  }
  call.reply.bulk("len");
  call.reply.integer(static_cast<std::int64_t>(common.length()));
}

}  // namespace

std::span<const Binding> string_commands() {
  static constexpr std::array bindings{
      Binding{"get", get},         Binding{"set", set},
      Binding{"setnx", setnx},     Binding{"setex", setex},
      Binding{"psetex", psetex},   Binding{"getset", getset},
      Binding{"getdel", getdel},   Binding{"getex", getex},
      Binding{"mget", mget},       Binding{"mset", mset},
      Binding{"msetnx", msetnx},   Binding{"append", append},
      Binding{"strlen", strlen_},  Binding{"getrange", getrange},
      Binding{"substr", getrange}, Binding{"setrange", setrange},
      Binding{"lcs", lcs},         Binding{"incr", incr},
      Binding{"decr", decr},       Binding{"incrby", incrby},
      Binding{"decrby", decrby},   Binding{"incrbyfloat", incrbyfloat},
  };
  return bindings;
}

}  // namespace starling::resp
