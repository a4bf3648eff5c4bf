// The switch of the planted mistakes, in the simulator's mutant build only.
#include "tests/sim/mutants.h"

#include "crdt/mutants.h"

namespace starling {

namespace sim {
std::string& active_mutant() {
  static std::string name;
  return name;
}
}  // namespace sim

#ifdef STARLING_MUTANTS
bool mutant(std::string_view name) { return sim::active_mutant() == name; }
#endif

}  // namespace starling
