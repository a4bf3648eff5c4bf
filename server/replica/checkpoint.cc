#include "server/replica/checkpoint.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "crdt/deadline.h"
#include "crdt/mutants.h"
#include "crdt/varint.h"
#include "server/replica/conflict_finder.h"
#include "server/replica/row_keys.h"

namespace starling::replica {
namespace {

constexpr std::uint8_t row_version = 0;

// Rows of one checkpoint file, in key order: the cells of the frozen objects, swept cells, then the
// replica's own. Objects are sorted by their stored prefix and their cells come as the layer has
// them, which is the order of the state database: no key is kept but the one being written.
class CheckpointRun {
 public:
  CheckpointRun(Store& store, CheckpointWriter& writer, const FrozenTables& tables,
                const CheckpointMeta& meta, CheckpointDone& done)
      : cut_(store.cut()),
        writer_(writer),
        tables_(tables),
        meta_(meta),
        done_(done),
        conflicts_(meta.conflict_limits) {
    for (const Origin& origin : meta.row.origins) {
      origins_.intern(origin);
    }
    frozen_.reserve(tables.cells.objects().size());
    for (const Layer::Object& object : tables.cells.objects()) {
      frozen_.push_back({encode_object_prefix(only_group, object.key()), &object.key(), &object});
    }
    std::ranges::sort(frozen_, {}, &FrozenObject::prefix);
  }

  StoreResult<void> write() {
    const auto version = cut_->get(derived_version_key());
    if (!version) {
      return std::unexpected(version.error());
    }
    derive_anew_ = *version != derived_version;
    const auto ranges = sweep_ranges();
    count_keys_anew_ = ranges == whole_range();
    if (!count_keys_anew_) {
      looking_ = cut_->scan(encode_place(only_group, 0), meta_prefix);
    }
    for (const auto& [from, to] : ranges) {
      if (auto written = write_frozen_below(from); !written) {
        return written;
      }
      if (auto swept = sweep(from, to); !swept) {
        return swept;
      }
    }
    while (next_ < frozen_.size()) {
      if (auto written = write_frozen(frozen_[next_++]); !written) {
        return written;
      }
    }
    return write_meta();
  }

 private:
  struct FrozenObject {
    std::string prefix;
    const ObjectKey* key;
    const Layer::Object* object;
  };

  using Ranges = std::vector<std::pair<std::string, std::string>>;
  static Ranges whole_range() { return {{std::string(), std::string(meta_prefix)}}; }

  // The key ranges under a marker, sorted and disjoint; everything, if counts are derived anew.
  Ranges sweep_ranges() const {
    Ranges ranges;
    if (derive_anew_) {
      return whole_range();
    }
    if (mutant("unswept")) {
      return ranges;
    }
    if (tables_.markers.any_wide()) {
      return whole_range();
    }
    for (const auto& [object, killed] : tables_.markers.of_keys()) {
      const std::string from = encode_object_prefix(only_group, object);
      ranges.emplace_back(from, prefix_end(from));
    }
    std::ranges::sort(ranges);
    return ranges;
  }

  void apply_markers(const ObjectKey& object, CellValue& value) const {
    if (auto* dotted = std::get_if<DottedCell>(&value)) {
      tables_.markers.for_each_over(object,
                                    [&](const VersionVector& killed) { dotted->kill(killed); });
    }
  }

  // -- objects that are only touched --

  StoreResult<void> write_frozen_below(const std::string& from) {
    while (next_ < frozen_.size() && frozen_[next_].prefix < from) {
      if (auto written = write_frozen(frozen_[next_++]); !written) {
        return written;
      }
    }
    return {};
  }

