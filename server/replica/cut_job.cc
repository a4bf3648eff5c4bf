// Pages of keys, pages of NDJSON and the audit digest, all read from an exact cut (R5.8).
#include <algorithm>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "crdt/hash.h"
#include "crdt/mutants.h"
#include "crdt/mv_register.h"
#include "crdt/sorted_set.h"
#include "crdt/string.h"
#include "crdt/varint.h"
#include "server/replica/bytes_json.h"
#include "server/replica/checkpoint.h"
#include "server/replica/jobs.h"
#include "server/replica/row_keys.h"
#include "server/replica/shown.h"

namespace starling::replica {
namespace {

// A larger collection spans several lines; an import joins them again.
constexpr std::size_t items_per_line = 4096;
constexpr std::size_t bytes_per_line = 1u << 20;

// One stored row, decoded.
struct Row {
  std::string stored_key;
  CellKey key;
  CellValue value;
};

class CutReader {
 public:
  CutReader(const Cut& cut, CutJobDone& done) : cut_(cut), done_(done) {}

  // The origin table and V of the cut.
  bool prepare() {
    const auto bytes = cut_.get(checkpoint_key());
    if (!bytes) {
      return fail(bytes.error());
    }
    if (!*bytes) {
      return true;  // nothing was ever written
    }
    const auto row = CheckpointRow::decode(**bytes);
    if (!row) {
      return fail({StoreError::Code::corruption, "the checkpoint row is damaged"});
    }
    for (const Origin& origin : row->origins) {
      origins_.intern(origin);
    }
    for (const auto& seal : row->seals) {
      done_.applied.seal(seal.node, seal.epoch);
    }
    for (const auto& [origin, stream] : row->streams) {
      done_.applied.advance({origin, stream.n});
    }
    return true;
  }

  void open(std::string_view from) { rows_ = cut_.scan(from, meta_prefix); }

  // The next cell; nullopt at the end or on an error.
  std::optional<Row> next() {
    if (!rows_->valid()) {
      if (const auto status = rows_->status(); !status) {
        fail(status.error());
      }
      return std::nullopt;
    }
    // Cells of another group do not exist: that is one of ours under a damaged key, where nobody
    // who reads would find it.
    const bool ours = ByteReader(rows_->key()).be<std::uint16_t>() == only_group;
    const auto key = ours ? decode_cell_key(rows_->key()) : std::nullopt;
    auto value = key ? decode_stored(key->cell.kind(), rows_->value(), origins_)
                     : std::expected<CellValue, std::string>(std::unexpected("damaged key"));
    if (!value) {
      fail({StoreError::Code::corruption,
            "a stored cell does not decode (" + value.error() +
                "); the disk is likely damaged; restore this node from its peers"});
      return std::nullopt;
    }
    Row row{std::string(rows_->key()), *key, std::move(*value)};
    rows_->next();
    return row;
  }

  bool fail(StoreError error) {
    done_.error = std::move(error);
    return false;
  }

 private:
  const Cut& cut_;
  CutJobDone& done_;
  OriginTable origins_;
  std::unique_ptr<RowIterator> rows_;
};

// The cells of one object (or of a part of a large one), turned into the line users see.
class ObjectLines {
 public:
  void add(const Row& row) {
    (void)shown_.see(row.key.cell, row.value);
    if (is_value(row.key.cell.kind()) && is_present(row.value)) {
      cells_[object_type(row.key.cell.kind())].push_back(row);
    }
  }

  [[nodiscard]] bool empty() const { return cells_.empty(); }

  // The type that readers see; none: its time is over, though nobody has killed it yet.
  [[nodiscard]] ObjectType visible(std::int64_t now_ms) const { return shown_.type(now_ms); }

  void write(std::int64_t now_ms, std::vector<std::string>& lines) const {
    const ObjectType type = visible(now_ms);
    const auto found = cells_.find(type);
    if (found == cells_.end()) {
      return;
    }
    const std::vector<Row>& rows = found->second;
    const ObjectKey& object = rows.front().key.object;
    const auto deadline = shown_.deadline();
    const auto left = deadline ? std::optional(*deadline - now_ms) : std::nullopt;
    switch (type) {
      case ObjectType::string:
        lines.push_back(line(object, type, left, [&](JsonWriter& json) {
          write_bytes(json, fields(rows).begin()->second.text());
        }));
        break;
      case ObjectType::flag:
        lines.push_back(line(object, type, left, [](JsonWriter& json) { json.value(true); }));
        break;
      case ObjectType::mv_register:
        lines.push_back(line(object, type, left, [&](JsonWriter& json) {
          json.begin_array();
          for (const std::string& value : mv_values(std::get<DottedCell>(rows.front().value))) {
            write_bytes(json, value);
          }
          json.end_array();
        }));
        break;
      case ObjectType::set: {
        std::vector<std::string> elements;
        for (const Row& row : rows) {
          elements.push_back(row.key.cell.subkey());
        }
        std::ranges::sort(elements);
        for (const auto part :
             parts(elements, [](const std::string& element) { return element.size(); })) {
          lines.push_back(line(object, type, left, [&](JsonWriter& json) {
            json.begin_array();
            for (const std::string& element : part) {
              write_bytes(json, element);
            }
            json.end_array();
          }));
        }
        break;
      }
      case ObjectType::hash: {
        const std::map<std::string, Field> by_name = fields(rows);
        std::vector<std::pair<std::string, std::string>> texts;
        for (const auto& [name, field] : by_name) {
          texts.emplace_back(name, field.text());
        }
        const auto size = [](const auto& f) { return f.first.size() + f.second.size(); };
        for (const auto part : parts(texts, size)) {
          lines.push_back(
              line(object, type, left, [&](JsonWriter& json) { write_fields(json, part); }));
        }
        break;
      }
      case ObjectType::sorted_set: {
        std::vector<std::pair<std::string, double>> members;
        for (const auto& [name, cells] : fields(rows)) {
          members.emplace_back(name, ScoreView(cells.base, cells.increments).score().value_or(0));
        }
        const auto size = [](const auto& member) { return member.first.size() + 24; };
        for (const auto part : parts(members, size)) {
          lines.push_back(
              line(object, type, left, [&](JsonWriter& json) { write_members(json, part); }));
        }
        break;
      }
      case ObjectType::none:
        break;
    }
  }

