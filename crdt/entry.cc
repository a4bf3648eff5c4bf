#include "crdt/entry.h"

#include <algorithm>
#include <utility>

#include <xxhash.h>

#include "crdt/total_codec.h"
#include "crdt/varint.h"

namespace starling {
namespace {

// docs/peer-protocol.md describes these bytes. Change them only together with the version.
constexpr std::uint8_t entry_version = 0;

enum EntryFlag : std::uint8_t { has_op_id = 1, has_extensions = 2, has_seals = 4 };

// The low bits of an op's first byte; the high bits are flags.
enum class OpCode : std::uint8_t {
  assign = 0,
  remove = 1,
  remove_older = 2,
  increment = 3,
  reset = 4,
  kill = 5
};
constexpr std::uint8_t op_code_mask = 0x0F;
constexpr std::uint8_t same_object = 0x10;  // key as in the previous op

OpCode code_of(const Change& change) {
  struct Visitor {
    OpCode operator()(const Assign&) const { return OpCode::assign; }
    OpCode operator()(const Remove& r) const {
      return r.context ? OpCode::remove_older : OpCode::remove;
    }
    OpCode operator()(const Increment&) const { return OpCode::increment; }
    OpCode operator()(const Reset&) const { return OpCode::reset; }
    OpCode operator()(const Kill&) const { return OpCode::kill; }
  };
  return std::visit(Visitor{}, change);
}

void put_seals(std::string& out, const VersionVector& vector) {
  put_varint(out, vector.seals().size());
  for (const auto& seal : vector.seals()) {
    put_be(out, seal.node);
    put_varint(out, seal.epoch);
  }
}

// Into an empty vector. Sorted and above zero, or the same vector would have two encodings; also
// keeps the cost of hostile bytes linear.
void read_seals(ByteReader& in, VersionVector& vector) {
  for (std::uint64_t i = in.count(); i > 0 && in.ok(); --i) {
    const auto node = in.be<std::uint64_t>();
    const std::uint64_t epoch = in.varint();
    const bool sorted = vector.seals().empty() || vector.seals().back().node < node;
    if (!sorted || epoch == 0 || epoch > UINT32_MAX) {
      in.fail();
      return;
    }
    vector.seal(node, static_cast<std::uint32_t>(epoch));
  }
}

// False unless the dot comes after all others and is not covered yet.
bool append_dot(VersionVector& vector, const Dot& dot) {
  if (dot.n == 0 || vector.covers(dot) ||
      (!vector.components().empty() && !(vector.components().back().origin < dot.origin))) {
    return false;
  }
  vector.advance(dot);
  return true;
}

// Writes entries of one origin with dictionary indexes in place of origins.
class EntryWriter {
 public:
  EntryWriter(const Origin& self, OriginStream& stream) : stream_(stream) {
    if (stream_.dictionary.empty()) {
      stream_.dictionary.push_back(self);
    }
    known_ = stream_.dictionary.size();
  }

  void write(const Entry& entry, std::string& out) {
    put_u8(out, entry_version);
    const std::size_t flags_at = out.size();
    put_u8(out, 0);
    put_varint(out, entry.ops.size());
    put_be(out, entry.hlc);
    const std::size_t origins_at = out.size();
    put_varint(out, 0);
    const bool seals = write_deps(out, entry);
    if (entry.op_id) {
      put_be(out, entry.op_id->session);
      put_varint(out, entry.op_id->sequence);
      put_bytes(out, entry.outcome);
    }
    write_ops(out, entry);
    out[flags_at] = static_cast<char>((entry.op_id ? has_op_id : 0) | (seals ? has_seals : 0));
    name_origins(out, origins_at);
  }

 private:
  // Those named for the first time, before anything that uses them; nearly never any.
  void name_origins(std::string& out, std::size_t at) const {
    const std::size_t fresh = stream_.dictionary.size() - known_;
    if (fresh > 0) {
      std::string named;
      put_varint(named, fresh);
      for (std::size_t i = known_; i < stream_.dictionary.size(); ++i) {
        put_origin(named, stream_.dictionary[i]);
      }
      out.replace(at, 1, named);
    }
  }

