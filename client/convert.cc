#include "client/convert.h"

#include <utility>

#include "crdt/entry.h"
#include "crdt/varint.h"

namespace starling {
namespace {

// The public header repeats the numbers of the wire, so that it needs none of our own headers.
template <auto ours, auto theirs>
constexpr bool same = std::to_underlying(ours) == std::to_underlying(theirs);
#define SAME(name) static_assert(same<CommandCode::name, wire::CommandCode::name>)
SAME(get);
SAME(set);
SAME(incr);
SAME(del);
SAME(exists);
SAME(type);
SAME(expire);
SAME(set_add);
SAME(set_remove);
SAME(set_has);
SAME(set_members);
SAME(set_size);
SAME(hash_set);
SAME(hash_get);
SAME(hash_del);
SAME(hash_get_all);
SAME(hash_incr);
SAME(hash_size);
SAME(flag_enable);
SAME(flag_disable);
SAME(flag_get);
SAME(mv_set);
SAME(mv_get);
SAME(zset_add);
SAME(scan);
SAME(export_);
SAME(why);
SAME(explain);
SAME(conflicts);
SAME(status);
SAME(partition);
SAME(heal);
#undef SAME
#define SAME(name) static_assert(same<ErrorCode::name, wire::ErrorCode::name>)
SAME(bad_request);
SAME(wrong_type);
SAME(not_a_number);
SAME(overflow);
SAME(too_large);
SAME(behind);
SAME(not_ready);
SAME(no_space);
SAME(busy);
SAME(refused);
SAME(storage);
SAME(timeout);
SAME(unsupported);
#undef SAME

struct ToValue {
  Value operator()(wire::Nil) const { return std::monostate{}; }
  Value operator()(wire::Ok) const { return Done{}; }
  Value operator()(std::int64_t number) const { return number; }
  Value operator()(std::string& text) const { return std::move(text); }
  Value operator()(std::vector<std::string>& list) const { return std::move(list); }
  Value operator()(wire::Error&) const { return std::monostate{}; }
};

}  // namespace

std::vector<wire::Command> to_wire(std::vector<Command> commands) {
  std::vector<wire::Command> converted;
  converted.reserve(commands.size());
  for (Command& command : commands) {
    converted.push_back({.code = static_cast<wire::CommandCode>(std::to_underlying(command.code)),
                         .db = command.db,
                         .key = std::move(command.key),
                         .args = std::move(command.args),
                         .number = command.number});
  }
  return converted;
}

Reply from_wire(wire::Response response) {
  Reply reply{.repeated = response.repeated, .values = {}};
  reply.values.reserve(response.results.size());
  for (wire::Result& result : response.results) {
    reply.values.push_back(std::visit(ToValue{}, result));
  }
  return reply;
}

Error from_wire(wire::Error error) {
  return {static_cast<ErrorCode>(std::to_underlying(error.code)), std::move(error.message)};
}

std::string encode_token(const VersionVector& token) {
  std::string bytes;
  put_version_vector(bytes, token);
  return bytes;
}

std::optional<VersionVector> decode_token(std::string_view bytes) {
  if (bytes.empty()) {
    return VersionVector{};
  }
  ByteReader in(bytes);
  VersionVector token = read_version_vector(in);
  return in.complete() ? std::optional(std::move(token)) : std::nullopt;
}

}  // namespace starling
