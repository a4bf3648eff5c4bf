#include "tests/sim/reference_state.h"

namespace starling::sim {

void ReferenceState::apply(const Entry& entry) {
  VersionVector context = entry.deps;
  for (std::size_t i = 0; i < entry.ops.size(); ++i) {
    const Op& op = entry.ops[i];
    const Dot dot = entry.dot(i);
    if (const auto* kill = std::get_if<Kill>(&op.change)) {
      for (auto it = cells_.begin(); it != cells_.end();) {
        const bool covered =
            kill->level == ScopeLevel::group ||
            (kill->level == ScopeLevel::database ? it->first.object.db == op.key.object.db
                                                 : it->first.object == op.key.object);
        auto* dotted = std::get_if<DottedCell>(&it->second);
        if (covered && dotted != nullptr) {
          dotted->kill(context);
        }
        it = is_empty(it->second) ? cells_.erase(it) : std::next(it);
      }
      context.advance(dot);
      continue;
    }
    const auto it = cells_.try_emplace(op.key, empty_cell(op.key.cell.kind())).first;
    if (const auto* assign = std::get_if<Assign>(&op.change)) {
      auto& cell = std::get<DottedCell>(it->second);
      cell.kill(context);
      cell.assign({dot, has_payload(op.key.cell.kind()) ? entry.hlc : 0, assign->bytes});
    } else if (const auto* remove = std::get_if<Remove>(&op.change)) {
      VersionVector killed = context;
      if (remove->context) {
        killed.meet(*remove->context);
      }
      std::get<DottedCell>(it->second).kill(killed);
    } else if (const auto* increment = std::get_if<Increment>(&op.change)) {
      TotalPart part;
      part.origin = entry.origin;
      part.life = increment->life;
      part.n = dot.n;
      part.total = increment->total;
      std::get<OriginTotals>(it->second).join(part);
    } else {
      for (const ObservedTotal& seen : std::get<Reset>(op.change).observed) {
        std::get<OriginTotals>(it->second).reset(seen, dot);
      }
    }
    if (is_empty(it->second)) {
      cells_.erase(it);
    }
    context.advance(dot);
  }
}

Digest ReferenceState::digest() const {
  Digest sum;
  for (const auto& [key, value] : cells_) {
    sum += digest_of(key, value);
  }
  return sum;
}

}  // namespace starling::sim
