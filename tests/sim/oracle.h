// What every replica must show: a specification of all types as a function of the operations it has
// seen. It knows commands and who had seen what (happens-before), and shares no join, no kill
// context and no total with the code under test.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "crdt/cell_key.h"
#include "crdt/entry.h"
#include "wire/messages.h"

namespace starling::sim {

using EntryId = std::uint32_t;
inline constexpr EntryId no_entry = UINT32_MAX;

// One entry that a node has committed, with the request that it came from.
struct OracleEntry {
  Origin origin;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  VersionVector deps;
  Hlc hlc = 0;
  std::optional<OpId> op_id;
  std::vector<wire::Result> results;  // of the request, as first answered
};

// The specification. Each command leaves *atoms* (this value was set, that element was added) and
// takes away earlier atoms that its node had seen. An atom shows at a replica iff the replica has
// seen it and nothing that took it away.
class Oracle {
 public:
  struct View {
    const VersionVector* seen = nullptr;
    std::int64_t time_ms = before_all_time;  // keys whose deadline has come show nothing
    EntryId pending = no_entry;              // also seen: what the entry being executed did so far
  };
  static constexpr std::int64_t before_all_time = std::numeric_limits<std::int64_t>::min();
  struct Answer {
    std::vector<wire::Result> results;  // or one Error
    bool wrote = false;
    std::size_t kills = 0;                // of everything under a key
    std::vector<std::int64_t> deadlines;  // that were set
    bool known = true;   // false: there was a command of which the specification says nothing
    std::string leaves;  // as `shown`, under the key of the one command that was only tried
    bool leaves_the_same = true;        // as what it was compared with
    std::vector<std::string> branches;  // of the specification, for coverage
  };
  struct Deadline {
    std::int64_t unix_ms = 0;
    bool of_a_key = false;  // not left over from one that is gone
  };

