#include "server/replica/packed.h"

#include <algorithm>
#include <new>

#include "crdt/varint.h"

namespace starling::replica {
namespace {

// What follows was put there by put_row.
Packed::Row read_row(ByteReader& in) {
  const auto kind = static_cast<CellKind>(in.u8());
  const std::string_view subkey = in.bytes();
  return {kind, subkey, in.bytes()};
}

}  // namespace

void Packed::Delete::operator()(Packed* packed) const {
  packed->~Packed();
  ::operator delete(packed);
}

void Packed::put_row(std::string& rows, const Row& row) {
  put_u8(rows, static_cast<std::uint8_t>(row.kind));
  put_bytes(rows, row.subkey);
  put_bytes(rows, row.cell);
}

Packed::Ptr Packed::make(const ObjectKey& key, std::string_view rows) {
  void* const room = ::operator new(sizeof(Packed) + key.key.size() + rows.size());
  return Ptr(new (room) Packed(key, rows));
}

Packed::Packed(const ObjectKey& key, std::string_view rows)
    : Kept(true),
      db_(key.db),
      key_size_(static_cast<std::uint32_t>(key.key.size())),
      rows_size_(static_cast<std::uint32_t>(rows.size())) {
  char* const to = reinterpret_cast<char*>(this + 1);
  std::ranges::copy(rows, std::ranges::copy(key.key, to).out);
}

void Packed::for_each(const std::function<void(const Row&)>& visit) const {
  for (ByteReader in(rows()); !in.at_end();) {
    visit(read_row(in));
  }
}

std::string_view Packed::cell(CellKind kind) const {
  for (ByteReader in(rows()); !in.at_end();) {
    const Row row = read_row(in);
    if (row.kind == kind) {
      return row.cell;
    }
  }
  return {};
}

}  // namespace starling::replica