  StoreResult<void> write_frozen(const FrozenObject& frozen) {
    std::string key = frozen.prefix;
    for (const auto& [name, cell] : frozen.object->cells) {
      set_cell(key, frozen.prefix, name);
      if (name.kind() == CellKind::deadline) {
        const auto before = stored_cell(key, name.kind());
        const auto stored = cut_->get(key);
        for (const StoreError* error :
             {before ? nullptr : &before.error(), stored ? nullptr : &stored.error()}) {
          if (error != nullptr) {
            return std::unexpected(*error);
          }
        }
        if (const auto now = resolve(*frozen.key, name, cell, *stored)) {
          index_deadline(*frozen.key, *before, *now);
        }
      }
      if (cell.is_whole()) {
        if (auto written = write_value(key, name.kind(), cell.value()); !written) {
          return written;
        }
        continue;
      }
      auto stored = cut_->get(key);
      if (!stored) {
        return std::unexpected(stored.error());
      }
      if (auto joined = resolve(*frozen.key, name, cell, *stored)) {
        if (auto written = write_value(key, name.kind(), *joined); !written) {
          return written;
        }
      }
    }
    if (auto counted = count_key(frozen); !counted) {
      return counted;
    }
    if (auto noted = note_conflicts(frozen); !noted) {
      return noted;
    }
    return count_frozen(frozen);
  }

  // What the strand could not tell because it was cold (Tables::leave_undecided).
  StoreResult<void> note_conflicts(const FrozenObject& frozen) {
    if (!frozen.object->undecided) {
      return {};
    }
    if (conflict_rows_ == nullptr) {
      conflict_rows_ = cut_->scan(frozen.prefix, meta_prefix);
    }
    const Layer::Cells& cells = frozen.object->cells;
    std::string row = frozen.prefix;
    const auto read = [&](const CellName& name) -> StoreResult<std::optional<CellValue>> {
      set_cell(row, frozen.prefix, name);
      const auto stored = cut_->get(row);
      if (!stored) {
        return std::unexpected(stored.error());
      }
      const auto cell = cells.find(name);
      const std::uint64_t quarantined = done_.quarantined;
      auto value =
          resolve(*frozen.key, name,
                  cell != cells.end() ? cell->second : LayerCell(CellDelta(name.kind())), *stored);
      done_.quarantined = quarantined;  // it is noted where it is written
      return value;
    };
    const ConflictFinder::Note note = [this](Conflict line) { conflicts_.note(std::move(line)); };
    const ConflictFinder finder(meta_.row.streams, note);
    return find_conflicts(finder, *frozen.key, frozen.prefix, cells, *conflict_rows_, read);
  }

  // Index rows follow the old value to the new one (R4.1).
  void index_deadline(const ObjectKey& object, const CellValue& before, const CellValue& now) {
    const auto old_at = deadline_of(std::get<DottedCell>(before));
    const auto new_at = deadline_of(std::get<DottedCell>(now));
    if (old_at != new_at || derive_anew_) {
      if (old_at) {
        deadlines_.try_emplace(deadline_row(*old_at, object), std::nullopt);
      }
      if (new_at) {
        deadlines_[deadline_row(*new_at, object)] = "";
      }
    }
  }

  // Keys at C = keys at W + those of the frozen objects that came or went (R4.1). Where the strand
  // did not know, the stored rows tell.
  StoreResult<void> count_key(const FrozenObject& frozen) {
    Presence existed = frozen.object->existed;
    Presence exists = frozen.object->exists;
    const std::uint8_t db = frozen.key->db;
    if (existed == Presence::unknown) {
      const auto before = keys_at_w(db);
      if (!before) {
        return std::unexpected(before.error());
      }
      if (*before == 0) {
        existed = Presence::absent;
      }
    }
    if (existed == Presence::unknown || exists == Presence::unknown) {
      const auto looked = look(frozen);
      if (!looked) {
        return std::unexpected(looked.error());
      }
      existed = existed == Presence::unknown ? presence(looked->existed) : existed;
      exists = exists == Presence::unknown ? presence(looked->exists) : exists;
    }
    key_change_[db] +=
        (exists == Presence::present ? 1 : 0) - (existed == Presence::present ? 1 : 0);
    return {};
  }

