#include "server/replica/conflict_report.h"

#include <string_view>

#include "server/replica/bytes_json.h"
#include "server/replica/wording.h"

namespace starling::replica {
namespace {

// "field" or "member"; empty for what is alone under its key.
std::string_view part_name(const Conflict& conflict) {
  switch (conflict.cell.cell.kind()) {
    case CellKind::hash_field:
    case CellKind::hash_totals:
      return "field";
    case CellKind::scored_member:
    case CellKind::scored_totals:
      return "member";
    default:
      return "";
  }
}

void write_side(JsonWriter& json, const ConflictSide& side, const NodeName& name_of) {
  json.begin_object();
  json.key("value");
  write_bytes(json, side.preview);
  json.key("bytes").value(side.size);
  if (side.dot.n > 0) {
    json.key("node").value(name_of(side.dot.origin.node));
    json.key("epoch").value(std::uint64_t{side.dot.origin.epoch});
    json.key("n").value(side.dot.n);
  }
  if (side.hlc > 0) {
    json.key("time").value(utc(hlc_unix_ms(side.hlc)));
  }
  json.end_object();
}

void write_line(JsonWriter& json, const Conflict& conflict, const NodeName& name_of) {
  json.begin_object();
  json.key("key");
  write_bytes(json, conflict.cell.object.key);
  json.key("db").value(std::uint64_t{conflict.cell.object.db});
  json.key("type").value(type_name(conflict.type()));
  if (const auto part = part_name(conflict); !part.empty()) {
    json.key(part);
    write_bytes(json, conflict.cell.cell.subkey());
  }
  json.key("kind").value(name(conflict.kind));
  json.key("lost");
  write_side(json, conflict.lost, name_of);
  json.key("won");
  write_side(json, conflict.won, name_of);
  json.key("sentence").value(told(conflict, name_of));
  json.end_object();
}

void write_lines(JsonWriter& json, const ConflictJournal& journal, const ConflictQuery& query,
                 const NodeName& name_of) {
  std::size_t left = query.limit;
  json.begin_array();
  journal.for_each([&](const Conflict& conflict) {
    if (left > 0 && (!query.key || conflict.cell.object == *query.key)) {
      write_line(json, conflict, name_of);
      --left;
    }
    return left > 0;
  });
  json.end_array();
}

std::string writer(const ConflictSide& side, const NodeName& name_of) {
  std::string text;
  if (side.dot.n > 0) {
    text += " by " + name_of(side.dot.origin.node);
  }
  if (side.hlc > 0) {
    text += " at " + utc(hlc_unix_ms(side.hlc));
  }
  return text;
}

}  // namespace

std::string told(const Conflict& conflict, const NodeName& name_of) {
  const std::string_view part = part_name(conflict);
  std::string what = shown(conflict.cell.object.key);
  if (!part.empty()) {
    what = std::string(part) + " " + shown(conflict.cell.cell.subkey()) + " of " + what;
  }
  const auto value = [](const ConflictSide& side) { return shown(side.preview, side.size); };
  const std::string lost_by = writer(conflict.lost, name_of);
  const std::string won_by = writer(conflict.won, name_of);
  std::string told;
  switch (conflict.kind) {
    case ConflictKind::overwritten:
      told = "In " + what + ", " + value(conflict.lost) + lost_by + " lost to " +
             value(conflict.won) + won_by;
      break;
    case ConflictKind::hidden:
      told = "In " + what + ", increments of " + conflict.lost.preview + lost_by +
             " are hidden by " + value(conflict.won) + won_by;
      break;
    case ConflictKind::saturated:
      told = "In " + what + ", increments of " + conflict.lost.preview + lost_by +
             " do not fit: " + conflict.won.preview + " is read";
      break;
    case ConflictKind::hidden_type:
      told = "Under " + what + ", the " + conflict.lost.preview + lost_by + " is hidden by the " +
             conflict.won.preview + won_by;
      break;
  }
  return told + ": " + std::string(sentence(conflict.kind)) + ".";
}

std::string journal_json(const ConflictJournal& journal, const ConflictQuery& query,
                         const NodeName& name_of) {
  JsonWriter json;
  json.begin_object();
  json.key("conflicts");
  write_lines(json, journal, query, name_of);
  json.key("kept").value(std::uint64_t{journal.size()});
  json.key("dropped").value(journal.dropped());
  json.key("dropped_up_to");
  if (journal.dropped() > 0) {
    json.value(utc(hlc_unix_ms(journal.dropped_up_to())));
  } else {
    json.null();
  }
  json.end_object();
  return json.take();
}

}  // namespace starling::replica
