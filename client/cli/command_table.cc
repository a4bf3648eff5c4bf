#include "client/cli/command_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace starling::cli {
namespace {

using Commands = std::expected<std::vector<Command>, std::string>;
using Args = std::vector<std::string>;

Commands one(CommandCode code, std::uint8_t db, std::string key, Args args = {},
             std::int64_t number = 0) {
  return std::vector<Command>{{code, db, std::move(key), std::move(args), number}};
}

Args rest(const Args& args, std::size_t from) {
  return {args.begin() + static_cast<std::ptrdiff_t>(from), args.end()};
}

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(number)
                                                                  : std::nullopt;
}

Commands not_an_integer(const std::string& text) {
  return std::unexpected("'" + text + "' is not an integer of 64 bits");
}

Commands increment(const Args& args, std::uint8_t db, bool negative) {
  const auto by = args.size() > 1 ? integer(args[1]) : std::optional<std::int64_t>(1);
  if (!by || (negative && *by == std::numeric_limits<std::int64_t>::min())) {
    return not_an_integer(args[1]);
  }
  return one(CommandCode::incr, db, args[0], {}, negative ? -*by : *by);
}

// What a data command sends. The parser has checked the number of arguments.
Commands build_get(const Args& a, std::uint8_t db) { return one(CommandCode::get, db, a[0]); }
Commands build_set(const Args& a, std::uint8_t db) {
  return one(CommandCode::set, db, a[0], {a[1]});
}
Commands build_del(const Args& a, std::uint8_t db) {
  std::vector<Command> commands;
  for (const std::string& key : a) {
    commands.push_back({.code = CommandCode::del, .db = db, .key = key});
  }
  return commands;
}
Commands build_incr(const Args& a, std::uint8_t db) { return increment(a, db, false); }
Commands build_decr(const Args& a, std::uint8_t db) { return increment(a, db, true); }
Commands build_type(const Args& a, std::uint8_t db) { return one(CommandCode::type, db, a[0]); }
Commands build_set_add(const Args& a, std::uint8_t db) {
  return one(CommandCode::set_add, db, a[0], rest(a, 1));
}
Commands build_set_rem(const Args& a, std::uint8_t db) {
  return one(CommandCode::set_remove, db, a[0], rest(a, 1));
}
Commands build_set_has(const Args& a, std::uint8_t db) {
  return one(CommandCode::set_has, db, a[0], {a[1]});
}
Commands build_set_members(const Args& a, std::uint8_t db) {
  return one(CommandCode::set_members, db, a[0]);
}
Commands build_set_size(const Args& a, std::uint8_t db) {
  return one(CommandCode::set_size, db, a[0]);
}
Commands build_hset(const Args& a, std::uint8_t db) {
  if (a.size() % 2 == 0) {
    return std::unexpected("field '" + a.back() + "' has no value");
  }
  return one(CommandCode::hash_set, db, a[0], rest(a, 1));
}
Commands build_hget(const Args& a, std::uint8_t db) {
  return one(CommandCode::hash_get, db, a[0], {a[1]});
}
Commands build_hdel(const Args& a, std::uint8_t db) {
  return one(CommandCode::hash_del, db, a[0], rest(a, 1));
}
Commands build_hgetall(const Args& a, std::uint8_t db) {
  return one(CommandCode::hash_get_all, db, a[0]);
}
Commands build_hincr(const Args& a, std::uint8_t db) {
  const auto by = a.size() > 2 ? integer(a[2]) : std::optional<std::int64_t>(1);
  if (!by) {
    return not_an_integer(a[2]);
  }
  return one(CommandCode::hash_incr, db, a[0], {a[1]}, *by);
}
Commands build_hash_size(const Args& a, std::uint8_t db) {
  return one(CommandCode::hash_size, db, a[0]);
}
Commands build_flag(const Args& a, std::uint8_t db) {
  if (a.size() < 2) {
    return one(CommandCode::flag_get, db, a[0]);
  }
  if (a[1] != "on" && a[1] != "off") {
    return std::unexpected("a flag is 'on' or 'off', not '" + a[1] + "'");
  }
  return one(a[1] == "on" ? CommandCode::flag_enable : CommandCode::flag_disable, db, a[0]);
}
Commands build_mv(const Args& a, std::uint8_t db) {
  return a.size() < 2 ? one(CommandCode::mv_get, db, a[0])
                      : one(CommandCode::mv_set, db, a[0], {a[1]});
}

