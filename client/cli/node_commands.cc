// What is asked of a node rather than of a key: status, wait, partition, heal, why, explain,
// health.
#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "client/cli/input.h"
#include "client/cli/output.h"
#include "client/cli/status_view.h"
#include "client/cli/terminal.h"

namespace starling::cli {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

Result<std::string> ask(Session& session, Command command, const CallOptions& options = {}) {
  command.db = session.globals().db;
  return session.client().call<std::string>(std::move(command), options);
}

Failure damaged_answer(std::string_view command, std::string why, const std::string& where) {
  return {.exit = exit_failed,
          .code = "protocol",
          .what = fmt::format("{}: {}", command, why),
          .where = where,
          .cause = "kvctl and kvd are of different versions",
          .advice = "use the same version of both"};
}

std::string padded(std::string_view text, std::size_t width) {
  // Names may be UTF-8: count characters, not bytes.
  const auto characters = static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0u) != 0x80u; }));
  return std::string(text) + std::string(width > characters ? width - characters : 0, ' ');
}

std::string styled_state(const std::string& state, std::size_t width) {
  const Style style = state == "up" || state == "this node" ? Style::good
                      : state == "cut"                      ? Style::warn
                      : state == "left"                     ? Style::dim
                                                            : Style::bad;
  return styled(style, padded(state, width));
}

void print_status(const StatusView& view) {
  print_line(
      fmt::format("cluster {}, asked {}: {}", styled(Style::bold, escaped(view.cluster)),
                  styled(Style::bold, escaped(view.name)),
                  view.ready ? styled(Style::good, "ready") : styled(Style::bad, "not ready")));
  for (const std::string& reason : view.reasons) {
    print_line(fmt::format("  {}", escaped(reason)));
  }
  if (!view.digest.empty()) {
    print_line(fmt::format("digest  {}{}", escaped(view.digest),
                           view.cells >= 0 ? fmt::format("  over {} cells", view.cells) : ""));
  }
  std::size_t name_width = 6;
  std::size_t client_width = 6;
  for (const MemberView& member : view.members) {
    name_width = std::max(name_width, member.name.size());
    client_width = std::max(client_width, member.client.size());
  }
  print_line(styled(Style::dim,
                    fmt::format("\n{}  {}  state      lags by  ahead by  heard       data",
                                padded("member", name_width), padded("client", client_width))));
  for (const MemberView& member : view.members) {
    const std::string heard = member.self ? "-"
                              : member.last_heard_ms < 0
                                  ? "never"
                                  : fmt::format("{} ms ago", member.last_heard_ms);
    const bool equal = member.self || member.version_equal;
    const std::string data = !member.reachable()                            ? "unknown"
                             : !equal                                       ? "on its way"
                             : member.digest.empty() || view.digest.empty() ? "equal version"
                             : member.digest == view.digest                 ? "equal"
                                                                            : "DIFFERENT";
    print_line(fmt::format(
        "{}  {}  {}  {:>7}  {:>8}  {:<10}  {}", padded(escaped(member.name), name_width),
        padded(escaped(member.client), client_width),
        styled_state(member.self ? "this node" : member.state, 9), member.behind_ops,
        member.ahead_ops, heard, data == "DIFFERENT" ? styled(Style::bad, data) : data));
  }
}

std::vector<std::string> names(const StatusView& view, bool (*pick)(const MemberView&)) {
  std::vector<std::string> list;
  for (const MemberView& member : view.members) {
    if (pick(member)) {
      list.push_back(member.name);
    }
  }
  return list;
}

// Reachable members that are not known to be equal, and what is known about them.
std::string laggards(const StatusView& view) {
  std::string list;
  for (const MemberView& member : view.members) {
    if (member.self || !member.reachable() || member.converged) {
      continue;
    }
    list += fmt::format("{}{}", list.empty() ? "" : "; ", member.name);
    if (member.behind_ops > 0 || member.ahead_ops > 0) {
      list += fmt::format(" (lacks {} ops of {}, has {} it lacks)", member.behind_ops, view.name,
                          member.ahead_ops);
    } else if (member.version_equal && !member.digest.empty() && !view.digest.empty() &&
               member.digest != view.digest) {
      list += " (equal version, DIFFERENT digest)";
    } else {
      list += " (does not tell its digest)";
    }
  }
  return list;
}

