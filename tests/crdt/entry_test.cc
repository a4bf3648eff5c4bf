#include "crdt/entry.h"

#include <doctest/doctest.h>

#include "crdt/varint.h"
#include "tests/crdt/property.h"
#include "tests/crdt/random_values.h"

namespace starling::test {
namespace {

const Origin self = origin_of(1);
const Origin peer = origin_of(2);

Entry entry_with(const OriginStream& stream, Change change,
                 CellKind kind = CellKind::string_register) {
  Entry entry;
  entry.origin = self;
  entry.first = stream.n + 1;
  entry.deps = stream.deps;
  entry.deps.advance({self, stream.n});
  entry.ops.push_back({{{0, "k"}, {kind, ""}}, std::move(change)});
  return entry;
}

bool refused(const Entry& entry) {
  OriginStream writing;
  const std::string bytes = encode_entry(entry, writing);
  OriginStream reading;
  const auto decoded = decode_entry(bytes, entry.origin, reading);
  return !decoded && decoded.error() == EntryError::damaged && reading == OriginStream{};
}

}  // namespace

TEST_CASE("op i of an entry has the dot first + i") {
  Entry entry;
  entry.origin = self;
  entry.first = 5;
  entry.ops.resize(3);
  CHECK(entry.dot(0) == Dot{self, 5});
  CHECK(entry.dot(2) == Dot{self, 7});
  CHECK(entry.last() == 7);
}

TEST_CASE("entries come back one after another, and both streams stay equal") {
  check_property("entries come back", 10'000, [] {
    OriginStream writing;
    OriginStream reading;
    for (std::uint64_t i = number(1, 4); i > 0; --i) {
      const Entry entry = random_entry(origin_of(9), writing);
      const std::string bytes = encode_entry(entry, writing);
      RC_ASSERT(entry_op_count(bytes).value() == entry.ops.size());
      const auto decoded = decode_entry(bytes, origin_of(9), reading);
      RC_ASSERT(decoded.has_value());
      RC_ASSERT(*decoded == entry);
      RC_ASSERT(reading == writing);
    }
  });
}

TEST_CASE("whatever decodes is written back with the same bytes") {
  check_property("entries are canonical", 20'000, [] {
    OriginStream stream;
    const Entry before = random_entry(origin_of(9), stream);
    (void)encode_entry(before, stream);
    OriginStream writing = stream;
    std::string bytes = encode_entry(random_entry(origin_of(9), writing), writing);
    bytes[number(0, bytes.size() - 1)] ^= static_cast<char>(1 << number(0, 7));
    const auto parsed = parse_entry(bytes, origin_of(9), stream);
    if (parsed && (static_cast<unsigned char>(bytes[1]) & 2) == 0) {  // no extensions
      OriginStream again = stream;
      // Origins that were named twice would keep two numbers; only a broken writer does that.
      for (const Origin& origin : parsed->defined) {
        RC_PRE(std::ranges::count(parsed->defined, origin) == 1);
        RC_PRE(std::ranges::count(stream.dictionary, origin) == 0);
      }
      const std::string rewritten = encode_entry(parsed->entry, again);
      RC_ASSERT(rewritten == bytes);
    }
  });
}

TEST_CASE("a small write of its own entry costs at most 21 bytes beyond key, subkey and value") {
  OriginStream stream;
  stream.n = 1000;
  stream.dictionary = {self, peer};
  stream.deps.advance({peer, 70});
  Entry entry = entry_with(stream, Assign{"value"});
  entry.deps.advance({peer, 71});
  const std::string bytes = encode_entry(entry, stream);
  CHECK(bytes.size() - 1 - 5 <= 21);
}

TEST_CASE("parsing leaves the stream alone until it is advanced") {
  OriginStream writing;
  const std::string bytes = encode_entry(entry_with({}, Assign{"x"}), writing);
  const OriginStream before;
  const auto parsed = parse_entry(bytes, self, before);
  REQUIRE(parsed);
  OriginStream after = before;
  advance_stream(after, *parsed, bytes);
  CHECK(after == writing);
}

