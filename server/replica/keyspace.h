// A database as a whole, as one transaction sees it: what it holds, key by key.
// Errors of the store stick to the transaction, as always; what is returned after one is empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/replica/transaction.h"

namespace starling::replica {

struct ListedKey {
  std::string key;
  ObjectType type = ObjectType::none;      // as readers see it
  std::optional<std::int64_t> deadline{};  // unix ms; nullopt: it stays
  friend bool operator==(const ListedKey&, const ListedKey&) = default;
};

struct KeyPage {
  std::vector<ListedKey> keys;
  std::uint64_t next = 0;  // the cursor of the next page; 0: this was the last
};

// The keys from a cursor on, in hash order; 0 begins. A cursor is a place (decision 0005): a key
// that is there all the time is met at least once, whatever happens between two pages, and a page
// never ends between two keys of one place.
// `count` bounds how many keys are looked at, so that a page may be empty and yet not the last:
// expired keys are hidden, and so are those of other databases, of which a page passes a thousand
// at most. KEYS is this, page by page; a page of a thousand keys takes about a millisecond.
[[nodiscard]] KeyPage scan(Transaction& transaction, std::uint8_t db, std::uint64_t cursor,
                           std::size_t count);

// How many keys a database has. Keys that have expired but that nobody has killed yet are counted,
// as in Redis. No walk: what the last checkpoint counted, and every change since (R4.1).
[[nodiscard]] std::int64_t key_count(Transaction& transaction, std::uint8_t db);

// A key that readers see, every one as likely as any other (decision 0005); nullopt if there is
// none. `random` gives 64 random bits at each call.
[[nodiscard]] std::optional<ListedKey> random_key(Transaction& transaction, std::uint8_t db,
                                                  const std::function<std::uint64_t()>& random);

// FLUSHDB and FLUSHALL: takes away everything that this transaction sees, as one kill of the whole
// scope and a reset of every total in it (R3.6); what concurrent writers add survives. Reads every
// key of the scope for its totals, as FLUSHDB in Redis does for its own reasons. Later commands of
// the same transaction find nothing. An entry holds a million operations and 64 MiB. Where more
// counters are seen than that, it is refused; then `reset_totals` takes them away in entries of
// bounded size first, and the whole is not atomic.
void kill_database(Transaction& transaction, std::uint8_t db);
void kill_group(Transaction& transaction);

// Resets the totals in one database (nullopt: in all), from a cursor on, until it has written about
// so many bytes. Returns the cursor to go on with in the next transaction; 0: done.
[[nodiscard]] std::uint64_t reset_totals(Transaction& transaction, std::optional<std::uint8_t> db,
                                         std::uint64_t cursor, std::size_t bytes);

}  // namespace starling::replica
