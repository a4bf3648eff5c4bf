// What every replica must show: a specification of all types as a function of the operations it has
// seen. It knows commands and who had seen what (happens-before), and shares no join, no kill
// context and no total with the code under test.
#pragma once

#include <cstdint>
#include <deque>
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
    EntryId pending = no_entry;  // also seen: what the entry being executed did so far
  };
  struct Answer {
    std::vector<wire::Result> results;  // or one Error
    bool wrote = false;
  };

  EntryId add_entry(OracleEntry entry);
  [[nodiscard]] const OracleEntry& entry(EntryId id) const { return entries_[id]; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

  // What a node that has seen exactly `seen` answers to these commands, and, with `as`, what they
  // leave behind as that entry.
  Answer execute(const std::vector<wire::Command>& commands, const VersionVector& seen, EntryId as);
  [[nodiscard]] Answer read(const std::vector<wire::Command>& commands, const VersionVector& seen) {
    return execute(commands, seen, no_entry);
  }
  // Keys of this database that show something.
  [[nodiscard]] std::vector<std::string> keys(std::uint8_t db, const VersionVector& seen) const;
  // Is `bytes` in this key only because something that was taken away came back (I2)?
  [[nodiscard]] bool risen(const ObjectKey& key, const std::string& bytes,
                           const VersionVector& seen) const;

 private:
  enum class Part : std::uint8_t {
    string_value,
    string_increment,
    element,
    field_value,
    field_increment,
    flag,
    mv_value,
    header
  };
  struct Atom {
    EntryId entry = 0;
    Part part = Part::flag;
    ObjectType type = ObjectType::none;  // of the object it belongs to
    std::string sub{};                   // element or field
    std::string bytes{};
    std::int64_t delta = 0;
    std::vector<EntryId> taken_by{};
  };
  struct Number {  // a string or a hash field
    std::optional<std::string> winner;
    std::tuple<Hlc, Origin, std::uint64_t> rank;  // of the winner
    Hlc oldest = 0;
    bool incremented = false;
    Int128 sum = 0;
    [[nodiscard]] bool exists() const { return winner || incremented; }
    [[nodiscard]] std::optional<std::string> text() const;
    [[nodiscard]] std::optional<std::int64_t> integer() const;  // as INCR needs it
  };
  struct Object {  // everything that shows under a key
    Number string;
    std::map<std::string, Number> fields;
    std::map<std::string, bool> elements;
    bool flag = false;
    std::map<std::string, Hlc> mv;
    std::map<ObjectType, Hlc> headers;
    [[nodiscard]] bool has(ObjectType type) const;
    [[nodiscard]] ObjectType visible() const;
    [[nodiscard]] Hlc created(ObjectType type) const;
  };
  using Atoms = std::vector<Atom>;

  [[nodiscard]] bool sees(const View& view, EntryId id) const;
  [[nodiscard]] bool shows(const View& view, const Atom& atom) const;
  [[nodiscard]] Object look(const Atoms& atoms, const View& view) const;
  template <typename Which>
  void take(const ObjectKey& key, const View& view, const Which& which);
  void leave(const ObjectKey& key, const View& view, Atom atom);
  wire::Result command(const wire::Command& command, const View& view, bool& wrote);
  void create(const ObjectKey& key, const View& view, const Object& object, ObjectType type);
  void undo();

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

}  // namespace starling::sim
