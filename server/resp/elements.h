// A collection as a list of elements in hash order: walks, cursors and fair choices (decision
// 0005).
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crdt/dotted_cell.h"
#include "crdt/origin_totals.h"
#include "server/replica/object.h"
#include "server/resp/call.h"
#include "server/resp/glob.h"

namespace starling::resp {

// An element of a set, a field of a hash or a member of a sorted set, with what its cells hold.
// Good during the visit only.
struct Element {
  const std::string& name;
  const DottedCell& base;
  const OriginTotals& increments;  // always empty in a set

  [[nodiscard]] std::string text() const;  // of a field
  [[nodiscard]] double score() const;      // of a member
};
using VisitElement = std::function<void(const Element&)>;

// Both ends included.
struct Places {
  std::uint32_t first = 0;
  std::uint32_t last = std::numeric_limits<std::uint32_t>::max();
};

// Everything visible, in hash order. A field or member that has only been incremented has no
// register; it is visited in its place among the others.
void for_each_element(const replica::Object& object, ObjectType type, const VisitElement& visit,
                      Places places = {});
[[nodiscard]] std::vector<std::string> element_names(const replica::Object& object,
                                                     ObjectType type);

// Takes away elements that are there.
void remove_elements(replica::Object& object, ObjectType type,
                     const std::vector<std::string>& names);

// -- cursors --

// Reads a cursor, or answers why it is none.
[[nodiscard]] std::optional<std::uint64_t> scan_cursor(const Call& call, std::size_t argument);
// Refuses a pattern that is too long.
[[nodiscard]] bool pattern_fits(const Call& call, std::string_view pattern);

// One of SSCAN, HSCAN and ZSCAN. `reply` writes the parts of one element.
void scan_elements(Call& call, ObjectType type, std::size_t parts,
                   const std::function<void(const Element&)>& reply);

// -- chance --

// Elements chosen at random; every one is equally likely.
class Chooser {
 public:
  Chooser(Call& call, const replica::Object& object, ObjectType type)
      : call_(call), object_(object), type_(type), size_(object.size(type)) {}

  // nullopt if there is none.
  [[nodiscard]] std::optional<std::string> one();
  // That many different ones, or all.
  [[nodiscard]] std::vector<std::string> different(std::uint64_t count);
  // That many, of which some may be the same; nullopt if no reply could hold them.
  [[nodiscard]] std::optional<std::vector<std::string>> any(std::uint64_t count);

 private:
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  [[nodiscard]] std::string pick();

  Call& call_;
  const replica::Object& object_;
  ObjectType type_;
  std::int64_t size_;
};

// COUNT of SRANDMEMBER, HRANDFIELD and ZRANDMEMBER: negative for repetitions. Answers what is wrong
// with it; what no reply could hold is out of range. Nothing has been allocated then.
[[nodiscard]] std::optional<std::int64_t> random_count(const Call& call, std::size_t argument);
// The choice that such a COUNT asks for; nullopt, and it is answered, if no reply could hold it.
[[nodiscard]] std::optional<std::vector<std::string>> choose(Call& call,
                                                             const replica::Object& object,
                                                             ObjectType type, std::int64_t count);
// HRANDFIELD and ZRANDMEMBER: `with` is WITHVALUES or WITHSCORES; `reply` writes what it adds.
void random_pairs(Call& call, ObjectType type, std::string_view with,
                  const std::function<void(const replica::Object&, std::string_view)>& reply);

}  // namespace starling::resp
