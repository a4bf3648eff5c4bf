// The members of sorted sets by score: made when somebody asks, then kept up (decision 0006).
#include <algorithm>
#include <tuple>
#include <utility>

#include "crdt/mutants.h"
#include "crdt/sorted_set.h"
#include "server/replica/tables.h"

namespace starling::replica {
namespace {

// So many changes are noted before the index follows them: whoever reads next waits for few.
constexpr std::size_t most_noted = 256;

}  // namespace

StoreResult<ScoreIndex*> Tables::scores(const ObjectKey& object, Turns* turns) {
  auto found = scored_.find(object);
  if (found == scored_.end()) {
    auto made = make_scores(object, turns);
    if (!made) {
      return std::unexpected(made.error());
    }
    bool fresh = false;  // another may have made it between two turns
    std::tie(found, fresh) =
        scored_.emplace(object, Scored{std::move(*made), {}, most_noted, 0, 0});
    scored_bytes_ += fresh ? found->second.index.bytes() : 0;
  } else if (auto caught = catch_up(object, found->second); !caught) {
    drop_scores(object);
    return std::unexpected(caught.error());
  }
  found->second.used = ++scored_uses_;
  found->second.keepers += turns != nullptr ? 1 : 0;
  return &found->second.index;
}

void Tables::release_scores(const ObjectKey& object) {
  const auto found = scored_.find(object);
  if (found != scored_.end() && found->second.keepers > 0) {
    --found->second.keepers;
  }
}

StoreResult<ScoreIndex> Tables::make_scores(const ObjectKey& object, Turns* turns) {
  ScoreIndexBuilder builder;
  auto walked = for_each(
      object, CellName::first_at(CellKind::scored_totals), CellKind::scored_totals,
      [&](const CellName& name, const CellValue& value) {
        builder.increments(name, value);
        return Walk::on;
      },
      turns);
  if (walked) {
    walked = for_each(
        object, CellName::first_at(CellKind::scored_member), CellKind::scored_member,
        [&](const CellName& name, const CellValue& value) {
          builder.member(name, value);
          return Walk::on;
        },
        turns);
  }
  if (!walked) {
    return std::unexpected(walked.error());
  }
  auto made = builder.finish(turns);
  return made ? StoreResult<ScoreIndex>(std::move(*made)) : std::unexpected(stopped());
}

// A changed cell may be partial, and its other half cold: what the score is now is found out later,
// for whoever applies changes does not wait for the disk (R4.2).
void Tables::note_member(const CellKey& key) {
  if (scored_.empty() || object_type(key.cell.kind()) != ObjectType::sorted_set) {
    return;
  }
  const auto found = scored_.find(key.object);
  if (found == scored_.end()) {
    return;
  }
  Scored& scored = found->second;
  if (scored.noted.empty() || scored.noted.back() != key.cell.subkey()) {  // halves come in turn
    scored.noted.push_back(key.cell.subkey());
  }
  if (scored.noted.size() < scored.follow_at) {
    return;
  }
  follow(key.object, scored);
  scored.follow_at = 2 * scored.noted.size() + most_noted;
  // To read so many cells costs as much as to make the index anew.
  if (scored.noted.size() > scored.index.size() / 8 + 16 * most_noted) {
    drop_scores(key.object);
  }
}

void Tables::set_score(Scored& scored, const std::string& name, const CellValue& base,
                       const CellValue& increments) {
  const ScoreView view(std::get<DottedCell>(base), std::get<OriginTotals>(increments));
  const std::size_t before = scored.index.bytes();
  if (view.exists() || !mutant("score_kept")) {
    scored.index.put(name, view.score());
  }
  scored_bytes_ = scored_bytes_ + scored.index.bytes() - before;
}

// As far as memory tells.
void Tables::follow(const ObjectKey& object, Scored& scored) {
  std::erase_if(scored.noted, [&](const std::string& name) {
    const CellValue* base = in_memory({object, {CellKind::scored_member, name}});
    const CellValue* increments = in_memory({object, {CellKind::scored_totals, name}});
    if (base == nullptr || increments == nullptr) {
      return false;
    }
    set_score(scored, name, *base, *increments);
    return true;
  });
}

StoreResult<void> Tables::catch_up(const ObjectKey& object, Scored& scored) {
  for (const std::string& name : scored.noted) {
    const auto read_base = read({object, {CellKind::scored_member, name}});
    if (!read_base) {
      return std::unexpected(read_base.error());
    }
    const CellValue base = **read_base;
    const auto increments = read({object, {CellKind::scored_totals, name}});
    if (!increments) {
      return std::unexpected(increments.error());
    }
    set_score(scored, name, base, **increments);
  }
  scored.noted.clear();
  scored.follow_at = most_noted;
  return {};
}

void Tables::drop_scores(const ObjectKey& object) {
  const auto found = scored_.find(object);
  if (found != scored_.end()) {
    scored_bytes_ -= found->second.index.bytes();
    garbage_.add(std::move(found->second.index), found->second.index.size());
    scored_.erase(found);
  }
}

void Tables::shrink_scores(std::size_t goal) {
  while (scored_bytes_ > goal && !scored_.empty()) {
    const auto oldest = std::ranges::min_element(scored_, {}, [](const auto& entry) {
      return std::pair(entry.second.keepers > 0, entry.second.used);
    });
    if (oldest->second.keepers > 0) {
      return;
    }
    drop_scores(ObjectKey(oldest->first));
  }
}

}  // namespace starling::replica