  struct Looked {
    bool existed = false;
    bool exists = false;
  };
  // Rows and frozen cells of one object, as far as it takes to know.
  StoreResult<Looked> look(const FrozenObject& frozen) {
    Looked looked;
    const Layer::Cells& cells = frozen.object->cells;
    std::string row = frozen.prefix;
    for (auto cell = cells.begin(); cell != cells.end() && !looked.exists; ++cell) {
      const auto& [name, delta] = *cell;
      if (!is_value(name.kind())) {
        continue;
      }
      CellDelta joined = delta;
      if (!joined.is_whole()) {
        set_cell(row, frozen.prefix, name);
        auto base = stored_cell(row, name.kind());
        if (!base) {
          return std::unexpected(base.error());
        }
        joined.join_onto(CellDelta::whole(std::move(*base)));
      }
      looked.exists = is_present(joined.value());
    }
    looking_->seek(frozen.prefix);
    for (; looking_->valid() && looking_->key().starts_with(frozen.prefix) &&
           !(looked.existed && looked.exists);
         looking_->next()) {
      const auto key = decode_cell_key(looking_->key());
      if (!key || !is_value(key->cell.kind())) {
        continue;
      }
      const auto stored = decode_stored(key->cell.kind(), looking_->value(), origins_);
      if (stored && is_present(*stored)) {  // quarantined ones count as nothing
        looked.existed = true;
        looked.exists = looked.exists || !cells.contains(key->cell);
      }
    }
    if (const auto status = looking_->status(); !status) {
      return std::unexpected(status.error());
    }
    return looked;
  }

  StoreResult<std::int64_t> keys_at_w(std::uint8_t db) {
    const auto known = keys_at_w_.find(db);
    if (known != keys_at_w_.end()) {
      return known->second;
    }
    const auto stored = cut_->get(key_count_key(db));
    if (!stored) {
      return std::unexpected(stored.error());
    }
    return keys_at_w_[db] = decode_key_count(*stored);
  }

  // A pending operand meets its stored base here, off the strand (R4.2). nullopt if that does not
  // decode: it is kept as it is, reads say so (R3.8).
  std::optional<CellValue> resolve(const ObjectKey& object, const CellName& name,
                                   const CellDelta& delta,
                                   const std::optional<std::string>& stored) {
    CellDelta joined = delta;
    if (!joined.is_whole()) {
      CellValue base = empty_cell(name.kind());
      if (stored && !mutant("load_old_base")) {
        auto decoded = decode_stored(name.kind(), *stored, origins_);
        if (!decoded) {
          ++done_.quarantined;
          return std::nullopt;
        }
        base = std::move(*decoded);
        apply_markers(object, base);
      }
      joined.join_onto(CellDelta::whole(std::move(base)));
    }
    return joined.value();
  }

  // Count at C = count at W + what the frozen cells change (R4.1). Where the strand did not know
  // what a cell was, the stored base tells; an object that had no items had none of them.
  StoreResult<void> count_frozen(const FrozenObject& frozen) {
    if (frozen.object->open == 0 && frozen.object->change.zero()) {
      return {};
    }
    const std::string row = counts_key(frozen.prefix);
    auto counts = counts_at_w(row);
    if (!counts) {
      return std::unexpected(counts.error());
    }
    Counts change = frozen.object->change;
    if (frozen.object->open > 0) {
      std::string key = frozen.prefix;
      const bool none_before = counts->zero();
      const auto sum =
          change_of(frozen.object->cells, [&](const CellName& name) -> StoreResult<CellValue> {
            if (none_before) {  // at most residue, which shows nothing before or after
              return empty_cell(name.kind());
            }
            set_cell(key, frozen.prefix, name);
            return stored_cell(key, name.kind());
          });
      if (!sum) {
        return std::unexpected(sum.error());
      }
      change = *sum;
    }
    *counts += change;
    note_counts(row, *counts);
    return {};
  }

  StoreResult<CellValue> stored_cell(const std::string& key, CellKind kind) const {
    const auto stored = cut_->get(key);
    if (!stored) {
      return std::unexpected(stored.error());
    }
    auto value = *stored ? decode_stored(kind, **stored, origins_) : empty_cell(kind);
    if (!value) {
      return empty_cell(kind);  // quarantined: it counts as nothing
    }
    return std::move(*value);
  }

