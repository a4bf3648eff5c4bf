// Everything that crosses a socket, as plain structs. codec.h turns them into frames and back;
// peer.capnp and client.capnp are the schema, docs/peer-protocol.md and docs/client-protocol.md the
// prose. No Cap'n Proto here: the replica core and the simulator use these types directly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crdt/digest.h"
#include "crdt/entry.h"
#include "crdt/run.h"
#include "crdt/version_vector.h"

namespace starling::wire {

// Refused on mismatch until the formats are settled (version 1).
inline constexpr std::uint32_t protocol_version = 0;

// ---------------------------------------------------------------- peers (R6)

enum class MemberState : std::uint8_t { active = 0, left = 1 };

// What everybody knows of one node. The facts with the higher `revision` (an HLC) win.
struct Member {
  std::uint64_t node = 0;
  std::string name;
  std::string peer_address;    // host:port where it listens for peers
  std::string client_address;  // host:port of its client door, or empty
  MemberState state = MemberState::active;
  std::uint64_t revision = 0;
  friend bool operator==(const Member&, const Member&) = default;
};

// The rolling hash of an origin at n: equal n with another hash means a fork (I1).
struct StreamHash {
  Origin origin;
  std::uint64_t n = 0;
  std::uint64_t hash = 0;
  friend bool operator==(const StreamHash&, const StreamHash&) = default;
};

// First message of both sides of a peer connection. The V in it is authoritative for this
// connection, even if it is smaller than what we remember of that peer.
struct Hello {
  std::uint32_t protocol = protocol_version;
  std::uint32_t feature_level = 0;
  std::string cluster;
  std::uint64_t node = 0;
  std::string name;
  Origin origin;                   // of this process lifetime
  std::optional<Origin> previous;  // the origin before it in the same directory
  VersionVector applied;           // V
  std::vector<StreamHash> hashes;  // for every component of V that is not sealed
  VersionVector durable;           // D
  VersionVector floor;             // entries up to here are no longer in its log
  VersionVector stable;            // S, the largest stable cut it has used (R5.9)
  std::vector<Member> members;
  std::uint64_t clock_ms = 0;
  bool ready = false;  // false: still catching up for the first time, serves nobody
  friend bool operator==(const Hello&, const Hello&) = default;
};

// Entries of one origin: pushed by the origin itself, or served to a pull by anyone who has them.
struct Push {
  Run run;
  bool answers_pull = false;
  friend bool operator==(const Push&, const Push&) = default;
};

// "Send me entries of `origin` after `after`, up to `upto`."
struct Pull {
  Origin origin;
  std::uint64_t after = 0;
  std::uint64_t upto = 0;
  friend bool operator==(const Pull&, const Pull&) = default;
};

// "My log of that origin begins above what you asked for": the asker needs state sync.
struct PullNack {
  Origin origin;
  std::uint64_t floor = 0;
  friend bool operator==(const PullNack&, const PullNack&) = default;
};

struct Ack {
  VersionVector applied;
  VersionVector durable;
  std::uint64_t received_bytes = 0;  // of entries in Push messages on this connection so far
  std::uint64_t credit_bytes = 0;    // more that the sender may have under way
  friend bool operator==(const Ack&, const Ack&) = default;
};

struct Heartbeat {
  VersionVector applied;
  VersionVector durable;
  Hlc hlc = 0;
  std::uint64_t clock_ms = 0;
  VersionVector stable;
  std::uint32_t ops_per_second = 0;
  std::uint64_t members_hash = 0;  // differs from mine: send me your members
  bool ready = false;
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

struct MemberFacts {
  std::vector<Member> members;
  friend bool operator==(const MemberFacts&, const MemberFacts&) = default;
};

// Asks a peer for its audit digest; it answers from a cut of its own.
struct DigestRequest {
  std::uint64_t id = 0;
  friend bool operator==(const DigestRequest&, const DigestRequest&) = default;
};
struct DigestReply {
  std::uint64_t id = 0;
  VersionVector applied;
  Digest digest;
  std::uint64_t cells = 0;
  friend bool operator==(const DigestReply&, const DigestReply&) = default;
};

// The last word before closing a connection that must not go on.
struct Goodbye {
  enum class Reason : std::uint8_t {
    wrong_cluster,
    wrong_protocol,
    same_name,  // another live node has this name
    same_node,  // another live process has this node id
    duplicate,  // there is a better connection between us already
    fork,       // one origin, two histories
    self,       // you reached yourself
    shutting_down,
  };
  Reason reason = Reason::shutting_down;
  std::string detail;
  friend bool operator==(const Goodbye&, const Goodbye&) = default;
};

inline constexpr std::size_t goodbye_reasons = 8;

using PeerMessage = std::variant<Hello, Push, Pull, PullNack, Ack, Heartbeat, MemberFacts,
                                 DigestRequest, DigestReply, Goodbye>;

// ---------------------------------------------------------------- clients

// Numbers are on the wire: never renumber.
enum class CommandCode : std::uint16_t {
  // strings and counters
  get = 1,   // -> bytes | nil
  set = 2,   // args[0] = value -> ok
  incr = 3,  // number = delta -> integer (the sum as seen here)
  // any object
  del = 10,     // -> integer: 1 if there was something to delete
  exists = 11,  // -> integer 0 | 1
  type = 12,    // -> bytes: type name
  expire = 13,  // number = milliseconds from now -> integer: 1 if there is such a key
  // sets
  set_add = 20,      // args = elements -> integer: how many were not there
  set_remove = 21,   // args = elements -> integer: how many were there
  set_has = 22,      // args[0] -> integer 0 | 1
  set_members = 23,  // -> list, sorted
  set_size = 24,     // -> integer: how many elements; 0 if there is no such set
  // hashes
  hash_set = 30,      // args = field, value, … -> integer: new fields
  hash_get = 31,      // args[0] = field -> bytes | nil
  hash_del = 32,      // args = fields -> integer
  hash_get_all = 33,  // -> list field, value, …; sorted by field
  hash_incr = 34,     // args[0] = field, number = delta -> integer
  hash_size = 35,     // -> integer: how many fields; 0 if there is no such hash
  // flags and multi-value registers
  flag_enable = 40,   // -> ok
  flag_disable = 41,  // -> ok
  flag_get = 42,      // -> integer 0 | 1
  mv_set = 50,        // args[0] = value -> ok
  mv_get = 51,        // -> list of concurrent values
  // sorted sets
  zset_add = 55,  // args = member, score as text, … -> integer: new members
  // scanning, from a cut
  scan = 60,     // key = prefix, args[0] = cursor ("" to begin), number = max keys -> list: next
                 // cursor, keys…
  export_ = 61,  // args[0] = cursor, number = max bytes -> list: next cursor, NDJSON lines
  // explanations, as JSON
  why = 70,
  explain = 71,
  conflicts = 72,  // args[0] = key, or none for all; number = how many, 0 = 100
  // the node, as JSON
  status = 80,     // number: 1 = with digests
  partition = 90,  // args = member names; none = all. Only with --allow-faults
  heal = 91,
};

[[nodiscard]] constexpr bool is_write(CommandCode code) {
  switch (code) {
    case CommandCode::set:
    case CommandCode::incr:
    case CommandCode::del:
    case CommandCode::expire:
    case CommandCode::set_add:
    case CommandCode::set_remove:
    case CommandCode::hash_set:
    case CommandCode::hash_del:
    case CommandCode::hash_incr:
    case CommandCode::flag_enable:
    case CommandCode::flag_disable:
    case CommandCode::mv_set:
    case CommandCode::zset_add:
      return true;
    default:
      return false;
  }
}

struct Command {
  CommandCode code = CommandCode::get;
  std::uint8_t db = 0;
  std::string key;
  std::vector<std::string> args;
  std::int64_t number = 0;
  friend bool operator==(const Command&, const Command&) = default;
};

// All writes of a request become one entry: atomic and isolated here, visible at once everywhere.
struct Request {
  std::uint64_t id = 0;           // chosen by the client, returned in the response
  std::uint32_t deadline_ms = 0;  // how long the node may wait for the token; 0 = not at all
  VersionVector token;            // what this session has seen (empty: no demands)
  std::optional<OpId> op_id;  // same id, same effect: at most once at a node that has applied it
  std::vector<Command> commands;
  friend bool operator==(const Request&, const Request&) = default;
};

enum class ErrorCode : std::uint16_t {
  bad_request = 1,   // malformed or out of range
  wrong_type = 2,    // the key holds another type
  not_a_number = 3,  // INCR on text
  overflow = 4,      // the result would leave 64 bits
  too_large = 5,     // key, value or entry over its limit
  behind = 6,        // this node has not yet seen what the token names
  not_ready = 7,     // catching up for the first time, or shutting down
  no_space = 8,      // the disk is nearly full
  busy = 9,          // a bounded queue is full; retry later
  refused = 10,      // by policy, e.g. faults without --allow-faults
  storage = 11,      // stored bytes are damaged
  timeout = 12,
  unsupported = 13,
};

struct Error {
  ErrorCode code = ErrorCode::bad_request;
  std::string message;
  friend bool operator==(const Error&, const Error&) = default;
};

struct Nil {
  friend bool operator==(const Nil&, const Nil&) = default;
};
struct Ok {
  friend bool operator==(const Ok&, const Ok&) = default;
};
using Result = std::variant<Nil, Ok, std::int64_t, std::string, std::vector<std::string>, Error>;

struct Response {
  std::uint64_t id = 0;
  VersionVector token;    // join it into the session's token
  bool repeated = false;  // the op id was already applied: results are those of the first time
  std::vector<Result> results;  // one per command; a refused request has one Error for all
  friend bool operator==(const Response&, const Response&) = default;
};

// First messages on a client connection.
struct ClientHello {
  std::uint32_t protocol = protocol_version;
  std::string client;  // free text for logs
  friend bool operator==(const ClientHello&, const ClientHello&) = default;
};
struct ServerHello {
  std::uint32_t protocol = protocol_version;
  std::string cluster;
  std::string name;
  std::uint64_t node = 0;
  std::vector<std::string> client_addresses;  // of all members, this one first
  friend bool operator==(const ServerHello&, const ServerHello&) = default;
};

using ClientMessage = std::variant<ClientHello, ServerHello, Request, Response>;

}  // namespace starling::wire
