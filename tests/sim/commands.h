// Random commands of all types on few keys, so that concurrent ones meet.
#pragma once

#include <cstdint>
#include <string>

#include "crdt/cell_key.h"
#include "tests/sim/random.h"
#include "wire/messages.h"

namespace starling::sim {

class CommandMix {
 public:
  CommandMix(Random& random, bool large_values) : random_(random), large_values_(large_values) {}

  [[nodiscard]] wire::Command write();
  [[nodiscard]] wire::Command read();
  [[nodiscard]] wire::Command special();  // alone in its request

  static constexpr std::size_t keys = 16;
  [[nodiscard]] static std::string key(std::size_t i) { return "key" + std::to_string(i); }

 private:
  [[nodiscard]] std::string any_key() { return key(random_.below(keys)); }
  [[nodiscard]] std::string key_for(ObjectType type);
  [[nodiscard]] std::string word();
  [[nodiscard]] std::string element() { return "e" + std::to_string(random_.below(8)); }
  [[nodiscard]] std::string field() { return "f" + std::to_string(random_.below(5)); }
  [[nodiscard]] std::int64_t delta();

  Random& random_;
  bool large_values_;
};

}  // namespace starling::sim