  StoreResult<Counts> counts_at_w(const std::string& row) const {
    const auto stored = cut_->get(row);
    if (!stored) {
      return std::unexpected(stored.error());
    }
    return *stored ? decode_counts(**stored).value_or(Counts{}) : Counts{};
  }

  void note_counts(std::string row, const Counts& counts) {
    counts_.emplace_back(std::move(row), counts);
  }

  // -- objects that are read as a whole: under a marker, or to be counted anew --

  StoreResult<void> sweep(const std::string& from, const std::string& to) {
    const auto rows = cut_->scan(from, to);
    while (rows->valid() || frozen_before(to)) {
      auto stored = rows->valid() ? object_at(rows->key()) : std::nullopt;
      if (rows->valid() && !stored) {
        ++done_.quarantined;  // its key does not decode
        rows->next();
        continue;
      }
      const FrozenObject* frozen = frozen_before(to) ? &frozen_[next_] : nullptr;
      std::string prefix = stored ? encode_object_prefix(only_group, *stored) : std::string();
      if (frozen != nullptr && (!stored || frozen->prefix <= prefix)) {
        ++next_;
        stored = *frozen->key;
        prefix = frozen->prefix;
      } else {
        frozen = nullptr;
      }
      if (auto swept = sweep_object(*stored, prefix, frozen, *rows); !swept) {
        return swept;
      }
      if (auto noted = frozen != nullptr ? note_conflicts(*frozen) : StoreResult<void>{}; !noted) {
        return noted;
      }
    }
    return rows->status();
  }

  [[nodiscard]] bool frozen_before(const std::string& to) const {
    return next_ < frozen_.size() && frozen_[next_].prefix < to;
  }

  static std::optional<ObjectKey> object_at(std::string_view key) {
    auto decoded = decode_cell_key(key);
    return decoded ? std::optional(std::move(decoded->object)) : std::nullopt;
  }

  // Stored and frozen cells in step; what is left is counted as it is written.
  StoreResult<void> sweep_object(const ObjectKey& object, const std::string& prefix,
                                 const FrozenObject* frozen, RowIterator& rows) {
    static const Layer::Cells nothing;
    const Layer::Cells& cells = frozen != nullptr ? frozen->object->cells : nothing;
    Counts counts;
    bool existed = false;
    bool exists = false;
    std::string key = prefix;
    auto next = cells.begin();
    while (next != cells.end() || (rows.valid() && rows.key().starts_with(prefix))) {
      const bool row = rows.valid() && rows.key().starts_with(prefix);
      if (next != cells.end()) {
        set_cell(key, prefix, next->first);
      }
      const bool is_frozen = next != cells.end() && (!row || key <= rows.key());
      const bool is_stored = row && (next == cells.end() || rows.key() <= key);
      std::optional<std::string> stored;
      std::optional<CellName> name;
      if (is_stored) {
        stored = rows.value();
        if (auto decoded = decode_cell_key(rows.key())) {
          name = std::move(decoded->cell);
        }
        key = rows.key();
        rows.next();
        existed = existed || stored_value_shows(name, *stored);
      }
      std::optional<CellValue> value;
      if (is_frozen) {
        name = next->first;
        value = resolve(object, *name, next->second, stored);
        ++next;
      } else if (name) {
        value = resolve(object, *name, CellDelta(name->kind()), stored);
      } else {
        ++done_.quarantined;
      }
      if (!value) {
        continue;
      }
      if (is_frozen || encode_stored(name->kind(), *value, origins_) != *stored) {
        if (auto written = write_value(key, name->kind(), *value); !written) {
          return written;
        }
      }
      exists = exists || (is_value(name->kind()) && is_present(*value));
      if (name->kind() == CellKind::deadline) {
        const auto before = stored
                                ? decode_stored(name->kind(), *stored, origins_)
                                : std::expected<CellValue, std::string>(empty_cell(name->kind()));
        index_deadline(object, before ? *before : empty_cell(name->kind()), *value);
      }
      if (auto counted = count_swept(object, prefix, cells, *name, *value, counts); !counted) {
        return counted;
      }
    }
    if (exists || !mutant("swept_still_counted")) {
      key_change_[object.db] += (exists ? 1 : 0) - (existed && !count_keys_anew_ ? 1 : 0);
    }
    const std::string row = counts_key(prefix);
    auto before = derive_anew_ ? StoreResult<Counts>{} : counts_at_w(row);
    if (!before) {
      return std::unexpected(before.error());
    }
    if (*before != counts) {
      note_counts(row, counts);
    }
    return {};
  }

