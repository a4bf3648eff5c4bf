#include "wire/codec.h"

#include <doctest/doctest.h>

#include "tests/wire/random_messages.h"
#include "wire/plain_text.h"

namespace starling::wire {
namespace {

using test::RandomMessages;

constexpr std::uint64_t seeds = 1000;

// The body inside an encoded frame, checked on the way.
std::string body_of(const std::string& frame) {
  FrameReader reader(max_frame_body);
  reader.feed(frame);
  const auto body = reader.next();
  REQUIRE(body);
  REQUIRE(*body);
  REQUIRE(reader.buffered() == 0);
  return std::string(**body);
}

std::expected<PeerMessage, CodecError> over_the_wire(const PeerMessage& message) {
  return decode_peer(body_of(encode(message)));
}
std::expected<ClientMessage, CodecError> over_the_wire(const ClientMessage& message) {
  return decode_client(body_of(encode(message)));
}

template <typename Message>
void check_round_trips() {
  for (std::size_t kind = 0; kind < std::variant_size_v<Message>; ++kind) {
    CAPTURE(kind);
    CHECK(over_the_wire(RandomMessages(0).message<Message>(kind)).has_value());
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      CAPTURE(seed);
      const Message message = RandomMessages(seed).message<Message>(kind);
      REQUIRE(message.index() == kind);
      const auto back = over_the_wire(message);
      REQUIRE(back);
      REQUIRE(*back == message);
    }
  }
}

CodecError refusal(const PeerMessage& message) {
  const auto back = over_the_wire(message);
  REQUIRE_FALSE(back.has_value());
  return back.error();
}
CodecError refusal(const ClientMessage& message) {
  const auto back = over_the_wire(message);
  REQUIRE_FALSE(back.has_value());
  return back.error();
}

// A run with one entry: SET key = 64 bytes, in a cluster of three.
Push push_of_one_set() {
  const Origin self{0x1111111111111111, 1700000000, 0x22222222};
  OriginStream stream;
  stream.n = 100'000;
  stream.deps.advance({{0x3333333333333333, 1700000001, 0x44444444}, 90'000});
  stream.deps.advance({{0x5555555555555555, 1700000002, 0x66666666}, 80'000});
  stream.dictionary = {self, stream.deps.components()[0].origin,
                       stream.deps.components()[1].origin};
  Push push;
  push.run.origin = self;
  push.run.first = push.run.last = stream.n + 1;
  push.run.deps_before = stream.deps;
  Entry entry;
  entry.origin = self;
  entry.first = stream.n + 1;
  entry.hlc = hlc_at(1'700'000'000'000);
  entry.deps = stream.deps;
  entry.ops.push_back(
      {{{0, "user:1234567890"}, {CellKind::string_register, ""}}, Assign{std::string(64, 'v')}});
  put_bytes(push.run.entries, encode_entry(entry, stream));
  return push;
}

}  // namespace

TEST_CASE("every peer message comes back as it was sent") { check_round_trips<PeerMessage>(); }

TEST_CASE("every client message comes back as it was sent") { check_round_trips<ClientMessage>(); }

TEST_CASE("messages of default values come back too") {
  CHECK(over_the_wire(PeerMessage{Hello{}}) == PeerMessage{Hello{}});
  CHECK(over_the_wire(PeerMessage{Heartbeat{}}) == PeerMessage{Heartbeat{}});
  CHECK(over_the_wire(ClientMessage{Request{}}) == ClientMessage{Request{}});
  CHECK(over_the_wire(ClientMessage{Response{}}) == ClientMessage{Response{}});
}

TEST_CASE("one message has one encoding") {
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    const auto message = RandomMessages(seed).message<PeerMessage>(seed % 10);
    CHECK(encode(message) == encode(*over_the_wire(message)));
  }
}

TEST_CASE("the example in docs/client-protocol.md is what we send") {
  const std::vector<std::uint8_t> documented = {0x78, 0, 0, 0, 0x6c, 0x1a, 0x23, 0xf0,  //
                                                0,    0, 0, 0, 0x0e, 0,    0,    0,     //
                                                0,    0, 0, 0, 1,    0,    1,    0,     //
                                                2,    0, 0, 0, 0,    0,    0,    0,     //
                                                0,    0, 0, 0, 2,    0,    3,    0,     //
                                                1,    0, 0, 0, 0,    0,    0,    0,     //
                                                0,    0, 0, 0, 0,    0,    0,    0,     //
                                                0,    0, 0, 0, 0,    0,    0,    0,     //
                                                0,    0, 0, 0, 0,    0,    0,    0,     //
                                                1,    0, 0, 0, 0x27, 0,    0,    0,     //
                                                4,    0, 0, 0, 2,    0,    2,    0,     //
                                                1,    0, 0, 0, 0,    0,    0,    0,     //
                                                0,    0, 0, 0, 0,    0,    0,    0,     //
                                                5,    0, 0, 0, 0x0a, 0,    0,    0,     //
                                                0,    0, 0, 0, 0,    0,    0,    0,     //
                                                'k',  0, 0, 0, 0,    0,    0,    0};
  const std::string sent =
      encode(ClientMessage{Request{1, 0, {}, std::nullopt, {{CommandCode::get, 0, "k", {}, 0}}}});
  CHECK(std::vector<std::uint8_t>(sent.begin(), sent.end()) == documented);
}

TEST_CASE("a push is encoded the same with and without its variant") {
  const Push push{RandomMessages(7).run(), true};
  CHECK(encode(push) == encode(PeerMessage{push}));
}

TEST_CASE("a push of one small SET costs few bytes more than its value") {
  const Push push = push_of_one_set();
  const std::size_t frame = encode(push).size();
  MESSAGE("frame " << frame << " bytes, entries " << push.run.entries.size() << ", key and value "
                   << 15 + 64);
  CHECK(frame - push.run.entries.size() <= 40 + 72 + 7);  // frame, run header of 3 nodes, padding
}

TEST_CASE("a body that is not aligned is decoded all the same") {
  const auto message = RandomMessages(3).message<PeerMessage>(0);
  const std::string body = body_of(encode(message));
  for (std::size_t shift = 0; shift < 8; ++shift) {
    const std::string moved = std::string(shift, 'x') + body;
    CHECK(decode_peer(std::string_view(moved).substr(shift)) == message);
  }
}

TEST_CASE("large values travel") {
  const std::string value(20u << 20, 'v');
  const ClientMessage request = Request{.id = 1,
                                        .deadline_ms = 0,
                                        .token = {},
                                        .op_id = {},
                                        .commands = {{CommandCode::set, 0, "k", {value}, 0}}};
  CHECK(over_the_wire(request) == request);
  Push push{RandomMessages(1).run(), false};
  push.run.entries = value;
  CHECK(decode_peer(body_of(encode(push))) == PeerMessage{push});
}

TEST_CASE("many small values travel") {
  Request request;
  request.commands.push_back({CommandCode::set_add, 0, "k", {}, 0});
  request.commands[0].args.resize(100'000);
  request.commands.resize(1'000, {CommandCode::get, 0, "", {}, 0});
  CHECK(over_the_wire(ClientMessage{request}) == ClientMessage{request});
}

TEST_CASE("a reply that does not fit into a frame becomes an error") {
  Response response{
      .id = 9, .token = {}, .repeated = true, .results = {std::string(max_frame_body, 'x')}};
  const auto back = over_the_wire(ClientMessage{std::move(response)});
  REQUIRE(back);
  const auto& got = std::get<Response>(*back);
  CHECK(got.id == 9);
  CHECK(got.repeated);
  REQUIRE(got.results.size() == 1);
  CHECK(std::get<Error>(got.results[0]).code == ErrorCode::too_large);
}

TEST_CASE("numbers outside their enum are refused") {
  CHECK(refusal(PeerMessage{Goodbye{static_cast<Goodbye::Reason>(8), ""}}) ==
        CodecError::bad_value);
  Member member;
  member.state = static_cast<MemberState>(2);
  CHECK(refusal(PeerMessage{MemberFacts{{member}}}) == CodecError::bad_value);
  for (const int code : {0, 4, 9, 29, 92, 9999, 65535}) {
    Request request;
    request.commands.push_back({static_cast<CommandCode>(code), 0, "", {}, 0});
    CHECK(refusal(ClientMessage{request}) == CodecError::bad_value);
  }
  for (const int code : {0, 14, 65535}) {
    Response response;
    response.results.emplace_back(Error{static_cast<ErrorCode>(code), ""});
    CHECK(refusal(ClientMessage{response}) == CodecError::bad_value);
  }
}

TEST_CASE("lists over their limit are refused, or cut where that does no harm") {
  CHECK(over_the_wire(PeerMessage{MemberFacts{std::vector<Member>(max_members)}}).has_value());
  CHECK(refusal(PeerMessage{MemberFacts{std::vector<Member>(max_members + 1)}}) ==
        CodecError::too_many);
  Request request;
  request.commands.resize(max_commands + 1);
  CHECK(refusal(ClientMessage{request}) == CodecError::too_many);

  Hello hello;
  hello.hashes.resize(max_stream_hashes + 1);
  const auto back = over_the_wire(PeerMessage{hello});
  REQUIRE(back);
  CHECK(std::get<Hello>(*back).hashes.size() == max_stream_hashes);
}

TEST_CASE("a full hello fits below the limit for strangers") {
  Hello hello;
  RandomMessages random(1);
  for (std::size_t i = 0; i < max_stream_hashes; ++i) {
    const Origin origin = random.origin();
    hello.hashes.push_back({origin, random.number(), random.number()});
    for (VersionVector* v : {&hello.applied, &hello.durable, &hello.floor, &hello.stable}) {
      v->advance({origin, 1u << 30});
    }
  }
  hello.members.assign(max_members, {1, std::string(30, 'n'), std::string(40, 'p'),
                                     std::string(40, 'c'), MemberState::active, 1});
  CHECK(encode(PeerMessage{hello}).size() <= max_peer_hello_body);
}

TEST_CASE("names and addresses must be plain text of bounded length") {
  for (const std::string& bad :
       {std::string("a\nb"), std::string("a\0b", 3), std::string("\x1b[2J"), std::string("\xff"),
        std::string("\xc3"), std::string("\xed\xa0\x80"), std::string(max_name_size + 1, 'x')}) {
    CAPTURE(bad);
    Hello hello;
    hello.name = bad;
    CHECK(refusal(PeerMessage{hello}) == CodecError::bad_text);
    Member member;
    member.peer_address = bad;
    CHECK(refusal(PeerMessage{MemberFacts{{member}}}) == CodecError::bad_text);
    ServerHello server;
    server.client_addresses = {bad};
    CHECK(refusal(ClientMessage{server}) == CodecError::bad_text);
  }
}

TEST_CASE("texts for people are made plain before they are sent") {
  const auto goodbye = over_the_wire(PeerMessage{
      Goodbye{Goodbye::Reason::fork, "evil\r\n\x1b[2J \xff " + std::string(5000, 'x')}});
  REQUIRE(goodbye);
  const std::string& detail = std::get<Goodbye>(*goodbye).detail;
  CHECK(detail.starts_with("evil???[2J ? xxx"));
  CHECK(detail.size() == max_sentence_size);

  Response response;
  response.results.emplace_back(Error{ErrorCode::wrong_type, "key \xfe\xff"});
  const auto back = over_the_wire(ClientMessage{response});
  REQUIRE(back);
  CHECK(std::get<Error>(std::get<Response>(*back).results[0]).message == "key ??");
}

TEST_CASE("plain text is UTF-8 without control characters") {
  for (const std::string_view good : {"", "node-1", "köln", "日本", "𝄞", "a b~"}) {
    CHECK(is_plain_text(good));
    CHECK(make_plain_text(good, 100) == good);
  }
  for (const std::string_view bad :
       {"\x7f", "\t", "\x80", "\xc0\x80", "\xc2\x85", "\xe0\x80\x80", "\xed\xbf\xbf",
        "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    CHECK_FALSE(is_plain_text(bad));
    CHECK(make_plain_text(bad, 100) == std::string(bad.size(), '?'));
  }
  CHECK(make_plain_text("abü", 3) == "ab");  // never half a character
}

TEST_CASE("every codec error has a sentence") {
  for (int error = 0; error <= static_cast<int>(CodecError::bad_bytes); ++error) {
    CHECK_FALSE(message(static_cast<CodecError>(error)).starts_with("unknown"));
  }
}

}  // namespace starling::wire
