// What goes into the replica core and what comes out of it. The core does nothing by itself: the
// shell (server/driver) or the simulator feeds inputs and performs effects.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "server/replica/jobs.h"
#include "wire/messages.h"

namespace starling::replica {

// Two clocks, both arguments: the monotonic one drives timers, the wall clock only stamps.
struct Now {
  std::uint64_t monotonic_us = 0;
  std::uint64_t unix_ms = 0;
};

using ConnectionId = std::uint64_t;  // of a peer connection, given by the shell, never reused
using RequestId = std::uint64_t;     // of a client request, given by the shell, never reused
using DialId = std::uint64_t;        // of an attempt to connect, given by the core

// ---------------------------------------------------------------- inputs

struct ClientRequest {
  RequestId id = 0;
  wire::Request request;
};
struct ClientGone {  // nobody waits for these replies any more
  std::vector<RequestId> ids;
};
struct PeerConnected {
  ConnectionId connection = 0;
  std::optional<DialId> dial;  // empty: the peer called us
};
struct DialFailed {
  DialId dial = 0;
};
struct PeerClosed {
  ConnectionId connection = 0;
};
struct PeerReceived {
  ConnectionId connection = 0;
  wire::PeerMessage message;
  std::size_t bytes = 0;  // size of its frame
};
struct LogSynced {  // the log is durable up to this position
  std::uint64_t position = 0;
};
struct TimerFired {};
struct StopRequested {};  // refuse new work, say goodbye to peers

using Input =
    std::variant<ClientRequest, ClientGone, PeerConnected, DialFailed, PeerClosed, PeerReceived,
                 LogSynced, CheckpointDone, CutJobDone, TimerFired, StopRequested>;

// ---------------------------------------------------------------- effects

struct LogWrite {
  std::uint64_t position = 0;
  std::string record;
};
struct FactWrite {
  std::string name;
  std::string value;
};
struct Send {
  ConnectionId connection = 0;
  wire::PeerMessage message;
};
struct Reply {
  RequestId id = 0;
  wire::Response response;
};
struct Dial {
  DialId dial = 0;
  std::string address;
};
struct Close {
  ConnectionId connection = 0;
};
enum class Severity : std::uint8_t { info, warning, error };
struct Event {  // one line for the operator
  Severity severity = Severity::info;
  std::string text;
};

// To be performed in the order of the members: facts and the log record first; nothing below the
// record may leave the process before the record is committed (mutant reply_before_commit).
struct Effects {
  std::vector<FactWrite> facts;
  std::optional<LogWrite> record;
  bool sync_first = false;  // --sync always: sync the log before anything below leaves
  std::vector<Event> events;
  std::vector<Reply> replies;
  std::vector<Send> sends;
  std::vector<Dial> dials;
  std::vector<Close> closes;
  std::unique_ptr<CheckpointJob> checkpoint;  // run it on a checkpoint thread, then CheckpointDone
  bool checkpoint_is_urgent = false;          // memory was full before the one before it was done
  std::vector<std::unique_ptr<CutJob>> cut_jobs;  // run them off the strand, then CutJobDone
  std::optional<std::uint64_t> truncate_below;    // Store::truncate on a background thread
  std::vector<std::shared_ptr<void>> garbage;     // let go of it off the strand
  std::uint64_t wake_at_us = 0;  // monotonic; feed TimerFired then (earlier is harmless)
};

}  // namespace starling::replica