  bool stored_value_shows(const std::optional<CellName>& name, const std::string& stored) const {
    if (count_keys_anew_ || !name || !is_value(name->kind())) {
      return false;
    }
    const auto value = decode_stored(name->kind(), stored, origins_);
    return value && is_present(*value);
  }

  StoreResult<void> count_swept(const ObjectKey& object, const std::string& prefix,
                                const Layer::Cells& cells, const CellName& name,
                                const CellValue& value, Counts& counts) {
    StoreResult<void> read;
    if (is_present(value)) {
      count_present(name, counts, [&](const CellName& field) {
        std::string key = prefix;
        set_cell(key, prefix, field);
        const auto stored = cut_->get(key);
        if (!stored) {
          read = std::unexpected(stored.error());
          return false;
        }
        const auto frozen = cells.find(field);
        const std::uint64_t quarantined = done_.quarantined;
        const auto base = resolve(
            object, field,
            frozen != cells.end() ? frozen->second : LayerCell(CellDelta(field.kind())), *stored);
        done_.quarantined = quarantined;  // it was noted at its own turn
        return base && is_present(*base);
      });
    }
    return read;
  }

  // -- writing --

  static void set_cell(std::string& key, const std::string& prefix, const CellName& name) {
    key.resize(prefix.size());
    append_cell_name(key, name);
  }

  StoreResult<void> write_value(std::string_view key, CellKind kind, const CellValue& value) {
    ++done_.cells;
    if (is_empty(value)) {
      return writer_.erase(key);
    }
    const std::string bytes = encode_stored(kind, value, origins_);
    done_.bytes += key.size() + bytes.size();
    return writer_.put(key, bytes);
  }

  StoreResult<void> write_meta() {
    std::map<std::string, std::optional<std::string>> rows;
    rows[checkpoint_key()] = meta_.row.encode();
    if (derive_anew_) {
      rows[derived_version_key()] = derived_version;
    }
    for (const LogPlace& place : meta_.places) {
      std::string position;
      put_varint(position, place.position);
      rows[place_key(place.origin, place.last)] = std::move(position);
    }
    for (const auto& [id, outcome] : meta_.outcomes->by_id()) {
      if (mutant("retry_forgotten")) {
        break;
      }
      rows[outcome_key(hour_of(outcome.hlc), id)] = encode_outcome(outcome);
    }
    if (derive_anew_) {
      const auto old = cut_->scan(deadline_rows_from(0), deadline_rows_end());
      for (; old->valid(); old->next()) {
        rows[std::string(old->key())] = std::nullopt;
      }
      if (auto status = old->status(); !status) {
        return status;
      }
    }
    for (auto& [row, value] : deadlines_) {
      rows[row] = std::move(value);
    }
    rows.insert(meta_.conflicts.begin(), meta_.conflicts.end());
    conflicts_.for_each([&](const Conflict& conflict) {
      rows.try_emplace(conflict_key(conflict.id()), encode_conflict(conflict));
      done_.conflicts.push_back(conflict);
      return true;
    });
    done_.conflicts_dropped = conflicts_.dropped();
    done_.conflicts_dropped_up_to = conflicts_.dropped_up_to();
    note_dropped_conflicts(rows);
    if (auto counted = write_key_counts(rows); !counted) {
      return counted;
    }
    if (auto expired = expire(rows); !expired) {
      return expired;
    }
    const auto write = [&](auto from, auto to) -> StoreResult<void> {
      for (auto row = from; row != to; ++row) {
        const auto& [key, value] = *row;
        if (auto written = value ? writer_.put(key, *value) : writer_.erase(key); !written) {
          return written;
        }
      }
      return {};
    };
    const auto after_counts = rows.lower_bound(counts_key({}));
    if (auto written = write(rows.begin(), after_counts); !written) {
      return written;
    }
    if (auto written = write_counts(); !written) {
      return written;
    }
    return write(after_counts, rows.end());
  }

