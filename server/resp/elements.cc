#include "server/resp/elements.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <map>
#include <unordered_set>
#include <utility>

#include "crdt/sorted_set.h"
#include "crdt/string.h"
#include "server/replica/valued.h"
#include "server/resp/server.h"

namespace starling::resp {
namespace {

using replica::Object;
using replica::Tables;
using replica::Valued;

const DottedCell no_base;
const OriginTotals no_increments;

CellKind register_kind(ObjectType type) {
  switch (type) {
    case ObjectType::hash:
      return CellKind::hash_field;
    case ObjectType::sorted_set:
      return CellKind::scored_member;
    default:
      return CellKind::set_element;
  }
}

std::optional<CellKind> totals_kind(ObjectType type) {
  switch (type) {
    case ObjectType::hash:
      return CellKind::hash_totals;
    case ObjectType::sorted_set:
      return CellKind::scored_totals;
    default:
      return std::nullopt;
  }
}

using VisitCell = std::function<Tables::Walk(const CellName&, const CellValue&)>;

void for_each_cell(const Object& object, CellKind kind, Places places, const VisitCell& visit) {
  object.transaction().for_each(object.key(), CellName::first_at(kind, places.first), kind,
                                [&](const CellName& name, const CellValue& value) {
                                  if (name.place() > places.last) {
                                    return Tables::Walk::stop;
                                  }
                                  return is_present(value) ? visit(name, value) : Tables::Walk::on;
                                });
}

// Where the first `count` cells of a kind end, if more follow.
std::optional<std::uint32_t> end_of_first(const Object& object, CellKind kind, Places places,
                                          std::uint64_t count) {
  std::uint64_t seen = 0;
  std::uint32_t last = places.first;
  bool more = false;
  for_each_cell(object, kind, places, [&](const CellName& name, const CellValue&) {
    more = seen >= count && name.place() != last;
    ++seen;
    last = more ? last : name.place();
    return more ? Tables::Walk::stop : Tables::Walk::on;
  });
  return more ? std::optional(last) : std::nullopt;
}

}  // namespace

std::string Element::text() const { return StringView(base, increments).text().value_or(""); }
double Element::score() const { return ScoreView(base, increments).score().value_or(0); }

// ---------------------------------------------------------------- walks

void for_each_element(const Object& object, ObjectType type, const VisitElement& visit,
                      Places places) {
  if (!object.holds(type)) {
    return;
  }
  // Increments are the rarer half: they are kept while the registers pass by.
  std::map<CellName, OriginTotals> totals;
  const CellKind base_kind = register_kind(type);
  if (const auto kind = totals_kind(type)) {
    for_each_cell(object, *kind, places, [&](const CellName& name, const CellValue& value) {
      totals.emplace_hint(totals.end(), CellName(base_kind, name.subkey()),
                          std::get<OriginTotals>(value));
      return Tables::Walk::on;
    });
  }
  auto counted = totals.begin();
  const auto pass_until = [&](const CellName* name) {
    for (; counted != totals.end() && (name == nullptr || counted->first < *name); ++counted) {
      visit({counted->first.subkey(), no_base, counted->second});
    }
  };
  for_each_cell(object, base_kind, places, [&](const CellName& name, const CellValue& value) {
    pass_until(&name);
    const bool both = counted != totals.end() && counted->first == name;
    visit({name.subkey(), std::get<DottedCell>(value), both ? counted->second : no_increments});
    counted = both ? std::next(counted) : counted;
    return Tables::Walk::on;
  });
  pass_until(nullptr);
}

std::vector<std::string> element_names(const Object& object, ObjectType type) {
  std::vector<std::string> names;
  for_each_element(object, type, [&](const Element& element) { names.push_back(element.name); });
  return names;
}

// Everything the key shows goes as one kill, which needs no name.
void remove_elements(Object& object, ObjectType type, const std::vector<std::string>& names) {
  if (names.empty()) {
    return;
  }
  if (static_cast<std::int64_t>(names.size()) >= object.size(type) && object.holds_only(type)) {
    object.erase();
    return;
  }
  for (const std::string& name : names) {
    switch (type) {
      case ObjectType::hash:
        Valued::field(object, name).erase();
        break;
      case ObjectType::sorted_set:
        Valued::member(object, name).erase();
        break;
      default:
        object.transaction().remove(object.cell(CellKind::set_element, name),
                                    {.base = replica::Presence::present});
        break;
    }
  }
  object.settle(type);
}

// ---------------------------------------------------------------- cursors

std::optional<std::uint64_t> scan_cursor(const Call& call, std::size_t argument) {
  const std::string text(call[argument]);
  char* end = nullptr;
  errno = 0;
  const std::uint64_t cursor = std::strtoull(text.c_str(), &end, 10);
  const bool number = !text.empty() && std::isspace(static_cast<unsigned char>(text[0])) == 0 &&
                      end == text.c_str() + text.size() && errno == 0;
  if (!number) {
    call.reply.error("ERR invalid cursor");
    return std::nullopt;
  }
  return cursor;
}

bool pattern_fits(const Call& call, std::string_view pattern) {
  if (pattern.size() <= max_pattern_bytes) {
    return true;
  }
  call.reply.error("ERR the pattern has " + std::to_string(pattern.size()) +
                   " bytes; the limit is " + std::to_string(max_pattern_bytes));
  return false;
}

namespace {

struct ScanOptions {
  std::uint64_t count = 10;
  std::optional<Glob> match;
};

std::optional<ScanOptions> scan_options(const Call& call, std::size_t first) {
  ScanOptions options;
  for (std::size_t i = first; i < call.size(); i += 2) {
    if (is_word(call[i], "COUNT") && i + 1 < call.size()) {
      const auto count = call.integer(i + 1);
      if (!count) {
        return std::nullopt;
      }
      if (*count < 1) {
        call.syntax_error();
        return std::nullopt;
      }
      options.count = static_cast<std::uint64_t>(*count);
    } else if (is_word(call[i], "MATCH") && i + 1 < call.size()) {
      if (!pattern_fits(call, call[i + 1])) {
        return std::nullopt;
      }
      options.match.emplace(call[i + 1]);
    } else {
      call.syntax_error();
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace

// A cursor is the first place that is still to come. The page ends behind its COUNTth element or,
// if others share that place, behind the last of them.
void scan_elements(Call& call, ObjectType type, std::size_t parts,
                   const std::function<void(const Element&)>& reply) {
  const auto cursor = scan_cursor(call, 2);
  if (!cursor) {
    return;
  }
  const auto object = call.object(call[1], type);
  if (!object) {
    return;
  }
  const bool nothing = !object->exists();
  // As in Redis, the options after a key that does not exist are not looked at.
  const auto options = nothing ? ScanOptions{} : scan_options(call, 3);
  if (!options) {
    return;
  }
  constexpr std::uint64_t end = std::uint64_t{1} << 32U;
  Places places;
  bool more = false;
  if (!nothing && *cursor < end) {
    places.first = static_cast<std::uint32_t>(*cursor);
    for (const auto kind : {std::optional(register_kind(type)), totals_kind(type)}) {
      if (const auto last =
              kind ? end_of_first(*object, *kind, places, options->count) : std::nullopt) {
        places.last = std::min(places.last, *last);
        more = true;
      }
    }
    const auto matches = [&](const Element& element) {
      return !options->match || options->match->matches(element.name);
    };
    std::size_t found = 0;
    for_each_element(
        *object, type, [&](const Element& element) { found += matches(element) ? 1 : 0; }, places);
    call.reply.array(2);
    call.reply.bulk(std::to_string(more ? std::uint64_t{places.last} + 1 : 0));
    call.reply.array(found * parts);
    for_each_element(
        *object, type,
        [&](const Element& element) {
          if (matches(element)) {
            reply(element);
          }
        },
        places);
    return;
  }
  call.reply.array(2);
  call.reply.bulk("0");
  call.reply.array(0);
}

// ---------------------------------------------------------------- chance

namespace {

// A set of this size is walked as a whole: as dear as a few windows.
constexpr std::int64_t few = 64;
// Windows hold 4 to 8 elements on average. So many that a window of a million sets exceeds this
// bound once in some thousand million; the elements beyond it are then never chosen.
constexpr std::uint64_t window_bound = 32;
// A choice takes some eight tries. Somebody who picks names so that they share a place can make it
// fail for long; after so many tries any element will do.
constexpr int most_tries = 1000;

// No reply may hold more.
constexpr std::int64_t most_choices = 1 << 20;
constexpr std::size_t most_chosen_bytes = 256u << 20;

}  // namespace

std::uint64_t Chooser::below(std::uint64_t bound) {
  return call_.server.backend().random() % bound;
}

// Cuts the places into equal windows, chooses one of them and one of `window_bound` seats in it; if
// nobody sits there, chooses again. So every element is chosen as likely as every other.
std::string Chooser::pick() {
  unsigned bits = 0;  // there are 1 << bits windows
  while ((size_ >> bits) >= 8) {
    ++bits;
  }
  const auto seat = [&](Places window, std::uint64_t number) {
    std::optional<std::string> found;
    // The registers come first, then what has only been incremented; the order does not matter.
    for_each_cell(object_, register_kind(type_), window,
                  [&](const CellName& name, const CellValue&) {
                    if (number-- == 0) {
                      found = name.subkey();
                      return Tables::Walk::stop;
                    }
                    return Tables::Walk::on;
                  });
    const auto totals = found ? std::nullopt : totals_kind(type_);
    std::vector<std::string> counted;
    if (totals) {
      for_each_cell(object_, *totals, window, [&](const CellName& name, const CellValue&) {
        counted.push_back(name.subkey());
        return Tables::Walk::on;
      });
    }
    for (const std::string& name : counted) {
      if (!found &&
          is_present(object_.transaction().read(object_.cell(register_kind(type_), name)))) {
        continue;  // it had its seat as a register
      }
      if (!found && number-- == 0) {
        found = name;
      }
    }
    return found;
  };
  for (int tries = 0; tries < most_tries && !object_.transaction().error(); ++tries) {
    const auto window = static_cast<std::uint32_t>(below(std::uint64_t{1} << bits));
    const unsigned width = 32 - bits;
    const auto first = static_cast<std::uint32_t>(std::uint64_t{window} << width);
    const auto last = static_cast<std::uint32_t>(first + ((std::uint64_t{1} << width) - 1));
    if (auto found = seat({first, last}, below(window_bound))) {
      return std::move(*found);
    }
  }
  const auto from = static_cast<std::uint32_t>(below(std::uint64_t{1} << 32U));
  for (const Places places : {Places{.first = from}, Places{.last = from}}) {
    if (auto found = seat(places, 0)) {
      return std::move(*found);
    }
  }
  return {};  // the store has failed
}

std::optional<std::string> Chooser::one() {
  if (size_ <= 0) {
    return std::nullopt;
  }
  if (size_ > few) {
    return pick();
  }
  auto all = element_names(object_, type_);
  return all.empty() ? std::nullopt : std::optional(std::move(all[below(all.size())]));
}

std::vector<std::string> Chooser::different(std::uint64_t count) {
  const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(size_, 0));
  std::vector<std::string> chosen;
  if (count == 0) {
    return chosen;
  }
  // With most of them taken, chance would hit what it has already hit, again and again.
  if (size_ <= few || count >= size / 3) {
    chosen = element_names(object_, type_);
    for (std::size_t i = 0; i < count && i + 1 < chosen.size(); ++i) {
      std::swap(chosen[i], chosen[i + below(chosen.size() - i)]);
    }
    chosen.resize(std::min<std::uint64_t>(count, chosen.size()));
    return chosen;
  }
  std::unordered_set<std::string> taken;
  while (chosen.size() < count && !object_.transaction().error()) {
    std::string name = pick();
    if (taken.insert(name).second) {
      chosen.push_back(std::move(name));
    }
  }
  return chosen;
}

std::optional<std::vector<std::string>> Chooser::any(std::uint64_t count) {
  std::vector<std::string> chosen;
  if (size_ <= 0) {
    return chosen;
  }
  const bool one_by_one = size_ > few && count * 16 < static_cast<std::uint64_t>(size_);
  const auto all = one_by_one ? std::vector<std::string>{} : element_names(object_, type_);
  std::size_t bytes = 0;
  while (chosen.size() < count && (one_by_one || !all.empty()) && !object_.transaction().error()) {
    chosen.push_back(one_by_one ? pick() : all[below(all.size())]);
    bytes += chosen.back().size();
    if (bytes > most_chosen_bytes) {
      return std::nullopt;
    }
  }
  return chosen;
}

std::optional<std::int64_t> random_count(const Call& call, std::size_t argument) {
  const auto count = call.integer(argument);
  if (count == std::numeric_limits<std::int64_t>::min()) {
    call.reply.error(
        "ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807");
    return std::nullopt;
  }
  return count;
}

std::optional<std::vector<std::string>> choose(Call& call, const Object& object, ObjectType type,
                                               std::int64_t count) {
  Chooser chooser(call, object, type);
  if (count >= 0) {
    return chooser.different(static_cast<std::uint64_t>(count));
  }
  auto chosen = count < -most_choices && object.exists()
                    ? std::nullopt
                    : chooser.any(static_cast<std::uint64_t>(-count));
  if (!chosen) {
    call.reply.error("ERR value is out of range");
  }
  return chosen;
}

void random_pairs(Call& call, ObjectType type, std::string_view with,
                  const std::function<void(const Object&, std::string_view)>& reply) {
  if (call.size() == 2) {
    if (const auto object = call.object(call[1], type)) {
      const auto chosen = Chooser(call, *object, type).one();
      chosen ? call.reply.bulk(*chosen) : call.reply.nil();
    }
    return;
  }
  const auto count = random_count(call, 2);
  if (!count) {
    return;
  }
  if (call.size() > 4 || (call.size() == 4 && !is_word(call[3], with))) {
    call.syntax_error();
    return;
  }
  const bool pairs = call.size() == 4;
  constexpr std::int64_t most_pairs = std::numeric_limits<std::int64_t>::max() / 2;
  if (pairs && (*count > most_pairs || *count < -most_pairs)) {
    call.reply.error("ERR value is out of range");
    return;
  }
  const auto object = call.object(call[1], type);
  if (!object) {
    return;
  }
  const auto chosen = choose(call, *object, type, *count);
  if (!chosen) {
    return;
  }
  const bool nested = pairs && call.reply.protocol() == Protocol::resp3;
  call.reply.array(chosen->size() * (pairs && !nested ? 2 : 1));
  for (const std::string& name : *chosen) {
    if (nested) {
      call.reply.array(2);
    }
    call.reply.bulk(name);
    if (pairs) {
      reply(*object, name);
    }
  }
}

}  // namespace starling::resp
