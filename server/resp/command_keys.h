// Which words of a request are keys.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "server/resp/command_table.h"

namespace starling::resp {

// Places within `args`, in order; nullopt: the words do not say, as when a count of keys is no
// number or larger than what follows. The arity was checked.
[[nodiscard]] std::optional<std::vector<std::size_t>> keys_of(
    const CommandFacts& facts, std::span<const std::string_view> args);

// The same; none if the words do not say.
[[nodiscard]] inline std::vector<std::size_t> places_of_keys(
    const CommandFacts& facts, std::span<const std::string_view> args) {
  return keys_of(facts, args).value_or(std::vector<std::size_t>{});
}

// Where a command says how many keys it has; 0: nowhere.
[[nodiscard]] std::size_t key_count_place(const CommandFacts& facts);

[[nodiscard]] inline bool takes_keys(const CommandFacts& facts) {
  return facts.first_key > 0 || key_count_place(facts) > 0;
}

}  // namespace starling::resp
