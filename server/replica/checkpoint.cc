#include "server/replica/checkpoint.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "crdt/mutants.h"
#include "crdt/varint.h"

namespace starling::replica {
namespace {

constexpr std::uint16_t group = 0;
constexpr std::uint8_t row_version = 0;

std::string meta_key(char kind) { return std::string(meta_prefix) + kind; }

// Rows of one checkpoint file, in key order: frozen cells, swept cells, then the replica's own.
class CheckpointRun {
 public:
  CheckpointRun(Store& store, CheckpointWriter& writer, const FrozenTables& tables,
                const CheckpointMeta& meta, CheckpointDone& done)
      : cut_(store.cut()), writer_(writer), tables_(tables), meta_(meta), done_(done) {
    for (const Origin& origin : meta.row.origins) {
      origins_.intern(origin);
    }
    for (const auto& [object, cells] : tables.cells.objects()) {
      for (const auto& [name, delta] : cells) {
        frozen_.push_back({encode_cell_key(group, {object, name}), {object, name}, &delta});
      }
    }
    std::ranges::sort(frozen_, {}, &FrozenCell::stored_key);
  }

  StoreResult<void> write() {
    for (const auto& [from, to] : sweep_ranges()) {
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
  struct FrozenCell {
    std::string stored_key;
    CellKey key;
    const CellDelta* delta;
  };

  // The key ranges under a marker, sorted and disjoint.
  std::vector<std::pair<std::string, std::string>> sweep_ranges() const {
    std::vector<std::pair<std::string, std::string>> ranges;
    if (mutant("unswept")) {
      return ranges;
    }
    for (const Marker& marker : tables_.markers) {
      if (marker.level != ScopeLevel::key) {
        return {{std::string(), std::string(meta_prefix)}};
      }
      const std::string from = encode_object_prefix(group, marker.scope);
      ranges.emplace_back(from, prefix_end(from));
    }
    std::ranges::sort(ranges);
    const auto repeated = std::ranges::unique(ranges);
    ranges.erase(repeated.begin(), repeated.end());
    return ranges;
  }

  void apply_markers(const ObjectKey& object, CellValue& value) const {
    if (auto* dotted = std::get_if<DottedCell>(&value)) {
      for (const Marker& marker : tables_.markers) {
        if (marker.covers(object)) {
          dotted->kill(marker.killed);
        }
      }
    }
  }

  // Frozen cells below `to` and stored cells in [from, to), in step; a frozen cell stands for the
  // stored one.
  StoreResult<void> sweep(const std::string& from, const std::string& to) {
    const auto rows = cut_->scan(from, to);
    for (; rows->valid(); rows->next()) {
      while (next_ < frozen_.size() && frozen_[next_].stored_key < rows->key()) {
        if (auto written = write_frozen(frozen_[next_++]); !written) {
          return written;
        }
      }
      if (next_ < frozen_.size() && frozen_[next_].stored_key == rows->key()) {
        continue;  // written when its turn comes
      }
      const auto key = decode_cell_key(rows->key());
      if (!key) {
        ++done_.quarantined;
        continue;
      }
      auto value = decode_stored(key->cell.kind, rows->value(), origins_);
      if (!value) {
        ++done_.quarantined;  // kept as it is, reads say so (R3.8)
        continue;
      }
      const CellValue before = *value;
      apply_markers(key->object, *value);
      if (*value == before) {
        continue;
      }
      if (auto written = write_value(rows->key(), key->cell.kind, *value); !written) {
        return written;
      }
    }
    return rows->status();
  }

  // A pending operand meets its stored base here, off the strand (R4.2).
  StoreResult<void> write_frozen(const FrozenCell& cell) {
    if (cell.delta->is_whole()) {
      return write_value(cell.stored_key, cell.key.cell.kind, cell.delta->value());
    }
    const auto stored = cut_->get(cell.stored_key);
    if (!stored) {
      return std::unexpected(stored.error());
    }
    CellValue base = empty_cell(cell.key.cell.kind);
    if (*stored && !mutant("load_old_base")) {
      auto decoded = decode_stored(cell.key.cell.kind, **stored, origins_);
      if (!decoded) {
        ++done_.quarantined;
        return {};
      }
      base = std::move(*decoded);
      apply_markers(cell.key.object, base);
    }
    CellDelta joined = *cell.delta;
    joined.join_onto(CellDelta::whole(std::move(base)));
    return write_value(cell.stored_key, cell.key.cell.kind, joined.value());
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
    for (const LogPlace& place : meta_.places) {
      std::string position;
      put_varint(position, place.position);
      rows[place_key(place.origin, place.last)] = std::move(position);
    }
    for (const auto& [id, outcome] : meta_.outcomes) {
      if (mutant("retry_forgotten")) {
        break;
      }
      rows[outcome_key(hour_of(outcome.hlc), id)] = encode_outcome(outcome);
    }
    if (auto expired = expire(rows); !expired) {
      return expired;
    }
    for (const auto& [key, value] : rows) {
      if (auto written = value ? writer_.put(key, *value) : writer_.erase(key); !written) {
        return written;
      }
    }
    return {};
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
  std::vector<FrozenCell> frozen_;
  std::size_t next_ = 0;
};

}  // namespace

std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) {
    prefix.pop_back();
  }
  if (!prefix.empty()) {
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  }
  return prefix;
}

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
