// Typed handles: one object under one key. They are small values that name the object; making one
// sends nothing.
//
// The same handles serve three faces. Face::call<T>(command, options) returns
//   Client       Result<T>                      it blocks
//   AsyncClient  asio::awaitable<Result<T>>     co_await it
//   Batch        Slot<T>                        it is collected; see Batch
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <starling/command.h>
#include <starling/options.h>

namespace starling {

// What all handles have. The face must outlive the handle.
template <typename Face, template <typename> typename Handle>
class BasicHandle {
 public:
  BasicHandle(Face& face, std::string key, std::uint8_t db)
      : face_(&face), key_(std::move(key)), db_(db) {}

  // The same object, with other options for the calls made through this handle. In a batch they
  // have no effect: the batch has its own.
  [[nodiscard]] Handle<Face> with(CallOptions options) const {
    Handle<Face> handle = static_cast<const Handle<Face>&>(*this);
    handle.options_ = options;
    return handle;
  }
  [[nodiscard]] const std::string& key() const { return key_; }

  // True if there was something to delete. Removes what this node has seen and nothing else.
  auto del() const { return call<bool>(CommandCode::del); }

 protected:
  template <typename T>
  auto call(CommandCode code, std::vector<std::string> args = {}, std::int64_t number = 0) const {
    return face_->template call<T>(Command{code, db_, key_, std::move(args), number}, options_);
  }

 private:
  Face* face_;
  std::string key_;
  std::uint8_t db_;
  CallOptions options_;
};

// Bytes. Of concurrent writes the later one is read; `kvctl why` shows the other.
template <typename Face>
class StringHandle : public BasicHandle<Face, StringHandle> {
 public:
  using BasicHandle<Face, StringHandle>::BasicHandle;
  auto get() const { return this->template call<std::optional<std::string>>(CommandCode::get); }
  auto set(std::string value) const {
    return this->template call<void>(CommandCode::set, {std::move(value)});
  }
};

// A 64-bit sum: concurrent increments all count. The same key as a string that holds an integer.
template <typename Face>
class CounterHandle : public BasicHandle<Face, CounterHandle> {
 public:
  using BasicHandle<Face, CounterHandle>::BasicHandle;
  // The sum as this node sees it; not an id generator.
  auto add(std::int64_t delta) const {
    return this->template call<std::int64_t>(CommandCode::incr, {}, delta);
  }
  // Nothing if nobody has added anything.
  auto get() const { return this->template call<std::optional<std::int64_t>>(CommandCode::get); }
};

// Of a concurrent add and remove of one element the add wins.
template <typename Face>
class SetHandle : public BasicHandle<Face, SetHandle> {
 public:
  using BasicHandle<Face, SetHandle>::BasicHandle;
  // How many were not there.
  auto add(std::vector<std::string> elements) const {
    return this->template call<std::int64_t>(CommandCode::set_add, std::move(elements));
  }
  // How many were there.
  auto remove(std::vector<std::string> elements) const {
    return this->template call<std::int64_t>(CommandCode::set_remove, std::move(elements));
  }
  auto has(std::string element) const {
    return this->template call<bool>(CommandCode::set_has, {std::move(element)});
  }
  auto members() const {
    return this->template call<std::vector<std::string>>(CommandCode::set_members);
  }
  // How many elements there are; costs the same for any number.
  auto size() const { return this->template call<std::int64_t>(CommandCode::set_size); }
};

// Every field is a string or counter of its own.
template <typename Face>
class HashHandle : public BasicHandle<Face, HashHandle> {
 public:
  using BasicHandle<Face, HashHandle>::BasicHandle;
  auto get(std::string field) const {
    return this->template call<std::optional<std::string>>(CommandCode::hash_get,
                                                           {std::move(field)});
  }
  // True if the field is new.
  auto set(std::string field, std::string value) const {
    return this->template call<bool>(CommandCode::hash_set, {std::move(field), std::move(value)});
  }
  // How many of them are new.
  auto set(const Fields& fields) const {
    std::vector<std::string> args;
    for (const auto& [field, value] : fields) {
      args.push_back(field);
      args.push_back(value);
    }
    return this->template call<std::int64_t>(CommandCode::hash_set, std::move(args));
  }
  auto add(std::string field, std::int64_t delta) const {
    return this->template call<std::int64_t>(CommandCode::hash_incr, {std::move(field)}, delta);
  }
  // How many were there.
  auto remove(std::vector<std::string> fields) const {
    return this->template call<std::int64_t>(CommandCode::hash_del, std::move(fields));
  }
  auto all() const { return this->template call<Fields>(CommandCode::hash_get_all); }
  // How many fields there are; costs the same for any number.
  auto size() const { return this->template call<std::int64_t>(CommandCode::hash_size); }
};

// Of a concurrent enable and disable the enable wins.
template <typename Face>
class FlagHandle : public BasicHandle<Face, FlagHandle> {
 public:
  using BasicHandle<Face, FlagHandle>::BasicHandle;
  auto enable() const { return this->template call<void>(CommandCode::flag_enable); }
  auto disable() const { return this->template call<void>(CommandCode::flag_disable); }
  auto get() const { return this->template call<bool>(CommandCode::flag_get); }
};

// Keeps all concurrent values for the reader to merge; a write replaces those it has seen.
template <typename Face>
class MvRegisterHandle : public BasicHandle<Face, MvRegisterHandle> {
 public:
  using BasicHandle<Face, MvRegisterHandle>::BasicHandle;
  auto set(std::string value) const {
    return this->template call<void>(CommandCode::mv_set, {std::move(value)});
  }
  auto values() const { return this->template call<std::vector<std::string>>(CommandCode::mv_get); }
};

// The verbs that every face offers.
template <typename Face>
class Verbs {
 public:
  auto string(std::string key, std::uint8_t db = 0) {
    return StringHandle<Face>(self(), std::move(key), db);
  }
  auto counter(std::string key, std::uint8_t db = 0) {
    return CounterHandle<Face>(self(), std::move(key), db);
  }
  auto set(std::string key, std::uint8_t db = 0) {
    return SetHandle<Face>(self(), std::move(key), db);
  }
  auto hash(std::string key, std::uint8_t db = 0) {
    return HashHandle<Face>(self(), std::move(key), db);
  }
  auto flag(std::string key, std::uint8_t db = 0) {
    return FlagHandle<Face>(self(), std::move(key), db);
  }
  auto mv_register(std::string key, std::uint8_t db = 0) {
    return MvRegisterHandle<Face>(self(), std::move(key), db);
  }

  auto del(std::string key, std::uint8_t db = 0) {
    return self().template call<bool>(Command{CommandCode::del, db, std::move(key), {}, 0});
  }
  auto exists(std::string key, std::uint8_t db = 0) {
    return self().template call<bool>(Command{CommandCode::exists, db, std::move(key), {}, 0});
  }
  // "none" if there is nothing.
  auto type(std::string key, std::uint8_t db = 0) {
    return self().template call<std::string>(Command{CommandCode::type, db, std::move(key), {}, 0});
  }
  // Keys that begin with `prefix`, in no useful order. Begin with an empty cursor.
  auto scan(std::string prefix, std::string cursor, std::int64_t limit = 1'000,
            std::uint8_t db = 0) {
    return self().template call<Page>(
        Command{CommandCode::scan, db, std::move(prefix), {std::move(cursor)}, limit});
  }

 private:
  friend Face;
  Verbs() = default;
  Face& self() { return static_cast<Face&>(*this); }
};

}  // namespace starling
