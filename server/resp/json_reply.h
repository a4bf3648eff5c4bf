// JSON that the core wrote, as a reply.
#pragma once

#include <string_view>

#include "server/resp/reply_writer.h"

namespace starling::resp {

// Objects become maps, arrays arrays, texts bulk strings; what is no JSON at all becomes a text.
void write_json(ReplyWriter& reply, std::string_view text);

}  // namespace starling::resp
