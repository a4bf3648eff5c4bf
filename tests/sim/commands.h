// Random commands of all types on few keys, so that concurrent ones meet.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "crdt/cell_key.h"
#include "tests/sim/random.h"
#include "wire/messages.h"

namespace starling::sim {

class CommandMix {
 public:
  struct Taste {
    bool large_values = false;
    bool board = false;  // a sorted set that is large enough for an index of its scores
  };
  CommandMix(Random& random, Taste taste) : random_(random), taste_(taste) {}

  // -- the native door --
  [[nodiscard]] wire::Command write();
  [[nodiscard]] wire::Command read();
  [[nodiscard]] wire::Command special();  // alone in its request
  // -- the Redis door --
  [[nodiscard]] wire::Command door_write();
  [[nodiscard]] wire::Command door_read();

  // With the board and the second database no more than 20.
  static constexpr std::size_t keys = 15;
  [[nodiscard]] static std::string key(std::size_t i) { return "key" + std::to_string(i); }
  static constexpr const char* board = "board";
  // The second database has a few keys, of any type.
  static constexpr std::size_t keys_of_second = 4;

 private:
  [[nodiscard]] std::string any_key() { return key(random_.below(keys)); }
  [[nodiscard]] std::string key_for(ObjectType type);
  [[nodiscard]] std::string word();
  [[nodiscard]] std::string element() { return "e" + std::to_string(random_.below(8)); }
  [[nodiscard]] std::string field() { return "f" + std::to_string(random_.below(5)); }
  [[nodiscard]] std::int64_t delta();
  [[nodiscard]] std::string scores_key();
  [[nodiscard]] std::string member(const std::string& key);
  [[nodiscard]] std::string score();
  [[nodiscard]] std::string lifetime_ms();
  [[nodiscard]] const char* one_of(std::initializer_list<const char*> words);
  [[nodiscard]] wire::Command add_scores();
  [[nodiscard]] wire::Command set_with_options();
  [[nodiscard]] wire::Command expire();
  [[nodiscard]] wire::Command many_items();

  Random& random_;
  Taste taste_;
};

}  // namespace starling::sim
