@0xdcc3c048587a5d33;
# What clients and nodes say to each other. docs/client-protocol.md is the prose: framing, order,
# limits, and an example as bytes.
#
# Every frame carries one ClientMessage in one segment. Keys and values are Data, always. Fields are
# only ever added, at the end; numbers are never reused.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("starling::wire::schema");

struct ClientMessage {
  union {
    clientHello @0 :ClientHello;  # the first message of a client
    serverHello @1 :ServerHello;  # the node's answer to it
    request @2 :Request;
    response @3 :Response;        # one per request, in any order
  }
}

struct ClientHello {
  protocol @0 :UInt32;  # refused if it differs
  client @1 :Text;      # free text for the node's log
}

struct ServerHello {
  protocol @0 :UInt32;
  cluster @1 :Text;
  name @2 :Text;
  node @3 :UInt64;
  clientAddresses @4 :List(Text);  # of all members, this one first
}

struct OpId {
  # Names one request for ever: same id, same effect, at most once at a node that has applied it.
  session @0 :UInt64;   # random, chosen by the client
  sequence @1 :UInt64;
}

struct Request {
  id @0 :UInt64;          # chosen by the client, returned in the response
  deadlineMs @1 :UInt32;  # how long the node may wait until it has seen the token; 0 = not at all
  token @2 :Data;         # a version vector: what this session has seen; absent = no demands
  opId @3 :OpId;          # absent: a retry may take effect twice
  commands @4 :List(Command);
  # All writes among them become one entry: atomic, isolated here, visible at once everywhere.
}

struct Command {
  # What the fields mean for each code stands beside the codes below.
  code @0 :UInt16;
  db @1 :UInt8;
  key @2 :Data;
  args @3 :List(Data);
  number @4 :Int64;
}

struct CommandCode {
  # Numbers with gaps, hence constants and not an enum.
  # Strings and counters.
  const get :UInt16 = 1;    # -> bytes, or nil
  const set :UInt16 = 2;    # args[0] = value -> ok
  const incr :UInt16 = 3;   # number = delta -> integer: the sum as seen here
  # Any object.
  const del :UInt16 = 10;     # -> integer: 1 if there was something to delete
  const exists :UInt16 = 11;  # -> integer: 0 or 1
  const type :UInt16 = 12;    # -> bytes: type name
  const expire :UInt16 = 13;  # number = milliseconds from now -> integer: 1 if there is such a key
  # Sets.
  const setAdd :UInt16 = 20;      # args = elements -> integer: how many were not there
  const setRemove :UInt16 = 21;   # args = elements -> integer: how many were there
  const setHas :UInt16 = 22;      # args[0] = element -> integer: 0 or 1
  const setMembers :UInt16 = 23;  # -> list, sorted
  const setSize :UInt16 = 24;     # -> integer: how many elements; 0 if there is no such set
  # Hashes.
  const hashSet :UInt16 = 30;     # args = field, value, ... -> integer: new fields
  const hashGet :UInt16 = 31;     # args[0] = field -> bytes, or nil
  const hashDel :UInt16 = 32;     # args = fields -> integer: how many were there
  const hashGetAll :UInt16 = 33;  # -> list field, value, ...; sorted by field
  const hashIncr :UInt16 = 34;    # args[0] = field, number = delta -> integer
  const hashSize :UInt16 = 35;    # -> integer: how many fields; 0 if there is no such hash
  # Flags and multi-value registers.
  const flagEnable :UInt16 = 40;   # -> ok
  const flagDisable :UInt16 = 41;  # -> ok
  const flagGet :UInt16 = 42;      # -> integer: 0 or 1
  const mvSet :UInt16 = 50;        # args[0] = value -> ok
  const mvGet :UInt16 = 51;        # -> list of concurrent values
  # Sorted sets.
  const zsetAdd :UInt16 = 55;  # args = member, score as text, ... -> integer: new members
  # Scanning, from a cut.
  const scan :UInt16 = 60;    # key = prefix, args[0] = cursor ("" to begin), number = max keys
                              # -> list: next cursor, keys ...
  const export :UInt16 = 61;  # args[0] = cursor, number = max bytes -> list: next cursor, NDJSON lines
  # Explanations, as JSON.
  const why :UInt16 = 70;
  const explain :UInt16 = 71;
  const conflicts :UInt16 = 72;  # args[0] = key, or none for all; number = how many, 0 = 100
  # The node, as JSON.
  const status :UInt16 = 80;     # number: 1 = with digests
  const partition :UInt16 = 90;  # args = member names; none = all. Only with --allow-faults
  const heal :UInt16 = 91;
}

struct Response {
  id @0 :UInt64;
  token @1 :Data;             # join it into the session's token
  repeated @2 :Bool;          # the op id was already applied: the results of the first time
  results @3 :List(Result);   # one per command; a refused request has one error for all
}

struct Result {
  union {
    nil @0 :Void;
    ok @1 :Void;
    integer @2 :Int64;
    bytes @3 :Data;
    list @4 :List(Data);
    error @5 :Error;
  }
}

struct Error {
  code @0 :UInt16;
  message @1 :Text;  # for people
}

struct ErrorCode {
  const badRequest :UInt16 = 1;    # malformed or out of range
  const wrongType :UInt16 = 2;     # the key holds another type
  const notANumber :UInt16 = 3;    # INCR on text
  const overflow :UInt16 = 4;      # the result would leave 64 bits
  const tooLarge :UInt16 = 5;      # key, value or entry over its limit
  const behind :UInt16 = 6;        # this node has not yet seen what the token names
  const notReady :UInt16 = 7;      # catching up for the first time, or shutting down
  const noSpace :UInt16 = 8;       # the disk is nearly full
  const busy :UInt16 = 9;          # a bounded queue is full; retry later
  const refused :UInt16 = 10;      # by policy
  const storage :UInt16 = 11;      # stored bytes are damaged
  const timeout :UInt16 = 12;
  const unsupported :UInt16 = 13;
}