TEST_CASE("an entry carries only the dependencies that changed") {
  OriginStream stream;
  Entry first = entry_with(stream, Assign{"x"});
  first.deps.advance({peer, 3});
  (void)encode_entry(first, stream);
  Entry second = entry_with(stream, Assign{"x"});
  const std::size_t unchanged = encode_entry(second, stream).size();
  Entry third = entry_with(stream, Assign{"x"});
  third.deps.advance({peer, 4});
  CHECK(encode_entry(third, stream).size() == unchanged + 2);
}

TEST_CASE(
    "a seal in the dependencies reaches the reader, who may never have been told the dots it "
    "covers") {
  OriginStream writing;
  Entry entry = entry_with(writing, Remove{});
  entry.deps.seal(2, 5);
  const std::string bytes = encode_entry(entry, writing);
  OriginStream reading;
  const auto decoded = decode_entry(bytes, self, reading);
  REQUIRE(decoded);
  CHECK(decoded->deps == entry.deps);
  CHECK(decoded->deps.covers({origin_of(2, 5), 77}));
  CHECK(reading == writing);
  Entry next = entry_with(writing, Remove{});
  CHECK(encode_entry(next, writing).size() < bytes.size());  // told once
}

TEST_CASE("the rolling hash depends on every earlier byte") {
  CHECK(roll_hash(0, "a") != roll_hash(0, "b"));
  CHECK(roll_hash(roll_hash(0, "a"), "b") != roll_hash(roll_hash(0, "b"), "b"));
  OriginStream x;
  OriginStream y;
  (void)encode_entry(entry_with(x, Assign{"1"}), x);
  (void)encode_entry(entry_with(y, Assign{"2"}), y);
  CHECK(x.hash != y.hash);
}

TEST_CASE("an increment cannot begin its life with a later dot") {
  CHECK_FALSE(
      refused(entry_with({}, Increment{1, Total::of(1), Total::of(1)}, CellKind::string_totals)));
  CHECK(refused(entry_with({}, Increment{2, Total::of(1), Total::of(1)}, CellKind::string_totals)));
  CHECK(refused(entry_with({}, Increment{0, Total::of(1), Total::of(1)}, CellKind::string_totals)));
}

TEST_CASE("a reset cannot take away what its writer had not seen") {
  const auto reset_of = [](const Origin& origin, std::uint64_t n) {
    Reset reset;
    reset.observed.push_back({origin, 1, n, Total::of(1)});
    Entry entry = entry_with({}, std::move(reset), CellKind::string_totals);
    entry.deps.advance({peer, 4});
    return entry;
  };
  CHECK_FALSE(refused(reset_of(peer, 4)));
  CHECK(refused(reset_of(peer, 5)));
  CHECK(refused(reset_of(self, 1)));  // itself
  CHECK(refused(reset_of(origin_of(3), 1)));
}

TEST_CASE("an entry cannot claim to have seen its own future") {
  // version, no flags, one op, hlc, no definitions, deps: one, index 0 = the writer itself, n = 9
  std::string bytes(2, '\0');
  bytes += '\1';
  bytes += std::string(8, '\0');
  bytes += std::string("\x00\x01\x00\x09", 4);
  bytes += std::string("\x05\x00\x01k\x00", 5);  // kill of key k
  OriginStream stream;
  CHECK_FALSE(decode_entry(bytes, self, stream).has_value());
  bytes.replace(12, 3, std::string("\0", 1));  // no deps
  CHECK(decode_entry(bytes, self, stream).has_value());
}

TEST_CASE("totals take increments and resets only, dotted cells anything else") {
  CHECK(refused(entry_with({}, Assign{"x"}, CellKind::string_totals)));
  CHECK(refused(entry_with({}, Remove{}, CellKind::hash_totals)));
  CHECK(refused(entry_with({}, Increment{1, {}, {}}, CellKind::string_register)));
}

