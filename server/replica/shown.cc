#include "server/replica/shown.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "crdt/deadline.h"

namespace starling::replica {
namespace {

// Increments keep no time: they are as old as anything, and known by how they began.
Creation oldest_part(ObjectType type, const CellValue& value) {
  if (const auto* totals = std::get_if<OriginTotals>(&value)) {
    const auto first = std::ranges::find_if(totals->parts(), &TotalPart::live);
    return {type, 0, {first->origin, first->life}};
  }
  const auto oldest =
      std::ranges::min_element(std::get<DottedCell>(value).siblings(), {},
                               [](const Sibling& s) { return std::tie(s.hlc, s.dot); });
  return {type, oldest->hlc, oldest->dot};
}

}  // namespace

Tables::Walk ShownFinder::see(const CellName& name, const CellValue& value) {
  if (name.kind() == CellKind::deadline) {
    deadline_ = deadline_of(std::get<DottedCell>(value));
    return Tables::Walk::on;
  }
  if (name.kind() == CellKind::header) {
    const Sibling* created = std::get<DottedCell>(value).winner();
    const std::size_t type =
        name.subkey().empty() ? type_count : static_cast<unsigned char>(name.subkey()[0]);
    if (created != nullptr && type < type_count) {
      noted_[type] = Creation{static_cast<ObjectType>(type), created->hlc, created->dot};
    }
    return Tables::Walk::on;
  }
  const ObjectType type = object_type(name.kind());
  auto& oldest = oldest_[static_cast<std::size_t>(type)];
  if (!oldest && is_present(value)) {
    oldest = oldest_part(type, value);
  }
  return oldest ? Tables::Walk::next_kind : Tables::Walk::on;
}

std::vector<Creation> ShownFinder::types() const {
  std::vector<Creation> found;
  for (std::size_t type = 1; type < type_count; ++type) {
    if (oldest_[type]) {
      found.push_back(noted_[type].value_or(*oldest_[type]));
    }
  }
  std::ranges::sort(found, std::ranges::greater(),
                    [](const Creation& c) { return std::pair(c.hlc, c.type); });
  return found;
}

ObjectType ShownFinder::type(std::int64_t now_ms) const {
  std::pair<Hlc, std::size_t> latest{0, 0};
  for (std::size_t type = 1; type < type_count; ++type) {
    if (oldest_[type]) {
      latest =
          std::max(latest, std::pair((noted_[type] ? *noted_[type] : *oldest_[type]).hlc, type));
    }
  }
  return deadline_ && *deadline_ <= now_ms ? ObjectType::none
                                           : static_cast<ObjectType>(latest.second);
}

}  // namespace starling::replica
