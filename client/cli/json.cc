#include "client/cli/json.h"

#include <nlohmann/json.hpp>

#include "client/cli/terminal.h"

namespace starling::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Json bytes_json(std::string_view bytes) {
  return is_utf8(bytes) ? Json(bytes) : Json{{"b64", base64(bytes)}};
}

Json fields_json(const std::vector<std::string>& list) {
  bool plain = true;
  for (const std::string& item : list) {
    plain = plain && is_utf8(item);
  }
  Json fields = plain ? Json::object() : Json::array();
  for (std::size_t i = 0; i + 1 < list.size(); i += 2) {
    if (plain) {
      fields[list[i]] = list[i + 1];
    } else {
      fields.push_back(Json::array({bytes_json(list[i]), bytes_json(list[i + 1])}));
    }
  }
  return fields;
}

Json value_json(Show show, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    const bool truth = show == Show::yes_no || show == Show::on_off;
    return truth ? Json(*number != 0) : Json(*number);
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    return bytes_json(*text);
  }
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    if (show == Show::fields) {
      return fields_json(*list);
    }
    Json items = Json::array();
    for (const std::string& item : *list) {
      items.push_back(bytes_json(item));
    }
    return items;
  }
  return std::holds_alternative<Done>(value) ? Json("ok") : Json(nullptr);
}

}  // namespace

std::string base64(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = (group << 8) | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += i + j > bytes.size() ? '=' : alphabet[(group >> (18 - 6 * j)) & 63u];
    }
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  while (!text.empty() && text.back() == '=') {
    text.remove_suffix(1);
  }
  std::string bytes;
  unsigned group = 0;
  unsigned bits = 0;
  for (const char character : text) {
    const auto value = alphabet.find(character);
    if (value == std::string_view::npos) {
      return std::nullopt;
    }
    group = (group << 6) | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>((group >> bits) & 0xFFu);
    }
  }
  // What is left over must be padding, not half a byte.
  return bits < 6 && (group & ((1u << bits) - 1)) == 0 ? std::optional(bytes) : std::nullopt;
}

std::string json_bytes(std::string_view bytes) { return bytes_json(bytes).dump(); }

std::string json_value(Show show, const Value& value) { return value_json(show, value).dump(); }

std::string json_result(Show show, std::string_view key, const Value& value) {
  return Json{{"key", bytes_json(key)}, {"result", value_json(show, value)}}.dump();
}

std::string json_failure(std::string_view code, std::string_view what, std::string_view where,
                         std::string_view cause, std::string_view advice) {
  return Json{
      {"error",
       {{"code", code}, {"what", what}, {"where", where}, {"likely", cause}, {"do", advice}}}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> json_sentences(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  std::vector<std::string> sentences;
  if (document.is_object() && document.contains("sentences") && document["sentences"].is_array()) {
    for (const Json& sentence : document["sentences"]) {
      if (sentence.is_string()) {
        sentences.push_back(sentence.get<std::string>());
      }
    }
  }
  return sentences;
}

}  // namespace starling::cli