bool knows_of_nothing_missing(const StatusView& view) {
  return std::ranges::all_of(view.members, [](const MemberView& member) {
    return !member.reachable() || member.version_equal;
  });
}

int change_links(Session& session, const Invocation& call, CommandCode code,
                 std::string_view done) {
  const Globals& globals = session.globals();
  const auto reply = session.client().execute(
      {{.code = code, .db = 0, .key = {}, .args = call.args, .number = 0}});
  if (!reply) {
    return fail(globals, session, call.command->name, reply.error());
  }
  if (globals.json) {
    const auto* text = std::get_if<std::string>(&reply->values.front());
    print_line(text != nullptr ? *text : Json{{"result", "ok"}, {"members", call.args}}.dump());
    return exit_ok;
  }
  print_line(fmt::format(
      "{} {}", done,
      call.args.empty() ? "all members" : fmt::format("{}", fmt::join(call.args, ", "))));
  return exit_ok;
}

// Names; none if the node does not say.
std::vector<std::string> members_in_state(Session& session, std::string_view state) {
  std::vector<std::string> names;
  const auto answer = ask(session, {.code = CommandCode::status});
  if (const auto view = answer ? parse_status(*answer) : std::unexpected(std::string()); view) {
    for (const MemberView& member : view->members) {
      if (member.state == state) {
        names.push_back(member.name);
      }
    }
  }
  return names;
}

std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) {
    return {};
  }
  return escaped(found->is_string() ? found->get<std::string>() : found->dump());
}

std::string list_of(const Json& object, const char* name) {
  std::string list;
  if (const auto found = object.find(name); found != object.end() && found->is_array()) {
    for (const Json& item : *found) {
      list += (list.empty() ? "" : ", ") +
              escaped(item.is_string() ? item.get<std::string>() : item.dump());
    }
  }
  return list;
}

bool truth_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

const Json& array_of(const Json& object, const char* name) {
  static const Json none = Json::array();
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : none;
}

// Who wrote it (dot: the n-th operation of a node's epoch), when, and who has seen it.
std::string origin_line(const Json& part) {
  std::string line = fmt::format("dot {}:{}", text_of(part, "node"), text_of(part, "n"));
  line += fmt::format("  epoch {}", text_of(part, "epoch"));
  if (const std::string time = text_of(part, "time"); !time.empty()) {
    line += "  " + time;
  }
  return line + "  seen by " + list_of(part, "seen_by");
}

void print_cell(const Json& cell) {
  const std::string subkey = text_of(cell, "subkey");
  print_line(
      fmt::format("  {}{}  {}", styled(Style::accent, text_of(cell, "kind")),
                  subkey.empty() ? "" : " " + subkey,
                  styled(Style::dim, text_of(cell, "metadata_bytes") + " bytes of metadata")));
  for (const Json& sibling : array_of(cell, "siblings")) {
    const std::string value = text_of(sibling, "value");
    print_line(fmt::format("    {} {}{}", truth_of(sibling, "winner") ? "*" : " ",
                           value.empty() ? "" : value + "  ",
                           styled(Style::dim, origin_line(sibling))));
  }
  for (const Json& part : array_of(cell, "parts")) {
    print_line(fmt::format("    {} total {}  of which void {}  {}",
                           truth_of(part, "live") ? "*" : " ", text_of(part, "total"),
                           text_of(part, "base"), styled(Style::dim, origin_line(part))));
  }
}

// The cells of a key; a star marks what readers see.
void print_cells(const Json& document) {
  print_line(fmt::format("{}  {}, {} bytes of metadata",
                         styled(Style::bold, text_of(document, "key")), text_of(document, "type"),
                         text_of(document, "metadata_bytes")));
  for (const Json& cell : array_of(document, "cells")) {
    print_cell(cell);
  }
  if (truth_of(document, "truncated")) {
    print_line("  ... and more cells than are shown");
  }
}

int explain_key(Session& session, const Invocation& call, CommandCode code, bool sentences) {
  const Globals& globals = session.globals();
  const auto answer =
      ask(session, {.code = code, .db = 0, .key = call.args.front(), .args = {}, .number = 0});
  if (!answer) {
    return fail(globals, session, call.command->name, answer.error());
  }
  const Json document = Json::parse(*answer, nullptr, false);
  if (document.is_discarded()) {
    return fail(globals, damaged_answer(call.command->name, "the node's answer is not JSON",
                                        session.where()));
  }
  const bool nothing =
      document.is_object() && ((document.contains("type") && document["type"] == "none") ||
                               (document.contains("visible") && document["visible"] == "none"));
  const int exit = nothing ? exit_not_found : exit_ok;
  if (globals.json) {
    print_line(*answer);
    return exit;
  }
  const auto lines = document.is_object() ? document.find("sentences") : document.end();
  if (sentences && lines != document.end() && lines->is_array()) {
    for (const Json& line : *lines) {
      print_line(escaped(line.is_string() ? line.get<std::string>() : line.dump()));
    }
  } else {
    print_cells(document);
  }
  return exit;
}

}  // namespace

