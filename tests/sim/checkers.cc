#include "tests/sim/checkers.h"

#include <algorithm>
#include <utility>

#include "crdt/varint.h"
#include "server/replica/checkpoint.h"
#include "server/replica/record.h"

namespace starling::sim {
namespace {

using replica::Record;
using wire::Error;
using wire::ErrorCode;

bool same(const wire::Result& got, const wire::Result& wanted) {
  const auto* error = std::get_if<Error>(&wanted);
  if (error == nullptr) {
    return got == wanted;
  }
  const auto* other = std::get_if<Error>(&got);
  return other != nullptr && other->code == error->code;
}

const Error* refusal(const wire::Response& response) {
  return response.results.size() == 1 ? std::get_if<Error>(&response.results.front()) : nullptr;
}

bool special(const wire::Request& request) {
  return request.commands.empty() || request.commands.front().code >= wire::CommandCode::scan;
}

}  // namespace

std::string describe(const wire::Result& result) {
  struct Describe {
    std::string operator()(const wire::Nil&) const { return "nil"; }
    std::string operator()(const wire::Ok&) const { return "ok"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(const std::string& text) const {
      return "\"" + (text.size() > 60 ? text.substr(0, 60) + "…" : text) + "\"";
    }
    std::string operator()(const std::vector<std::string>& list) const {
      std::string out = "[";
      for (const std::string& item : list) {
        out += (out.size() > 1 ? " " : "") + (item.size() > 60 ? item.substr(0, 60) + "…" : item);
      }
      return out + "]";
    }
    std::string operator()(const Error& error) const {
      return "error " + std::to_string(static_cast<int>(error.code)) +
             (error.message.empty() ? "" : " (" + error.message + ")");
    }
  };
  return std::visit(Describe{}, result);
}

std::string describe(const wire::Command& command) {
  static const std::map<wire::CommandCode, const char*> names = {
      {wire::CommandCode::get, "get"},
      {wire::CommandCode::set, "set"},
      {wire::CommandCode::incr, "incr"},
      {wire::CommandCode::del, "del"},
      {wire::CommandCode::exists, "exists"},
      {wire::CommandCode::type, "type"},
      {wire::CommandCode::set_add, "set-add"},
      {wire::CommandCode::set_remove, "set-rem"},
      {wire::CommandCode::set_has, "set-has"},
      {wire::CommandCode::set_members, "set-members"},
      {wire::CommandCode::hash_set, "hset"},
      {wire::CommandCode::hash_get, "hget"},
      {wire::CommandCode::hash_del, "hdel"},
      {wire::CommandCode::hash_get_all, "hgetall"},
      {wire::CommandCode::hash_incr, "hincr"},
      {wire::CommandCode::flag_enable, "flag-enable"},
      {wire::CommandCode::flag_disable, "flag-disable"},
      {wire::CommandCode::flag_get, "flag-get"},
      {wire::CommandCode::mv_set, "mv-set"},
      {wire::CommandCode::mv_get, "mv-get"},
      {wire::CommandCode::scan, "scan"},
      {wire::CommandCode::export_, "export"},
      {wire::CommandCode::why, "why"},
      {wire::CommandCode::explain, "explain"},
      {wire::CommandCode::status, "status"},
      {wire::CommandCode::partition, "partition"},
      {wire::CommandCode::heal, "heal"}};
  const auto name = names.find(command.code);
  std::string out = name == names.end() ? "?" : name->second;
  out += " " + command.key;
  for (const std::string& arg : command.args) {
    out += " " + (arg.size() > 40 ? arg.substr(0, 40) + "…" : arg);
  }
  return command.number != 0 ? out + " " + std::to_string(command.number) : out;
}

// ---------------------------------------------------------------- the reference

void ReferenceState::apply(const Entry& entry) {
  VersionVector context = entry.deps;
  for (std::size_t i = 0; i < entry.ops.size(); ++i) {
    const Op& op = entry.ops[i];
    const Dot dot = entry.dot(i);
    if (const auto* kill = std::get_if<Kill>(&op.change)) {
      for (auto it = cells_.begin(); it != cells_.end();) {
        const bool covered = kill->level == ScopeLevel::group ||
                             (kill->level == ScopeLevel::database
                                  ? it->first.object.db == op.key.object.db
                                  : it->first.object == op.key.object);
        auto* dotted = std::get_if<DottedCell>(&it->second);
        if (covered && dotted != nullptr) {
          dotted->kill(context);
        }
        it = is_empty(it->second) ? cells_.erase(it) : std::next(it);
      }
      context.advance(dot);
      continue;
    }
    const auto it = cells_.try_emplace(op.key, empty_cell(op.key.cell.kind)).first;
    if (const auto* assign = std::get_if<Assign>(&op.change)) {
      auto& cell = std::get<DottedCell>(it->second);
      cell.kill(context);
      cell.assign({dot, has_payload(op.key.cell.kind) ? entry.hlc : 0, assign->bytes});
    } else if (const auto* remove = std::get_if<Remove>(&op.change)) {
      VersionVector killed = context;
      if (remove->context) {
        killed.meet(*remove->context);
      }
      std::get<DottedCell>(it->second).kill(killed);
    } else if (const auto* increment = std::get_if<Increment>(&op.change)) {
      TotalPart part;
      part.origin = entry.origin;
      part.life = increment->life;
      part.n = dot.n;
      part.total = increment->total;
      std::get<OriginTotals>(it->second).join(part);
    } else {
      for (const ObservedTotal& seen : std::get<Reset>(op.change).observed) {
        std::get<OriginTotals>(it->second).reset(seen, dot);
      }
    }
    if (is_empty(it->second)) {
      cells_.erase(it);
    }
    context.advance(dot);
  }
}

Digest ReferenceState::digest() const {
  Digest sum;
  for (const auto& [key, value] : cells_) {
    sum += digest_of(key, value);
  }
  return sum;
}

// ---------------------------------------------------------------- complaints

void Judge::complain(std::string checker, std::string sentence) {
  if (!violation_) {
    violation_ = Violation{std::move(checker), std::move(sentence)};
  }
}

std::string Judge::shown(const Dot& dot) const {
  const auto name = names_.find(dot.origin.node);
  return (name == names_.end() ? std::to_string(dot.origin.node) : name->second) + "/" +
         std::to_string(dot.origin.epoch % 100'000) + ":" + std::to_string(dot.n);
}

Judge::Known* Judge::find(const Dot& first) {
  const auto stream = streams_.find(first.origin);
  if (stream == streams_.end()) {
    return nullptr;
  }
  const auto entry = stream->second.find(first.n);
  return entry == stream->second.end() ? nullptr : &entry->second;
}

const VersionVector& Judge::safe(const Track& track) const {
  static const VersionVector nothing;
  const auto it = track.applied_at.upper_bound(track.synced);
  return it == track.applied_at.begin() ? nothing : std::prev(it)->second;
}

// ---------------------------------------------------------------- entries

// I1 and R1.3: what an origin writes follows its stream, and says exactly what its node had seen.
void Judge::born(Track& track, const Run& run, std::uint64_t wall_ms) {
  OriginStream& head = heads_[run.origin];
  RunReader reader(run);
  while (!reader.done() && reader.next()) {
    const Dot first{run.origin, reader.first()};
    coverage_.hit("checker I1 one meaning per dot");
    if (reader.first() <= head.n) {
      const Known* known = find(first);
      if (known == nullptr || known->bytes != reader.bytes()) {
        complain("I1", "dot " + shown(first) + " has two meanings: " + track.name +
                           " used it again for another entry");
        return;
      }
      continue;
    }
    if (reader.first() != head.n + 1) {
      complain("I1", track.name + " skipped dots of its origin: after " +
                         shown({run.origin, head.n}) + " it wrote " + shown(first));
      return;
    }
    const Hlc before = head.hlc;
    auto entry = decode_entry(reader.bytes(), run.origin, head);
    if (!entry) {
      complain("I1", "entry " + shown(first) + " does not decode: " +
                         std::string(message(entry.error())));
      return;
    }
    // R6.2: nobody's clock is pulled further than half a second beyond its own.
    coverage_.hit("checker R6.2 clock adoption");
    const auto slack = static_cast<std::uint64_t>(max_clock_adoption.count()) + 2;
    if (hlc_unix_ms(entry->hlc) > std::max(track.max_wall_ms, wall_ms) + slack) {
      complain("R6.2", track.name + " stamps an entry " +
                           std::to_string(hlc_unix_ms(entry->hlc) - track.max_wall_ms) +
                           " ms ahead of the latest time its own clock ever showed");
    }
    if (entry->hlc <= before) {
      complain("R6.2", track.name + " stamps an entry not after the one before it");
    }
    ++entries_;
    streams_[run.origin][reader.first()] = {reader.last(), std::string(reader.bytes()),
                                            std::move(*entry), no_entry, false};
  }
}

void Judge::ticked(std::size_t node, const replica::Effects& effects, std::uint64_t wall_ms) {
  Track& track = nodes_[node];
  track.max_wall_ms = std::max(track.max_wall_ms, wall_ms);
  std::vector<Known*> own;
  if (effects.record) {
    const auto record = Record::decode(effects.record->record);
    if (!record) {
      complain("I3", track.name + " writes a record that does not decode");
      return;
    }
    VersionVector seen = track.applied;
    for (const Run& run : record->runs()) {
      if (run.origin != track.self) {
        seen.advance({run.origin, run.last});
        continue;
      }
      born(track, run, wall_ms);
      RunReader reader(run);
      while (!violation_ && !reader.done() && reader.next()) {
        Known* known = find({run.origin, reader.first()});
        coverage_.hit("checker R1.3 dependencies");
        if (known->entry.deps != seen) {
          complain("R1.3", "entry " + shown({run.origin, reader.first()}) +
                               " does not depend on exactly what " + track.name + " had applied");
        }
        seen.advance({run.origin, reader.last()});
        own.push_back(known);
      }
    }
  }
  for (const replica::Reply& reply : effects.replies) {
    if (violation_) {
      return;
    }
    const auto request = track.requests.find(reply.id);
    if (request == track.requests.end()) {
      complain("replies", track.name + " answers a request that nobody made, or twice");
      return;
    }
    const wire::Request asked = std::move(request->second);
    track.requests.erase(request);
    answered(track, asked, reply.response, reply.id);
  }
  for (const Known* known : own) {
    if (known->id == no_entry && !violation_) {
      complain("replies", track.name + " wrote entry " + shown(known->entry.dot(0)) +
                              " that belongs to no request");
    }
  }
}

// The gate (I4): contiguous, with everything it depends on, and byte for byte what its origin has
// in its log.
void Judge::commit(Track& track, const Run& run, bool replay) {
  RunReader reader(run);
  while (!reader.done() && reader.next() && !violation_) {
    const Dot first{run.origin, reader.first()};
    Known* known = find(first);
    coverage_.hit("checker I4 the gate");
    if (known == nullptr) {
      complain("I4", track.name + " applied an entry that nobody wrote: " + shown(first));
      return;
    }
    if (known->bytes != reader.bytes()) {
      complain("I1", track.name + " holds other bytes for " + shown(first) + " than its origin");
      return;
    }
    if (reader.first() != track.applied.at(run.origin) + 1) {
      complain("I4", track.name + " applied " + shown(first) + " when it had applied up to " +
                         shown({run.origin, track.applied.at(run.origin)}));
      return;
    }
    if (!known->entry.deps.leq(track.applied)) {
      complain("I4", track.name + " applied " + shown(first) + " before what it depends on");
      return;
    }
    if (replay ? run.origin.node == track.node : run.origin == track.self) {
      known->committed = true;
    } else if (!known->committed) {
      complain("R2.2", "entry " + shown(first) + " reached " + track.name +
                           " before its origin had it in its log");
      return;
    }
    track.state.apply(known->entry);
    track.applied.advance({run.origin, reader.last()});
  }
}

void Judge::committed(std::size_t node, const replica::LogWrite& write) {
  Track& track = nodes_[node];
  const auto record = Record::decode(write.record);
  if (!record || violation_) {
    return;
  }
  for (const Run& run : record->runs()) {
    commit(track, run, false);
  }
  track.position = write.position;
  track.applied_at[write.position] = track.applied;
}

// ---------------------------------------------------------------- answers

void Judge::requested(std::size_t node, replica::RequestId id, const wire::Request& request) {
  nodes_[node].requests.insert_or_assign(id, request);
}

void Judge::answered(Track& track, const wire::Request& request, const wire::Response& response,
                     replica::RequestId id) {
  const VersionVector& seen = response.token;
  const std::uint64_t own = seen.at(track.self);
  if (special(request)) {
    track.written = std::max(track.written, own);
    return;
  }
  if (const Error* error = refusal(response)) {
    if (error->code == ErrorCode::behind) {
      coverage_.hit("checker session guarantee");
      if (request.token.leq(seen)) {
        complain("sessions", track.name + " says it is behind a session that it is not behind");
      }
      return;
    }
    if (error->code == ErrorCode::busy || error->code == ErrorCode::not_ready ||
        error->code == ErrorCode::no_space) {
      return;
    }
    if (error->code == ErrorCode::storage) {
      complain("I3", track.name + " cannot read what it stored: " + error->message);
      return;
    }
  }
  coverage_.hit("checker session guarantee");
  if (!request.token.leq(seen)) {
    complain("sessions",
             track.name + " answers a session without having seen what the session had seen");
    return;
  }
  // Which entries with this op id had this node applied already?
  const OracleEntry* first = nullptr;
  if (request.op_id) {
    coverage_.hit("checker R6.3 retries");
    for (const EntryId known : by_op_id_[*request.op_id]) {
      const OracleEntry& entry = oracle_.entry(known);
      const bool before = entry.origin == track.self ? entry.last <= track.written
                                                     : seen.at(entry.origin) >= entry.last;
      if (before && (first == nullptr || !response.repeated)) {
        first = &entry;
      }
    }
  }
  if (response.repeated) {
    coverage_.hit("branch repeated");
    if (first == nullptr) {
      complain("R6.3", track.name + " says it has applied a request before, but has not");
      return;
    }
    // Two nodes may each have applied it; either answer is one of the first time.
    for (std::size_t i = 0; i < request.commands.size() && i < response.results.size(); ++i) {
      const wire::Command& command = request.commands[i];
      const bool right =
          wire::is_write(command.code)
              ? std::ranges::any_of(by_op_id_[*request.op_id],
                                    [&](EntryId known) {
                                      return oracle_.entry(known).results[i] == response.results[i];
                                    })
              : same(response.results[i], oracle_.read({command}, seen).results.front());
      if (!right) {
        complain("R6.3", track.name + " answers a retry of \"" + describe(command) + "\" with " +
                             describe(response.results[i]));
        return;
      }
    }
    return;
  }
  if (first != nullptr) {
    complain("R6.3", "a retry of \"" + describe(request.commands.front()) + "\" ran again at " +
                         track.name + ", which had applied the original");
    return;
  }
  if (own <= track.written) {
    const Oracle::Answer wanted = oracle_.read(request.commands, seen);
    compare(track, request, response.results, wanted.results, seen);
    if (wanted.wrote && !violation_) {
      complain("replies", track.name + " answered \"" + describe(request.commands.front()) +
                              "\" and wrote nothing");
    }
    return;
  }
  // The answer names its entry: it is the last of this origin that the token covers.
  auto& stream = streams_[track.self];
  const auto next = stream.upper_bound(own);
  if (next == stream.begin() || std::prev(next)->second.last != own) {
    complain("replies", track.name + " answers with a token that ends inside an entry");
    return;
  }
  Known& known = std::prev(next)->second;
  track.written = own;
  OracleEntry entry;
  entry.origin = track.self;
  entry.first = known.entry.first;
  entry.last = known.last;
  entry.deps = known.entry.deps;
  entry.hlc = known.entry.hlc;
  entry.op_id = known.entry.op_id;
  entry.results = response.results;
  if (entry.op_id != request.op_id) {
    complain("R6.3", track.name + " wrote an entry under another op id than its request's");
    return;
  }
  known.id = oracle_.add_entry(std::move(entry));
  if (request.op_id) {
    by_op_id_[*request.op_id].push_back(known.id);
  }
  const Oracle::Answer wanted = oracle_.execute(request.commands, known.entry.deps, known.id);
  compare(track, request, response.results, wanted.results, known.entry.deps);
  if (!wanted.wrote && !violation_) {
    complain("replies", track.name + " wrote an entry for \"" +
                            describe(request.commands.front()) + "\", which changes nothing");
  }
  track.writes[id] = {track.self, own};
}

// Every answer is what the operations that this node has applied give.
void Judge::compare(const Track& track, const wire::Request& request,
                    const std::vector<wire::Result>& got, const std::vector<wire::Result>& wanted,
                    const VersionVector& seen) {
  coverage_.hit("checker answers fit the specification");
  for (std::size_t i = 0; i < std::max(got.size(), wanted.size()); ++i) {
    if (i < got.size() && i < wanted.size() && same(got[i], wanted[i])) {
      continue;
    }
    const wire::Command& command = request.commands[std::min(i, request.commands.size() - 1)];
    const wire::Result nothing;
    const wire::Result& is = i < got.size() ? got[i] : nothing;
    std::vector<std::string> texts;
    if (const auto* text = std::get_if<std::string>(&is)) {
      texts = {*text};
    } else if (const auto* list = std::get_if<std::vector<std::string>>(&is)) {
      texts = *list;
    }
    coverage_.hit("checker I2 nothing comes back");
    for (const std::string& text : texts) {
      if (const auto risen = oracle_.risen({command.db, command.key}, text, seen)) {
        complain("I2", track.name + " answers \"" + describe(command) + "\": " + *risen);
        return;
      }
    }
    complain("specification", track.name + " answers \"" + describe(command) + "\" with " +
                                  describe(is) + "; what it has seen gives " +
                                  (i < wanted.size() ? describe(wanted[i]) : "nothing"));
    return;
  }
  coverage_.hit("checker I2 nothing comes back");
}

void Judge::replied(std::size_t node, replica::RequestId id, std::uint64_t now_us) {
  Track& track = nodes_[node];
  if (const auto write = track.writes.find(id); write != track.writes.end()) {
    track.acked.push_back({write->second, now_us, track.position, false});
    track.writes.erase(write);
  }
}

// ---------------------------------------------------------------- messages

void Judge::said(std::size_t node, const wire::PeerMessage& message) {
  const Track& track = nodes_[node];
  const auto check = [&](const VersionVector& applied, const VersionVector& durable) {
    coverage_.hit("checker R2.2 nothing leaves before its commit");
    if (!applied.leq(track.applied)) {
      complain("R2.2", track.name + " tells a peer that it has what is not in its log");
    }
    coverage_.hit("checker I5 durable means durable");
    if (!durable.leq(safe(track))) {
      complain("I5", track.name + " calls durable what a power cut could take from it");
    }
  };
  if (const auto* hello = std::get_if<wire::Hello>(&message)) {
    check(hello->applied, hello->durable);
  } else if (const auto* ack = std::get_if<wire::Ack>(&message)) {
    check(ack->applied, ack->durable);
  } else if (const auto* heartbeat = std::get_if<wire::Heartbeat>(&message)) {
    check(heartbeat->applied, heartbeat->durable);
  } else if (const auto* push = std::get_if<wire::Push>(&message)) {
    if (push->run.last > track.applied.at(push->run.origin)) {
      complain("R2.2", track.name + " sends an entry that is not in its log");
    }
  } else if (const auto* answer = std::get_if<wire::DigestReply>(&message)) {
    digested(node, answer->applied, answer->digest);
  }
}

void Judge::digested(std::size_t node, const VersionVector& applied, const Digest& digest) {
  coverage_.hit("checker I6 equal V, equal digest");
  std::string key;
  put_version_vector(key, applied);
  const auto [it, fresh] = digests_.try_emplace(key, digest);
  if (!(it->second == digest)) {
    complain("I6", nodes_[node].name + " has another digest than an equal version vector had before");
  }
}

// ---------------------------------------------------------------- disk

void Judge::check_state(Track& track, const Cut& cut, const ReferenceState& wanted,
                        const VersionVector& applied, const char* when) {
  coverage_.hit("checker I3 state is the log up to W");
  const std::string where = "the state on the disk of " + track.name + " " + when;
  const auto bytes = cut.get(replica::checkpoint_key());
  const auto row = bytes && *bytes ? replica::CheckpointRow::decode(**bytes) : std::nullopt;
  if (!row) {
    complain("I3", where + " has no checkpoint row");
    return;
  }
  VersionVector stored;
  for (const auto& [origin, stream] : row->streams) {
    stored.advance({origin, stream.n});
  }
  if (stored != applied) {
    complain("I3", where + " names another V than its log up to W gives");
    return;
  }
  OriginTable origins;
  for (const Origin& origin : row->origins) {
    origins.intern(origin);
  }
  std::size_t found = 0;
  for (const auto rows = cut.scan({}, meta_prefix); rows->valid(); rows->next()) {
    const auto key = decode_cell_key(rows->key());
    const auto value = key ? decode_stored(key->cell.kind, rows->value(), origins)
                           : std::expected<CellValue, std::string>(std::unexpected("damaged key"));
    if (!value) {
      complain("I3", where + " holds a cell that does not decode");
      return;
    }
    const auto reference = wanted.cells().find(*key);
    if (reference == wanted.cells().end() || reference->second != *value) {
      complain("I3", where + " holds " +
                         (reference == wanted.cells().end() ? "a cell that should be gone"
                                                            : "another cell than its log gives") +
                         ": key \"" + key->object.key + "\", kind " +
                         std::to_string(static_cast<int>(key->cell.kind)) + " \"" +
                         key->cell.subkey + "\"");
      return;
    }
    ++found;
  }
  if (found != wanted.cells().size()) {
    complain("I3", where + " lacks cells that its log up to W gives");
  }
}

void Judge::froze(std::size_t node, std::uint64_t position) {
  Track& track = nodes_[node];
  if (position != track.position) {
    complain("R5.2", track.name + " freezes at a log position that is not the end of its log");
  }
  track.frozen[position] = track.state;
}

void Judge::ingested(std::size_t node, const FaultyStore& store) {
  Track& track = nodes_[node];
  const std::uint64_t w = store.state_position();
  if (w == track.ingested || violation_) {
    return;
  }
  const auto frozen = track.frozen.find(w);
  if (frozen == track.frozen.end()) {
    complain("I3", track.name + " ingested a checkpoint of no freeze");
    return;
  }
  coverage_.hit("checker R5.2 log before state");
  if (w > store.synced_position()) {
    complain("R5.2", track.name + " has a state on disk that is ahead of its durable log");
    return;
  }
  check_state(track, *store.cut(), frozen->second, track.applied_at[w], "after a checkpoint");
  digested(node, track.applied_at[w], frozen->second.digest());
  track.ingested = w;
  track.ingested_state = std::move(frozen->second);
  track.frozen.erase(track.frozen.begin(), std::next(frozen));
  track.applied_at.erase(track.applied_at.begin(), track.applied_at.find(w));
}

void Judge::truncated(std::size_t node, std::uint64_t first_kept, const FaultyStore& store) {
  Track& track = nodes_[node];
  coverage_.hit("checker I5 floors below durable acknowledgements");
  if (first_kept > store.state_position() + 1) {
    complain("I5", track.name + " drops log records above its checkpoint");
  }
  for (std::uint64_t at = store.bounds().first; at < first_kept && !violation_; ++at) {
    const auto bytes = store.read_record(at);
    const auto record = bytes && *bytes ? Record::decode(**bytes) : std::nullopt;
    for (const Run& run : record ? record->runs() : std::vector<Run>{}) {
      for (const auto& [other, theirs] : nodes_) {
        if (theirs.node != 0 && !safe(theirs).covers({run.origin, run.last})) {
          complain("I5", track.name + " drops " + shown({run.origin, run.last}) +
                             " from its log, which " + theirs.name + " could still lose");
          return;
        }
      }
    }
  }
}

// ---------------------------------------------------------------- starts and crashes

void Judge::crashed(std::size_t node, const Crash& crash) {
  Track& track = nodes_[node];
  // A process that ran on for so long after its answer has synced it; a dead one syncs nothing.
  for (Acked& acked : track.acked) {
    const std::uint64_t since_us = std::max(acked.at_us, track.started_us);
    acked.settled = acked.settled || (!track.crashed && crash.sync == replica::SyncMode::everysec &&
                                      since_us + crash.promise_us < crash.now_us);
  }
  track.crashed = true;
  track.requests.clear();
  track.writes.clear();
  track.must_have.clear();
  std::vector<Acked> kept;
  for (const Acked& acked : track.acked) {
    const bool on_disk = acked.position <= crash.synced_position;
    const bool promised =
        !crash.power || on_disk || acked.settled || crash.sync == replica::SyncMode::always;
    if (promised) {
      track.must_have.advance(acked.dot);
      kept.push_back(acked);
    } else {
      coverage_.hit("write that a power cut may take");
    }
  }
  track.acked = std::move(kept);
}

void Judge::started(std::size_t node, const FaultyStore& store, const replica::View& view,
                    std::uint64_t now_us) {
  Track& track = nodes_[node];
  track.started_us = now_us;
  track.self = view.origin;
  track.node = view.node;
  names_[view.node] = track.name;
  track.written = streams_.contains(track.self) ? heads_[track.self].n : 0;
  const std::uint64_t w = store.state_position();
  if (w != track.ingested) {
    ingested(node, store);  // it died right after the file was in place
  }
  if (violation_) {
    return;
  }
  if (w > 0) {
    check_state(track, *store.cut(), track.ingested_state, track.applied_at[w], "at a start");
  }
  track.state = track.ingested_state;
  track.applied = w > 0 ? track.applied_at[w] : VersionVector{};
  track.frozen.clear();
  track.position = w;
  track.applied_at.erase(track.applied_at.upper_bound(w), track.applied_at.end());
  for (std::uint64_t at = w + 1; at <= store.bounds().last && !violation_; ++at) {
    const auto bytes = store.read_record(at);
    const auto record = bytes && *bytes ? Record::decode(**bytes) : std::nullopt;
    if (!record) {
      complain("I3", track.name + " served a log with a hole");
      return;
    }
    for (const Run& run : record->runs()) {
      commit(track, run, true);
    }
    track.position = at;
    track.applied_at[at] = track.applied;
  }
  coverage_.hit("checker I3 V is what state and log give");
  if (!violation_ && view.applied != track.applied) {
    complain("I3", track.name + " starts with another V than its state and log give");
  }
  coverage_.hit("checker I7 acknowledged writes");
  if (!violation_ && !track.must_have.leq(track.applied)) {
    complain("I7", "a write that " + track.name +
                       " had acknowledged did not survive a crash it should survive");
  }
  track.must_have.clear();
  track.crashed = false;
}

void Judge::looked(std::size_t node, const replica::View& view, const replica::Config&) {
  const Track& track = nodes_[node];
  coverage_.hit("checker I3 V is what the log holds");
  if (view.applied != track.applied) {
    complain("I3", track.name + " says V is something else than its log holds");
  }
  if (!view.durable.leq(safe(track))) {
    complain("I5", track.name + " believes durable what a power cut could take from it");
  }
}

void Judge::finally(std::size_t node, const replica::View& view) {
  const Track& track = nodes_[node];
  for (const auto& [other, theirs] : nodes_) {
    for (const Acked& acked : theirs.acked) {
      coverage_.hit("checker I7 acknowledged writes");
      if (!view.applied.covers(acked.dot)) {
        complain("I7", "a write that " + theirs.name + " had acknowledged never reached " +
                           track.name);
        return;
      }
    }
  }
}

}  // namespace starling::sim