TEST_CASE("a key longer than the limit is refused") {
  Entry entry = entry_with({}, Assign{"x"});
  entry.ops[0].key.object.key = std::string(max_key_size + 1, 'k');
  CHECK(refused(entry));
  entry.ops[0].key.object.key.pop_back();
  CHECK_FALSE(refused(entry));
}

TEST_CASE("dots that would pass the end of 64 bits are refused") {
  OriginStream writing;
  const std::string bytes = encode_entry(entry_with(writing, Assign{"x"}), writing);
  OriginStream at_the_end;
  at_the_end.n = ~std::uint64_t{0};
  CHECK_FALSE(decode_entry(bytes, self, at_the_end).has_value());
}

TEST_CASE("a newer format, an unknown op and an unknown critical extension each say so") {
  OriginStream stream;
  const std::string good = encode_entry(entry_with({}, Assign{"x"}), stream);
  const auto error_of = [&](std::size_t at, char value) {
    std::string bytes = good;
    bytes[at] = value;
    OriginStream fresh;
    return decode_entry(bytes, self, fresh).error();
  };
  CHECK(error_of(0, 1) == EntryError::unsupported_version);
  CHECK(error_of(1, 0x40) == EntryError::unknown_critical);
  const std::size_t op = 13;  // version, flags, count, hlc, definitions, deps
  CHECK(error_of(op, 0x09) == EntryError::unknown_critical);
  CHECK(error_of(op, 0x20) == EntryError::unknown_critical);
  CHECK(error_of(op + 4, 0x7E) == EntryError::unknown_critical);
  CHECK(message(EntryError::unknown_critical).find("upgrade") != std::string_view::npos);

  const auto with_extension = [&](char tag) {
    std::string bytes = good.substr(0, op) + std::string{1, tag, 2, 'a', 'b'} + good.substr(op);
    bytes[1] = 2;
    OriginStream fresh;
    return decode_entry(bytes, self, fresh);
  };
  CHECK(with_extension(4).has_value());
  CHECK(with_extension(5).error() == EntryError::unknown_critical);
}

TEST_CASE("version vectors and streams come back") {
  check_property("vectors and streams come back", 10'000, [] {
    OriginStream stream;
    stream.n = number(0, 1u << 20);
    stream.hash = number(0, 1u << 30);
    stream.hlc = number(0, 1u << 30);
    stream.deps = random_vector(true);
    for (std::uint64_t i = number(0, 3); i > 0; --i) {
      stream.dictionary.push_back(random_origin());
    }
    std::string bytes;
    put_stream(bytes, stream);
    put_version_vector(bytes, stream.deps);
    ByteReader in(bytes);
    RC_ASSERT(read_stream(in) == stream);
    RC_ASSERT(read_version_vector(in) == stream.deps);
    RC_ASSERT(in.complete());
  });
}

TEST_CASE("a version vector has one spelling: sorted, above zero, nothing under a seal") {
  const auto decodes = [](std::initializer_list<VersionVector::Seal> seals,
                          std::initializer_list<VersionVector::Component> components) {
    std::string bytes;
    put_varint(bytes, seals.size());
    for (const auto& seal : seals) {
      put_be(bytes, seal.node);
      put_varint(bytes, seal.epoch);
    }
    put_varint(bytes, components.size());
    for (const auto& c : components) {
      put_origin(bytes, c.origin);
      put_varint(bytes, c.n);
    }
    ByteReader in(bytes);
    (void)read_version_vector(in);
    return in.complete();
  };
  CHECK(decodes({}, {{self, 1}, {peer, 2}}));
  CHECK_FALSE(decodes({}, {{peer, 2}, {self, 1}}));
  CHECK_FALSE(decodes({}, {{self, 1}, {self, 2}}));
  CHECK_FALSE(decodes({}, {{self, 0}}));
  CHECK(decodes({{1, 1}}, {{peer, 2}}));
  CHECK_FALSE(decodes({{1, 1}}, {{self, 2}}));
  CHECK_FALSE(decodes({{2, 1}, {1, 1}}, {}));
  CHECK_FALSE(decodes({{1, 0}}, {}));
}

}  // namespace starling::test
