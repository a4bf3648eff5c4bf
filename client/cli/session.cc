#include <algorithm>

#include <fmt/format.h>

#include "client/cli/command_table.h"

namespace starling::cli {

Options Session::client_options() const {
  using namespace std::chrono_literals;
  const auto timeout = globals_.timeout_or(5s);
  return {.endpoints = globals_.nodes,
          .learn_endpoints = false,
          .deadline = timeout,
          .connect_timeout = timeout,
          .retry_for = 0ms,
          .home_patience = std::min<std::chrono::milliseconds>(timeout, 1s),
          .name = "kvctl " STARLING_VERSION};
}

Client& Session::client() {
  if (!client_) {
    client_ = std::make_unique<Client>(client_options());
  }
  return *client_;
}

std::string Session::where() const { return fmt::format("{}", fmt::join(globals_.nodes, ", ")); }

}  // namespace starling::cli
