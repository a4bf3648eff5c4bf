// The node itself: its clock, its part among its peers, how it ends.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>

#include "crdt/string.h"
#include "server/resp/commands/families.h"
#include "server/resp/commands/help.h"
#include "server/resp/session.h"

namespace starling::resp {
namespace {

void time(Call& call) {
  // The node's clock counts milliseconds, which is as fine as its deadlines are.
  const std::uint64_t ms = call.server.backend().now().unix_ms;
  call.reply.array(2);
  call.reply.bulk(std::to_string(ms / 1000));
  call.reply.bulk(std::to_string(ms % 1000 * 1000));
}

void lastsave(Call& call) {
  call.reply.integer(static_cast<std::int64_t>(call.server.backend().facts().durable_until_unix_s));
}

// Every node takes writes, none follows another.
void role(Call& call) {
  Backend& backend = call.server.backend();
  call.reply.array(3);
  call.reply.bulk("master");
  call.reply.integer(static_cast<std::int64_t>(backend.replica().view(backend.now()).log_position));
  call.reply.array(0);
}

// ---------------------------------------------------------------- WAIT

// How many other nodes have applied all that this one had when it was asked, the connection's own
// writes among it.
void wait(Call& call) {
  const auto wanted = call.integer(1);
  if (!wanted) {
    return;
  }
  const auto timeout_ms = parse_integer(call[2]);
  constexpr std::int64_t longest_ms = std::numeric_limits<std::int64_t>::max() / 2000;
  if (!timeout_ms || *timeout_ms > longest_ms) {
    call.reply.error("ERR timeout is not an integer or out of range");
    return;
  }
  if (*timeout_ms < 0) {
    call.reply.error("ERR timeout is negative");
    return;
  }
  Session& session = call.session;
  Backend& backend = call.server.backend();
  if (!session.waits_for) {
    session.waits_for = backend.replica().applied();
  }
  const auto have = static_cast<std::int64_t>(backend.replica().members_with(*session.waits_for));
  const std::uint64_t deadline_us =
      *timeout_ms == 0 ? std::numeric_limits<std::uint64_t>::max()
                       : session.asked_since_us() + static_cast<std::uint64_t>(*timeout_ms) * 1000;
  const bool within_multi = call.tx != nullptr;
  if (have >= *wanted || within_multi || backend.now().monotonic_us >= deadline_us) {
    session.waits_for.reset();
    call.reply.integer(have);
    return;
  }
  backend.wake_by(deadline_us);
  session.ask_again();
}

// ---------------------------------------------------------------- SHUTDOWN

// The log is synced in any case, so SAVE and NOSAVE ask for the same; NOW and FORCE too, since it
// waits for nobody and nothing can hold it up.
void shutdown(Call& call) {
  bool abort = false;
  bool save = false;
  bool nosave = false;
  for (const std::string_view word : call.args.subspan(1)) {
    if (is_word(word, "ABORT")) {
      abort = true;
    } else if (is_word(word, "SAVE")) {
      save = true;
    } else if (is_word(word, "NOSAVE")) {
      nosave = true;
    } else if (!is_word(word, "NOW") && !is_word(word, "FORCE")) {
      call.syntax_error();
      return;
    }
  }
  if ((abort && call.size() > 2) || (save && nosave)) {
    call.syntax_error();
  } else if (abort) {
    call.reply.error("ERR No shutdown in progress.");
  } else {
    call.session.close();
    call.server.backend().shut_down();
  }
}

// ---------------------------------------------------------------- MEMORY

void memory_doctor(Call& call) {
  const NodeFacts facts = call.server.backend().facts();
  call.reply.verbatim("The process takes " + std::to_string(facts.memory_bytes) +
                      " bytes; the tables that hold data in memory are bound to " +
                      std::to_string(facts.memory_limit) +
                      " (--memory). What they do not hold is read from disk.\n");
}

// Redis's names where we have the same thing.
void memory_stats(Call& call) {
  Backend& backend = call.server.backend();
  const replica::View view = backend.replica().view(backend.now());
  std::size_t clients = 0;
  for (const auto& [id, session] : call.server.sessions()) {
    clients += session->held();
  }
  const std::array<std::pair<std::string_view, std::uint64_t>, 4> figures{{
      {"total.allocated", backend.facts().memory_bytes},
      {"clients.normal", clients},
      {"dataset.bytes", view.table_bytes},
      {"replication.backlog", view.held_bytes},
  }};
  call.reply.map(figures.size());
  for (const auto& [name, value] : figures) {
    call.reply.bulk(name);
    call.reply.integer(static_cast<std::int64_t>(value));
  }
}

// What the cells of a key take in a table, about: names and values, with what causality and the
// table itself add to each.
std::size_t bytes_of(const CellName& name, const CellValue& value) {
  constexpr std::size_t of_cell = 64;
  constexpr std::size_t of_part = 32;
  std::size_t bytes = of_cell + name.subkey().size();
  if (const auto* totals = std::get_if<OriginTotals>(&value)) {
    return bytes + totals->parts().size() * of_part;
  }
  for (const Sibling& sibling : std::get<DottedCell>(value).siblings()) {
    bytes += of_part + sibling.bytes.size();
  }
  return bytes;
}

void memory_usage(Call& call) {
  std::int64_t samples = 5;
  for (std::size_t i = 3; i < call.size(); ++i) {
    if (!is_word(call[i], "SAMPLES") || i + 1 == call.size()) {
      call.syntax_error();
      return;
    }
    const auto count = call.integer(++i);
    if (!count) {
      return;
    }
    if (*count < 0) {
      call.syntax_error();
      return;
    }
    samples = *count == 0 ? std::numeric_limits<std::int64_t>::max() : *count;
  }
  const replica::Object object = call.object(call[2]);
  if (!object.exists()) {
    call.reply.nil();
    return;
  }
  const ObjectType type = object.type();
  // Cells that come once count as they are, elements by the first of them.
  std::size_t bytes = call[2].size();
  std::int64_t seen = 0;
  std::size_t bytes_of_seen = 0;
  call.tx->for_each(ObjectKey{call.db, std::string(call[2])}, CellName::first_at(CellKind::header),
                    CellKind::scored_totals, [&](const CellName& name, const CellValue& value) {
                      if (!is_element(name.kind())) {
                        bytes += bytes_of(name, value);
                        return replica::Tables::Walk::on;
                      }
                      bytes_of_seen += bytes_of(name, value);
                      return ++seen < samples ? replica::Tables::Walk::on
                                              : replica::Tables::Walk::stop;
                    });
  if (seen > 0) {
    const auto all = static_cast<std::size_t>(std::max(object.size(type), seen));
    bytes += bytes_of_seen / static_cast<std::size_t>(seen) * all;
  }
  call.reply.integer(static_cast<std::int64_t>(bytes));
}

}  // namespace

std::span<const Binding> server_commands() {
  static constexpr std::array bindings{
      Binding{"time", time},
      Binding{"lastsave", lastsave},
      Binding{"role", role},
      Binding{"wait", wait},
      Binding{"shutdown", shutdown},
      Binding{"memory|doctor", memory_doctor},
      Binding{"memory|stats", memory_stats},
      Binding{"memory|help", container_help},
  };
  return bindings;
}
std::span<const Binding> server_commands_on_data() {
  static constexpr std::array bindings{Binding{"memory|usage", memory_usage}};
  return bindings;
}

}  // namespace starling::resp
