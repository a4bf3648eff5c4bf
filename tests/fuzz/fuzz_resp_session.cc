// The whole dispatcher of the RESP door over a node in memory: commands of the table where the
// first byte is odd, else whatever the bytes say.
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/resp_play.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view input = starling::fuzz::as_bytes(data + 1, size - 1);
  starling::fuzz::RespPlay play;
  if ((data[0] & 1) != 0) {
    play.drawn(input);
  } else {
    play.raw(input, data[0] / 2 % 8);
  }
  play.audit();
  return 0;
}
