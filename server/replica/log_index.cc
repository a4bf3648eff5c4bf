#include "server/replica/log_index.h"

#include "crdt/mutants.h"
#include "crdt/varint.h"

namespace starling::replica {

void LogIndex::add(std::uint64_t position, const Record& record) {
  for (const Run& run : record.runs()) {
    recent_[run.origin][run.last] = position;
  }
  last_added_ = position;
}

std::vector<LogPlace> LogIndex::take_unsaved() {
  std::vector<LogPlace> places;
  for (const auto& [origin, runs] : recent_) {
    for (const auto& [last, position] : runs) {
      if (position >= first_unsaved_) {
        places.push_back({origin, last, position});
      }
    }
  }
  first_unsaved_ = last_added_ + 1;
  return places;
}

void LogIndex::saved(std::uint64_t position) {
  saved_position_ = position;
  for (auto it = recent_.begin(); it != recent_.end();) {
    auto& runs = it->second;
    for (auto run = runs.begin(); run != runs.end() && run->second <= position;) {
      run = runs.erase(run);
    }
    it = runs.empty() ? recent_.erase(it) : std::next(it);
  }
}

StoreResult<std::optional<std::uint64_t>> LogIndex::position_of(const Origin& origin,
                                                                std::uint64_t n) const {
  // Rows hold smaller dots than memory does, so they are asked first.
  const auto cut = store_.cut();
  const auto rows = cut->scan(place_key(origin, n), places_end(origin));
  if (auto status = rows->status(); !status) {
    return std::unexpected(status.error());
  }
  if (rows->valid()) {
    ByteReader in(rows->value());
    const std::uint64_t position = in.varint();
    if (in.complete()) {
      return position;
    }
  }
  const auto runs = recent_.find(origin);
  if (runs == recent_.end()) {
    return std::nullopt;
  }
  const auto run = runs->second.lower_bound(n);
  return run == runs->second.end() ? std::nullopt : std::optional(run->second);
}

StoreResult<LogIndex::Found> LogIndex::read(const Origin& origin, std::uint64_t after,
                                            std::uint64_t upto, std::size_t max_bytes) const {
  Found found;
  std::size_t bytes = 0;
  while (after < upto && bytes < max_bytes) {
    const auto position = position_of(origin, after + 1);
    if (!position) {
      return std::unexpected(position.error());
    }
    if (!*position) {
      found.below_floor = found.runs.empty();
      return found;
    }
    const auto bytes_read = store_.read_record(**position);
    if (!bytes_read) {
      return std::unexpected(bytes_read.error());
    }
    const auto record = *bytes_read ? Record::decode(**bytes_read) : std::nullopt;
    if (!record) {
      found.below_floor = found.runs.empty();
      return found;
    }
    const std::uint64_t before = after;
    for (const Run& run : record->runs()) {
      if (run.origin == origin && run.last > after && run.first <= after + 1) {
        if (!found.runs.empty() && bytes + run.entries.size() > max_bytes) {
          return found;
        }
        bytes += run.entries.size();
        after = run.last;
        found.runs.push_back(run);
      }
    }
    if (after == before) {
      // Places of truncated records are forgotten, so what is found lies behind a gap (scenario
      // joiner_below_floor).
      found.below_floor = found.runs.empty() && !mutant("silent_floor");
      return found;
    }
  }
  return found;
}

}  // namespace starling::replica
