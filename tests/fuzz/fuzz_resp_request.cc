// Requests come out the same however the stream is split, and never more than the limits allow.
#include <algorithm>
#include <string>
#include <vector>

#include "server/resp/request_parser.h"
#include "tests/fuzz/fuzz.h"

namespace {

using starling::resp::RequestParser;

constexpr RequestParser::Limits limits{
    .line = 256, .arguments = 64, .bulk = 4096, .argument = 512, .request = 1024};

struct Outcome {
  std::vector<std::vector<std::string>> requests;
  std::string error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome read_in_pieces(std::string_view stream, std::size_t piece) {
  RequestParser parser(limits);
  Outcome outcome;
  std::string pending;
  while (!stream.empty()) {
    pending.append(stream.substr(0, piece));
    stream.remove_prefix(std::min(piece, stream.size()));
    for (;;) {
      const auto status = parser.next(pending);
      if (status == RequestParser::Status::request) {
        const auto& words = parser.arguments();
        starling::fuzz::require(!words.empty());
        outcome.requests.emplace_back(words.begin(), words.end());
      } else if (status != RequestParser::Status::incomplete) {
        outcome.requests.push_back({parser.error()});
      }
      starling::fuzz::require(parser.consumed() <= pending.size());
      pending.erase(0, parser.consumed());
      if (status == RequestParser::Status::broken) {
        outcome.error = parser.error();
        return outcome;
      }
      if (status == RequestParser::Status::incomplete) {
        break;
      }
    }
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const Outcome whole = read_in_pieces(stream, size + 1);
  starling::fuzz::require(read_in_pieces(stream, 1) == whole);
  starling::fuzz::require(read_in_pieces(stream, 7) == whole);
  return 0;
}
