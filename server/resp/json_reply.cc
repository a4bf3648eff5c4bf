#include "server/resp/json_reply.h"

#include <string>

#include <nlohmann/json.hpp>

namespace starling::resp {
namespace {

using Json = nlohmann::ordered_json;

void write(ReplyWriter& reply, const Json& value) {
  if (value.is_object()) {
    reply.map(value.size());
    for (const auto& [name, member] : value.items()) {
      reply.bulk(name);
      write(reply, member);
    }
  } else if (value.is_array()) {
    reply.array(value.size());
    for (const Json& member : value) {
      write(reply, member);
    }
  } else if (value.is_string()) {
    reply.bulk(value.get_ref<const std::string&>());
  } else if (value.is_boolean()) {
    reply.boolean(value.get<bool>());
  } else if (value.is_number_integer()) {
    reply.integer(value.get<std::int64_t>());
  } else if (value.is_number()) {
    reply.number(value.get<double>());
  } else {
    reply.nil();
  }
}

}  // namespace

void write_json(ReplyWriter& reply, std::string_view text) {
  const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    reply.bulk(text);
  } else {
    write(reply, value);
  }
}

}  // namespace starling::resp
