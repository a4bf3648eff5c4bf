// Every kind of message with every kind of content, from a seed.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "wire/messages.h"

namespace starling::test {

class RandomMessages {
 public:
  explicit RandomMessages(std::uint64_t seed) : engine_(seed) {}

  // The alternative `index` of PeerMessage or ClientMessage.
  template <typename Message>
  Message message(std::size_t index) {
    return alternative<Message>(index, std::make_index_sequence<std::variant_size_v<Message>>());
  }

  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  bool maybe() { return below(2) == 0; }

  // Small, huge or in between: all lengths of a varint, both ends of the range.
  std::uint64_t number() { return engine_() >> below(64) >> (below(8) == 0 ? 63 : 0); }

  std::string bytes() {
    std::string out(below(20) == 0 ? below(5000) : below(40), '\0');
    for (char& byte : out) {
      byte = static_cast<char>(engine_());
    }
    return out;
  }

  std::string text() {
    static const std::vector<std::string> characters = {"a", "Z", "7", " ", ":", "ü", "€", "𝄞"};
    std::string out;
    for (std::uint64_t i = below(30); i > 0; --i) {
      out += characters[below(characters.size())];
    }
    return out;
  }

  Origin origin() {
    return {number(), static_cast<std::uint32_t>(number()), static_cast<std::uint32_t>(number())};
  }

  VersionVector vector() {
    VersionVector out;
    for (std::uint64_t i = below(3); i > 0; --i) {
      out.seal(number(), static_cast<std::uint32_t>(number() | 1));
    }
    for (std::uint64_t i = below(6); i > 0; --i) {
      out.advance({origin(), number() | 1});
    }
    return out;
  }

  Run run() {
    Run out;
    out.origin = origin();
    out.first = 1 + below(1'000'000);
    out.last = out.first + below(1'000'000);
    out.hash_before = engine_();
    out.deps_before = vector();
    out.entries = bytes();
    return out;
  }

 private:
  template <typename Message, std::size_t... indexes>
  Message alternative(std::size_t index, std::index_sequence<indexes...>) {
    Message out;
    ((indexes == index ? void(out = fill(std::variant_alternative_t<indexes, Message>())) : void()),
     ...);
    return out;
  }

  template <typename Make>
  auto list(std::uint64_t most, Make make) {
    std::vector<decltype(make())> out;
    for (std::uint64_t i = below(most + 1); i > 0; --i) {
      out.push_back(make());
    }
    return out;
  }

  std::vector<std::string> byte_strings() {
    return list(5, [&] { return bytes(); });
  }

  std::vector<wire::Member> members() {
    return list(4, [&] {
      return wire::Member{number(),
                          text(),
                          text(),
                          text(),
                          maybe() ? wire::MemberState::active : wire::MemberState::left,
                          number()};
    });
  }

  wire::Hello fill(wire::Hello out) {
    out.protocol = static_cast<std::uint32_t>(number());
    out.feature_level = static_cast<std::uint32_t>(number());
    out.cluster = text();
    out.node = number();
    out.name = text();
    out.origin = origin();
    if (maybe()) {
      out.previous = origin();
    }
    out.applied = vector();
    out.hashes = list(5, [&] { return wire::StreamHash{origin(), number(), engine_()}; });
    out.durable = vector();
    out.floor = vector();
    out.stable = vector();
    out.members = members();
    out.clock_ms = number();
    out.ready = maybe();
    return out;
  }
  wire::Push fill(const wire::Push&) { return {run(), maybe()}; }
  wire::Pull fill(const wire::Pull&) { return {origin(), number(), number()}; }
  wire::PullNack fill(const wire::PullNack&) { return {origin(), number()}; }
  wire::Ack fill(const wire::Ack&) { return {vector(), vector(), number(), number()}; }
  wire::Heartbeat fill(const wire::Heartbeat&) {
    return {vector(), vector(), number(), number(), vector(), static_cast<std::uint32_t>(number()),
            number(), maybe()};
  }
  wire::MemberFacts fill(const wire::MemberFacts&) { return {members()}; }
  wire::DigestRequest fill(const wire::DigestRequest&) { return {number()}; }
  wire::DigestReply fill(const wire::DigestReply&) {
    return {number(), vector(), {engine_(), engine_()}, number()};
  }
  wire::Goodbye fill(const wire::Goodbye&) {
    return {static_cast<wire::Goodbye::Reason>(below(8)), text()};
  }

  wire::ClientHello fill(const wire::ClientHello&) {
    return {static_cast<std::uint32_t>(number()), text()};
  }
  wire::ServerHello fill(const wire::ServerHello&) {
    return {static_cast<std::uint32_t>(number()), text(), text(), number(),
            list(4, [&] { return text(); })};
  }
  wire::Command command() {
    static const std::vector<wire::CommandCode> codes = {
        wire::CommandCode::get,     wire::CommandCode::set,      wire::CommandCode::incr,
        wire::CommandCode::set_add, wire::CommandCode::hash_set, wire::CommandCode::mv_get,
        wire::CommandCode::export_, wire::CommandCode::status,   wire::CommandCode::heal};
    return {codes[below(codes.size())], static_cast<std::uint8_t>(number()), bytes(),
            byte_strings(), static_cast<std::int64_t>(engine_())};
  }
  wire::Request fill(wire::Request out) {
    out.id = number();
    out.deadline_ms = static_cast<std::uint32_t>(number());
    out.token = vector();
    if (maybe()) {
      out.op_id = OpId{engine_(), number()};
    }
    out.commands = list(5, [&] { return command(); });
    return out;
  }
  wire::Result result() {
    switch (below(6)) {
      case 0:
        return wire::Nil{};
      case 1:
        return wire::Ok{};
      case 2:
        return static_cast<std::int64_t>(engine_());
      case 3:
        return bytes();
      case 4:
        return byte_strings();
      default:
        return wire::Error{static_cast<wire::ErrorCode>(1 + below(13)), text()};
    }
  }
  wire::Response fill(const wire::Response&) {
    return {number(), vector(), maybe(), list(5, [&] { return result(); })};
  }

  std::mt19937_64 engine_;
};

}  // namespace starling::test