  void put_index(std::string& out, const Origin& origin) {
    auto it = std::ranges::find(stream_.dictionary, origin);
    if (it == stream_.dictionary.end()) {
      stream_.dictionary.push_back(origin);
      it = stream_.dictionary.end() - 1;
    }
    put_varint(out, static_cast<std::uint64_t>(it - stream_.dictionary.begin()));
  }

  void put_dots(std::string& out, const VersionVector& vector) {
    put_varint(out, vector.components().size());
    for (const auto& c : vector.components()) {
      put_index(out, c.origin);
      put_varint(out, c.n);
    }
  }

  // Only what changed since the previous entry of this origin. A seal covers dots that had no
  // component in any earlier entry, so it travels too: a kill acts on it (R1.6). True if one does.
  bool write_deps(std::string& out, const Entry& entry) {
    VersionVector changed;
    for (const auto& seal : entry.deps.seals()) {
      if (seal.epoch > stream_.deps.sealed_epoch(seal.node)) {
        changed.seal(seal.node, seal.epoch);
      }
    }
    for (const auto& c : entry.deps.components()) {
      if (c.origin != entry.origin && c.n != stream_.deps.at(c.origin)) {
        changed.advance({c.origin, c.n});
      }
    }
    put_dots(out, changed);
    if (!changed.seals().empty()) {
      put_seals(out, changed);
    }
    stream_.deps.join(changed);
    return !changed.seals().empty();
  }

  void write_ops(std::string& out, const Entry& entry) {
    const ObjectKey* previous = nullptr;
    for (const Op& op : entry.ops) {
      const bool same = previous != nullptr && *previous == op.key.object;
      put_u8(out, static_cast<std::uint8_t>(static_cast<std::uint8_t>(code_of(op.change)) |
                                            (same ? same_object : 0)));
      if (!same) {
        put_u8(out, op.key.object.db);
        put_bytes(out, op.key.object.key);
      }
      previous = &op.key.object;
      if (const auto* kill = std::get_if<Kill>(&op.change)) {
        put_u8(out, static_cast<std::uint8_t>(kill->level));
        continue;
      }
      put_u8(out, static_cast<std::uint8_t>(op.key.cell.kind()));
      put_bytes(out, op.key.cell.subkey());
      write_change(out, op.change);
    }
  }

  void write_change(std::string& out, const Change& change) {
    if (const auto* assign = std::get_if<Assign>(&change)) {
      put_bytes(out, assign->bytes);
    } else if (const auto* remove = std::get_if<Remove>(&change)) {
      if (remove->context) {
        put_dots(out, *remove->context);
        put_seals(out, *remove->context);
      }
    } else if (const auto* increment = std::get_if<Increment>(&change)) {
      put_varint(out, increment->life);
      put_total(out, increment->total);
      put_total(out, increment->delta);
    } else if (const auto* reset = std::get_if<Reset>(&change)) {
      put_varint(out, reset->observed.size());
      for (const ObservedTotal& seen : reset->observed) {
        put_index(out, seen.origin);
        put_varint(out, seen.life);
        put_varint(out, seen.n);
        put_total(out, seen.total);
      }
    }
  }

  OriginStream& stream_;
  std::size_t known_ = 0;
};

struct Header {
  std::uint8_t flags = 0;
  std::uint64_t op_count = 0;
  Hlc hlc = 0;
};

std::expected<Header, EntryError> read_header(ByteReader& in) {
  const std::uint8_t version = in.u8();
  Header header;
  header.flags = in.u8();
  header.op_count = in.count();
  header.hlc = in.be<std::uint64_t>();
  if (!in.ok()) {
    return std::unexpected(EntryError::damaged);
  }
  if (version != entry_version) {
    return std::unexpected(EntryError::unsupported_version);
  }
  if ((header.flags & ~(has_op_id | has_extensions | has_seals)) != 0) {
    return std::unexpected(EntryError::unknown_critical);
  }
  if (header.op_count == 0 || header.op_count > max_ops_per_entry) {
    return std::unexpected(EntryError::damaged);
  }
  return header;
}

// Reads one entry against the stream before it, which it leaves alone.
class EntryParser {
 public:
  EntryParser(std::string_view bytes, const Origin& origin, const OriginStream& stream)
      : in_(bytes), origin_(origin), stream_(stream) {
    if (stream.dictionary.empty()) {
      defined_.push_back(origin);
      used_ = 1;
    }
  }

