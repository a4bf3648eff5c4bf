// Any two byte strings as a row of the conflict journal: refused, or a line that its own row brings
// back. The journal takes in either.
#include <string>

#include "server/replica/conflict.h"
#include "server/replica/conflict_journal.h"
#include "tests/fuzz/fuzz.h"

namespace {

using namespace starling;
using namespace starling::replica;
using starling::fuzz::require;

void check_row(std::string_view key, std::string_view value) {
  const auto line = decode_conflict(key, value);
  if (line) {
    require(conflict_key(line->id()) == key);
    require(decode_conflict(key, encode_conflict(*line)) == line);
    require(line->lost.preview.size() <= conflict_preview_size);
    require(!name(class_of(*line)).empty() && !name(line->kind).empty());
  }
  ConflictJournal journal({.lines = 1, .bytes = 1 << 20});
  journal.restore(key, value);
  journal.restored();
  require(journal.size() == (line ? 1 : 0));
}

}  // namespace

// The first byte: how many of those that follow are the key behind its prefix.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view input = fuzz::as_bytes(data + 1, size - 1);
  const std::size_t split = std::min<std::size_t>(data[0], input.size());
  check_row(conflict_keys_begin() + std::string(input.substr(0, split)), input.substr(split));
  check_row(dropped_conflicts_key(), input);
  return 0;
}
