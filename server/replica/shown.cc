#include "server/replica/shown.h"

#include <algorithm>
#include <utility>

#include "crdt/deadline.h"

namespace starling::replica {
Tables::Walk ShownFinder::see(const CellName& name, const CellValue& value) {
  if (name.kind() == CellKind::deadline) {
    deadline_ = deadline_of(std::get<DottedCell>(value));
    return Tables::Walk::on;
  }
  if (name.kind() == CellKind::header) {
    const Sibling* created = std::get<DottedCell>(value).winner();
    const std::size_t type =
        name.subkey().empty() ? types : static_cast<unsigned char>(name.subkey()[0]);
    if (created != nullptr && type < types) {
      noted_[type] = created->hlc;
    }
    return Tables::Walk::on;
  }
  auto& oldest = oldest_[static_cast<std::size_t>(object_type(name.kind()))];
  if (!oldest && is_present(value)) {
    oldest = oldest_sibling(value);
  }
  return oldest ? Tables::Walk::next_kind : Tables::Walk::on;
}

ObjectType ShownFinder::type(std::int64_t now_ms) const {
  std::pair<Hlc, std::size_t> latest{0, 0};
  for (std::size_t type = 1; type < types; ++type) {
    if (oldest_[type]) {
      latest = std::max(latest, std::pair(noted_[type].value_or(*oldest_[type]), type));
    }
  }
  return deadline_ && *deadline_ <= now_ms ? ObjectType::none
                                           : static_cast<ObjectType>(latest.second);
}

}  // namespace starling::replica
