// A replica in a few lines: the real entries, gate, cells and contexts, without tables on disk, log
// or network. What a test does to it is what a command does in server/replica.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "crdt/aw_set.h"
#include "crdt/cell.h"
#include "crdt/deadline.h"
#include "crdt/digest.h"
#include "crdt/entry.h"
#include "crdt/ew_flag.h"
#include "crdt/hash.h"
#include "crdt/hybrid_clock.h"
#include "crdt/mv_register.h"
#include "crdt/sorted_set.h"
#include "crdt/string.h"

namespace starling::test {

inline Origin origin_of(std::uint64_t node, std::uint32_t epoch = 1, std::uint32_t nonce = 7) {
  return {node, epoch, nonce};
}
// The two of most examples.
inline const Origin a = origin_of(1);
inline const Origin b = origin_of(2);

// One entry on its way to others.
struct Message {
  Entry entry;  // what was meant, to compare with what is decoded
  std::string bytes;
};
using Sent = std::shared_ptr<const Message>;

class Replica {
 public:
  // A cold replica never looks at a cell before it changes it: changes pile up as a partial delta
  // until something reads the cell (R3.2, R4.2).
  explicit Replica(const Origin& origin, bool cold = false) : origin_(origin), cold_(cold) {}

  // -- commands; outside `begin`/`commit` each is an entry of its own --

  void begin(std::uint64_t unix_ms = 0) {
    hlc_ = clock_.tick(unix_ms);
    context_ = applied_;
    in_batch_ = true;
  }
  Sent commit() {
    in_batch_ = false;
    if (ops_.empty()) {
      return nullptr;
    }
    Entry entry;
    entry.origin = origin_;
    entry.first = applied_.at(origin_) + 1;
    entry.hlc = hlc_;
    entry.deps = applied_;
    entry.ops = std::exchange(ops_, {});
    auto message = std::make_shared<Message>();
    message->bytes = encode_entry(entry, streams_[origin_]);
    applied_.advance({origin_, entry.last()});
    message->entry = std::move(entry);
    sent_.push_back(message);
    return message;
  }

  void set(const std::string& key, const std::string& text) {
    command([&] {
      reset(totals(key));
      emit(base(key), Assign{text});
    });
  }
  void append(const std::string& key, const std::string& more) {
    set(key, get(key).value_or("") + more);
  }
  // False if the value is not an integer: refused, nothing happens.
  bool incr(const std::string& key, std::int64_t delta = 1) {
    return add(base(key), totals(key), Total::of(delta), true);
  }
  bool incr_float(const std::string& key, const std::string& delta) {
    return add(base(key), totals(key), Total::of_real(parse_decimal(delta).value()), false);
  }
  // As a node decides it: nothing if a raise or a lowering would change nothing it sees.
  bool zadd(const std::string& key, const std::string& member, double score,
            ScoreRule rule = ScoreRule::plain) {
    const auto before = this->score(key, member);
    if (before && ((rule == ScoreRule::raised && score <= *before) ||
                   (rule == ScoreRule::lowered && score >= *before))) {
      return false;
    }
    command([&] {
      reset(member_totals(key, member));
      emit(member_cell(key, member), Assign{encode_score({score, rule})});
    });
    return true;
  }
  // Requires a finite score.
  void zincrby(const std::string& key, const std::string& member, double delta) {
    command([&] {
      const CellKey cell = member_totals(key, member);
      const Total total = Total::of_real({delta, 0});
      const TotalPart part =
          summed(cell).increment(origin_, applied_.at(origin_) + 1 + ops_.size(), total);
      emit(cell, Increment{part.life, part.total, total});
    });
  }
  void zrem(const std::string& key, const std::string& member) {
    command([&] {
      reset(member_totals(key, member));
      emit(member_cell(key, member), Remove{});
    });
  }
  void expire_at(const std::string& key, std::int64_t unix_ms) {
    command([&] { emit(deadline_cell(key), Assign{encode_deadline(unix_ms)}); });
  }
  void persist(const std::string& key) { expire_at(key, never_expires); }
  // SET without KEEPTTL.
  void set_anew(const std::string& key, const std::string& text) {
    command([&] {
      emit(deadline_cell(key), Remove{});
      reset(totals(key));
      emit(base(key), Assign{text});
    });
  }
  // What the node that expires a key writes; nothing if its time is not over.
  bool expire(const std::string& key, std::int64_t now_ms) {
    if (const auto at = deadline(key); !at || *at > now_ms) {
      return false;
    }
    del(key);
    return true;
  }
  // DEL of a key of any type: a kill of the key's scope plus a reset of each counter in it (R3.6).
  void del(const std::string& key) {
    command([&] {
      for (const CellKey& cell : totals_of(key)) {
        reset(cell);
      }
      emit({{0, key}, {}}, Kill{ScopeLevel::key});
    });
  }

