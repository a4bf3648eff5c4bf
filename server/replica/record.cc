#include "server/replica/record.h"

namespace starling::replica {
namespace {

constexpr std::uint8_t record_version = 0;

}  // namespace

void Record::expect(const Origin& origin, std::uint64_t first, const OriginStream& before) {
  constexpr std::size_t run_overhead = 64;
  const bool follows = !runs_.empty() && runs_.back().origin == origin &&
                       runs_.back().last + 1 == first &&
                       runs_.back().entries.size() < max_run_bytes;
  if (!follows) {
    Run run;
    run.origin = origin;
    run.first = first;
    run.hash_before = before.hash;
    run.deps_before = before.deps;
    runs_.push_back(std::move(run));
    bytes_ += run_overhead;
  }
}

void Record::add(std::uint64_t last, std::string_view entry) {
  Run& run = runs_.back();
  run.last = last;
  put_bytes(run.entries, entry);
  bytes_ += entry.size() + 2;
}

std::string Record::encode() const {
  std::string out;
  out.reserve(bytes_ + 16);
  put_u8(out, record_version);
  put_varint(out, runs_.size());
  for (const Run& run : runs_) {
    put_run(out, run);
  }
  return out;
}

std::optional<Record> Record::decode(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != record_version) {
    return std::nullopt;
  }
  Record record;
  for (std::uint64_t i = in.count(); i > 0 && in.ok(); --i) {
    record.runs_.push_back(read_run(in));
  }
  record.bytes_ = bytes.size();
  return in.complete() ? std::optional(std::move(record)) : std::nullopt;
}

}  // namespace starling::replica
