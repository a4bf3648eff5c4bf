// The native commands, by name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "wire/messages.h"

namespace starling::test {

using wire::Command;
using wire::CommandCode;
using wire::ErrorCode;
using wire::Nil;
using wire::Ok;
using wire::Result;
using List = std::vector<std::string>;

inline Command command(CommandCode code, std::string key, List args = {}, std::int64_t number = 0) {
  return {code, 0, std::move(key), std::move(args), number};
}
inline Command get(const std::string& key) { return command(CommandCode::get, key); }
inline Command set(const std::string& key, const std::string& value) {
  return command(CommandCode::set, key, {value});
}
inline Command incr(const std::string& key, std::int64_t by = 1) {
  return command(CommandCode::incr, key, {}, by);
}
inline Command del(const std::string& key) { return command(CommandCode::del, key); }
inline Command exists(const std::string& key) { return command(CommandCode::exists, key); }
inline Command type(const std::string& key) { return command(CommandCode::type, key); }
inline Command set_add(const std::string& key, List elements) {
  return command(CommandCode::set_add, key, std::move(elements));
}
inline Command set_remove(const std::string& key, List elements) {
  return command(CommandCode::set_remove, key, std::move(elements));
}
inline Command set_has(const std::string& key, const std::string& element) {
  return command(CommandCode::set_has, key, {element});
}
inline Command set_members(const std::string& key) {
  return command(CommandCode::set_members, key);
}
inline Command set_size(const std::string& key) { return command(CommandCode::set_size, key); }
inline Command hash_set(const std::string& key, List fields_and_values) {
  return command(CommandCode::hash_set, key, std::move(fields_and_values));
}
inline Command hash_get(const std::string& key, const std::string& field) {
  return command(CommandCode::hash_get, key, {field});
}
inline Command hash_del(const std::string& key, List fields) {
  return command(CommandCode::hash_del, key, std::move(fields));
}
inline Command hash_get_all(const std::string& key) {
  return command(CommandCode::hash_get_all, key);
}
inline Command hash_incr(const std::string& key, const std::string& field, std::int64_t by = 1) {
  return command(CommandCode::hash_incr, key, {field}, by);
}
inline Command hash_size(const std::string& key) { return command(CommandCode::hash_size, key); }

// "e0", "e1", …
inline List names(int from, int to) {
  List names;
  for (int i = from; i < to; ++i) {
    names.push_back("e" + std::to_string(i));
  }
  return names;
}

}  // namespace starling::test
