#include "server/replica/explain.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "crdt/deadline.h"
#include "crdt/sorted_set.h"
#include "crdt/varint.h"
#include "server/replica/bytes_json.h"
#include "server/replica/object.h"

namespace starling::replica {
namespace {

constexpr std::size_t max_cells_shown = 1000;
constexpr std::size_t max_text_shown = 200;

// The beginning of a text, cut between characters.
std::string_view clipped(std::string_view text) {
  std::size_t size = std::min(text.size(), max_text_shown);
  while (size > 0 && size < text.size() &&
         (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
    --size;
  }
  return text.substr(0, size);
}

std::string shown(std::string_view bytes) {
  if (!is_utf8(bytes)) {
    return std::to_string(bytes.size()) + " bytes";
  }
  std::string text = "\"" + std::string(clipped(bytes)) + "\"";
  return bytes.size() > max_text_shown ? text + "…" : text;
}

// 2026-11-24T12:30:00.123Z from Unix milliseconds: civil-from-days (Hinnant, "chrono-Compatible
// Low-Level Date Algorithms").
std::string utc(std::uint64_t unix_ms) {
  const std::uint64_t days = unix_ms / 86'400'000;
  const std::uint64_t z = days + 719'468;
  const std::uint64_t era = z / 146'097;
  const std::uint64_t day_of_era = z % 146'097;
  const std::uint64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::uint64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::uint64_t month_index = (5 * day_of_year + 2) / 153;
  const std::uint64_t day = day_of_year - (153 * month_index + 2) / 5 + 1;
  const std::uint64_t month = month_index < 10 ? month_index + 3 : month_index - 9;
  const std::uint64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const std::uint64_t ms = unix_ms % 86'400'000;
  char text[64];
  std::snprintf(text, sizeof text, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                static_cast<unsigned>(year), static_cast<unsigned>(month),
                static_cast<unsigned>(day), static_cast<unsigned>(ms / 3'600'000),
                static_cast<unsigned>(ms / 60'000 % 60), static_cast<unsigned>(ms / 1000 % 60),
                static_cast<unsigned>(ms % 1000));
  return text;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  }
  return text;
}

std::string_view kind_name(CellKind kind) {
  switch (kind) {
    case CellKind::header:
      return "header";
    case CellKind::string_register:
      return "register";
    case CellKind::string_totals:
      return "increments";
    case CellKind::mv_register:
      return "mv register";
    case CellKind::flag:
      return "flag";
    case CellKind::set_element:
      return "element";
    case CellKind::hash_field:
      return "field";
    case CellKind::hash_totals:
      return "field increments";
    case CellKind::scored_member:
      return "member";
    case CellKind::scored_totals:
      return "score increments";
    case CellKind::deadline:
      return "deadline";
  }
  return "cell";
}

std::string number(const Total& total) {
  std::string text = std::to_string(saturate(total.units));
  if (total.has_real()) {
    text += " + " + std::to_string(total.real.hi);
  }
  return text;
}

// Bytes that a cell spends on causality: all but key, values and totals.
std::size_t metadata_bytes(const CellName& name, const CellValue& value) {
  if (const auto* totals = std::get_if<OriginTotals>(&value)) {
    return totals->parts().size() * 12;
  }
  std::size_t bytes = 1;
  for (const Sibling& sibling : std::get<DottedCell>(value).siblings()) {
    std::string n;
    put_varint(n, sibling.dot.n);
    bytes += 1 + n.size() + (has_payload(name.kind()) ? sizeof(Hlc) : 0);
  }
  return bytes;
}

}  // namespace

std::string Explainer::node_name(std::uint64_t node) const {
  const wire::Member* member = replicator_.members().find(node);
  return member != nullptr ? member->name : "node " + std::to_string(node);
}

std::vector<std::string> Explainer::seen_by(const Dot& dot) const {
  std::vector<std::string> names{own_name_};
  for (const Link* link : replicator_.links()) {
    if (link->applied.covers(dot)) {
      names.push_back(link->name);
    }
  }
  return names;
}

std::string Explainer::seen_phrase(const Dot& dot) const {
  return "seen by " + joined(seen_by(dot));
}

StoreResult<std::vector<Explainer::Cell>> Explainer::cells(const ObjectKey& key) {
  std::vector<Cell> cells;
  const auto walked = group_.tables().for_each(
      key, CellName::first_at(CellKind{0}), CellKind{0xFF},
      [&](const CellName& name, const CellValue& value) {
        cells.push_back({name, value});
        return cells.size() < max_cells_shown ? Tables::Walk::on : Tables::Walk::stop;
      });
  if (!walked) {
    return std::unexpected(walked.error());
  }
  return cells;
}

StoreResult<std::vector<TypePresence>> Explainer::types(const ObjectKey& key) {
  Transaction reading(group_.tables(), group_.self(), 1, 0, group_.applied());
  const Object object(reading, key);
  if (reading.error()) {
    return std::unexpected(*reading.error());
  }
  return object.types();
}

StoreResult<std::string> Explainer::why(const ObjectKey& key) {
  const auto present = types(key);
  if (!present) {
    return std::unexpected(present.error());
  }
  const auto found = cells(key);
  if (!found) {
    return std::unexpected(found.error());
  }
  std::vector<std::string> sentences;
  const ObjectType visible = present->empty() ? ObjectType::none : present->front().type;
  if (visible == ObjectType::none) {
    sentences.push_back(shown(key.key) +
                        " does not exist here: no write that this node has seen "
                        "is left standing.");
  }
  if (present->size() > 1) {
    std::string others;
    for (std::size_t i = 1; i < present->size(); ++i) {
      others += (i > 1 ? ", " : "") + std::string(type_name((*present)[i].type));
    }
    sentences.push_back("The key was created under several types at the same time; the " +
                        std::string(type_name(visible)) +
                        " was created last and is what reads show; hidden: " + others + ".");
  }
  sentences_of(key, *found, visible, sentences);
  JsonWriter json;
  json.begin_object();
  json.key("key");
  write_bytes(json, key.key);
  json.key("type").value(type_name(visible));
  json.key("sentences").begin_array();
  for (const std::string& sentence : sentences) {
    json.value(sentence);
  }
  json.end_array().end_object();
  return json.take();
}

void Explainer::register_sentences(const std::string& what, const DottedCell& cell, bool all_shown,
                                   std::vector<std::string>& out) const {
  const Sibling* winner = cell.winner();
  if (winner == nullptr) {
    return;
  }
  const auto written = [&](const Sibling& s) {
    return "written by " + node_name(s.dot.origin.node) + " at " + utc(hlc_unix_ms(s.hlc)) +
           " (its operation " + std::to_string(s.dot.n) + "), " + seen_phrase(s.dot);
  };
  if (all_shown) {
    for (const Sibling& sibling : cell.siblings()) {
      out.push_back(what + " holds " + shown(sibling.bytes) + ", " + written(sibling) + ".");
    }
    if (cell.siblings().size() > 1) {
      out.push_back("None of these writes had seen another, so all of them are shown.");
    }
    return;
  }
  out.push_back(what + " is " + shown(winner->bytes) + ", " + written(*winner) + ".");
  for (const Sibling& sibling : cell.siblings()) {
    if (&sibling != winner) {
      out.push_back("At the same time, " + shown(sibling.bytes) + " was " + written(sibling) +
                    "; neither had seen the other, and the later clock is read.");
    }
  }
}

void Explainer::totals_sentences(const std::string& what, const OriginTotals& totals,
                                 std::vector<std::string>& out) const {
  for (const TotalPart& part : totals.parts()) {
    if (!part.live()) {
      continue;
    }
    std::string sentence =
        node_name(part.origin.node) + " added " + number(part.total - part.base) + " to " + what;
    if (part.base_n > 0) {
      sentence += " after a write or delete by " + node_name(part.reset_by.origin.node) +
                  " took away the " + number(part.base) + " it had seen";
    }
    out.push_back(sentence + " (up to its operation " + std::to_string(part.n) + "), " +
                  seen_phrase({part.origin, part.n}) + ".");
  }
}

void Explainer::sentences_of(const ObjectKey& key, const std::vector<Cell>& cells,
                             ObjectType visible, std::vector<std::string>& out) const {
  for (const Cell& cell : cells) {
    if (cell.name.kind() == CellKind::header || !is_present(cell.value)) {
      continue;
    }
    const ObjectType type = object_type(cell.name.kind());
    const std::string hidden = type == visible ? "" : "Hidden: ";
    const std::string subkey = shown(cell.name.subkey());
    switch (cell.name.kind()) {
      case CellKind::string_register:
        register_sentences(hidden + shown(key.key), std::get<DottedCell>(cell.value), false, out);
        break;
      case CellKind::hash_field:
        register_sentences(hidden + "Field " + subkey, std::get<DottedCell>(cell.value), false,
                           out);
        break;
      case CellKind::mv_register:
        register_sentences(hidden + shown(key.key), std::get<DottedCell>(cell.value), true, out);
        break;
      case CellKind::string_totals:
        totals_sentences(hidden.empty() ? "it" : "the hidden string",
                         std::get<OriginTotals>(cell.value), out);
        break;
      case CellKind::hash_totals:
        totals_sentences("field " + subkey, std::get<OriginTotals>(cell.value), out);
        break;
      case CellKind::scored_member:
        for (const Sibling& sibling : std::get<DottedCell>(cell.value).siblings()) {
          const Score score = decode_score(sibling.bytes);
          out.push_back(hidden + "Member " + subkey + ": " + node_name(sibling.dot.origin.node) +
                        " set score " + format_score(score.value) +
                        (score.rule == ScoreRule::raised    ? " as a greater one (GT)"
                         : score.rule == ScoreRule::lowered ? " as a smaller one (LT)"
                                                            : "") +
                        " (its operation " + std::to_string(sibling.dot.n) + "), " +
                        seen_phrase(sibling.dot) + ".");
        }
        break;
      case CellKind::scored_totals:
        totals_sentences("member " + subkey, std::get<OriginTotals>(cell.value), out);
        break;
      case CellKind::deadline:
        for (const Sibling& sibling : std::get<DottedCell>(cell.value).siblings()) {
          const auto at = decode_deadline(sibling.bytes);
          out.push_back("The key " +
                        (at == never_expires ? std::string("was made persistent")
                                             : "expires at unix time " + std::to_string(at) +
                                                   " ms: so it was set") +
                        " by " + node_name(sibling.dot.origin.node) + " (its operation " +
                        std::to_string(sibling.dot.n) + "); the latest one holds, " +
                        seen_phrase(sibling.dot) + ".");
        }
        break;
      case CellKind::flag:
      case CellKind::set_element:
        for (const Sibling& sibling : std::get<DottedCell>(cell.value).siblings()) {
          const std::string subject = cell.name.kind() == CellKind::flag ? "The flag is on: enabled"
                                                                         : subkey + " is in: added";
          out.push_back(hidden + subject + " by " + node_name(sibling.dot.origin.node) +
                        " (its operation " + std::to_string(sibling.dot.n) +
                        "); no remove has seen that, " + seen_phrase(sibling.dot) + ".");
        }
        break;
      case CellKind::header:
        break;
    }
  }
}

StoreResult<std::string> Explainer::explain(const ObjectKey& key) {
  const auto present = types(key);
  if (!present) {
    return std::unexpected(present.error());
  }
  const auto found = cells(key);
  if (!found) {
    return std::unexpected(found.error());
  }
  std::size_t metadata = 0;
  JsonWriter json;
  json.begin_object();
  json.key("key");
  write_bytes(json, key.key);
  json.key("type").value(type_name(present->empty() ? ObjectType::none : present->front().type));
  json.key("cells").begin_array();
  const auto write_dot = [&](const Dot& dot) {
    json.key("node").value(node_name(dot.origin.node));
    json.key("epoch").value(std::uint64_t{dot.origin.epoch});
    json.key("n").value(dot.n);
  };
  const auto write_seen = [&](const Dot& dot) {
    json.key("seen_by").begin_array();
    for (const std::string& name : seen_by(dot)) {
      json.value(name);
    }
    json.end_array();
  };
  for (const Cell& cell : *found) {
    metadata += metadata_bytes(cell.name, cell.value);
    json.begin_object();
    json.key("kind").value(kind_name(cell.name.kind()));
    if (cell.name.kind() == CellKind::header) {
      json.key("subkey").value(type_name(cell.name.subkey().empty()
                                             ? ObjectType::none
                                             : static_cast<ObjectType>(cell.name.subkey()[0])));
    } else if (!cell.name.subkey().empty()) {
      json.key("subkey");
      write_bytes(json, cell.name.subkey());
    }
    json.key("metadata_bytes").value(std::uint64_t{metadata_bytes(cell.name, cell.value)});
    if (const auto* totals = std::get_if<OriginTotals>(&cell.value)) {
      json.key("parts").begin_array();
      for (const TotalPart& part : totals->parts()) {
        json.begin_object();
        write_dot({part.origin, part.n});
        json.key("total").value(saturate(part.total.units));
        json.key("base").value(saturate(part.base.units));
        json.key("live").value(part.live());
        write_seen({part.origin, part.n});
        json.end_object();
      }
      json.end_array();
    } else {
      const auto& dotted = std::get<DottedCell>(cell.value);
      json.key("siblings").begin_array();
      for (const Sibling& sibling : dotted.siblings()) {
        json.begin_object();
        write_dot(sibling.dot);
        if (has_payload(cell.name.kind())) {
          json.key("time").value(utc(hlc_unix_ms(sibling.hlc)));
          json.key("value");
          write_bytes(json, clipped(sibling.bytes));
        }
        json.key("winner").value(&sibling == dotted.winner());
        write_seen(sibling.dot);
        json.end_object();
      }
      json.end_array();
    }
    json.end_object();
  }
  json.end_array();
  json.key("truncated").value(found->size() == max_cells_shown);
  json.key("metadata_bytes").value(std::uint64_t{metadata});
  json.end_object();
  return json.take();
}

}  // namespace starling::replica