  EntryId add_entry(OracleEntry entry);
  [[nodiscard]] const OracleEntry& entry(EntryId id) const { return entries_[id]; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  // What a node that has seen exactly `seen` answers to these commands at this time, and, with
  // `as`, what they leave behind as that entry.
  Answer execute(const std::vector<wire::Command>& commands, const VersionVector& seen,
                 std::int64_t time_ms, EntryId as);
  [[nodiscard]] Answer read(const std::vector<wire::Command>& commands, const VersionVector& seen,
                            std::int64_t time_ms) {
    return execute(commands, seen, time_ms, no_entry);
  }
  // Takes back what the last execution left behind; not after `keep`.
  void undo();
  void keep();
  // As this entry, a node that has seen `seen` takes away these keys, and these deadlines of no
  // key.
  void expire(const std::vector<ObjectKey>& keys, const std::vector<ObjectKey>& left_over,
              const VersionVector& seen, EntryId as);
  // What the operations of this entry leave behind and take away, whatever command they are from.
  void apply(const Entry& entry, EntryId as);

  // All that lies under a key, as text; the same text, the same to every reader.
  [[nodiscard]] std::string shown(const ObjectKey& key, const VersionVector& seen) const {
    return shown(key, View{&seen});
  }
  // Keys of this database that show something, or would if their time were not over.
  [[nodiscard]] std::vector<std::string> keys(std::uint8_t db, const VersionVector& seen) const;
  // Every deadline that is still to come or to be dealt with.
  [[nodiscard]] std::map<ObjectKey, Deadline> deadlines(const VersionVector& seen) const;
  [[nodiscard]] std::optional<Deadline> deadline(const ObjectKey& key,
                                                 const VersionVector& seen) const;
  // Is `bytes` in this key only because something that was taken away came back (I2)?
  [[nodiscard]] bool risen(const ObjectKey& key, const std::string& bytes,
                           const VersionVector& seen) const;

 private:
  friend class Act;

  enum class Part : std::uint8_t {
    string_value,
    string_increment,
    element,
    field_value,
    field_increment,
    flag,
    mv_value,
    score,
    score_increment,
    deadline,
    header
  };
  enum class Rule : std::uint8_t { plain, greatest, smallest };
  struct Atom {
    EntryId entry = 0;
    Part part = Part::flag;
    ObjectType type = ObjectType::none;  // of the object it belongs to
    std::string sub{};                   // element, field or member
    std::string bytes{};
    std::int64_t delta = 0;  // or a deadline
    double real = 0;         // a score, or its increment: multiples of 1/4, exact in any order
    Rule rule = Rule::plain;
    std::vector<EntryId> taken_by{};
  };
  using Rank = std::tuple<Hlc, Origin, std::uint64_t>;
  struct Number {  // a string or a hash field
    std::optional<std::string> winner;
    Rank rank;  // of the winner
    Hlc oldest = 0;
    bool incremented = false;
    Int128 sum = 0;
    [[nodiscard]] bool exists() const { return winner || incremented; }
    [[nodiscard]] std::optional<std::string> text() const;
    [[nodiscard]] std::optional<std::int64_t> integer() const;  // as INCR needs it
  };
  struct Member {  // of a sorted set
    struct Base {
      Rank rank;
      double score = 0;
      Rule rule = Rule::plain;
    };
    std::vector<Base> bases;
    Hlc oldest = 0;  // of the bases
    double sum = 0;  // of the increments
    [[nodiscard]] double score() const;
    [[nodiscard]] bool disputed() const;  // several raises, or lowerings, and one of them is read
  };
  struct Object {  // everything that shows under a key
    Number string;
    std::map<std::string, Number> fields;
    std::map<std::string, bool> elements;
    bool flag = false;
    std::map<std::string, Hlc> mv;
    std::map<std::string, Member> members;
    std::map<ObjectType, Hlc> headers;
    std::optional<std::int64_t> deadline;  // the greatest number: made persistent
    std::size_t deadlines = 0;             // of which that is the latest
    bool expired = false;                  // it would show something, but its time is over
    [[nodiscard]] bool has(ObjectType type) const;
    [[nodiscard]] bool has_any() const;
    [[nodiscard]] ObjectType visible() const;
    [[nodiscard]] Hlc created(ObjectType type) const;
  };
  using Atoms = std::vector<Atom>;

  [[nodiscard]] std::string shown(const ObjectKey& key, const View& view) const;
  void apply(const Op& op, const View& view);
  [[nodiscard]] static std::optional<Part> part_of(CellKind kind);
  [[nodiscard]] static bool is_increment(Part part);
  [[nodiscard]] bool sees(const View& view, EntryId id) const;
  [[nodiscard]] bool shows(const View& view, const Atom& atom) const;
  [[nodiscard]] Object look(const Atoms& atoms, const View& view) const;
  void show(Object& object, const Atom& atom) const;
  template <typename Which>
  void take(const ObjectKey& key, const View& view, const Which& which);
  void leave(const ObjectKey& key, const View& view, Atom atom);

  std::deque<OracleEntry> entries_;  // deque: references to entries stay valid
  std::map<ObjectKey, Atoms> by_key_;
  // Of the execution under way, so that a refused one leaves nothing.
  std::vector<ObjectKey> left_;
  struct Taken {
    ObjectKey key;
    std::size_t atom = 0;
  };
  std::vector<Taken> taken_;
};

template <typename Which>
void Oracle::take(const ObjectKey& key, const View& view, const Which& which) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end() || view.pending == no_entry) {
    return;
  }
  for (std::size_t i = 0; i < found->second.size(); ++i) {
    Atom& atom = found->second[i];
    if (which(atom) && shows(view, atom)) {
      atom.taken_by.push_back(view.pending);
      taken_.push_back({key, i});
    }
  }
}

// Errors are the same if they mean the same.
[[nodiscard]] bool same(const wire::Result& got, const wire::Result& wanted);
[[nodiscard]] bool same(const std::vector<wire::Result>& got,
                        const std::vector<wire::Result>& wanted);

}  // namespace starling::sim