  void assign(const std::string& key, const std::string& text) {
    command([&] { emit({{0, key}, {CellKind::mv_register, ""}}, Assign{text}); });
  }
  void enable(const std::string& key) {
    command([&] { emit(flag_cell(key), Assign{}); });
  }
  void disable(const std::string& key) {
    command([&] { emit(flag_cell(key), Remove{}); });
  }
  void add(const std::string& key, const std::string& element) {
    command([&] { emit(element_cell(key, element), Assign{}); });
  }
  void remove(const std::string& key, const std::string& element,
              std::optional<VersionVector> context = std::nullopt) {
    command([&] { emit(element_cell(key, element), Remove{std::move(context)}); });
  }
  void hset(const std::string& key, const std::string& field, const std::string& text) {
    command([&] {
      reset(totals(key, field));
      emit(base(key, field), Assign{text});
    });
  }
  void hdel(const std::string& key, const std::string& field) {
    command([&] {
      reset(totals(key, field));
      emit(base(key, field), Remove{});
    });
  }
  bool hincr(const std::string& key, const std::string& field, std::int64_t delta = 1) {
    return add(base(key, field), totals(key, field), Total::of(delta), true);
  }
  bool hincr_float(const std::string& key, const std::string& field, const std::string& delta) {
    return add(base(key, field), totals(key, field), Total::of_real(parse_decimal(delta).value()),
               false);
  }

  // -- reads --

  [[nodiscard]] std::optional<std::string> get(const std::string& key) const {
    return text(base(key), totals(key));
  }
  [[nodiscard]] std::optional<std::string> hget(const std::string& key,
                                                const std::string& field) const {
    return text(base(key, field), totals(key, field));
  }
  [[nodiscard]] std::map<std::string, std::string> fields(const std::string& key) const {
    std::map<std::string, std::string> all;
    for (const auto& [cell_key, cell] : cells_) {
      if (cell_key.object.key == key && object_type(cell_key.cell.kind()) == ObjectType::hash) {
        if (auto shown = hget(key, cell_key.cell.subkey())) {
          all[cell_key.cell.subkey()] = *shown;
        }
      }
    }
    return all;
  }
  [[nodiscard]] bool hides_increments(const std::string& key) const {
    const auto b = dotted(base(key));
    const auto t = summed(totals(key));
    return StringView(b, t).hides_increments();
  }
  [[nodiscard]] std::optional<double> score(const std::string& key,
                                            const std::string& member) const {
    const auto b = dotted(member_cell(key, member));
    const auto t = summed(member_totals(key, member));
    return ScoreView(b, t).score();
  }
  [[nodiscard]] std::optional<std::int64_t> deadline(const std::string& key) const {
    return deadline_of(dotted(deadline_cell(key)));
  }
  [[nodiscard]] std::set<std::string> elements(const std::string& key) const {
    std::set<std::string> all;
    for (const auto& [cell_key, cell] : cells_) {
      if (cell_key.object.key == key && cell_key.cell.kind() == CellKind::set_element &&
          set_contains(dotted(cell_key))) {
        all.insert(cell_key.cell.subkey());
      }
    }
    return all;
  }
  [[nodiscard]] bool is_on(const std::string& key) const {
    return flag_is_on(dotted(flag_cell(key)));
  }
  [[nodiscard]] std::vector<std::string> values(const std::string& key) const {
    return mv_values(dotted({{0, key}, {CellKind::mv_register, ""}}));
  }
  [[nodiscard]] std::size_t siblings(const std::string& key) const {
    return dotted(base(key)).siblings().size();
  }

