// What the native commands do: each one reads through a transaction and writes into it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "server/replica/transaction.h"
#include "wire/messages.h"

namespace starling::replica {

struct CommandLimits {
  std::uint64_t max_value_bytes = 8u << 20;
  std::size_t max_subkey_bytes = 1u << 20;
};

// Runs one data command. An Error result means that nothing of the whole request may be kept.
[[nodiscard]] wire::Result run_command(Transaction& transaction, const wire::Command& command,
                                       const CommandLimits& limits);

// What a result weighs in an answer, about.
[[nodiscard]] std::size_t result_bytes(const wire::Result& result);

}  // namespace starling::replica
