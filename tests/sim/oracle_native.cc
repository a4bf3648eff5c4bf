// The specification of the native door's commands.
#include <utility>

#include "tests/sim/oracle_act.h"

namespace starling::sim {

using wire::Command;
using wire::CommandCode;
using wire::Error;
using wire::ErrorCode;
using wire::Nil;
using wire::Ok;
using wire::Result;

namespace {

ObjectType type_of(CommandCode code) {
  switch (code) {
    case CommandCode::get:
    case CommandCode::incr:
      return ObjectType::string;
    case CommandCode::set_add:
    case CommandCode::set_remove:
    case CommandCode::set_has:
    case CommandCode::set_members:
    case CommandCode::set_size:
      return ObjectType::set;
    case CommandCode::hash_set:
    case CommandCode::hash_get:
    case CommandCode::hash_del:
    case CommandCode::hash_get_all:
    case CommandCode::hash_size:
    case CommandCode::hash_incr:
      return ObjectType::hash;
    case CommandCode::flag_enable:
    case CommandCode::flag_disable:
    case CommandCode::flag_get:
      return ObjectType::flag;
    case CommandCode::mv_set:
    case CommandCode::mv_get:
      return ObjectType::mv_register;
    default:
      return ObjectType::none;  // any
  }
}

Result text_of(const std::optional<std::string>& text) { return text ? Result(*text) : Nil{}; }

}  // namespace

Result act_at_native_door(Act& act, const Command& command) {
  const Act::Object& object = act.object();
  if (const ObjectType wanted = type_of(command.code);
      wanted != ObjectType::none && act.wrong(wanted)) {
    return Error{ErrorCode::wrong_type, {}};
  }
  switch (command.code) {
    case CommandCode::get:
      return text_of(object.string.text());
    case CommandCode::set:
      act.set_string(command.args.at(0), false);
      return Ok{};
    case CommandCode::incr:
      return act.add(object.string, Act::Part::string_increment, {}, command.number);
    case CommandCode::del:
      if (!act.exists()) {
        return std::int64_t{0};
      }
      act.erase();
      return std::int64_t{1};
    case CommandCode::exists:
      return std::int64_t{act.exists() ? 1 : 0};
    case CommandCode::type:
      return std::string(type_name(act.type()));

    case CommandCode::set_add:
      return act.add_elements(command.args);
    case CommandCode::set_remove:
      return act.remove_elements(command.args);
    case CommandCode::set_has:
      return std::int64_t{object.elements.contains(command.args.at(0)) ? 1 : 0};
    case CommandCode::set_members:
      return act.elements();
    case CommandCode::set_size:
      return static_cast<std::int64_t>(object.elements.size());

    case CommandCode::hash_set:
      return act.set_fields(command.args);
    case CommandCode::hash_get: {
      const auto field = object.fields.find(command.args.at(0));
      return field == object.fields.end() ? Result(Nil{}) : text_of(field->second.text());
    }
    case CommandCode::hash_del:
      return act.remove_fields(command.args);
    case CommandCode::hash_get_all:
      return act.fields();
    case CommandCode::hash_size:
      return static_cast<std::int64_t>(object.fields.size());
    case CommandCode::hash_incr:
      return act.add_to_field(command.args.at(0), command.number);

    case CommandCode::flag_enable:
      act.create(ObjectType::flag);
      act.leave_value(Act::Part::flag, ObjectType::flag, {}, {});
      return Ok{};
    case CommandCode::flag_disable:
      if (object.flag) {
        act.take_part(Act::Part::flag);
        act.settle(ObjectType::flag);
        act.wrote();
      }
      return Ok{};
    case CommandCode::flag_get:
      return std::int64_t{object.flag ? 1 : 0};

    case CommandCode::mv_set:
      act.create(ObjectType::mv_register);
      act.leave_value(Act::Part::mv_value, ObjectType::mv_register, {}, command.args.at(0));
      return Ok{};
    case CommandCode::mv_get: {
      std::vector<std::string> values;
      for (const auto& [bytes, hlc] : object.mv) {
        values.push_back(bytes);
      }
      return values;
    }
    default:
      return Error{ErrorCode::unsupported, {}};
  }
}

}  // namespace starling::sim
