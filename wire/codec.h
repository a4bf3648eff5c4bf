// Messages as frames, and back. The only code that knows Cap'n Proto; nothing it throws gets out.
// docs/peer-protocol.md and docs/client-protocol.md describe the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "wire/frame.h"
#include "wire/messages.h"

namespace starling::wire {

// What a decoder accepts. Senders keep to it.
inline constexpr std::size_t max_name_size = 256;  // names of clusters and nodes
inline constexpr std::size_t max_address_size = 256;
inline constexpr std::size_t max_sentence_size = 1024;  // texts for people are cut to it
inline constexpr std::size_t max_members = 1024;
inline constexpr std::size_t max_stream_hashes = 4096;  // a Hello with more is cut to it
inline constexpr std::size_t max_commands = max_ops_per_entry;

enum class CodecError : std::uint8_t {
  malformed,        // not a Cap'n Proto message of one segment, or its pointers lead astray
  unknown_message,  // a kind of message that this version does not know
  too_many,         // a list is longer than its limit
  bad_text,         // a name or address is too long, not UTF-8, or has control characters
  bad_value,        // a number is out of the range of its field
  bad_bytes         // a version vector or run is not encoded as such
};
[[nodiscard]] std::string_view message(CodecError error);

// A complete frame.
// Requires names, cluster and addresses to be plain text within their limits. Texts for people
// (Goodbye::detail, Error::message, ClientHello::client) are made plain and cut here.
// A Response that would not fit into a frame goes out as an Error instead. No other message may
// exceed `max_frame_body`: who builds a Run or a Request bounds it.
[[nodiscard]] std::string encode(const PeerMessage& message);
[[nodiscard]] std::string encode(const ClientMessage& message);
// As encode(PeerMessage), without a copy of the run: encoded once, sent to many.
[[nodiscard]] std::string encode(const Push& push);

// `body` as FrameReader gives it; copied if it is not aligned to 8 bytes. Structure, counts, enums,
// texts and version vectors are checked; what they mean (is the origin known, do the entries of a
// run decode) is not.
[[nodiscard]] std::expected<PeerMessage, CodecError> decode_peer(std::string_view body);
[[nodiscard]] std::expected<ClientMessage, CodecError> decode_client(std::string_view body);

}  // namespace starling::wire
