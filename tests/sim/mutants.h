#pragma once

#include <string>

namespace starling::sim {

// Name of the mutant that is switched on; empty for none. Set once, before any world runs.
std::string& active_mutant();

}  // namespace starling::sim