  std::expected<ParsedEntry, EntryError> parse() {
    const auto header = read_header(in_);
    if (!header) {
      return std::unexpected(header.error());
    }
    Entry entry;
    entry.origin = origin_;
    entry.first = stream_.n + 1;
    entry.hlc = header->hlc;
    for (std::uint64_t defines = in_.count(); defines > 0 && in_.ok(); --defines) {
      defined_.push_back(read_origin(in_));
    }
    entry.deps = stream_.deps;
    VersionVector changed = dots();
    if ((header->flags & has_seals) != 0) {
      changed = with_seals(changed);
      if (changed.seals().empty()) {
        in_.fail();
      }
    }
    // What an entry knows of its own origin is everything before it, no more.
    if (changed.covers({origin_, 1}) || header->op_count > UINT64_MAX - stream_.n ||
        !adds_to(stream_.deps, changed)) {
      in_.fail();
    }
    entry.deps.join(changed);
    entry.deps.advance({origin_, stream_.n});
    if ((header->flags & has_op_id) != 0) {
      entry.op_id.emplace();
      entry.op_id->session = in_.be<std::uint64_t>();
      entry.op_id->sequence = in_.varint();
      entry.outcome = in_.bytes();
    }
    if ((header->flags & has_extensions) != 0 && !skip_extensions()) {
      return std::unexpected(in_.ok() ? EntryError::unknown_critical : EntryError::damaged);
    }
    entry.ops.reserve(static_cast<std::size_t>(header->op_count));
    for (std::uint64_t i = 0; i < header->op_count && in_.ok(); ++i) {
      entry.ops.push_back(op(i == 0 ? nullptr : &entry.ops.back()));
      if (!possible(entry, entry.ops.back().change, entry.dot(static_cast<std::size_t>(i)))) {
        in_.fail();
      }
    }
    if (unknown_op_) {
      return std::unexpected(EntryError::unknown_critical);
    }
    const bool all_used = used_ == defined_.size() || (header->flags & has_extensions) != 0;
    if (!in_.complete() || !all_used) {
      return std::unexpected(EntryError::damaged);
    }
    return ParsedEntry{std::move(entry), std::move(defined_)};
  }

 private:
  Origin indexed() {
    const std::uint64_t index = in_.varint();
    const std::size_t known = stream_.dictionary.size();
    if (index < known) {
      return stream_.dictionary[static_cast<std::size_t>(index)];
    }
    // New origins are defined in the order of their first use.
    if (index - known < defined_.size() && index - known <= used_) {
      used_ = std::max(used_, static_cast<std::size_t>(index - known) + 1);
      return defined_[static_cast<std::size_t>(index - known)];
    }
    in_.fail();
    return {};
  }

  VersionVector dots() {
    VersionVector vector;
    for (std::uint64_t i = in_.count(); i > 0 && in_.ok(); --i) {
      const Origin origin = indexed();
      if (!append_dot(vector, {origin, in_.varint()})) {
        in_.fail();
      }
    }
    return vector;
  }

  // The same components and the seals that follow, which must not cover any of them.
  VersionVector with_seals(const VersionVector& components) {
    VersionVector vector;
    read_seals(in_, vector);
    for (const auto& c : components.components()) {
      if (!append_dot(vector, {c.origin, c.n})) {
        in_.fail();
      }
    }
    return vector;
  }

  static bool adds_to(const VersionVector& before, const VersionVector& changed) {
    return std::ranges::none_of(changed.components(),
                                [&](const auto& c) { return before.covers({c.origin, c.n}); }) &&
           std::ranges::all_of(changed.seals(), [&](const auto& seal) {
             return seal.epoch > before.sealed_epoch(seal.node);
           });
  }

