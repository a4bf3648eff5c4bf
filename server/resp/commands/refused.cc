// What this server is not: scripts, modules, Redis Cluster, one node that follows another. Each
// says why, so that nobody has to guess (semantics.md: never a fake OK).
#include <array>
#include <span>
#include <string>

#include "server/resp/commands/families.h"
#include "server/resp/commands/help.h"
#include "server/resp/session.h"

namespace starling::resp {
namespace {

// ---------------------------------------------------------------- scripts

void no_scripts(Call& call) {
  call.reply.error(
      "ERR there is no script engine: a script's writes would be decided anew on every node; use "
      "MULTI with WATCH, or send the commands themselves");
}

void script_exists(Call& call) {
  call.reply.array(call.size() - 2);
  for (std::size_t i = 2; i < call.size(); ++i) {
    call.reply.integer(0);
  }
}

// With or without a word on how: there is nothing to flush.
bool flushes(std::span<const std::string_view> words) {
  return words.empty() ||
         (words.size() == 1 && (is_word(words[0], "SYNC") || is_word(words[0], "ASYNC")));
}

void script_flush(Call& call) {
  if (flushes(call.args.subspan(2))) {
    call.reply.ok();
  } else {
    call.reply.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  }
}

void script_kill(Call& call) { call.reply.error("NOTBUSY No scripts in execution right now."); }

void function_list(Call& call) {
  for (std::size_t i = 2; i < call.size(); ++i) {
    if (is_word(call[i], "WITHCODE")) {
      continue;
    }
    if (!is_word(call[i], "LIBRARYNAME")) {
      call.reply.error("ERR Unknown argument " + std::string(call[i].substr(0, 128)));
      return;
    }
    if (++i == call.size()) {
      call.reply.error("ERR library name argument was not given");
      return;
    }
  }
  call.reply.array(0);
}

void function_flush(Call& call) {
  if (call.size() > 3) {
    call.wrong_subcommand();
  } else if (flushes(call.args.subspan(2))) {
    call.reply.ok();
  } else {
    call.reply.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
}

void function_delete(Call& call) { call.reply.error("ERR Library not found"); }

void function_stats(Call& call) {
  call.reply.map(2);
  call.reply.bulk("running_script");
  call.reply.nil();
  call.reply.bulk("engines");
  call.reply.map(0);
}

// ---------------------------------------------------------------- modules, replicas

void no_modules(Call& call) {
  call.reply.error("ERR there are no modules: every node must know every type of value");
}
void module_list(Call& call) { call.reply.array(0); }

void no_masters(Call& call) {
  call.reply.error(
      "ERR nodes do not follow one another here, all of them take writes: start kvd with --join to "
      "make a node a member");
}

// ---------------------------------------------------------------- Redis Cluster

void no_cluster(Call& call) { call.reply.error("ERR This instance has cluster support disabled"); }

void swapdb(Call& call) {
  call.reply.error(
      "ERR SWAPDB is not supported: a swap and what other nodes write meanwhile cannot be merged "
      "without loss; copy the keys, or choose the database by SELECT");
}

}  // namespace

std::span<const Binding> refused_commands() {
  static constexpr std::array bindings{
      Binding{"eval", no_scripts},
      Binding{"evalsha", no_scripts},
      Binding{"eval_ro", no_scripts},
      Binding{"evalsha_ro", no_scripts},
      Binding{"fcall", no_scripts},
      Binding{"fcall_ro", no_scripts},
      Binding{"script|load", no_scripts},
      Binding{"script|debug", no_scripts},
      Binding{"script|exists", script_exists},
      Binding{"script|flush", script_flush},
      Binding{"script|kill", script_kill},
      Binding{"script|help", container_help},
      Binding{"function|load", no_scripts},
      Binding{"function|list", function_list},
      Binding{"function|flush", function_flush},
      Binding{"function|delete", function_delete},
      Binding{"function|stats", function_stats},
      Binding{"function|help", container_help},
      Binding{"module|load", no_modules},
      Binding{"module|unload", no_modules},
      Binding{"module|list", module_list},
      Binding{"module|help", container_help},
      Binding{"replicaof", no_masters},
      Binding{"slaveof", no_masters},
      Binding{"cluster|countkeysinslot", no_cluster},
      Binding{"cluster|getkeysinslot", no_cluster},
      Binding{"cluster|info", no_cluster},
      Binding{"cluster|keyslot", no_cluster},
      Binding{"cluster|myid", no_cluster},
      Binding{"cluster|nodes", no_cluster},
      Binding{"cluster|shards", no_cluster},
      Binding{"cluster|slots", no_cluster},
      Binding{"cluster|help", container_help},
      Binding{"readonly", no_cluster},
      Binding{"readwrite", no_cluster},
      Binding{"swapdb", swapdb},
  };
  return bindings;
}

}  // namespace starling::resp
