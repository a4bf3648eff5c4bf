#include "tests/sim/commands.h"

#include <array>
#include <cstdio>
#include <utility>
#include <vector>

#include "tests/sim/door_command.h"

namespace starling::sim {

using wire::Command;
using wire::CommandCode;

// Each key has a type of its own, which most commands keep to.
std::string CommandMix::key_for(ObjectType type) {
  static constexpr std::array types = {
      ObjectType::string,     ObjectType::string,    ObjectType::set,  ObjectType::set,
      ObjectType::hash,       ObjectType::hash,      ObjectType::flag, ObjectType::mv_register,
      ObjectType::sorted_set, ObjectType::sorted_set};
  for (;;) {
    const std::size_t i = random_.below(keys);
    if (types[i % types.size()] == type || random_.chance(0.02)) {
      return key(i);
    }
  }
}

std::string CommandMix::word() {
  if (taste_.large_values && random_.chance(0.2)) {
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

// ---------------------------------------------------------------- the Redis door

const char* CommandMix::one_of(std::initializer_list<const char*> words) {
  return *(words.begin() + random_.below(words.size()));
}

std::string CommandMix::scores_key() {
  return taste_.board && random_.chance(0.5) ? board : key_for(ObjectType::sorted_set);
}

std::string CommandMix::member(const std::string& key) {
  return "m" + std::to_string(random_.below(key == board ? 150 : 6));
}

// Quarters, which add up to the same in any order.
std::string CommandMix::score() {
  if (random_.chance(0.02)) {
    return one_of({"inf", "-inf"});
  }
  std::array<char, 32> text{};
  const double quarters = static_cast<double>(random_.below(160)) - 80.0;
  std::snprintf(text.data(), text.size(), "%.17g", quarters / 4);
  return text.data();
}

Command CommandMix::add_scores() {
  Words words{"ZADD", scores_key()};
  const char* option = one_of({"", "", "", "GT", "GT", "LT", "LT", "NX", "XX"});
  if (*option != 0) {
    words.emplace_back(option);
  }
  if (random_.chance(0.3)) {
    words.emplace_back("CH");
  }
  const bool increment = random_.chance(0.08);
  if (increment) {
    words.emplace_back("INCR");
  }
  std::size_t members = increment ? 1 : random_.between(1, 2);
  if (words[1] == board && !increment && random_.chance(0.4)) {
    members = 75;  // so that it soon has most of them, and an index
  }
  for (; members > 0; --members) {
    words.push_back(score());
    words.push_back(member(words[1]));
  }
  return door_command(std::move(words));
}

// Most end while others still write.
std::string CommandMix::lifetime_ms() {
  if (random_.chance(0.05)) {
    return std::to_string(static_cast<std::int64_t>(random_.below(10)) - 5);
  }
  return std::to_string(random_.chance(0.6) ? random_.between(50, 6'000)
                                            : random_.between(6'000, 60'000));
}

Command CommandMix::expire() {
  // Mostly one of a few collections, so that deadlines meet: SET would take them away.
  std::string key = random_.chance(0.6) ? CommandMix::key(random_.between(2, 3)) : any_key();
  if (taste_.board && random_.chance(0.05)) {
    key = board;
  }
  Words words{"PEXPIRE", std::move(key), lifetime_ms()};
  if (random_.chance(0.3)) {
    words.emplace_back(one_of({"NX", "XX", "GT", "LT"}));
  }
  return door_command(std::move(words));
}

Command CommandMix::set_with_options() {
  Words words{"SET", key_for(ObjectType::string), word()};
  if (random_.chance(0.2)) {
    words.emplace_back(one_of({"NX", "XX"}));
  }
  if (random_.chance(0.5)) {
    words.emplace_back("PX");
    words.push_back(std::to_string(random_.between(1, 6'000)));
  } else if (random_.chance(0.4)) {
    words.emplace_back("KEEPTTL");
  }
  return door_command(std::move(words));
}

// So many that they take long where little is much, and are written in parts.
Command CommandMix::many_items() {
  Words words{one_of({"SADD", "HSET"})};
  const bool set = words[0] == "SADD";
  words.push_back(key_for(set ? ObjectType::set : ObjectType::hash));
  for (std::size_t i = 0; i < 5; ++i) {
    words.push_back(set ? element() : "f" + std::to_string(i));
    if (!set) {
      words.push_back(word());
    }
  }
  return door_command(std::move(words));
}

Command CommandMix::door_write() {
  const std::uint64_t dice = random_.below(220);
  if (dice >= 212) {
    return many_items();
  }
  if (dice >= 206) {
    return door_command(Words{"ZREMRANGEBYRANK", scores_key(), "0", one_of({"0", "2", "9"})});
  }
  if (dice >= 200) {
    return door_command(Words{"SUNIONSTORE", key_for(ObjectType::set), key_for(ObjectType::set),
                              key_for(ObjectType::set)});
  }
  if (dice < 40) {
    return add_scores();
  }
  if (dice < 60) {
    const std::string key = scores_key();
    return door_command(Words{"ZINCRBY", key, score(), member(key)});
  }
  if (dice < 74) {
    const std::string key = scores_key();
    return door_command(Words{"ZREM", key, member(key), member(key)});
  }
  if (dice < 80) {
    return door_command(Words{"ZPOPMIN", scores_key()});
  }
  if (dice < 124) {
    return expire();
  }
  if (dice < 132) {
    return door_command(Words{"PERSIST", any_key()});
  }
  if (dice < 154) {
    return set_with_options();
  }
  if (dice < 162) {
    return door_command(Words{"INCRBY", key_for(ObjectType::string), std::to_string(delta())});
  }
  if (dice < 172) {
    return door_command(
        Words{one_of({"SADD", "SADD", "SREM"}), key_for(ObjectType::set), element(), element()});
  }
  if (dice < 178) {
    return door_command(Words{"HSET", key_for(ObjectType::hash), field(), word()});
  }
  if (dice < 184) {
    return door_command(
        Words{"HINCRBY", key_for(ObjectType::hash), field(), std::to_string(delta())});
  }
  if (dice < 187) {
    return door_command(Words{"HDEL", key_for(ObjectType::hash), field(), field()});
  }
  if (dice < 199) {
    return door_command(Words{"DEL", random_.chance(0.2) ? scores_key() : any_key()});
  }
  return door_command(Words{one_of({"FLUSHDB", "FLUSHALL"})});
}

Command CommandMix::door_read() {
  switch (random_.below(16)) {
    case 14:
    case 15:
      return door_command(Words{"SUNION", key_for(ObjectType::set), key_for(ObjectType::set)});
    case 0:
    case 1:
      return door_command(Words{"ZRANGE", scores_key(), "0", "-1", "WITHSCORES"});
    case 2: {
      const std::string key = scores_key();
      return door_command(Words{"ZSCORE", key, member(key)});
    }
    case 3: {
      const std::string key = scores_key();
      return door_command(Words{"ZRANK", key, member(key)});
    }
    case 4:
      return door_command(Words{"ZCARD", scores_key()});
    case 5:
    case 6:
      return door_command(Words{"PTTL", any_key()});
    case 7:
      return door_command(Words{"PEXPIRETIME", any_key()});
    case 8:
      return door_command(Words{"GET", key_for(ObjectType::string)});
    case 9:
      return door_command(Words{"DBSIZE"});
    case 10:
      return door_command(Words{one_of({"SMEMBERS", "SCARD"}), key_for(ObjectType::set)});
    case 11:
      return door_command(Words{one_of({"HGETALL", "HLEN"}), key_for(ObjectType::hash)});
    case 12:
      return door_command(Words{"EXISTS", any_key()});
    default:
      return door_command(Words{"TYPE", any_key()});
  }
}

}  // namespace starling::sim
