#include "server/replica/explain.h"

#include <algorithm>
#include <utility>

#include "crdt/deadline.h"
#include "crdt/sorted_set.h"
#include "crdt/string.h"
#include "crdt/varint.h"
#include "server/replica/bytes_json.h"
#include "server/replica/object.h"
#include "server/replica/wording.h"

namespace starling::replica {
namespace {

constexpr std::size_t max_cells_shown = 1000;
constexpr std::size_t max_losers_shown = 10;

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
  const std::int64_t units = saturate(total.units);
  return total.has_real() ? format_real(DoubleDouble{static_cast<double>(units), 0} + total.real)
                          : std::to_string(units);
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

// As a conflict names it: a total by the operation with which it began.
bool is_live(const CellValue& value, const Dot& dot) {
  if (const auto* totals = std::get_if<OriginTotals>(&value)) {
    const TotalPart* part = totals->find(dot.origin);
    return part != nullptr && part->live() && part->life == dot.n;
  }
  return std::ranges::any_of(std::get<DottedCell>(value).siblings(),
                             [&](const Sibling& sibling) { return sibling.dot == dot; });
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
  journal_sentences(key, *found, sentences);
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

// Losers that something has replaced since: the cells no longer tell of them.
void Explainer::journal_sentences(const ObjectKey& key, const std::vector<Cell>& cells,
                                  std::vector<std::string>& out) const {
  std::size_t left = max_losers_shown;
  group_.conflicts().for_each([&](const Conflict& conflict) {
    const auto stands = [&](const Cell& cell) { return is_live(cell.value, conflict.lost.dot); };
    if (conflict.cell.object == key && std::ranges::none_of(cells, stands)) {
      out.push_back("Earlier: " + told(conflict, names()));
      --left;
    }
    return left > 0;
  });
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

// Text hides what was added to it, until somebody who sees both writes again.
void Explainer::hiding_sentence(const std::vector<Cell>& cells, const Cell& totals, CellKind base,
                                std::vector<std::string>& out) {
  const auto found = std::ranges::find_if(cells, [&](const Cell& cell) {
    return cell.name.kind() == base && cell.name.subkey() == totals.name.subkey();
  });
  if (found != cells.end() &&
      StringView(std::get<DottedCell>(found->value), std::get<OriginTotals>(totals.value))
          .hides_increments()) {
    out.emplace_back("The value is text, which hides what was added; the next write resets that.");
  }
}

void Explainer::score_sentences(const std::string& what, const DottedCell& cell,
                                std::vector<std::string>& out) const {
  const std::optional<double> read = ScoreView(cell, OriginTotals()).score();
  const auto is_read = [&](const Sibling& s) { return decode_score(s.bytes).value == read; };
  const Sibling* won = cell.winner();
  if (won == nullptr) {
    return;
  }
  if (!is_read(*won)) {  // of raised scores the greatest is read, of lowered ones the smallest
    won = &*std::ranges::find_if(cell.siblings(), is_read);
  }
  const auto set = [&](const Sibling& sibling) {
    const Score score = decode_score(sibling.bytes);
    return node_name(sibling.dot.origin.node) + " set score " + format_score(score.value) +
           (score.rule == ScoreRule::raised    ? " as a greater one (GT)"
            : score.rule == ScoreRule::lowered ? " as a smaller one (LT)"
                                               : "") +
           " (its operation " + std::to_string(sibling.dot.n) + "), " + seen_phrase(sibling.dot);
  };
  out.push_back(what + ": " + set(*won) + ".");
  for (const Sibling& sibling : cell.siblings()) {
    if (sibling.dot != won->dot) {
      const ScoreRule rule = decode_score(won->bytes).rule;
      const bool alike = rule != ScoreRule::plain && decode_score(sibling.bytes).rule == rule;
      out.push_back("At the same time, " + set(sibling) + "; neither had seen the other, and the " +
                    (!alike                      ? "later clock"
                     : rule == ScoreRule::raised ? "greater score"
                                                 : "smaller score") +
                    " is read.");
    }
  }
}

void Explainer::deadline_sentences(const DottedCell& cell, std::vector<std::string>& out) const {
  const auto at = [](const Sibling& sibling) { return decode_deadline(sibling.bytes); };
  const auto latest = std::ranges::max_element(cell.siblings(), {}, at);
  const auto by = [&](const Sibling& sibling) {
    return node_name(sibling.dot.origin.node) + " (its operation " + std::to_string(sibling.dot.n) +
           "), " + seen_phrase(sibling.dot);
  };
  const auto time = [&](const Sibling& sibling) {
    return utc(static_cast<std::uint64_t>(at(sibling)));
  };
  const bool persistent = at(*latest) == never_expires;
  out.push_back(persistent
                    ? "The key was made persistent by " + by(*latest) + "."
                    : "The key expires at " + time(*latest) + ", set by " + by(*latest) + ".");
  for (const Sibling& sibling : cell.siblings()) {
    if (sibling.dot != latest->dot) {
      out.push_back("At the same time, " +
                    (at(sibling) == never_expires ? "it was made persistent by "
                                                  : time(sibling) + " was set by ") +
                    by(sibling) + "; neither had seen the other, and " +
                    (persistent ? "what was made persistent stays so." : "the later one holds."));
    }
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
        hiding_sentence(cells, cell, CellKind::string_register, out);
        break;
      case CellKind::hash_totals:
        totals_sentences("field " + subkey, std::get<OriginTotals>(cell.value), out);
        hiding_sentence(cells, cell, CellKind::hash_field, out);
        break;
      case CellKind::scored_member:
        score_sentences(hidden + "Member " + subkey, std::get<DottedCell>(cell.value), out);
        break;
      case CellKind::scored_totals:
        totals_sentences("member " + subkey, std::get<OriginTotals>(cell.value), out);
        break;
      case CellKind::deadline:
        deadline_sentences(std::get<DottedCell>(cell.value), out);
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
