// The specification of an entry by its operations, where no command stands behind it as a whole:
// each of them says which cell it writes or takes away, and atoms are named like cells.
#include <cstdio>

#include "crdt/deadline.h"
#include "crdt/sorted_set.h"
#include "tests/sim/oracle.h"

namespace starling::sim {
namespace {

std::string score_as_text(double score) {
  std::string text(40, '\0');
  text.resize(static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "%.17g", score)));
  return text;
}

}  // namespace

std::optional<Oracle::Part> Oracle::part_of(CellKind kind) {
  switch (kind) {
    case CellKind::header:
      return Part::header;
    case CellKind::deadline:
      return Part::deadline;
    case CellKind::string_register:
      return Part::string_value;
    case CellKind::string_totals:
      return Part::string_increment;
    case CellKind::mv_register:
      return Part::mv_value;
    case CellKind::flag:
      return Part::flag;
    case CellKind::set_element:
      return Part::element;
    case CellKind::hash_field:
      return Part::field_value;
    case CellKind::hash_totals:
      return Part::field_increment;
    case CellKind::scored_member:
      return Part::score;
    case CellKind::scored_totals:
      return Part::score_increment;
  }
  return std::nullopt;
}

bool Oracle::is_increment(Part part) {
  return part == Part::string_increment || part == Part::field_increment ||
         part == Part::score_increment;
}

void Oracle::apply(const Entry& entry, EntryId as) {
  const View view{&entry.deps, before_all_time, as};
  for (const Op& op : entry.ops) {
    apply(op, view);
  }
  keep();
}

void Oracle::apply(const Op& op, const View& view) {
  const ObjectKey& key = op.key.object;
  if (std::holds_alternative<Kill>(op.change)) {
    take(key, view, [](const Atom& atom) { return !is_increment(atom.part); });
    return;
  }
  Atom atom;
  atom.part = part_of(op.key.cell.kind()).value_or(Part::flag);
  atom.type = object_type(op.key.cell.kind());
  if (atom.part == Part::header) {
    atom.type = static_cast<ObjectType>(op.key.cell.subkey().at(0));
  } else {
    atom.sub = op.key.cell.subkey();
  }
  const auto same_cell = [&](const Atom& other) {
    return other.part == atom.part && other.sub == atom.sub &&
           (atom.part != Part::header || other.type == atom.type);
  };
  if (const auto* increment = std::get_if<Increment>(&op.change)) {
    atom.delta = static_cast<std::int64_t>(increment->delta.units);
    atom.real = static_cast<double>(increment->delta.units) + increment->delta.real.hi;
    leave(key, view, std::move(atom));
    return;
  }
  take(key, view, same_cell);
  if (const auto* assign = std::get_if<Assign>(&op.change)) {
    if (atom.part == Part::score) {
      const starling::Score score = decode_score(assign->bytes);
      atom.real = score.value;
      atom.rule = score.rule == ScoreRule::raised    ? Rule::greatest
                  : score.rule == ScoreRule::lowered ? Rule::smallest
                                                     : Rule::plain;
    } else if (atom.part == Part::deadline) {
      atom.delta = decode_deadline(assign->bytes);
    } else if (atom.part != Part::element && atom.part != Part::header) {
      atom.bytes = assign->bytes;
    }
    leave(key, view, std::move(atom));
  }
}

std::string Oracle::shown(const ObjectKey& key, const View& view) const {
  const auto found = by_key_.find(key);
  const Object object = found == by_key_.end() ? Object{} : look(found->second, view);
  std::string text(type_name(object.visible()));
  if (const auto value = object.string.text()) {
    text += " string " + *value;
  }
  for (const auto& [field, number] : object.fields) {
    text += " field " + field + "=" + number.text().value_or("");
  }
  for (const auto& [element, in] : object.elements) {
    text += " element " + element;
  }
  for (const auto& [bytes, hlc] : object.mv) {
    text += " sibling " + bytes;
  }
  for (const auto& [name, member] : object.members) {
    text += " member " + name + "=" + score_as_text(member.score());
  }
  if (object.flag) {
    text += " flag";
  }
  if (object.deadline && object.has_any()) {
    text += " until " + std::to_string(*object.deadline);
  }
  return text;
}

}  // namespace starling::sim
