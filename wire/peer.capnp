@0xda9a011bfec4059b;
# What two nodes say to each other. docs/peer-protocol.md is the prose: framing, order, limits.
#
# Every frame carries one PeerMessage in one segment. Text is UTF-8 without control characters; what
# users store is Data, always. Version vectors and runs are Data too: they are hashed and logged as
# well as shipped, and have one encoding everywhere (crdt/entry.cc, crdt/run.cc).
# Fields are only ever added, at the end; numbers are never reused.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("starling::wire::schema");

struct PeerMessage {
  union {
    hello @0 :Hello;
    # First message of both sides. Nothing else is accepted before it.

    push :group {
      # Entries of one origin: pushed by the origin itself, or served to a pull by anyone who has
      # them. Members of the union itself: this is the message that must be small.
      run @1 :Data;           # origin, first, last, h before, deps before, entries
      answersPull @2 :Bool;
    }

    pull @3 :Pull;
    pullNack @4 :PullNack;
    ack @5 :Ack;
    heartbeat @6 :Heartbeat;
    memberFacts @7 :MemberFacts;
    digestRequest @8 :DigestRequest;
    digestReply @9 :DigestReply;
    goodbye @10 :Goodbye;
  }
}

struct Origin {
  # One process lifetime of one node.
  node @0 :UInt64;
  epoch @1 :UInt32;
  nonce @2 :UInt32;
}

enum MemberState {
  active @0;
  left @1;
}

struct Member {
  # What everybody knows of one node. The facts with the higher revision win.
  node @0 :UInt64;
  name @1 :Text;
  peerAddress @2 :Text;    # host:port
  clientAddress @3 :Text;  # host:port, or empty: no client door
  state @4 :MemberState;
  revision @5 :UInt64;     # a hybrid logical clock
}

struct StreamHash {
  # The rolling hash of an origin at n. Equal n with another hash means two histories under one
  # origin. Flat, because a Hello carries one per origin.
  node @0 :UInt64;
  epoch @1 :UInt32;
  nonce @2 :UInt32;
  n @3 :UInt64;
  hash @4 :UInt64;
}

struct Hello {
  protocol @0 :UInt32;      # closed with wrongProtocol if it differs
  featureLevel @1 :UInt32;  # highest level of op kinds that this node understands
  cluster @2 :Text;         # closed with wrongCluster if it differs
  node @3 :UInt64;
  name @4 :Text;
  origin @5 :Origin;        # of this process lifetime
  previous @6 :Origin;      # the origin before it in the same directory; absent on the first start
  applied @7 :Data;         # V; authoritative for this connection, even if smaller than remembered
  hashes @8 :List(StreamHash);
  durable @9 :Data;         # D, the synced part of V
  floor @10 :Data;          # entries up to here are no longer in the sender's log
  stable @11 :Data;         # S, the largest stable cut the sender has used
  members @12 :List(Member);
  clockMs @13 :UInt64;      # Unix time
  ready @14 :Bool;          # false: catching up for the first time, serves nobody
}

struct Pull {
  # "Send me entries of this origin after `after`, up to `upto`."
  origin @0 :Origin;
  after @1 :UInt64;
  upto @2 :UInt64;
}

struct PullNack {
  # "My log of that origin begins above what you asked for."
  origin @0 :Origin;
  floor @1 :UInt64;
}

struct Ack {
  applied @0 :Data;
  durable @1 :Data;
  receivedBytes @2 :UInt64;  # of entries in Push messages on this connection so far
  creditBytes @3 :UInt64;    # more that the receiver of this Ack may have under way
}

struct Heartbeat {
  applied @0 :Data;
  durable @1 :Data;
  hlc @2 :UInt64;
  clockMs @3 :UInt64;
  stable @4 :Data;
  opsPerSecond @5 :UInt32;
  membersHash @6 :UInt64;  # differs from mine: we exchange MemberFacts
  ready @7 :Bool;
}

struct MemberFacts {
  members @0 :List(Member);
}

struct DigestRequest {
  # Asks for the audit digest; answered from a cut of the answering node.
  id @0 :UInt64;
}

struct DigestReply {
  # Comparable only where `applied` is equal; there, a difference is an alarm.
  id @0 :UInt64;
  applied @1 :Data;
  digestHigh @2 :UInt64;
  digestLow @3 :UInt64;
  cells @4 :UInt64;
}

struct Goodbye {
  # The last word on a connection that must not go on.
  enum Reason {
    wrongCluster @0;
    wrongProtocol @1;
    sameName @2;      # another live node has this name
    sameNode @3;      # another live process has this node id
    duplicate @4;     # there is a better connection between us already
    fork @5;          # one origin, two histories
    self @6;          # you reached yourself
    shuttingDown @7;
  }
  reason @0 :Reason;
  detail @1 :Text;    # for people
}