int run_status(Session& session, const Invocation& call) {
  const Globals& globals = session.globals();
  const bool digests = !call.has("--no-digest");
  // Digests read all data and wait for members that may not answer: then do without.
  auto answer = ask(session, {.code = CommandCode::status, .number = digests ? 1 : 0},
                    {.deadline = globals.timeout_or(5s) * 4 / 5});
  if (digests && !answer && answer.error().code == ErrorCode::timeout) {
    answer =
        ask(session, {.code = CommandCode::status},
            {.deadline = std::max<std::chrono::milliseconds>(globals.timeout_or(5s) / 5, 1ms)});
  }
  if (!answer) {
    return fail(globals, session, "status", answer.error());
  }
  if (globals.json) {
    print_line(*answer);
    return exit_ok;
  }
  const auto view = parse_status(*answer);
  if (!view) {
    return fail(globals, damaged_answer("status", view.error(), session.where()));
  }
  print_status(*view);
  return exit_ok;
}

int run_wait(Session& session, const Invocation& call) {
  const Globals& globals = session.globals();
  if (call.args.front() != "converged") {
    return fail(globals, {.exit = exit_usage,
                          .code = "usage",
                          .what = fmt::format("wait: cannot wait for '{}'", call.args.front()),
                          .where = {},
                          .cause = {},
                          .advice = "kvctl wait converged --timeout 30s"});
  }
  const auto begin = Clock::now();
  const auto end = begin + globals.timeout_or(10s);
  auto pause = 20ms;
  StatusView last;
  // A digest costs each member a checkpoint and a walk over its cells, which the operations that
  // are still missing would wait for: it is asked for when nothing seems to be missing.
  bool with_digest = false;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    const auto answer = ask(session,
                            {.code = CommandCode::status,
                             .db = 0,
                             .key = {},
                             .args = {},
                             .number = with_digest ? 1 : 0},
                            {.deadline = std::max<std::chrono::milliseconds>(left, 1ms)});
    if (!answer && answer.error().code != ErrorCode::timeout && last.members.empty()) {
      return fail(globals, session, "wait", answer.error());
    }
    if (answer) {
      auto view = parse_status(*answer);
      if (!view) {
        return fail(globals, damaged_answer("wait", view.error(), session.where()));
      }
      last = std::move(*view);
      if (with_digest && last.ready && last.converged) {
        break;
      }
      const bool is_news =
          !std::exchange(with_digest, last.ready && knows_of_nothing_missing(last));
      if (with_digest && is_news) {
        continue;
      }
    }
    if (Clock::now() + pause >= end) {
      // A member that does not answer holds up the digests; who lags is known without them.
      const auto plain = ask(session, {.code = CommandCode::status}, {.deadline = 500ms});
      if (auto view = plain ? parse_status(*plain) : std::unexpected(std::string()); view) {
        view->digest = last.digest;
        last = std::move(*view);
      }
      const std::string who = laggards(last);
      return fail(globals, {.exit = exit_unhealthy,
                            .code = "not_converged",
                            .what = fmt::format("wait: not converged after {} ms: {}",
                                                globals.timeout_or(10s).count(),
                                                !last.ready    ? last.name + " is not ready"
                                                : !who.empty() ? who
                                                               : "no member answered in time"),
                            .where = fmt::format("{} ({})", session.where(), last.name),
                            .cause = "writes are still coming in, a link is cut, or a node is slow",
                            .advice = "see `kvctl status`; `kvctl heal` restores cut links"});
    }
    std::this_thread::sleep_for(pause);
    pause = std::min<std::chrono::milliseconds>(pause * 2, 200ms);
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  const auto equal = names(last, [](const MemberView& m) { return m.reachable(); });
  const auto away =
      names(last, [](const MemberView& m) { return !m.reachable() && m.state != "left"; });
  if (globals.json) {
    print_line(Json{
        {"converged", true},
        {"after_ms", took.count()},
        {"digest", last.digest},
        {"members", equal},
        {"unreachable",
         away}}.dump());
    return exit_ok;
  }
  const auto listed = [](const std::vector<std::string>& list) {
    return escaped(fmt::format("{}", fmt::join(list, ", ")));
  };
  print_line(fmt::format("converged after {} ms: {}{}", took.count(), listed(equal),
                         away.empty() ? "" : "; not reachable: " + listed(away)));
  return exit_ok;
}

