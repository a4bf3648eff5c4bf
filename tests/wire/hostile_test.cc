// Bytes that no honest node sends (bad-inputs E). A decoder may refuse them or find a message in
// them; it may not crash, throw, read outside, or take much time or memory.
#include <cstring>
#include <initializer_list>
#include <vector>

#include <doctest/doctest.h>

#include "tests/wire/random_messages.h"
#include "wire/codec.h"

namespace starling::wire {
namespace {

using test::RandomMessages;
using Words = std::vector<std::uint64_t>;

// Pointers as https://capnproto.org/encoding.html describes them.
std::uint64_t struct_pointer(std::int32_t offset, std::uint64_t data, std::uint64_t pointers) {
  return (static_cast<std::uint32_t>(offset) << 2) | data << 32 | pointers << 48;
}
enum ElementSize : std::uint8_t { void_ = 0, bit = 1, byte = 2, pointer = 6, composite = 7 };
std::uint64_t list_pointer(std::int32_t offset, ElementSize size, std::uint64_t count) {
  return ((static_cast<std::uint32_t>(offset) << 2) | 1) | (size | count << 3) << 32;
}
std::uint64_t far_pointer(std::uint64_t offset, std::uint64_t segment, bool two_words = false) {
  return 2 | (two_words ? 4 : 0) | offset << 3 | segment << 32;
}
std::uint64_t capability_pointer(std::uint64_t index) { return 3 | index << 32; }
std::uint64_t composite_tag(std::uint64_t count, std::uint64_t data, std::uint64_t pointers) {
  return count << 2 | data << 32 | pointers << 48;
}

std::string body_with_table(std::uint32_t last_segment, std::uint32_t size, const Words& words) {
  std::string body(8 + words.size() * 8, '\0');
  std::memcpy(body.data(), &last_segment, 4);
  std::memcpy(body.data() + 4, &size, 4);
  std::memcpy(body.data() + 8, words.data(), words.size() * 8);
  return body;
}
std::string message_of(const Words& words) {
  return body_with_table(0, static_cast<std::uint32_t>(words.size()), words);
}

// A request whose pointers are (token, opId, commands), with `more` behind it. An offset of 0 in
// `commands` points to the first word of `more`.
std::string request_with(std::uint64_t token, std::uint64_t op_id, std::uint64_t commands,
                         const Words& more = {}) {
  Words words = {struct_pointer(0, 1, 1), 2, struct_pointer(0, 2, 3), 1, 0, token, op_id, commands};
  words.insert(words.end(), more.begin(), more.end());
  return message_of(words);
}

void check_refused(const std::string& body) {
  CHECK_FALSE(decode_peer(body).has_value());
  CHECK_FALSE(decode_client(body).has_value());
}

void check_malformed(const std::string& request_body) {
  const auto got = decode_client(request_body);
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error() == CodecError::malformed);
}

// A message found in hostile bytes is as good as any: it travels on.
void decode_whatever(const std::string& body) {
  if (const auto peer = decode_peer(body)) {
    FrameReader reader(max_frame_body);
    reader.feed(encode(*peer));
    const auto again = reader.next();
    REQUIRE(again);
    REQUIRE(decode_peer(**again) == *peer);
  }
  if (const auto client = decode_client(body)) {
    FrameReader reader(max_frame_body);
    reader.feed(encode(*client));
    const auto again = reader.next();
    REQUIRE(again);
    REQUIRE(decode_client(**again) == *client);
  }
}

// Bodies of all kinds of messages.
std::vector<std::string> samples(std::uint64_t seed) {
  std::vector<std::string> out;
  out.reserve(std::variant_size_v<PeerMessage> + std::variant_size_v<ClientMessage>);
  RandomMessages random(seed);
  for (std::size_t kind = 0; kind < std::variant_size_v<PeerMessage>; ++kind) {
    out.push_back(encode(random.message<PeerMessage>(kind)).substr(frame_header_size));
  }
  for (std::size_t kind = 0; kind < std::variant_size_v<ClientMessage>; ++kind) {
    out.push_back(encode(random.message<ClientMessage>(kind)).substr(frame_header_size));
  }
  return out;
}

}  // namespace

TEST_CASE("the hand-made request is a request") {
  const auto got = decode_client(request_with(0, 0, 0));
  REQUIRE(got);
  CHECK(std::get<Request>(*got).id == 1);
}