  // Nobody resets what they have not seen, or begins a life with a later operation.
  static bool possible(const Entry& entry, const Change& change, const Dot& dot) {
    if (const auto* increment = std::get_if<Increment>(&change)) {
      return increment->life <= dot.n;
    }
    if (const auto* reset = std::get_if<Reset>(&change)) {
      return std::ranges::all_of(reset->observed, [&](const ObservedTotal& seen) {
        return seen.origin == dot.origin ? seen.n < dot.n
                                         : entry.deps.covers({seen.origin, seen.n});
      });
    }
    return true;
  }

  // Extensions are (tag, bytes); an odd tag is critical: who does not know it must not go on.
  bool skip_extensions() {
    for (std::uint64_t i = in_.count(); i > 0 && in_.ok(); --i) {
      const std::uint64_t tag = in_.varint();
      in_.bytes();
      if ((tag & 1) != 0) {
        return false;
      }
    }
    return in_.ok();
  }

  Op op(const Op* previous) {
    Op op;
    const std::uint8_t head = in_.u8();
    if ((head & same_object) != 0) {
      if (previous == nullptr) {
        in_.fail();
        return op;
      }
      op.key.object = previous->key.object;
    } else {
      op.key.object.db = in_.u8();
      op.key.object.key = in_.bytes();
      if (op.key.object.key.size() > max_key_size ||
          (previous != nullptr && op.key.object == previous->key.object)) {
        in_.fail();
      }
    }
    const auto code = static_cast<OpCode>(head & op_code_mask);
    if ((head & ~(op_code_mask | same_object)) != 0 || code > OpCode::kill) {
      unknown_op_ = in_.ok();
      in_.fail();
      return op;
    }
    if (code == OpCode::kill) {
      const std::uint8_t level = in_.u8();
      if (level > static_cast<std::uint8_t>(ScopeLevel::group)) {
        in_.fail();
      }
      op.change = Kill{static_cast<ScopeLevel>(level)};
      return op;
    }
    const std::uint8_t kind = in_.u8();
    std::string subkey(in_.bytes());
    if (in_.ok() && !is_known_kind(kind)) {
      unknown_op_ = true;
      in_.fail();
      return op;
    }
    op.key.cell = CellName(static_cast<CellKind>(kind), std::move(subkey));
    op.change = change(code);
    const bool wants_totals = code == OpCode::increment || code == OpCode::reset;
    if (in_.ok() && wants_totals != is_totals(op.key.cell.kind())) {
      in_.fail();
    }
    return op;
  }

  Change change(OpCode code) {
    switch (code) {
      case OpCode::assign:
        return Assign{std::string(in_.bytes())};
      case OpCode::remove:
        return Remove{};
      case OpCode::remove_older:
        return Remove{with_seals(dots())};
      case OpCode::increment: {
        Increment increment;
        increment.life = in_.varint();
        increment.total = read_total(in_);
        increment.delta = read_total(in_);
        if (increment.life == 0) {
          in_.fail();
        }
        return increment;
      }
      case OpCode::reset: {
        Reset reset;
        for (std::uint64_t i = in_.count(); i > 0 && in_.ok(); --i) {
          ObservedTotal seen;
          seen.origin = indexed();
          seen.life = in_.varint();
          seen.n = in_.varint();
          seen.total = read_total(in_);
          if (seen.life == 0 || seen.n < seen.life) {
            in_.fail();
          }
          reset.observed.push_back(seen);
        }
        return reset;
      }
      case OpCode::kill:
        break;
    }
    return Kill{};
  }

