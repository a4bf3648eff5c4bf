#include "server/replica/conflict_journal.h"

#include <algorithm>

#include "crdt/mutants.h"
#include "crdt/varint.h"
#include "storage/store.h"

namespace starling::replica {
namespace {

constexpr std::uint8_t summary_version = 0;

std::size_t size_of(const Conflict& conflict) {
  constexpr std::size_t nodes = 192;  // of the trees
  return nodes + sizeof(Conflict) + conflict.cell.object.key.size() +
         conflict.cell.cell.subkey().size() + conflict.lost.preview.size() +
         conflict.won.preview.size();
}

}  // namespace

std::string dropped_conflicts_key() { return std::string(meta_prefix) + 'i'; }

void ConflictJournal::note(Conflict conflict) {
  if (dropped_ > 0 && conflict.when() <= dropped_up_to_) {
    return;
  }
  const ConflictId id = conflict.id();
  const auto known = lines_.find(id);
  if (known == lines_.end()) {
    ++counts_[static_cast<std::size_t>(class_of(conflict))];
  } else if (conflict == known->second || conflict.when() < known->second.when()) {
    return;
  } else {
    erase(known);  // a total that has grown
  }
  insert(std::move(conflict));
  changed_.insert(id);
  shrink();
}

void ConflictJournal::insert(Conflict conflict) {
  const ConflictId id = conflict.id();
  bytes_ += size_of(conflict);
  by_time_.emplace(conflict.when(), id);
  lines_.emplace(id, std::move(conflict));
}

void ConflictJournal::note_dropped(std::uint64_t count, Hlc up_to) {
  dropped_ += count;
  dropped_up_to_ = std::max(dropped_up_to_, up_to);
}

void ConflictJournal::shrink() {
  while (lines_.size() > limits_.lines || bytes_ > limits_.bytes) {
    const auto [when, id] = *by_time_.begin();
    note_dropped(1, when);
    erase(lines_.find(id));
    changed_.insert(id);
  }
}

void ConflictJournal::erase(std::map<ConflictId, Conflict>::iterator line) {
  bytes_ -= size_of(line->second);
  by_time_.erase({line->second.when(), line->first});
  lines_.erase(line);
}

void ConflictJournal::for_each(const std::function<bool(const Conflict&)>& visit) const {
  for (auto place = by_time_.rbegin(); place != by_time_.rend(); ++place) {
    if (!visit(lines_.at(place->second))) {
      return;
    }
  }
}

// ---------------------------------------------------------------- rows

ConflictRows ConflictJournal::take_rows() {
  ConflictRows rows;
  for (const ConflictId& id : changed_) {
    const auto line = lines_.find(id);
    rows[conflict_key(id)] =
        line == lines_.end() ? std::nullopt : std::optional(encode_conflict(line->second));
  }
  if (dropped_ > 0) {
    std::string summary;
    put_u8(summary, summary_version);
    put_varint(summary, dropped_);
    put_be(summary, dropped_up_to_);
    rows[dropped_conflicts_key()] = std::move(summary);
  }
  taken_ = std::exchange(changed_, {});
  return rows;
}

void ConflictJournal::rows_written(bool written) {
  if (!written && !mutant("journal_rows_lost")) {
    changed_.merge(taken_);
  }
  taken_.clear();
}

void ConflictJournal::restore(std::string_view key, std::string_view value) {
  if (key == dropped_conflicts_key()) {
    ByteReader in(value);
    const std::uint8_t version = in.u8();
    const std::uint64_t count = in.varint();
    const auto up_to = in.be<Hlc>();
    if (in.complete() && version == summary_version) {
      note_dropped(count, up_to);
    }
    return;
  }
  auto conflict = decode_conflict(key, value);
  if (!conflict) {
    return;
  }
  if (dropped_ > 0 && conflict->when() <= dropped_up_to_) {
    changed_.insert(conflict->id());  // its row has outlived it
  } else {
    insert(std::move(*conflict));
  }
}

}  // namespace starling::replica