TEST_CASE("a body that is cut anywhere is refused") {
  for (const std::string& body : samples(1)) {
    for (std::size_t size = 0; size < body.size(); ++size) {
      REQUIRE_FALSE(decode_peer(body.substr(0, size)).has_value());
      REQUIRE_FALSE(decode_client(body.substr(0, size)).has_value());
    }
  }
}

TEST_CASE("a body that goes on behind its segment is refused") {
  for (const std::string& body : samples(2)) {
    check_refused(body + std::string(8, '\0'));
  }
}

TEST_CASE("exactly one segment is allowed") {
  const Words words = {struct_pointer(0, 1, 1), 3, 0};
  CHECK(decode_client(body_with_table(0, 3, words)).has_value());
  check_refused(body_with_table(0xFFFFFFFF, 3, words));  // count wraps to zero
  check_refused(body_with_table(0xFFFFFFFE, 3, words));
  check_refused(body_with_table(1, 3, words));
  check_refused(body_with_table(0, 0xFFFFFFFF, words));
  check_refused(body_with_table(0, 0x20000000, words));
  check_refused(body_with_table(0, 2, words));
  check_refused(body_with_table(0, 4, words));
  check_refused(body_with_table(99'999, 0, Words(50'000)));  // 100,000 empty segments
}

TEST_CASE("pointers that lead astray are refused") {
  check_malformed(message_of({far_pointer(0, 0)}));  // to itself
  check_malformed(message_of({far_pointer(0, 1), 0, 0}));
  check_malformed(message_of({far_pointer(1, 0), far_pointer(1, 0)}));
  check_malformed(
      message_of({far_pointer(1, 0, true), far_pointer(1, 0, true), far_pointer(1, 0)}));
  check_malformed(message_of({far_pointer(0x1FFFFFFF, 0), 0}));
  check_malformed(message_of({struct_pointer(0x1FFFFFFF, 1, 1), 0}));
  check_malformed(message_of({struct_pointer(-100, 1, 1), 0}));
  check_malformed(message_of({struct_pointer(0, 0xFFFF, 0xFFFF), 0}));
  check_malformed(message_of({list_pointer(0, byte, 8), 0}));  // a list where a struct should be
  check_malformed(message_of({capability_pointer(0), 0}));
  check_malformed(request_with(list_pointer(0, byte, (1u << 29) - 1), 0, 0));
  check_malformed(request_with(list_pointer(-1000, byte, 8), 0, 0));
  check_malformed(request_with(struct_pointer(0, 1, 0), 0, 0));
  check_malformed(request_with(0, struct_pointer(5, 2, 0), 0));
  check_malformed(request_with(0, 0, list_pointer(0, composite, (1u << 29) - 1), {0}));
  check_malformed(request_with(capability_pointer(0), 0, 0));
  check_malformed(request_with(0, capability_pointer(7), 0));
  check_malformed(request_with(0, 0, capability_pointer(0xFFFFFFFF)));
}

TEST_CASE("lists of nothing do not fill memory") {
  constexpr std::uint64_t most = (1u << 29) - 1;
  check_malformed(request_with(0, 0, list_pointer(0, void_, most)));
  check_malformed(request_with(0, 0, list_pointer(0, composite, 0), {composite_tag(most, 0, 0)}));
  // As many as the traversal limit lets through, still more than there are words.
  const auto some = decode_client(request_with(0, 0, list_pointer(0, void_, 20)));
  REQUIRE_FALSE(some.has_value());
  CHECK(some.error() == CodecError::too_many);
}

TEST_CASE("one object referred to many times is refused") {
  // 10,000 commands whose keys are all the same 64 KiB.
  constexpr std::uint64_t commands = 10'000;
  constexpr std::uint64_t key_size = 65'536;
  Words words = {composite_tag(commands, 2, 2)};
  for (std::uint64_t i = 0; i < commands; ++i) {
    const auto to_key = static_cast<std::int32_t>((commands - i) * 4 - 3);
    words.insert(words.end(), {0, 1, list_pointer(to_key, byte, key_size), 0});
  }
  words.resize(words.size() + key_size / 8, 0x6161616161616161);
  check_malformed(request_with(0, 0, list_pointer(0, composite, commands * 4), words));
}

