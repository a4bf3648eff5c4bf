#include "client/cli/ndjson.h"

#include <charconv>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/cli/json.h"

namespace starling::cli {
namespace {

using Document = nlohmann::json;
template <typename T>
using Parsed = std::expected<T, std::string>;

Parsed<std::string> bytes(const Document& value, std::string_view what) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_object() && value.size() == 1 && value.contains("b64") && value["b64"].is_string()) {
    if (auto decoded = from_base64(value["b64"].get_ref<const std::string&>())) {
      return *decoded;
    }
    return std::unexpected(fmt::format("{}: \"b64\" is not base64", what));
  }
  return std::unexpected(fmt::format("{} must be a text or {{\"b64\":\"...\"}}", what));
}

// Text, or an integer as text.
Parsed<std::string> string_value(const Document& value) {
  if (value.is_number_integer()) {
    return value.dump();
  }
  return bytes(value, "the value of a string");
}

Parsed<std::int64_t> integer(const Document& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return static_cast<std::int64_t>(number);
    }
  } else if (value.is_number_integer()) {
    return value.get<std::int64_t>();
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc{} && end == text.data() + text.size()) {
      return number;
    }
  }
  return std::unexpected("the value of a counter must be an integer of 64 bits");
}

Parsed<std::vector<std::string>> list(const Document& value, std::string_view what) {
  if (!value.is_array()) {
    return std::unexpected(fmt::format("the value of a {} must be an array", what));
  }
  std::vector<std::string> items;
  items.reserve(value.size());
  for (const Document& item : value) {
    auto decoded = bytes(item, fmt::format("an element of a {}", what));
    if (!decoded) {
      return std::unexpected(std::move(decoded.error()));
    }
    items.push_back(std::move(*decoded));
  }
  return items;
}

// {field: value, ...} or [[field, value], ...] -> field, value, ...
Parsed<std::vector<std::string>> fields(const Document& value) {
  std::vector<std::string> items;
  const auto add = [&items](Parsed<std::string> part) -> Parsed<void> {
    if (!part) {
      return std::unexpected(std::move(part.error()));
    }
    items.push_back(std::move(*part));
    return {};
  };
  if (value.is_object()) {
    for (const auto& [field, text] : value.items()) {
      items.push_back(field);
      if (auto added = add(string_value(text)); !added) {
        return std::unexpected(added.error());
      }
    }
    return items;
  }
  if (!value.is_array()) {
    return std::unexpected("the value of a hash must be an object or an array of [field, value]");
  }
  for (const Document& pair : value) {
    if (!pair.is_array() || pair.size() != 2) {
      return std::unexpected("a field of a hash must be [field, value]");
    }
    auto added = add(bytes(pair[0], "a field"));
    if (added) {
      added = add(string_value(pair[1]));
    }
    if (!added) {
      return std::unexpected(added.error());
    }
  }
  return items;
}

// [[member, score], ...] -> member, score, ...; a score is a number, or text for what JSON cannot
// say.
Parsed<std::vector<std::string>> members(const Document& value) {
  if (!value.is_array()) {
    return std::unexpected("the value of a zset must be an array of [member, score]");
  }
  std::vector<std::string> items;
  for (const Document& pair : value) {
    if (!pair.is_array() || pair.size() != 2) {
      return std::unexpected("a member of a zset must be [member, score]");
    }
    auto member = bytes(pair[0], "a member");
    if (!member) {
      return std::unexpected(std::move(member.error()));
    }
    if (!pair[1].is_number() && !pair[1].is_string()) {
      return std::unexpected("a score must be a number, or a number as text");
    }
    items.push_back(std::move(*member));
    items.push_back(pair[1].is_string() ? pair[1].get<std::string>() : pair[1].dump());
  }
  return items;
}

Parsed<ImportLine> commands_for(std::string_view type, const Document& value, Command base) {
  ImportLine line;
  const auto with_args = [&](CommandCode code,
                             Parsed<std::vector<std::string>> args) -> Parsed<ImportLine> {
    if (!args) {
      return std::unexpected(std::move(args.error()));
    }
    if (!args->empty()) {
      base.code = code;
      base.args = std::move(*args);
      line.commands.push_back(std::move(base));
    }
    return std::move(line);
  };
  const auto single = [](Parsed<std::string> text) -> Parsed<std::vector<std::string>> {
    if (!text) {
      return std::unexpected(std::move(text.error()));
    }
    return std::vector{std::move(*text)};
  };
  if (type == "string") {
    return with_args(CommandCode::set, single(string_value(value)));
  }
  if (type == "counter") {
    const auto number = integer(value);
    if (!number) {
      return std::unexpected(number.error());
    }
    base.code = CommandCode::incr;
    base.number = *number;
    line.commands.push_back(std::move(base));
    return line;
  }
  if (type == "set") {
    return with_args(CommandCode::set_add, list(value, "set"));
  }
  if (type == "hash") {
    return with_args(CommandCode::hash_set, fields(value));
  }
  if (type == "zset") {
    return with_args(CommandCode::zset_add, members(value));
  }
  if (type == "flag") {
    if (!value.is_boolean()) {
      return std::unexpected("the value of a flag must be true or false");
    }
    base.code = value.get<bool>() ? CommandCode::flag_enable : CommandCode::flag_disable;
    line.commands.push_back(std::move(base));
    return line;
  }
  if (type == "mvreg") {
    auto values = list(value, "mvreg");
    if (values && values->size() > 1) {
      line.drops_siblings = true;
      values->erase(values->begin(), values->end() - 1);
    }
    return with_args(CommandCode::mv_set, std::move(values));
  }
  return std::unexpected(fmt::format(
      "there is no type '{}'; there are string, counter, set, hash, zset, flag and mvreg", type));
}

}  // namespace

std::expected<ImportLine, std::string> parse_ndjson(std::string_view line, std::uint8_t db) {
  const Document document = Document::parse(line, nullptr, false);
  if (!document.is_object()) {
    return std::unexpected(document.is_discarded() ? "this is not JSON (in UTF-8)"
                                                   : "this is not a JSON object");
  }
  for (const auto& [field, value] : document.items()) {
    if (field != "db" && field != "key" && field != "type" && field != "value" &&
        field != "ttl_ms") {
      return std::unexpected(fmt::format("unknown field \"{}\"", field));
    }
  }
  for (const char* field : {"key", "type", "value"}) {
    if (!document.contains(field)) {
      return std::unexpected(fmt::format("\"{}\" is missing", field));
    }
  }
  Command base;
  base.db = db;
  if (const auto given = document.find("db"); given != document.end()) {
    if (!given->is_number_unsigned() || given->get<std::uint64_t>() > 255) {
      return std::unexpected("\"db\" must be a number from 0 to 255");
    }
    base.db = given->get<std::uint8_t>();
  }
  auto key = bytes(document["key"], "\"key\"");
  if (!key) {
    return std::unexpected(std::move(key.error()));
  }
  base.key = std::move(*key);
  if (!document["type"].is_string()) {
    return std::unexpected("\"type\" must be a text");
  }
  auto parsed = commands_for(document["type"].get_ref<const std::string&>(), document["value"],
                             std::move(base));
  const auto ttl = document.find("ttl_ms");
  if (parsed && ttl != document.end() && !ttl->is_null()) {
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max() / 2;
    if (!ttl->is_number_unsigned() || *ttl == 0 || ttl->get<std::uint64_t>() > most) {
      return std::unexpected("\"ttl_ms\" must be a number of milliseconds above 0");
    }
    parsed->ttl_ms = ttl->get<std::int64_t>();
  }
  return parsed;
}

}  // namespace starling::cli
