// One command under the specification: what it answers, what it leaves, what it takes away.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "tests/sim/oracle.h"

namespace starling::sim {

[[nodiscard]] std::int64_t clamped(Int128 value);

// The verbs that commands of both doors are made of.
class Act {
 public:
  using Part = Oracle::Part;
  using Rule = Oracle::Rule;
  using Object = Oracle::Object;
  using Number = Oracle::Number;

  Act(Oracle& oracle, ObjectKey key, const Oracle::View& view, Oracle::Answer& answer)
      : oracle_(oracle), key_(std::move(key)), view_(view), answer_(answer) {
    look();
    note();
  }

  // What shows under the key; what has expired does not.
  [[nodiscard]] const Object& object() const { return object_; }
  [[nodiscard]] ObjectType type() const { return object_.visible(); }
  [[nodiscard]] bool exists() const { return type() != ObjectType::none; }
  [[nodiscard]] bool wrong(ObjectType wanted) const { return exists() && type() != wanted; }
  [[nodiscard]] std::optional<std::int64_t> deadline() const;  // nullopt: none, or persistent
  [[nodiscard]] std::int64_t now_ms() const { return view_.time_ms; }
  [[nodiscard]] std::uint8_t db() const { return key_.db; }
  void look();  // again
  [[nodiscard]] Act other(const std::string& key) const {
    return {oracle_, {key_.db, key}, view_, answer_};
  }
  void wrote() { answer_.wrote = true; }

  // Before something is written into the object: what has expired goes, and so does a deadline that
  // a key before this one left behind.
  void create(ObjectType type);
  // In place of everything else.
  void clear_for(ObjectType type, bool keep_deadline);
  void erase();                  // everything that is seen
  void settle(ObjectType type);  // the last item may have gone
  void take_part(Part part, const std::string& sub = {});
  void take_deadline();
  void set_deadline(std::int64_t unix_ms);
  void leave(Oracle::Atom atom);
  void leave_value(Part part, ObjectType type, const std::string& sub, std::string bytes);

  // What some commands are, whichever door they come through.
  wire::Result add(const Number& number, Part part, const std::string& sub, std::int64_t delta);
  void set_string(const std::string& text, bool keep_deadline);
  std::int64_t add_elements(std::span<const std::string> elements);
  std::int64_t remove_elements(std::span<const std::string> elements);
  std::int64_t set_fields(std::span<const std::string> pairs);
  std::int64_t remove_fields(std::span<const std::string> fields);
  wire::Result add_to_field(const std::string& field, std::int64_t delta);
  [[nodiscard]] std::vector<std::string> elements() const;
  [[nodiscard]] std::vector<std::string> fields() const;

  // Everything in a database, or in all.
  void flush(std::optional<std::uint8_t> db);
  [[nodiscard]] std::int64_t count_keys() const;

 private:
  void make_way();
  void note();  // what is worth counting

  Oracle& oracle_;
  ObjectKey key_;
  const Oracle::View& view_;
  Oracle::Answer& answer_;
  Object object_;
};

[[nodiscard]] wire::Result act(Oracle& oracle, const wire::Command& command,
                               const Oracle::View& view, Oracle::Answer& answer);
[[nodiscard]] wire::Result act_at_native_door(Act& act, const wire::Command& command);
// nullopt: the specification does not know this command.
[[nodiscard]] std::optional<wire::Result> act_at_redis_door(Act& act, const wire::Command& command);

}  // namespace starling::sim