  // What this file has no room for is said in this file: a crash before the next one must not
  // forget it (seed 1948).
  void note_dropped_conflicts(std::map<std::string, std::optional<std::string>>& rows) const {
    if (conflicts_.dropped() == 0) {
      return;
    }
    const std::string key = dropped_conflicts_key();
    ConflictJournal all(meta_.conflict_limits);
    if (const auto before = meta_.conflicts.find(key);
        before != meta_.conflicts.end() && before->second) {
      all.restore(key, *before->second);
    }
    all.note_dropped(conflicts_.dropped(), conflicts_.dropped_up_to());
    rows[key] = all.take_rows().at(key);
  }

  StoreResult<void> write_key_counts(std::map<std::string, std::optional<std::string>>& rows) {
    if (count_keys_anew_) {
      const auto old = cut_->scan(key_counts_begin(), key_counts_end());
      for (; old->valid(); old->next()) {
        rows[std::string(old->key())] = std::nullopt;
      }
      if (auto status = old->status(); !status) {
        return status;
      }
    }
    for (const auto& [db, change] : key_change_) {
      const auto before = count_keys_anew_ ? StoreResult<std::int64_t>(0) : keys_at_w(db);
      if (!before) {
        return std::unexpected(before.error());
      }
      const std::int64_t count = *before + change;
      rows[key_count_key(db)] = count == 0 ? std::nullopt : std::optional(encode_key_count(count));
    }
    return {};
  }

  // Ascending, because objects were. Rows of another version that no object claims go.
  StoreResult<void> write_counts() {
    std::unique_ptr<RowIterator> stale;
    if (derive_anew_) {
      stale = cut_->scan(counts_key({}), counts_end());
    }
    const auto drop_stale_before = [&](const std::string& row) -> StoreResult<void> {
      for (; stale != nullptr && stale->valid() && stale->key() <= row; stale->next()) {
        if (stale->key() != row) {
          if (auto dropped = writer_.erase(stale->key()); !dropped) {
            return dropped;
          }
        }
      }
      return {};
    };
    for (const auto& [row, counts] : counts_) {
      if (auto dropped = drop_stale_before(row); !dropped) {
        return dropped;
      }
      const auto written =
          counts.zero() ? writer_.erase(row) : writer_.put(row, encode_counts(counts));
      if (!written) {
        return written;
      }
    }
    if (auto dropped = drop_stale_before(counts_end()); !dropped) {
      return dropped;
    }
    return stale != nullptr ? stale->status() : StoreResult<void>{};
  }

  // Places of records that were truncated, outcomes beyond the window.
  StoreResult<void> expire(std::map<std::string, std::optional<std::string>>& rows) const {
    for (const auto& [origin, stream] : meta_.row.streams) {
      const auto places = cut_->scan(place_key(origin, 0), places_end(origin));
      for (; places->valid(); places->next()) {
        ByteReader in(places->value());
        if (in.varint() >= meta_.log_first) {
          break;  // ascending in n, so ascending in position
        }
        rows.try_emplace(std::string(places->key()), std::nullopt);
      }
      if (auto status = places->status(); !status) {
        return status;
      }
    }
    if (meta_.now_hour <= outcome_hours_kept) {
      return {};
    }
    const auto old =
        cut_->scan(outcome_key(0, {}), outcome_key(meta_.now_hour - outcome_hours_kept, {}));
    for (; old->valid(); old->next()) {
      rows.try_emplace(std::string(old->key()), std::nullopt);
    }
    return old->status();
  }