  ByteReader in_;
  Origin origin_;
  const OriginStream& stream_;
  std::vector<Origin> defined_;
  std::size_t used_ = 0;  // of `defined_`
  bool unknown_op_ = false;
};

void move_behind(OriginStream& stream, const Entry& entry, std::string_view bytes) {
  stream.n = entry.last();
  stream.hash = roll_hash(stream.hash, bytes);
  stream.hlc = entry.hlc;
}

}  // namespace

TotalPart part_of(const Increment& increment, const Dot& dot) {
  TotalPart part;
  part.origin = dot.origin;
  part.life = increment.life;
  part.n = dot.n;
  part.total = increment.total;
  return part;
}

std::string_view message(EntryError error) {
  switch (error) {
    case EntryError::damaged:
      return "the entry's bytes are damaged";
    case EntryError::unsupported_version:
      return "the entry was written in a newer format; upgrade this node";
    case EntryError::unknown_critical:
      return "the entry uses a feature that this node does not know; upgrade this node";
  }
  return "unknown entry error";
}

void encode_entry(const Entry& entry, OriginStream& stream, std::string& out) {
  const std::size_t begin = out.size();
  EntryWriter(entry.origin, stream).write(entry, out);
  move_behind(stream, entry, std::string_view(out).substr(begin));
}

std::string encode_entry(const Entry& entry, OriginStream& stream) {
  std::string bytes;
  encode_entry(entry, stream, bytes);
  return bytes;
}

std::expected<ParsedEntry, EntryError> parse_entry(std::string_view bytes, const Origin& origin,
                                                   const OriginStream& stream) {
  return EntryParser(bytes, origin, stream).parse();
}

void advance_stream(OriginStream& stream, const ParsedEntry& parsed, std::string_view bytes) {
  for (const auto& seal : parsed.entry.deps.seals()) {
    stream.deps.seal(seal.node, seal.epoch);
  }
  for (const auto& c : parsed.entry.deps.components()) {
    if (c.origin != parsed.entry.origin) {
      stream.deps.advance({c.origin, c.n});
    }
  }
  stream.dictionary.insert(stream.dictionary.end(), parsed.defined.begin(), parsed.defined.end());
  move_behind(stream, parsed.entry, bytes);
}

std::expected<Entry, EntryError> decode_entry(std::string_view bytes, const Origin& origin,
                                              OriginStream& stream) {
  auto parsed = parse_entry(bytes, origin, stream);
  if (!parsed) {
    return std::unexpected(parsed.error());
  }
  advance_stream(stream, *parsed, bytes);
  return std::move(parsed->entry);
}

std::expected<std::uint64_t, EntryError> entry_op_count(std::string_view bytes) {
  ByteReader in(bytes);
  const auto header = read_header(in);
  if (!header) {
    return std::unexpected(header.error());
  }
  return header->op_count;
}

std::uint64_t roll_hash(std::uint64_t hash, std::string_view bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), hash);
}

void put_origin(std::string& out, const Origin& origin) {
  put_be(out, origin.node);
  put_be(out, origin.epoch);
  put_be(out, origin.nonce);
}

Origin read_origin(ByteReader& in) {
  Origin origin;
  origin.node = in.be<std::uint64_t>();
  origin.epoch = in.be<std::uint32_t>();
  origin.nonce = in.be<std::uint32_t>();
  return origin;
}

void put_version_vector(std::string& out, const VersionVector& vector) {
  put_seals(out, vector);
  put_varint(out, vector.components().size());
  for (const auto& c : vector.components()) {
    put_origin(out, c.origin);
    put_varint(out, c.n);
  }
}

VersionVector read_version_vector(ByteReader& in) {
  VersionVector vector;
  read_seals(in, vector);
  for (std::uint64_t i = in.count(); i > 0 && in.ok(); --i) {
    const Origin origin = read_origin(in);
    if (!append_dot(vector, {origin, in.varint()})) {
      in.fail();
    }
  }
  return vector;
}

void put_stream(std::string& out, const OriginStream& stream) {
  put_varint(out, stream.n);
  put_be(out, stream.hash);
  put_be(out, stream.hlc);
  put_version_vector(out, stream.deps);
  put_varint(out, stream.dictionary.size());
  for (const Origin& origin : stream.dictionary) {
    put_origin(out, origin);
  }
}

OriginStream read_stream(ByteReader& in) {
  OriginStream stream;
  stream.n = in.varint();
  stream.hash = in.be<std::uint64_t>();
  stream.hlc = in.be<std::uint64_t>();
  stream.deps = read_version_vector(in);
  for (std::uint64_t i = in.count(); i > 0 && in.ok(); --i) {
    stream.dictionary.push_back(read_origin(in));
  }
  return stream;
}

}  // namespace starling
