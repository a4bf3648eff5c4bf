#include "server/resp/slow_log.h"

#include <utility>

namespace starling::resp {
namespace {

// As Redis cuts them.
constexpr std::size_t most_args = 32;
constexpr std::size_t most_bytes = 128;

std::string shortened(std::string_view arg) {
  if (arg.size() <= most_bytes) {
    return std::string(arg);
  }
  return std::string(arg.substr(0, most_bytes)) + "... (" +
         std::to_string(arg.size() - most_bytes) + " more bytes)";
}

}  // namespace

void SlowLog::note(std::span<const std::string_view> args, std::uint64_t took_us,
                   std::uint64_t unix_s, const Client& client) {
  if (threshold_us < 0 || std::cmp_less(took_us, threshold_us)) {
    return;
  }
  Entry entry{
      next_id_++, unix_s, took_us, {}, std::string(client.address), std::string(client.name)};
  const bool cut = args.size() > most_args;
  for (const std::string_view arg : args.first(cut ? most_args - 1 : args.size())) {
    entry.args.push_back(shortened(arg));
  }
  if (cut) {
    entry.args.push_back("... (" + std::to_string(args.size() - most_args + 1) +
                         " more arguments)");
  }
  entries_.push_front(std::move(entry));
  keep(most_);
}

void SlowLog::keep(std::size_t most) {
  most_ = most;
  while (entries_.size() > most_) {
    entries_.pop_back();
  }
}

}  // namespace starling::resp