TEST_CASE("one list of empty values referred to many times is refused") {
  // 100 commands whose arguments are all the same 300 empty values.
  constexpr std::uint64_t commands = 100;
  constexpr std::uint64_t args = 300;
  Words words = {composite_tag(commands, 2, 2)};
  for (std::uint64_t i = 0; i < commands; ++i) {
    const auto to_args = static_cast<std::int32_t>((commands - i) * 4 - 4);
    words.insert(words.end(), {0, 1, 0, list_pointer(to_args, pointer, args)});
  }
  words.resize(words.size() + args, 0);
  const auto got =
      decode_client(request_with(0, 0, list_pointer(0, composite, commands * 4), words));
  REQUIRE_FALSE(got.has_value());
  const bool bounded = got.error() == CodecError::too_many || got.error() == CodecError::malformed;
  CHECK(bounded);
}

TEST_CASE("a deep chain of pointers is not followed") {
  const Words chain(100'000, struct_pointer(0, 0, 1));
  decode_whatever(message_of(chain));
  decode_whatever(request_with(0, 0, list_pointer(0, composite, 99'999), chain));
  Words cycle = {struct_pointer(0, 0, 1), struct_pointer(-2, 0, 1), struct_pointer(-1, 0, 1)};
  decode_whatever(message_of(cycle));
}

TEST_CASE("text without its end is refused") {
  // ClientHello with text of 4 bytes that do not end in NUL.
  check_malformed(message_of({struct_pointer(0, 1, 1), 0, struct_pointer(0, 1, 1), 0,
                              list_pointer(0, byte, 4), 0x6161616161616161}));
  check_malformed(message_of(
      {struct_pointer(0, 1, 1), 0, struct_pointer(0, 1, 1), 0, list_pointer(0, bit, 4), 0}));
}

TEST_CASE("unknown kinds of messages are named as such") {
  for (const std::uint64_t kind : {4, 10, 500, 65535}) {
    const auto got = decode_client(message_of({struct_pointer(0, 1, 1), kind, 0}));
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error() == CodecError::unknown_message);
  }
  const auto got = decode_peer(message_of({struct_pointer(0, 1, 1), 10, 0}));
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error() == CodecError::unknown_message);
}

TEST_CASE("fields of a later version are passed over") {
  // A request with one more data word and one more pointer.
  const auto got = decode_client(message_of({struct_pointer(0, 1, 1), 2, struct_pointer(0, 3, 4),
                                             77, 5, 12345, 0, 0, 0, list_pointer(0, byte, 8), 0}));
  REQUIRE(got);
  CHECK(std::get<Request>(*got).id == 77);
  CHECK(std::get<Request>(*got).deadline_ms == 5);
}

TEST_CASE("a damaged version vector or run is refused") {
  // Bytes FF... as token; as the run of a push.
  const auto token = decode_client(request_with(list_pointer(2, byte, 8), 0, 0, {~0ULL}));
  REQUIRE_FALSE(token.has_value());
  CHECK(token.error() == CodecError::bad_bytes);
  const auto run =
      decode_peer(message_of({struct_pointer(0, 1, 1), 1, list_pointer(0, byte, 8), ~0ULL}));
  REQUIRE_FALSE(run.has_value());
  CHECK(run.error() == CodecError::bad_bytes);
  const auto no_run = decode_peer(message_of({struct_pointer(0, 1, 1), 1, 0}));
  REQUIRE_FALSE(no_run.has_value());
  CHECK(no_run.error() == CodecError::bad_bytes);
}

TEST_CASE("no flipped bit does harm, even with the right checksum") {
  for (const std::string& body : samples(5)) {
    for (std::size_t bit = 0; bit < std::min<std::size_t>(body.size(), 1500) * 8; ++bit) {
      std::string flipped = body;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
      decode_whatever(flipped);
    }
  }
}

TEST_CASE("random changes do no harm, even with the right checksum") {
  RandomMessages random(6);
  for (std::uint64_t seed = 100; seed < 150; ++seed) {
    for (const std::string& body : samples(seed)) {
      for (int attempt = 0; attempt < 20; ++attempt) {
        std::string changed = body;
        for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
          const std::uint64_t word = random.number();
          std::memcpy(changed.data() + 8 * random.below(changed.size() / 8), &word, 8);
        }
        decode_whatever(changed);
      }
    }
  }
}

TEST_CASE("random words do no harm") {
  RandomMessages random(8);
  for (int attempt = 0; attempt < 50'000; ++attempt) {
    Words words = {struct_pointer(0, 1, 1), random.below(12)};
    for (std::uint64_t more = random.below(20); more > 0; --more) {
      words.push_back(random.maybe() ? random.number() : struct_pointer(0, random.below(5), 3));
    }
    decode_whatever(message_of(words));
  }
}

}  // namespace starling::wire