  std::unique_ptr<Cut> cut_;
  CheckpointWriter& writer_;
  const FrozenTables& tables_;
  const CheckpointMeta& meta_;
  CheckpointDone& done_;
  OriginTable origins_;
  bool derive_anew_ = false;
  bool count_keys_anew_ = false;                                 // every object is read
  std::map<std::string, std::optional<std::string>> deadlines_;  // index rows that change
  std::unique_ptr<RowIterator> looking_;
  ConflictJournal conflicts_;  // found here
  std::unique_ptr<RowIterator> conflict_rows_;
  std::map<std::uint8_t, std::int64_t> keys_at_w_;   // as far as they were read
  std::map<std::uint8_t, std::int64_t> key_change_;  // from W, or from nothing
  std::vector<FrozenObject> frozen_;
  std::size_t next_ = 0;
  std::vector<std::pair<std::string, Counts>> counts_;  // rows that change, ascending
};

}  // namespace

std::string checkpoint_key() { return meta_key('c'); }

std::string place_key(const Origin& origin, std::uint64_t last) {
  std::string key = meta_key('p');
  put_origin(key, origin);
  put_be(key, last);
  return key;
}

std::string places_end(const Origin& origin) {
  std::string key = meta_key('p');
  put_origin(key, origin);
  return prefix_end(std::move(key));
}

std::string outcome_key(std::uint64_t hour, const OpId& id) {
  std::string key = meta_key('r');
  put_be(key, hour);
  put_be(key, id.session);
  put_be(key, id.sequence);
  return key;
}

std::string encode_outcome(const OpOutcome& outcome) {
  std::string bytes;
  put_be(bytes, outcome.hlc);
  return bytes.append(outcome.outcome);
}

std::optional<OpOutcome> decode_outcome(std::string_view bytes) {
  ByteReader in(bytes);
  OpOutcome outcome;
  outcome.hlc = in.be<std::uint64_t>();
  outcome.outcome = in.rest();
  return in.ok() ? std::optional(std::move(outcome)) : std::nullopt;
}

std::string CheckpointRow::encode() const {
  std::string out;
  put_u8(out, row_version);
  put_varint(out, streams.size());
  for (const auto& [origin, stream] : streams) {
    put_origin(out, origin);
    put_stream(out, stream);
  }
  put_varint(out, seals.size());
  for (const auto& seal : seals) {
    put_be(out, seal.node);
    put_be(out, seal.epoch);
  }
  put_varint(out, origins.size());
  for (const Origin& origin : origins) {
    put_origin(out, origin);
  }
  put_be(out, hlc);
  put_version_vector(out, stable);
  return out;
}

std::optional<CheckpointRow> CheckpointRow::decode(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != row_version) {
    return std::nullopt;
  }
  CheckpointRow row;
  for (std::uint64_t i = in.count(); i > 0 && in.ok(); --i) {
    const Origin origin = read_origin(in);
    row.streams[origin] = read_stream(in);
  }
  for (std::uint64_t i = in.count(); i > 0 && in.ok(); --i) {
    VersionVector::Seal seal;
    seal.node = in.be<std::uint64_t>();
    seal.epoch = in.be<std::uint32_t>();
    row.seals.push_back(seal);
  }
  for (std::uint64_t i = in.count(); i > 0 && in.ok(); --i) {
    row.origins.push_back(read_origin(in));
  }
  row.hlc = in.be<std::uint64_t>();
  row.stable = read_version_vector(in);
  return in.complete() ? std::optional(std::move(row)) : std::nullopt;
}

// ---------------------------------------------------------------- the job

CheckpointJob::CheckpointJob(std::uint64_t number, std::uint64_t position,
                             std::shared_ptr<const FrozenTables> tables,
                             std::unique_ptr<CheckpointMeta> meta)
    : number_(number), position_(position), tables_(std::move(tables)), meta_(std::move(meta)) {}

CheckpointJob::~CheckpointJob() = default;

CheckpointDone CheckpointJob::run(Store& store) const {
  CheckpointDone done;
  done.number = number_;
  auto writer = store.begin_checkpoint(position_);
  if (!writer) {
    done.error = writer.error();
    return done;
  }
  CheckpointRun run(store, **writer, *tables_, *meta_, done);
  if (auto written = run.write(); !written && !mutant("checkpoint_torn")) {
    done.error = written.error();
    return done;
  }
  if (auto ingested = (*writer)->ingest(); !ingested) {
    done.error = ingested.error();
  }
  return done;
}

}  // namespace starling::replica
