#include "server/replica/members.h"

#include <algorithm>

#include "crdt/varint.h"

namespace starling::replica {
namespace {

constexpr std::uint8_t members_version = 0;

}  // namespace

bool Members::merge(const wire::Member& member) {
  const auto at = std::ranges::lower_bound(members_, member.node, {}, &wire::Member::node);
  if (at == members_.end() || at->node != member.node) {
    members_.insert(at, member);
  } else if (member.revision > at->revision) {
    *at = member;
  } else {
    return false;
  }
  hash_ = roll_hash(0, encode());
  return true;
}

const wire::Member* Members::find(std::uint64_t node) const {
  const auto at = std::ranges::lower_bound(members_, node, {}, &wire::Member::node);
  return at == members_.end() || at->node != node ? nullptr : &*at;
}

const wire::Member* Members::find_name(std::string_view name) const {
  const auto at = std::ranges::find(members_, name, &wire::Member::name);
  return at == members_.end() ? nullptr : &*at;
}

std::string Members::encode() const {
  std::string out;
  put_u8(out, members_version);
  put_varint(out, members_.size());
  for (const wire::Member& member : members_) {
    put_be(out, member.node);
    put_bytes(out, member.name);
    put_bytes(out, member.peer_address);
    put_bytes(out, member.client_address);
    put_u8(out, static_cast<std::uint8_t>(member.state));
    put_be(out, member.revision);
  }
  return out;
}

std::optional<Members> Members::decode(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != members_version) {
    return std::nullopt;
  }
  Members members;
  for (std::uint64_t i = in.count(); i > 0 && in.ok(); --i) {
    wire::Member member;
    member.node = in.be<std::uint64_t>();
    member.name = in.bytes();
    member.peer_address = in.bytes();
    member.client_address = in.bytes();
    member.state = static_cast<wire::MemberState>(in.u8());
    member.revision = in.be<std::uint64_t>();
    members.merge(member);
  }
  return in.complete() ? std::optional(std::move(members)) : std::nullopt;
}

}  // namespace starling::replica
