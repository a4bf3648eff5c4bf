// What the two codecs share: a Cap'n Proto message built inside its frame, and hostile bytes read
// as one. Internal to wire/*_codec.cc.
#pragma once

#include "wire/capnp_shim.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <capnp/generated-header-support.h>
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include "crdt/entry.h"
#include "crdt/varint.h"
#include "crdt/version_vector.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace starling::wire {

// ---------------------------------------------------------------- writing

inline capnp::Data::Reader as_data(std::string_view bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}
inline capnp::Text::Reader as_text(const std::string& text) { return {text.c_str(), text.size()}; }

// Upper bounds on the words that things take in a message. A bound that is too small costs a second
// attempt, nothing else.
inline std::size_t words_of(std::string_view bytes) { return bytes.size() / 8 + 1; }
inline std::size_t words_of(const VersionVector& v) {
  return v.components().size() * 4 + v.seals().size() * 2 + 3;
}
inline std::size_t words_of(const std::vector<std::string>& list) {
  std::size_t words = 1;
  for (const std::string& bytes : list) {
    words += 1 + words_of(bytes);
  }
  return words;
}

// Calls `set` with the bytes of a version vector; not for an empty one, whose field stays absent.
template <typename Set>
void put_vector(const VersionVector& vector, const Set& set) {
  if (!vector.empty()) {
    std::string bytes;
    put_version_vector(bytes, vector);
    set(as_data(bytes));
  }
}

template <typename List>
void put_bytes_list(List out, const std::vector<std::string>& list) {
  for (kj::uint i = 0; i < out.size(); ++i) {
    out.set(i, as_data(list[i]));
  }
}

inline kj::uint list_size(std::size_t size) { return static_cast<kj::uint>(size); }

// A message whose only segment lies inside the frame that carries it, so nothing is copied again.
class FrameBuilder final : public capnp::MessageBuilder {
 public:
  explicit FrameBuilder(std::size_t words) : frame_(segment_offset + words * 8, '\0') {}

  kj::ArrayPtr<capnp::word> allocateSegment(kj::uint minimum_size) override {
    const std::size_t room = (frame_.size() - segment_offset) / 8;
    if (!in_use_ && minimum_size <= room) {
      in_use_ = true;
      return {reinterpret_cast<capnp::word*>(frame_.data() + segment_offset), room};
    }
    spilled_.emplace_back(std::max<std::size_t>(minimum_size, room));
    return {reinterpret_cast<capnp::word*>(spilled_.back().data()), spilled_.back().size()};
  }

  // All of the message is in the one segment.
  [[nodiscard]] bool fits() const { return spilled_.empty(); }

  // The frame. The message cannot be used any more.
  [[nodiscard]] std::string finish() {
    const auto words = static_cast<std::uint32_t>(getSegmentsForOutput()[0].size());
    frame_.resize(segment_offset + std::size_t{words} * 8);
    const std::array<std::uint32_t, 2> table{0, words};  // segments - 1, size of the first
    std::memcpy(frame_.data() + frame_header_size, table.data(), sizeof(table));
    seal_frame(frame_);
    return std::move(frame_);
  }

 private:
  static constexpr std::size_t segment_offset = frame_header_size + 8;

  std::string frame_;
  std::vector<std::vector<std::uint64_t>> spilled_;
  bool in_use_ = false;
};

// The frame of the message that `fill` makes of an empty root. `words` is what it needs, roughly.
template <typename Root, typename Fill>
[[nodiscard]] std::string build_frame(std::size_t words, const Fill& fill) {
  for (words += 1 + capnp::sizeInWords<Root>();; words *= 2) {
    FrameBuilder builder(words);
    fill(builder.initRoot<Root>());
    if (builder.fits()) {
      return builder.finish();
    }
  }
}

// ---------------------------------------------------------------- reading

// Takes values out of a message and remembers the first thing that was wrong; afterwards everything
// it gives is empty, so a decoder reads on and asks once at the end.
class Checker {
 public:
  explicit Checker(std::size_t body_words) : elements_left_(body_words) {}

  [[nodiscard]] std::optional<CodecError> error() const { return error_; }
  void fail(CodecError error) {
    if (!error_) {
      error_ = error;
    }
  }

  // How many elements of a list to read. An honest element takes at least a word, so a message
  // whose lists have more elements than it has words refers to one list many times.
  [[nodiscard]] kj::uint count(kj::uint size, std::size_t limit) {
    if (size > limit || size > elements_left_) {
      fail(CodecError::too_many);
      return 0;
    }
    elements_left_ -= size;
    return size;
  }

  [[nodiscard]] std::string bytes(capnp::Data::Reader data) const {
    return {reinterpret_cast<const char*>(data.begin()), data.size()};
  }

  [[nodiscard]] std::vector<std::string> bytes_list(capnp::List<capnp::Data>::Reader list) {
    const kj::uint size = count(list.size(), SIZE_MAX);
    std::vector<std::string> out;
    out.reserve(size);
    for (kj::uint i = 0; i < size; ++i) {
      out.push_back(bytes(list[i]));
    }
    return out;
  }

  // Plain text of at most `limit` bytes.
  [[nodiscard]] std::string text(capnp::Text::Reader text, std::size_t limit);

  [[nodiscard]] VersionVector vector(capnp::Data::Reader data);

 private:
  std::optional<CodecError> error_;
  std::size_t elements_left_;
};

// The segment of a body, if it is a message of exactly one segment that fills it. Checked here, so
// that no library code ever sees a segment table from outside.
[[nodiscard]] std::optional<std::string_view> only_segment(std::string_view body);

// What `decode(root, checker)` makes of a body. A struct, a list and its structs cost one level
// each; no message of ours needs more than five.
template <typename Root, typename Message, typename Decode>
[[nodiscard]] std::expected<Message, CodecError> read_body(std::string_view body,
                                                           const Decode& decode) {
  const std::optional<std::string_view> segment = only_segment(body);
  if (!segment) {
    return std::unexpected(CodecError::malformed);
  }
  const std::size_t words = segment->size() / 8;
  std::vector<std::uint64_t> copy;
  const void* start = segment->data();
  if (reinterpret_cast<std::uintptr_t>(start) % alignof(std::uint64_t) != 0) {
    copy.resize(words);
    std::memcpy(copy.data(), start, segment->size());
    start = copy.data();
  }
  const kj::ArrayPtr<const capnp::word> only(static_cast<const capnp::word*>(start), words);
  capnp::ReaderOptions options;
  options.traversalLimitInWords = 4 * words;  // see Checker::count
  options.nestingLimit = 8;
  try {
    capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&only, 1), options);
    Checker checker(words);
    Message message = decode(reader.getRoot<Root>(), checker);
    if (checker.error()) {
      return std::unexpected(*checker.error());
    }
    return message;
  } catch (const kj::Exception&) {
    return std::unexpected(CodecError::malformed);
  }
}

}  // namespace starling::wire
