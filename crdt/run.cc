#include "crdt/run.h"

namespace starling {

void put_run(std::string& out, const Run& run) {
  put_origin(out, run.origin);
  put_varint(out, run.first);
  put_varint(out, run.last);
  put_be(out, run.hash_before);
  put_version_vector(out, run.deps_before);
  put_bytes(out, run.entries);
}

Run read_run(ByteReader& in) {
  Run run;
  run.origin = read_origin(in);
  run.first = in.varint();
  run.last = in.varint();
  run.hash_before = in.be<std::uint64_t>();
  run.deps_before = read_version_vector(in);
  run.entries = in.bytes();
  if (run.first == 0 || run.last < run.first) {
    in.fail();
  }
  return run;
}

bool RunReader::next() {
  bytes_ = in_.bytes();
  const auto ops = entry_op_count(bytes_);
  if (!in_.ok() || !ops || next_ == 0 || next_ > last_of_run_ || *ops - 1 > last_of_run_ - next_) {
    return false;
  }
  first_ = next_;
  next_ += *ops;
  return true;
}

}  // namespace starling
