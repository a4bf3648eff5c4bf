// The functions behind the command table, one file per family.
#pragma once

#include <span>

#include "server/resp/call.h"

namespace starling::resp {

// On data: within a transaction.
[[nodiscard]] std::span<const Binding> string_commands();
[[nodiscard]] std::span<const Binding> key_commands();
[[nodiscard]] std::span<const Binding> hash_commands();
[[nodiscard]] std::span<const Binding> set_commands();
[[nodiscard]] std::span<const Binding> sorted_set_commands();
[[nodiscard]] std::span<const Binding> sorted_set_range_commands();
[[nodiscard]] std::span<const Binding> sorted_set_algebra_commands();
[[nodiscard]] std::span<const Binding> server_commands_on_data();
[[nodiscard]] std::span<const Binding> crdt_commands_on_data();

// On the connection or the node: without one.
[[nodiscard]] std::span<const Binding> transaction_commands();
[[nodiscard]] std::span<const Binding> connection_commands();
[[nodiscard]] std::span<const Binding> client_commands();
[[nodiscard]] std::span<const Binding> table_commands();  // COMMAND
[[nodiscard]] std::span<const Binding> pubsub_commands();
[[nodiscard]] std::span<const Binding> server_commands();
[[nodiscard]] std::span<const Binding> info_commands();
[[nodiscard]] std::span<const Binding> config_commands();  // SLOWLOG and LATENCY too
[[nodiscard]] std::span<const Binding> refused_commands();
[[nodiscard]] std::span<const Binding> crdt_commands();

}  // namespace starling::resp
