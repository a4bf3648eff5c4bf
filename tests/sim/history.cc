#include "tests/sim/history.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace starling::sim {

const VersionVector& NodeHistory::durable() const {
  static const VersionVector nothing;
  const auto after = applied_at.upper_bound(synced);
  return after == applied_at.begin() ? nothing : std::prev(after)->second;
}

Written* History::beginning_at(const Dot& first) {
  const auto stream = streams_.find(first.origin);
  if (stream == streams_.end()) {
    return nullptr;
  }
  const auto written = stream->second.find(first.n);
  return written == stream->second.end() ? nullptr : &written->second;
}

Written* History::holding(const Dot& dot) {
  const auto stream = streams_.find(dot.origin);
  if (stream == streams_.end()) {
    return nullptr;
  }
  const auto next = stream->second.upper_bound(dot.n);
  if (next == stream->second.begin()) {
    return nullptr;
  }
  Written& written = std::prev(next)->second;
  return written.last().n >= dot.n ? &written : nullptr;
}

Written* History::ending_at(const Dot& last) {
  Written* written = holding(last);
  return written != nullptr && written->last() == last ? written : nullptr;
}

Written* History::write(const Origin& origin, std::string_view bytes) {
  auto entry = decode_entry(bytes, origin, heads_[origin]);
  if (!entry) {
    return nullptr;
  }
  const std::uint64_t first = entry->first;
  Written& written = streams_[origin][first];
  written.entry = std::move(*entry);
  written.bytes = bytes;
  return &written;
}

void History::log(NodeHistory& node, Written& written, bool by_its_origin) {
  written.committed = written.committed || by_its_origin;
  node.state.apply(written.entry);
  node.applied.advance(written.last());
}

void History::link(Written& written, const std::vector<wire::Result>& results) {
  const Entry& entry = written.entry;
  written.id = oracle_.add_entry(
      {entry.origin, entry.first, entry.last(), entry.deps, entry.hlc, entry.op_id, results});
  if (entry.op_id) {
    by_op_id_[*entry.op_id].push_back(written.id);
  }
}

std::string History::shown(const Dot& dot) const {
  const auto node = std::ranges::find_if(
      nodes_, [&](const auto& one) { return one.second.id == dot.origin.node; });
  return (node == nodes_.end() ? std::to_string(dot.origin.node) : node->second.name) + "/" +
         std::to_string(dot.origin.epoch % 100'000) + ":" + std::to_string(dot.n);
}

}  // namespace starling::sim
