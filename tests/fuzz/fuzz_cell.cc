// Any bytes as a stored cell or key: refused, or read and written again as they were.
#include "crdt/cell.h"
#include "crdt/digest.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace starling;
using starling::fuzz::require;

OriginTable some_origins() {
  OriginTable origins;
  for (std::uint32_t i = 0; i < 4; ++i) {
    origins.intern({i / 2, 4 - i, i});  // ids in another order than the origins
  }
  return origins;
}

void check_cell(CellKind kind, std::string_view bytes) {
  static const OriginTable origins = some_origins();
  const auto cell = decode_stored(kind, bytes, origins);
  if (!cell) {
    return;
  }
  require(encode_stored(kind, *cell, origins) == bytes);
  require(is_present(*cell) || !is_empty(*cell) || bytes.size() == 1);
  const bool shows = !canonical_live(kind, *cell).empty();
  require(shows == (digest_of({{0, "key"}, {kind, ""}}, *cell) != Digest{}));
}

void check_key(std::string_view bytes) {
  const auto key = decode_cell_key(bytes);
  if (key) {
    require(decode_cell_key(encode_cell_key(0, *key)) == key);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view input = fuzz::as_bytes(data + 1, size - 1);
  if (is_known_kind(data[0])) {
    check_cell(static_cast<CellKind>(data[0]), input);
  } else {
    check_key(input);
  }
  return 0;
}