constexpr Positional key{.name = "KEY", .kind = ArgKind::key};

const std::array<OptionSpec, 6>& globals() {
  static const std::array<OptionSpec, 6> table{{
      {"-n,--node", "ADDR[,ADDR]",
       "node to talk to, host:port (127.0.0.1:7001, or $KVCTL_NODE); "
       "the next one if it does not answer"},
      {"-o,--output", "text|json", "json prints machine output, one document a line"},
      {"-t,--timeout", "TIME", "give up after this long, as 10s or 500ms (5s)"},
      {"--db", "N", "database 0 to 255 (0)"},
      {"--raw", "", "print bytes as they are on a terminal too, nothing escaped"},
      {"-h,--help", "", "explain this command"},
  }};
  return table;
}

const std::vector<CommandSpec>& table() {
  static const std::vector<CommandSpec> commands{
      // ---- values
      {.name = "get",
       .group = "Values",
       .summary = "print the value of a string or counter",
       .positionals = {key},
       .options = {},
       .details = "Exit code 3 if there is none.",
       .examples = "kvctl get greeting",
       .build = build_get,
       .show = Show::value},
      {.name = "set",
       .group = "Values",
       .summary = "set a string",
       .positionals = {key, {.name = "VALUE", .optional = true}},
       .options = {{"-f,--file", "FILE",
                    "take the value from FILE, or from standard input with -"}},
       .details = "Replaces what this node has seen, of whatever type. Of two concurrent sets the "
                  "later one is read; `kvctl why KEY` shows the other.",
       .examples = "kvctl set greeting hello\nkvctl set picture -f cat.png\n"
                   "kvctl set answer -- -42",
       .build = build_set,
       .show = Show::done},
      {.name = "del",
       .group = "Values",
       .summary = "delete keys, print how many there were",
       .positionals = {{.name = "KEY", .kind = ArgKind::key, .repeated = true}},
       .options = {},
       .details = "Deletes what this node has seen. A write that is made elsewhere meanwhile "
                  "survives.",
       .examples = "kvctl del greeting visits",
       .build = build_del,
       .show = Show::number},
      {.name = "incr",
       .group = "Values",
       .summary = "add 1, or N, to a counter; print the sum",
       .positionals = {key, {.name = "N", .optional = true}},
       .options = {},
       .details = "Concurrent increments on cut-off nodes all count. The sum printed is what this "
                  "node has seen; it is not an id generator.",
       .examples = "kvctl incr visits\nkvctl incr balance -5",
       .build = build_incr,
       .show = Show::number},
      {.name = "decr",
       .group = "Values",
       .summary = "subtract 1, or N, from a counter",
       .positionals = {key, {.name = "N", .optional = true}},
       .options = {},
       .details = "",
       .examples = "kvctl decr stock 3",
       .build = build_decr,
       .show = Show::number},
      {.name = "type",
       .group = "Values",
       .summary = "print the type of a key",
       .positionals = {key},
       .options = {},
       .details =
           "string (counters too), set, hash, zset, flag, mvreg or none. Exit code 3 for none.",
       .examples = "kvctl type visits",
       .build = build_type,
       .show = Show::type},
      {.name = "scan",
       .group = "Values",
       .summary = "list the keys that begin with PREFIX",
       .positionals = {{.name = "PREFIX", .kind = ArgKind::key, .optional = true}},
       .options = {{"--limit", "N", "stop after N keys"}},
       .details = "Reads from a consistent cut of the node, page by page. In no useful order.",
       .examples = "kvctl scan user: --limit 20",
       .run = run_scan},

      // ---- sets
      {.name = "set-add",
       .group = "Sets",
       .summary = "add elements, print how many are new",
       .positionals = {key, {.name = "ELEMENT", .repeated = true}},
       .options = {},
       .details = "Of a concurrent add and remove of one element the add wins.",
       .examples = "kvctl set-add fruit apple pear",
       .build = build_set_add,
       .show = Show::number},
      {.name = "set-rem",
       .group = "Sets",
       .summary = "remove elements, print how many there were",
       .positionals = {key, {.name = "ELEMENT", .repeated = true}},
       .options = {},
       .details = "",
       .examples = "kvctl set-rem fruit pear",
       .build = build_set_rem,
       .show = Show::number},
      {.name = "set-has",
       .group = "Sets",
       .summary = "is this an element? exit code 3 if not",
       .positionals = {key, {.name = "ELEMENT"}},
       .options = {},
       .details = "Prints 1 or 0. Made for `if kvctl set-has fruit apple; then ...`.",
       .examples = "kvctl set-has fruit apple",
       .build = build_set_has,
       .show = Show::yes_no},
      {.name = "set-members",
       .group = "Sets",
       .summary = "print all elements, sorted",
       .positionals = {key},
       .options = {},
       .details = "",
       .examples = "kvctl set-members fruit",
       .build = build_set_members,
       .show = Show::list},
      {.name = "set-size",
       .group = "Sets",
       .summary = "print how many elements there are",
       .positionals = {key},
       .options = {},
       .details = "0 if there is no such set. Costs the same for any number of elements.",
       .examples = "kvctl set-size fruit",
       .build = build_set_size,
       .show = Show::number},

      // ---- hashes
      {.name = "hset",
       .group = "Hashes",
       .summary = "set fields, print how many are new",
       .positionals = {key,
                       {.name = "FIELD"},
                       {.name = "VALUE"},
                       {.name = "FIELD VALUE", .optional = true, .repeated = true}},
       .options = {},
       .details = "Writes to different fields never meet.",
       .examples = "kvctl hset user:1 name Ada city London",
       .build = build_hset,
       .show = Show::number},
      {.name = "hget",
       .group = "Hashes",
       .summary = "print one field; exit code 3 if there is none",
       .positionals = {key, {.name = "FIELD"}},
       .options = {},
       .details = "",
       .examples = "kvctl hget user:1 name",
       .build = build_hget,
       .show = Show::value},
      {.name = "hdel",
       .group = "Hashes",
       .summary = "delete fields, print how many there were",
       .positionals = {key, {.name = "FIELD", .repeated = true}},
       .options = {},
       .details = "",
       .examples = "kvctl hdel user:1 city",
       .build = build_hdel,
       .show = Show::number},
      {.name = "hgetall",
       .group = "Hashes",
       .summary = "print all fields and values",
       .positionals = {key},
       .options = {},
       .details = "On a terminal a field and its value share a line; otherwise each has its own.",
       .examples = "kvctl hgetall user:1",
       .build = build_hgetall,
       .show = Show::fields},
      {.name = "hincr",
       .group = "Hashes",
       .summary = "add 1, or N, to a field; print the sum",
       .positionals = {key, {.name = "FIELD"}, {.name = "N", .optional = true}},
       .options = {},
       .details = "",
       .examples = "kvctl hincr user:1 logins",
       .build = build_hincr,
       .show = Show::number},
      {.name = "hash-size",
       .group = "Hashes",
       .summary = "print how many fields there are",
       .positionals = {key},
       .options = {},
       .details = "0 if there is no such hash. Costs the same for any number of fields.",
       .examples = "kvctl hash-size user:1",
       .build = build_hash_size,
       .show = Show::number},

      // ---- flags and registers
      {.name = "flag",
       .group = "Flags and registers",
       .summary = "switch a flag, or print it",
       .positionals =
           {key, {.name = "on|off", .kind = ArgKind::word, .optional = true, .words = "on off"}},
       .options = {},
       .details = "Of a concurrent on and off, on wins.",
       .examples = "kvctl flag maintenance on\nkvctl flag maintenance",
       .build = build_flag,
       .show = Show::on_off},
      {.name = "mv",
       .group = "Flags and registers",
       .summary = "set a multi-value register, or print all its values",
       .positionals = {key, {.name = "VALUE", .optional = true}},
       .options = {},
       .details = "Concurrent values are all kept, one a line, until a write that has seen them "
                  "replaces them.",
       .examples = "kvctl mv draft 'second version'\nkvctl mv draft",
       .build = build_mv,
       .show = Show::list},

      // ---- bulk
      {.name = "batch",
       .group = "In bulk",
       .summary = "run a file of commands as one atomic entry",
       .positionals = {{.name = "FILE|-", .kind = ArgKind::file}},
       .options = {},
       .details =
           "One command a line, as on the command line without `kvctl`; quotes as in a "
           "shell, \\n, \\t and \\xHH inside \"...\"; lines that begin with # are skipped. All "
           "writes become visible at once, here and everywhere, or none has an effect. "
           "Prints one answer per command.",
       .examples = "printf 'set a 1\\nincr visits\\n' | kvctl batch -",
       .run = run_batch},
      {.name = "import",
       .group = "In bulk",
       .summary = "load NDJSON as `export` writes it",
       .positionals = {{.name = "FILE|-", .kind = ArgKind::file}},
       .options = {{"--session", "ID",
                    "name this import; run again with the same file and ID, lines that "
                    "counted once do not count again"},
                   {"--retry-for", "TIME", "keep trying that long while the node restarts (60s)"},
                   {"--batch-lines", "N", "lines per atomic entry, at most (100)"},
                   {"--batch-bytes", "N", "bytes per atomic entry, about (262144)"},
                   {"--journal", "FILE",
                    "append 'FIRST LAST' (line numbers) for every batch that was "
                    "acknowledged"},
                   {"--ignore-ttl", "", "load keys that should expire as keys that stay"}},
       .details =
           "A line is {\"db\":0,\"key\":...,\"type\":...,\"value\":...}; bytes that are not UTF-8 "
           "are "
           "{\"b64\":\"...\"}. Types: string (text, or an integer), counter (an integer that is "
           "added), "
           "set (array; added), hash (object, or array of [field, value]), flag (true or false), "
           "zset (array of [member, score]), mvreg (array). Empty lines are skipped. Stops at the "
           "first line that is wrong, or the "
           "first batch that is refused, and names it; what came before stays. With --session a "
           "batch that holds a wrong line is not loaded at all, so that running the mended file "
           "again counts every line once.",
       .examples = "kvctl export | kvctl -n other:7001 import -\n"
                   "kvctl import words.ndjson --session words-2024 --journal words.done",
       .run = run_import},
      {.name = "export",
       .group = "In bulk",
       .summary = "write everything as NDJSON",
       .positionals = {{.name = "FILE", .kind = ArgKind::file, .optional = true}},
       .options = {},
       .details = "Reads from consistent cuts of the node. A large collection spans several lines "
                  "with the same key.",
       .examples = "kvctl export backup.ndjson\nkvctl export | gzip > backup.ndjson.gz",
       .run = run_export},

      // ---- cluster
      {.name = "status",
       .group = "Cluster",
       .summary = "members, lag and digests, from any one node",
       .positionals = {},
       .options = {{"--no-digest", "", "skip the digests, which read all data"}},
       .details = "",
       .examples = "kvctl status\nkvctl status -o json",
       .run = run_status},
      {.name = "wait",
       .group = "Cluster",
       .summary = "wait until all reachable members are equal",
       .positionals = {{.name = "converged", .kind = ArgKind::word, .words = "converged"}},
       .options = {},
       .details =
           "Equal means: equal version vectors and equal digests. Exit code 6 if that is not so "
           "after --timeout (10s), with the names of those that lag.",
       .examples = "kvctl wait converged --timeout 30s",
       .run = run_wait},
      {.name = "why",
       .group = "Cluster",
       .summary = "why a key has this value, in sentences",
       .positionals = {key},
       .options = {},
       .details = "",
       .examples = "kvctl why greeting",
       .run = run_why},
      {.name = "explain",
       .group = "Cluster",
       .summary = "dots, origins, siblings and metadata of a key",
       .positionals = {key},
       .options = {},
       .details = "",
       .examples = "kvctl explain greeting",
       .run = run_explain},
      {.name = "conflicts",
       .group = "Cluster",
       .summary = "what lost to a write that had not seen it, newest first",
       .positionals = {{.name = "KEY", .kind = ArgKind::key, .optional = true}},
       .options = {{"--limit", "N", "at most N of them (100)"}},
       .details =
           "The journal of the addressed node: what was lost, to what, when and between which "
           "nodes. "
           "It survives restarts and keeps the latest 10,000 (kvd --conflict-lines); what lost "
           "is kept as it begins, up to 64 bytes. With KEY only what happened to that key.",
       .examples = "kvctl conflicts\nkvctl conflicts greeting --limit 5 -o json",
       .run = run_conflicts},
      {.name = "partition",
       .group = "Cluster",
       .summary = "cut this node off from others",
       .positionals = {{.name = "NODE", .optional = true, .repeated = true}},
       .options = {},
       .details =
           "Cuts the links between the addressed node and the members named, or all of them. "
           "Only where kvd runs with --allow-faults. `kvctl heal` restores them.",
       .examples = "kvctl -n 127.0.0.1:7001 partition south",
       .run = run_partition},
      {.name = "heal",
       .group = "Cluster",
       .summary = "restore the links that `partition` cut",
       .positionals = {{.name = "NODE", .optional = true, .repeated = true}},
       .options = {},
       .details = "Returns when they are up again, or after two seconds: somebody may be away.",
       .examples = "kvctl -n 127.0.0.1:7001 heal",
       .run = run_heal},
      {.name = "health",
       .group = "Cluster",
       .summary = "exit code 0 if the node serves, 6 if not",
       .positionals = {},
       .options = {},
       .details = "For health checks of containers and scripts.",
       .examples = "kvctl health || echo not yet",
       .run = run_health},

      // ---- itself
      {.name = "demo",
       .group = "Learning",
       .summary = "three real nodes on this machine, guided",
       .positionals = {},
       .options = {{"--auto", "", "run through without a keyboard"},
                   {"--kvd", "FILE", "the server program (the kvd beside kvctl)"}},
       .details =
           "Writes, cuts a node off, writes on both sides, heals, and asks why. Nodes and data "
           "are gone afterwards, also after Ctrl-C.",
       .examples = "kvctl demo\nkvctl demo --auto",
       .run = run_demo},
      {.name = "help",
       .group = "Learning",
       .summary = "explain a command",
       .positionals =
           {{.name = "COMMAND", .kind = ArgKind::word, .optional = true, .words = "@commands"}},
       .options = {},
       .details = "",
       .examples = "kvctl help import",
       .run = run_help},
      {.name = "completion",
       .group = "Learning",
       .summary = "print completions for a shell",
       .positionals = {{.name = "bash", .kind = ArgKind::word, .words = "bash"}},
       .options = {},
       .details = "",
       .examples = "source <(kvctl completion bash)",
       .run = run_completion},
      {.name = "version",
       .group = "Learning",
       .summary = "print the version",
       .positionals = {},
       .options = {},
       .details = "",
       .examples = "kvctl version",
       .run = run_version},
  };
  return commands;
}

}  // namespace

