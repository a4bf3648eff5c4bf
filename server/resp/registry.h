// Names to functions: the command table and the families, tied together once.
#pragma once

#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/resp/call.h"
#include "server/resp/command_table.h"

namespace starling::resp {

struct Command {
  const CommandFacts* facts = nullptr;
  Handler run = nullptr;  // null for a container: its subcommands run
  bool on_data = false;   // within a transaction
};

// Commands that exist: in the table and with a function. Immutable once made.
class Registry {
 public:
  Registry();

  [[nodiscard]] const Command* find(std::string_view name) const;
  [[nodiscard]] const Command* find_subcommand(const Command& container,
                                               std::string_view name) const;
  // Those of the table that nothing is bound to; a test keeps it empty.
  [[nodiscard]] std::vector<std::string_view> unbound() const;

 private:
  void bind(std::span<const Binding> family, bool on_data);

  std::unordered_map<const CommandFacts*, Command> commands_;
};

}  // namespace starling::resp