 private:
  // A register and the increments over it: the value of a string or of a hash field.
  struct Field {
    DottedCell base;
    OriginTotals increments;
    [[nodiscard]] std::string text() const {
      return StringView(base, increments).text().value_or("");
    }
  };
  static std::map<std::string, Field> fields(const std::vector<Row>& rows) {
    std::map<std::string, Field> fields;
    for (const Row& row : rows) {
      Field& field = fields[row.key.cell.subkey()];
      if (const auto* totals = std::get_if<OriginTotals>(&row.value)) {
        field.increments = *totals;
      } else {
        field.base = std::get<DottedCell>(row.value);
      }
    }
    return fields;
  }

  // Cuts items into spans that make lines of bounded size.
  template <typename Item, typename Size>
  static std::vector<std::span<const Item>> parts(const std::vector<Item>& items,
                                                  const Size& size) {
    std::vector<std::span<const Item>> parts;
    std::size_t begin = 0;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      bytes += size(items[i]);
      if (i + 1 == items.size() || i + 1 - begin == items_per_line || bytes >= bytes_per_line) {
        parts.push_back(std::span<const Item>(items).subspan(begin, i + 1 - begin));
        begin = i + 1;
        bytes = 0;
      }
    }
    return parts;
  }

  template <typename WriteValue>
  static std::string line(const ObjectKey& object, ObjectType type,
                          std::optional<std::int64_t> ttl_ms, const WriteValue& write_value) {
    JsonWriter json;
    json.begin_object();
    json.key("db").value(unsigned{object.db});
    json.key("key");
    write_bytes(json, object.key);
    json.key("type").value(type_name(type));
    json.key("value");
    write_value(json);
    if (ttl_ms) {
      json.key("ttl_ms").value(*ttl_ms);
    }
    json.end_object();
    return json.take();
  }

  // An object when every field name is text, a list of pairs otherwise.
  static void write_fields(JsonWriter& json,
                           std::span<const std::pair<std::string, std::string>> fields) {
    const bool plain = std::ranges::all_of(fields, [](const auto& f) { return is_utf8(f.first); });
    plain ? json.begin_object() : json.begin_array();
    for (const auto& [name, text] : fields) {
      if (plain) {
        json.key(name);
        write_bytes(json, text);
      } else {
        json.begin_array();
        write_bytes(json, name);
        write_bytes(json, text);
        json.end_array();
      }
    }
    plain ? json.end_object() : json.end_array();
  }

  // Pairs; a score is text, because JSON has no infinity.
  static void write_members(JsonWriter& json,
                            std::span<const std::pair<std::string, double>> members) {
    json.begin_array();
    for (const auto& [name, score] : members) {
      json.begin_array();
      write_bytes(json, name);
      json.value(format_score(score));
      json.end_array();
    }
    json.end_array();
  }

  std::map<ObjectType, std::vector<Row>> cells_;
  ShownFinder shown_;
};

// Calls `use` with each object in [cursor, …) and its cells until it returns false. Returns where
template <typename Use>
std::string walk_objects(CutReader& reader, const std::string& cursor, const Use& use) {
  reader.open(cursor);
  std::optional<Row> row = reader.next();
  while (row) {
    const ObjectKey object = row->key.object;
    ObjectLines lines;
    while (row && row->key.object == object) {
      lines.add(*row);
      row = reader.next();
    }
    if (!lines.empty() && !use(object, lines)) {
      return row ? encode_object_prefix(0, row->key.object) : std::string();
    }
  }
  return {};
}

}  // namespace

CutJobDone CutJob::run(const Store& store) const {
  CutJobDone done;
  done.id = params_.id;
  done.kind = params_.kind;
  done.cut = params_.cut ? params_.cut : std::shared_ptr<const Cut>(store.cut());
  CutReader reader(*done.cut, done);
  if (!reader.prepare()) {
    return done;
  }
  switch (params_.kind) {
    case CutJobKind::scan:
      done.next_cursor = walk_objects(
          reader, params_.cursor, [&](const ObjectKey& object, const ObjectLines& seen) {
            if (object.db == params_.db && seen.visible(params_.now_ms) != ObjectType::none &&
                object.key.starts_with(params_.prefix) &&
                !(mutant("scan_forgets") && done.items.size() + 1 == params_.limit)) {
              done.items.push_back(object.key);
            }
            return done.items.size() < params_.limit;
          });
      break;
    case CutJobKind::export_: {
      std::size_t bytes = 0;
      done.next_cursor =
          walk_objects(reader, params_.cursor, [&](const ObjectKey&, const ObjectLines& lines) {
            const std::size_t before = done.items.size();
            lines.write(params_.now_ms, done.items);
            for (std::size_t i = before; i < done.items.size(); ++i) {
              bytes += done.items[i].size();
            }
            return bytes < params_.limit;
          });
      break;
    }
    case CutJobKind::digest: {
      reader.open({});
      while (const auto row = reader.next()) {
        done.digest += digest_of(row->key, row->value);
        ++done.cells;
      }
      break;
    }
  }
  return done;
}

}  // namespace starling::replica
