// Planted mistakes that the simulator must catch (replication.md §10). In every normal build
// `mutant` is a constant false, so neither the branch nor its name reaches the binary.
#pragma once

#include <string_view>

namespace starling {

#ifdef STARLING_MUTANTS
// Defined by the simulator: is this planted mistake switched on?
[[nodiscard]] bool mutant(std::string_view name);
#else
[[nodiscard]] constexpr bool mutant(std::string_view) { return false; }
#endif

}  // namespace starling
