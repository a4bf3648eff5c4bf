#include "tests/sim/commands.h"

#include <array>
#include <utility>
#include <vector>

namespace starling::sim {

using wire::Command;
using wire::CommandCode;

// Each key has a type of its own, which most commands keep to.
std::string CommandMix::key_for(ObjectType type) {
  static constexpr std::array types = {ObjectType::string, ObjectType::string,     ObjectType::set,
                                       ObjectType::set,    ObjectType::hash,       ObjectType::hash,
                                       ObjectType::flag,   ObjectType::mv_register};
  for (;;) {
    const std::size_t i = random_.below(keys);
    if (types[i % types.size()] == type || random_.chance(0.02)) {
      return key(i);
    }
  }
}

std::string CommandMix::word() {
  if (large_values_ && random_.chance(0.2)) {
    return std::string(random_.between(500, 5000), static_cast<char>('a' + random_.below(26)));
  }
  return random_.chance(0.4) ? std::to_string(static_cast<std::int64_t>(random_.below(2000)) - 1000)
                             : "w" + std::to_string(random_.below(10'000));
}

std::int64_t CommandMix::delta() {
  if (random_.chance(0.02)) {  // now and then near the end of 64 bits
    return random_.chance(0.5) ? std::int64_t{1} << 62 : -(std::int64_t{1} << 62);
  }
  return static_cast<std::int64_t>(random_.below(30)) - 10;
}

Command CommandMix::write() {
  const std::uint64_t dice = random_.below(100);
  if (dice < 12) {
    return {CommandCode::set, 0, key_for(ObjectType::string), {word()}, 0};
  }
  if (dice < 28) {
    return {CommandCode::incr, 0, key_for(ObjectType::string), {}, delta()};
  }
  if (dice < 36) {
    return {CommandCode::del, 0, any_key(), {}, 0};
  }
  if (dice < 60) {
    const bool add = dice < 50;
    std::vector<std::string> elements{element()};
    while (random_.chance(add ? 0.4 : 0.3)) {
      elements.push_back(element());
    }
    return {add ? CommandCode::set_add : CommandCode::set_remove, 0, key_for(ObjectType::set),
            std::move(elements), 0};
  }
  if (dice < 70) {
    std::vector<std::string> pairs{field(), word()};
    if (random_.chance(0.3)) {
      pairs.insert(pairs.end(), {field(), word()});
    }
    return {CommandCode::hash_set, 0, key_for(ObjectType::hash), std::move(pairs), 0};
  }
  if (dice < 76) {
    return {CommandCode::hash_del, 0, key_for(ObjectType::hash), {field(), field()}, 0};
  }
  if (dice < 85) {
    return {CommandCode::hash_incr, 0, key_for(ObjectType::hash), {field()}, delta()};
  }
  if (dice < 93) {
    return {dice < 90 ? CommandCode::flag_enable : CommandCode::flag_disable,
            0,
            key_for(ObjectType::flag),
            {},
            0};
  }
  return {CommandCode::mv_set, 0, key_for(ObjectType::mv_register), {word()}, 0};
}

Command CommandMix::read() {
  switch (random_.below(12)) {
    case 0:
    case 1:
      return {CommandCode::get, 0, key_for(ObjectType::string), {}, 0};
    case 2:
      return {CommandCode::set_members, 0, key_for(ObjectType::set), {}, 0};
    case 3:
      return {CommandCode::set_has, 0, key_for(ObjectType::set), {element()}, 0};
    case 4:
      return {CommandCode::hash_get, 0, key_for(ObjectType::hash), {field()}, 0};
    case 5:
      return {CommandCode::hash_get_all, 0, key_for(ObjectType::hash), {}, 0};
    case 6:
      return {CommandCode::flag_get, 0, key_for(ObjectType::flag), {}, 0};
    case 7:
      return {CommandCode::mv_get, 0, key_for(ObjectType::mv_register), {}, 0};
    case 8:
      return {CommandCode::exists, 0, any_key(), {}, 0};
    case 9:
      return {CommandCode::set_size, 0, key_for(ObjectType::set), {}, 0};
    case 10:
      return {CommandCode::hash_size, 0, key_for(ObjectType::hash), {}, 0};
    default:
      return {CommandCode::type, 0, any_key(), {}, 0};
  }
}

Command CommandMix::special() {
  switch (random_.below(5)) {
    case 0:
      return {CommandCode::scan, 0, "", {""}, 5};
    case 1:
      return {CommandCode::export_, 0, "", {""}, 2000};
    case 2:
      return {CommandCode::why, 0, any_key(), {}, 0};
    case 3:
      return {CommandCode::explain, 0, any_key(), {}, 0};
    default:
      return {CommandCode::status, 0, "", {}, random_.chance(0.7) ? 1 : 0};
  }
}

}  // namespace starling::sim
