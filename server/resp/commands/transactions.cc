// MULTI, EXEC and WATCH: several commands as one entry, visible all at once everywhere (R1.3).
#include <algorithm>
#include <array>
#include <utility>

#include "server/resp/commands/families.h"
#include "server/resp/session.h"

namespace starling::resp {
namespace {

void multi(Call& call) {
  if (call.session.multi) {
    call.reply.error("ERR MULTI calls can not be nested");
    return;
  }
  call.session.multi = Session::Multi{};  // emplace() does not compile with clang
  call.reply.ok();
}

void discard(Call& call) {
  if (!call.session.multi) {
    call.reply.error("ERR DISCARD without MULTI");
    return;
  }
  call.session.multi.reset();
  call.session.unwatch();
  call.reply.ok();
}

void exec(Call& call) {
  Session& session = call.session;
  if (!session.multi) {
    call.reply.error("ERR EXEC without MULTI");
    return;
  }
  const replica::Watches& watches = call.server.backend().replica().watches();
  const bool changed = std::ranges::any_of(session.watched, [&](const Session::Watched& watched) {
    return watches.changed(watched.key, watched.stamp);
  });
  if (session.multi->aborted) {
    call.reply.error("EXECABORT Transaction discarded because of previous errors.");
  } else if (changed) {
    call.reply.nil_array();
  } else {
    // The commands must not find themselves within MULTI.
    auto multi = std::exchange(session.multi, std::nullopt);
    if (!session.run_on_data(multi->commands)) {
      session.multi = std::move(multi);
      session.ask_again();
      return;
    }
  }
  session.multi.reset();
  session.unwatch();
}

// Protects against what this node sees: a write elsewhere counts once it has arrived here.
void watch(Call& call) {
  Session& session = call.session;
  if (session.multi) {
    call.reply.error("ERR WATCH inside MULTI is not allowed");
    return;
  }
  Backend& backend = call.server.backend();
  const auto outcome = backend.replica().run(
      [&](replica::Transaction& transaction) {
        for (std::size_t i = 1; i < call.size(); ++i) {
          const ObjectKey key{session.db, std::string(call[i])};
          if (std::ranges::any_of(session.watched, [&](const auto& w) { return w.key == key; })) {
            continue;
          }
          const bool exists = replica::Object(transaction, key).exists();
          session.watched.push_back({key, backend.replica().watches().watch(key), exists});
        }
      },
      {}, backend.now());
  if (outcome.refusal) {
    call.reply.error("ERR " + outcome.refusal->message);
  } else {
    call.reply.ok();
  }
}

void unwatch(Call& call) {
  call.session.unwatch();
  call.reply.ok();
}

}  // namespace

std::span<const Binding> transaction_commands() {
  static constexpr std::array bindings{
      Binding{"multi", multi}, Binding{"exec", exec},       Binding{"discard", discard},
      Binding{"watch", watch}, Binding{"unwatch", unwatch},
  };
  return bindings;
}

}  // namespace starling::resp