  // -- replication --

  // The gate (R2.1): what cannot be applied yet is held. Returns what became applied.
  std::vector<Sent> receive(const Sent& message, std::uint64_t unix_ms = 0) {
    std::vector<Sent> done;
    held_.push_back(message);
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t i = 0; i < held_.size();) {
        const Sent next = held_[i];
        const Admission admission = admit(*next, unix_ms);
        if (admission == Admission::too_early) {
          ++i;
          continue;
        }
        held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
        if (admission == Admission::applied) {
          done.push_back(next);
          moved = true;
        }
      }
    }
    return done;
  }

  [[nodiscard]] const std::vector<Sent>& sent() const { return sent_; }
  [[nodiscard]] const std::vector<Sent>& held() const { return held_; }
  [[nodiscard]] const VersionVector& applied() const { return applied_; }
  [[nodiscard]] const Origin& origin() const { return origin_; }
  [[nodiscard]] const std::map<Origin, OriginStream>& streams() const { return streams_; }

  // A new start of the same process: a fresh origin, the same state.
  void restart() { origin_ = {origin_.node, origin_.epoch + 1, origin_.nonce + 1}; }
  // A start that remembers nothing.
  void forget_everything() {
    const Origin next{origin_.node, origin_.epoch + 1, origin_.nonce + 1};
    *this = Replica(next, cold_);
  }
  void drop_held(const Sent& message) { std::erase(held_, message); }

  // Everything cold is joined, written as stored bytes and read back.
  void checkpoint() {
    for (auto it = cells_.begin(); it != cells_.end();) {
      const CellValue value = it->second.value();
      intern(value);
      const std::string bytes = encode_stored(it->first.cell.kind(), value, origins_);
      const auto decoded = decode_stored(it->first.cell.kind(), bytes, origins_);
      if (!decoded || *decoded != value) {
        throw std::runtime_error("a stored cell is not what was written");
      }
      if (is_empty(value)) {
        it = cells_.erase(it);
      } else {
        it->second = Cell{CellDelta::whole(*decoded), std::nullopt};
        ++it;
      }
    }
  }

  [[nodiscard]] Digest digest() const {
    Digest sum;
    for (const auto& [key, cell] : cells_) {
      sum += digest_of(key, cell.value());
    }
    return sum;
  }
  [[nodiscard]] std::map<CellKey, std::string> canonical() const {
    std::map<CellKey, std::string> all;
    for (const auto& [key, cell] : cells_) {
      if (std::string live = canonical_live(key.cell.kind(), cell.value()); !live.empty()) {
        all.emplace(key, std::move(live));
      }
    }
    return all;
  }
  // Bytes that a store would hold: nothing for what is gone.
  [[nodiscard]] std::size_t stored_cells() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        cells_, [](const auto& cell) { return !is_empty(cell.second.value()); }));
  }
  [[nodiscard]] CellValue cell(const CellKey& key) const {
    const auto it = cells_.find(key);
    return it == cells_.end() ? empty_cell(key.cell.kind()) : it->second.value();
  }

  // Equal in what everybody can see, at equal version vectors.
  friend bool operator==(const Replica& a, const Replica& b) {
    return a.applied_ == b.applied_ && a.canonical() == b.canonical() && a.digest() == b.digest();
  }

 private:
  enum class Admission { applied, duplicate, too_early };

  struct Cell {
    CellDelta base;
    std::optional<CellDelta> pending;

    [[nodiscard]] CellValue value() const {
      if (!pending) {
        return base.value();
      }
      CellDelta joined = *pending;
      joined.join_onto(base);
      return joined.value();
    }
  };

  static CellKey base(const std::string& key) {
    return {{0, key}, {CellKind::string_register, ""}};
  }
  static CellKey totals(const std::string& key) {
    return {{0, key}, {CellKind::string_totals, ""}};
  }
  static CellKey base(const std::string& key, const std::string& field) {
    return {{0, key}, {CellKind::hash_field, field}};
  }
  static CellKey totals(const std::string& key, const std::string& field) {
    return {{0, key}, {CellKind::hash_totals, field}};
  }
  static CellKey member_cell(const std::string& key, const std::string& member) {
    return {{0, key}, {CellKind::scored_member, member}};
  }
  static CellKey member_totals(const std::string& key, const std::string& member) {
    return {{0, key}, {CellKind::scored_totals, member}};
  }
  static CellKey deadline_cell(const std::string& key) {
    return {{0, key}, {CellKind::deadline, ""}};
  }
  static CellKey flag_cell(const std::string& key) { return {{0, key}, {CellKind::flag, ""}}; }
  static CellKey element_cell(const std::string& key, const std::string& element) {
    return {{0, key}, {CellKind::set_element, element}};
  }

  template <typename Body>
  void command(Body body) {
    const bool alone = !in_batch_;
    if (alone) {
      begin();
    }
    body();
    if (alone) {
      commit();
    }
  }

  void emit(const CellKey& key, Change change) {
    const Dot dot{origin_, applied_.at(origin_) + 1 + ops_.size()};
    ops_.push_back({key, std::move(change)});
    apply(ops_.back(), dot, hlc_, context_);
    context_.advance(dot);
  }

  void reset(const CellKey& key) {
    if (auto observed = summed(key).observed(); !observed.empty()) {
      emit(key, Reset{std::move(observed)});
    }
  }

  bool add(const CellKey& base_key, const CellKey& totals_key, const Total& delta, bool whole) {
    const DottedCell base = dotted(base_key);
    const OriginTotals sums = summed(totals_key);
    const StringView view(base, sums);
    const auto shown = view.text();
    if (whole ? !view.integer() : shown && !parse_real(*shown)) {
      return false;
    }
    command([&] {
      const std::uint64_t n = applied_.at(origin_) + 1 + ops_.size();
      const TotalPart part = sums.increment(origin_, n, delta);
      emit(totals_key, Increment{part.life, part.total, delta});
    });
    return true;
  }

  void apply(const Op& op, const Dot& dot, Hlc hlc, const VersionVector& context) {
    if (const auto* kill = std::get_if<Kill>(&op.change)) {
      for (auto& [key, cell] : cells_) {
        if (kill->level != ScopeLevel::key || key.object == op.key.object) {
          change(key, [&](CellDelta& delta) { delta.kill(context); });
        }
      }
      return;
    }
    change(op.key, [&](CellDelta& delta) {
      if (const auto* assigned = std::get_if<Assign>(&op.change)) {
        const Hlc stamp = has_payload(op.key.cell.kind()) ? hlc : 0;
        delta.assign({dot, stamp, assigned->bytes}, context);
      } else if (const auto* removed = std::get_if<Remove>(&op.change)) {
        VersionVector killed = context;
        if (removed->context) {
          killed.meet(*removed->context);
        }
        delta.kill(killed);
      } else if (const auto* increment = std::get_if<Increment>(&op.change)) {
        TotalPart part;
        part.origin = dot.origin;
        part.life = increment->life;
        part.n = dot.n;
        part.total = increment->total;
        delta.add(part);
      } else if (const auto* reset = std::get_if<Reset>(&op.change)) {
        for (const ObservedTotal& seen : reset->observed) {
          delta.reset(seen, dot);
        }
      }
    });
  }

  template <typename Body>
  void change(const CellKey& key, Body body) {
    auto it = cells_.find(key);
    if (it == cells_.end()) {
      it = cells_.emplace(key, Cell{CellDelta::whole(empty_cell(key.cell.kind())), std::nullopt})
               .first;
    }
    if (!cold_) {
      body(it->second.base);
      return;
    }
    CellDelta next(key.cell.kind());
    body(next);
    if (it->second.pending) {
      next.join_onto(*it->second.pending);
    }
    it->second.pending = std::move(next);
  }

  Admission admit(const Message& message, std::uint64_t unix_ms) {
    const Origin& from = message.entry.origin;
    const std::uint64_t ops = entry_op_count(message.bytes).value();
    if (applied_.covers({from, message.entry.first + ops - 1})) {
      return Admission::duplicate;
    }
    if (message.entry.first != applied_.at(from) + 1) {
      return Admission::too_early;
    }
    OriginStream& stream = streams_[from];
    const auto parsed = parse_entry(message.bytes, from, stream);
    if (!parsed) {
      throw std::runtime_error(std::string(starling::message(parsed.error())));
    }
    if (!(parsed->entry == message.entry)) {
      throw std::runtime_error("an entry is not what was written");
    }
    if (!parsed->entry.deps.leq(applied_)) {
      return Admission::too_early;
    }
    advance_stream(stream, *parsed, message.bytes);
    VersionVector context = parsed->entry.deps;
    for (std::size_t i = 0; i < parsed->entry.ops.size(); ++i) {
      const Dot dot = parsed->entry.dot(i);
      apply(parsed->entry.ops[i], dot, parsed->entry.hlc, context);
      context.advance(dot);
    }
    clock_.observe(parsed->entry.hlc, unix_ms);
    applied_.advance({from, parsed->entry.last()});
    return Admission::applied;
  }

  [[nodiscard]] DottedCell dotted(const CellKey& key) const {
    return std::get<DottedCell>(cell(key));
  }
  [[nodiscard]] OriginTotals summed(const CellKey& key) const {
    return std::get<OriginTotals>(cell(key));
  }
  [[nodiscard]] std::optional<std::string> text(const CellKey& base_key,
                                                const CellKey& totals_key) const {
    const DottedCell b = dotted(base_key);
    const OriginTotals t = summed(totals_key);
    return StringView(b, t).text();
  }
  [[nodiscard]] std::vector<CellKey> totals_of(const std::string& key) const {
    std::vector<CellKey> found;
    for (const auto& [cell_key, cell] : cells_) {
      if (cell_key.object.key == key && is_totals(cell_key.cell.kind())) {
        found.push_back(cell_key);
      }
    }
    return found;
  }
  void intern(const CellValue& value) {
    if (const auto* sums = std::get_if<OriginTotals>(&value)) {
      for (const TotalPart& part : sums->parts()) {
        origins_.intern(part.origin);
        origins_.intern(part.reset_by.origin);
      }
      return;
    }
    for (const Sibling& sibling : std::get<DottedCell>(value).siblings()) {
      origins_.intern(sibling.dot.origin);
    }
  }

  Origin origin_;
  bool cold_ = false;
  HybridClock clock_;
  VersionVector applied_;
  std::map<Origin, OriginStream> streams_;
  std::map<CellKey, Cell> cells_;
  std::vector<Sent> held_;
  std::vector<Sent> sent_;
  OriginTable origins_;

  bool in_batch_ = false;
  Hlc hlc_ = 0;
  VersionVector context_;
  std::vector<Op> ops_;
};

// `from` sends all of its own entries to `to`; what `to` has already is dropped.
inline void send(const Replica& from, Replica& to) {
  for (const Sent& message : std::vector<Sent>(from.sent())) {
    to.receive(message);
  }
}
inline void exchange(Replica& a, Replica& b) {
  send(a, b);
  send(b, a);
  send(a, b);  // what waited for what came in between
}

}  // namespace starling::test
