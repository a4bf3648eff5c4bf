// One user key inside a transaction: which object it shows, when it expires, how it comes and goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/replica/transaction.h"

namespace starling::replica {

// An object under a key, and when it was created as far as anybody knows: its header, or else the
// oldest sibling of its first cell.
struct TypePresence {
  ObjectType type = ObjectType::none;
  Hlc created = 0;
};

// What commands of every front door know about a key. Several objects may lie under it, created
// concurrently under different types: readers see the one created later, then the type's rank
// decides (replication.md §4). A key whose deadline has passed shows nothing, and a write to it
// carries the kill first, so that what expired never mixes with what is new.
// Errors of the store stick to the transaction (Transaction::error); what is read after one is
// empty. Good while the transaction lives; not for two at a time over one key.
// Runs on: core strand, within one step.
class Object {
 public:
  Object(Transaction& transaction, ObjectKey key);

  [[nodiscard]] Transaction& transaction() const { return tx_; }
  [[nodiscard]] const ObjectKey& key() const { return key_; }
  [[nodiscard]] bool exists() const { return types_ != 0; }
  // Something is stored whose time is over: readers see nothing.
  [[nodiscard]] bool expired() const { return expired_; }
  // What readers see; none if nothing is there.
  [[nodiscard]] ObjectType type() const { return visible_; }
  [[nodiscard]] bool holds(ObjectType type) const { return (types_ & Tables::bit_of(type)) != 0; }
  [[nodiscard]] bool holds_only(ObjectType type) const { return types_ == Tables::bit_of(type); }
  // All of them, the visible one first. Reads their headers.
  [[nodiscard]] std::vector<TypePresence> types() const;
  // A string was incremented before this was made.
  [[nodiscard]] bool has_increments() const { return has_increments_; }
  // Nothing, or what this type of command works on.
  [[nodiscard]] bool is(ObjectType wanted) const { return !exists() || type() == wanted; }
  // Unix ms; nullopt if the key does not expire.
  [[nodiscard]] std::optional<std::int64_t> deadline() const {
    return exists() ? deadline_ : std::nullopt;
  }
  // Elements, fields or members.
  [[nodiscard]] std::int64_t size(ObjectType type) const;

  [[nodiscard]] CellKey cell(CellKind kind, std::string_view subkey = {}) const {
    return {key_, {kind, std::string(subkey)}};
  }

  // To be called before anything is written into the object of this type: kills what has expired,
  // and notes when the object was created if it is new. Strings have no header: the register's own
  // HLC is one.
  void create(ObjectType type);
  // To be called after items were removed: when the last is gone, nothing stays behind.
  void settle(ObjectType type);
  // DEL: every object under the key, its deadline too.
  void erase();
  // Makes way for a value of this type in place of everything else that is seen (SET, …STORE). A
  // deadline goes, unless it is to be kept.
  void clear_for(ObjectType type, bool keep_deadline = false);

  void expire_at(std::int64_t unix_ms);  // never_expires: PERSIST

 private:
  void look();
  void show(ObjectType created);
  void hide(ObjectType gone);
  void choose();
  [[nodiscard]] Hlc created(ObjectType type) const;
  [[nodiscard]] Hlc first_of(std::initializer_list<CellKind> kinds) const;
  [[nodiscard]] Hlc oldest_of(CellKind first, CellKind last) const;
  [[nodiscard]] CellKey header(ObjectType type) const;
  [[nodiscard]] bool has_residue() const;
  void kill_expired();

  Transaction& tx_;
  ObjectKey key_;
  std::uint8_t types_ = 0;  // as Tables::Look
  ObjectType visible_ = ObjectType::none;
  std::optional<std::int64_t> deadline_;  // of what is visible
  bool has_increments_ = false;
  bool has_deadline_cell_ = false;
  bool expired_ = false;  // something is stored, but its time is over
};

}  // namespace starling::replica
