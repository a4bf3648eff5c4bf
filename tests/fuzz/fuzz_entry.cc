// Any bytes as a run, a version vector, a stream or an entry: refused, or read and written again
// without a change of meaning.
#include "crdt/entry.h"
#include "crdt/run.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace starling;
using starling::fuzz::require;

const Origin self{1, 10, 100};

// A stream as a peer might have it: a few entries in, two other origins known.
OriginStream some_stream() {
  OriginStream stream;
  stream.n = 5;
  stream.hash = 42;
  stream.deps.advance({{2, 20, 200}, 7});
  stream.dictionary = {self, {2, 20, 200}, {3, 30, 300}};
  return stream;
}

void check_entry(std::string_view bytes, const OriginStream& before) {
  OriginStream after = before;
  const auto entry = decode_entry(bytes, self, after);
  const auto ops = entry_op_count(bytes);
  if (!entry) {
    require(after == before);
    return;
  }
  require(ops && *ops == entry->ops.size() && after.n == before.n + *ops);
  OriginStream written = before;
  const std::string again = encode_entry(*entry, written);
  OriginStream read = before;
  const auto back = decode_entry(again, self, read);
  require(back && *back == *entry && read == written);
  require(read.n == after.n && read.deps == after.deps && read.hlc == after.hlc);
}

template <typename Value, typename Read, typename Put>
void check_canonical(std::string_view bytes, Read read, Put put) {
  ByteReader in(bytes);
  const Value value = read(in);
  if (in.complete()) {
    std::string again;
    put(again, value);
    require(again == bytes);
  }
}

void check_run(std::string_view bytes) {
  ByteReader in(bytes);
  const Run run = read_run(in);
  if (!in.complete()) {
    return;
  }
  OriginStream stream;
  stream.n = run.first - 1;
  stream.deps = run.deps_before;
  RunReader entries(run);
  while (!entries.done() && entries.next()) {
    require(entries.first() <= entries.last() && entries.last() <= run.last);
    if (!decode_entry(entries.bytes(), run.origin, stream)) {
      break;
    }
    require(stream.n == entries.last());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::as_bytes(data, size);
  check_entry(input, {});
  check_entry(input, some_stream());
  check_run(input);
  check_canonical<Run>(input, read_run, put_run);
  check_canonical<VersionVector>(input, read_version_vector, put_version_vector);
  check_canonical<OriginStream>(input, read_stream, put_stream);
  return 0;
}