std::span<const CommandSpec> command_table() { return table(); }
std::span<const OptionSpec> global_options() { return globals(); }

const CommandSpec* find_command(std::string_view name) {
  const auto found = std::ranges::find(table(), name, &CommandSpec::name);
  return found == table().end() ? nullptr : &*found;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const CommandSpec& command : table()) {
    if (!command.hidden) {
      names.emplace_back(command.name);
    }
  }
  return names;
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_distance = 1 + word.size() / 3;
  for (const std::string& candidate : candidates) {
    // Levenshtein, one row at a time.
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] = j;
    }
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j < row.size(); ++j) {
        const std::size_t above = row[j];
        row[j] = std::min(
            {row[j] + 1, row[j - 1] + 1, diagonal + (word[i - 1] == candidate[j - 1] ? 0u : 1u)});
        diagonal = above;
      }
    }
    if (row.back() <= best_distance && (best.empty() || row.back() < best_distance)) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::optional<std::string> check_arguments(const CommandSpec& command,
                                           const std::vector<std::string>& args) {
  std::size_t least = 0;
  std::size_t most = command.positionals.size();
  for (const Positional& positional : command.positionals) {
    least += positional.optional ? 0 : 1;
    if (positional.repeated) {
      most = std::numeric_limits<std::size_t>::max();
    }
  }
  if (args.size() < least) {
    return std::string(command.positionals[args.size()].name) + " is missing";
  }
  if (args.size() > most) {
    return "'" + args[most] + "' is one argument too many; quote values that contain spaces";
  }
  return std::nullopt;
}

}  // namespace starling::cli