int run_partition(Session& session, const Invocation& call) {
  return change_links(session, call, CommandCode::partition, "cut off from");
}

// `kvctl heal && kvctl wait converged` is what people type: it must not find the link still down
// and take the other side for unreachable. A member that is away, or cut off by itself, keeps
// nobody.
int run_heal(Session& session, const Invocation& call) {
  constexpr auto patience = 2s;
  const std::vector<std::string> cut = members_in_state(session, "cut");
  const int exit = change_links(session, call, CommandCode::heal, "links restored to");
  const auto end = Clock::now() + patience;
  const auto still_down = [&] {
    const std::vector<std::string> down = members_in_state(session, "down");
    return std::ranges::any_of(
        cut, [&](const std::string& name) { return std::ranges::find(down, name) != down.end(); });
  };
  while (exit == exit_ok && still_down() && Clock::now() < end) {
    std::this_thread::sleep_for(10ms);
  }
  return exit;
}

int run_why(Session& session, const Invocation& call) {
  return explain_key(session, call, CommandCode::why, true);
}

int run_explain(Session& session, const Invocation& call) {
  return explain_key(session, call, CommandCode::explain, false);
}

int run_conflicts(Session& session, const Invocation& call) {
  const Globals& globals = session.globals();
  std::int64_t limit = 0;  // the node's usual one
  if (call.has("--limit")) {
    const auto number = parse_count(call.option("--limit"));
    if (!number || *number == 0) {
      return fail(globals, {.exit = exit_usage,
                            .code = "usage",
                            .what = "conflicts: --limit wants a number above 0",
                            .where = {},
                            .cause = {},
                            .advice = "kvctl help conflicts"});
    }
    limit = *number;
  }
  const auto answer = ask(session, {.code = CommandCode::conflicts,
                                    .db = globals.db,
                                    .key = {},
                                    .args = call.args,
                                    .number = limit});
  if (!answer) {
    return fail(globals, session, "conflicts", answer.error());
  }
  const Json document = Json::parse(*answer, nullptr, false);
  if (!document.is_object() || !document.contains("conflicts")) {
    return fail(globals, damaged_answer("conflicts", "the node's answer is not what it should be",
                                        session.where()));
  }
  if (globals.json) {
    print_line(*answer);
    return exit_ok;
  }
  const Json& lines = array_of(document, "conflicts");
  for (const Json& line : lines) {
    print_line(escaped(text_of(line, "sentence")));
  }
  if (lines.empty()) {
    print_line(call.args.empty() ? "no conflicts" : "no conflicts of this key");
  }
  if (document.contains("dropped") && document["dropped"] != 0) {
    print_line(styled(
        Style::dim, fmt::format("{} older ones were dropped, the latest of {}",
                                text_of(document, "dropped"), text_of(document, "dropped_up_to"))));
  }
  return exit_ok;
}

int run_health(Session& session, const Invocation& /*call*/) {
  const Globals& globals = session.globals();
  const auto answer =
      ask(session, {.code = CommandCode::status, .db = 0, .key = {}, .args = {}, .number = 0});
  if (!answer) {
    Failure failure = describe(answer.error(), "health", session.where(), session.greeted());
    failure.exit = exit_unhealthy;
    return fail(globals, failure);
  }
  const auto view = parse_status(*answer);
  if (!view || !view->ready) {
    return fail(globals,
                {.exit = exit_unhealthy,
                 .code = "not_ready",
                 .what = fmt::format("health: the node is not ready{}",
                                     view && !view->reasons.empty()
                                         ? fmt::format(": {}", fmt::join(view->reasons, "; "))
                                         : ""),
                 .where = session.where(),
                 .cause = {},
                 .advice = "wait, or see `kvctl status`"});
  }
  print_line(globals.json ? Json{{"ready", true}, {"reasons", view->reasons}}.dump() : "ready");
  return exit_ok;
}

}  // namespace starling::cli
