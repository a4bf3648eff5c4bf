// What replica_crash_child asks of a replica, request by request, and what the answers must be. All
// of it follows from a seed, so that both sides know it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/server/replica/commands.h"

namespace starling::test {

// The values as plain maps have them.
class PlainValues {
 public:
  void apply(const Command& command) {
    const List& args = command.args;
    switch (command.code) {
      case CommandCode::set:
        texts_[command.key] = args[0];
        break;
      case CommandCode::incr:
        numbers_[command.key] += command.number;
        break;
      case CommandCode::del:
        texts_.erase(command.key);
        numbers_.erase(command.key);
        sets_.erase(command.key);
        hashes_.erase(command.key);
        break;
      case CommandCode::set_add:
        sets_[command.key].insert(args.begin(), args.end());
        break;
      case CommandCode::set_remove:
        for (const std::string& element : args) {
          sets_[command.key].erase(element);
        }
        break;
      case CommandCode::hash_set:
        for (std::size_t i = 0; i < args.size(); i += 2) {
          hashes_[command.key][args[i]] = args[i + 1];
        }
        break;
      case CommandCode::hash_del:
        for (const std::string& field : args) {
          hashes_[command.key].erase(field);
        }
        break;
      case CommandCode::hash_incr: {
        std::string& value = hashes_[command.key][args[0]];
        value = std::to_string((value.empty() ? 0 : std::stoll(value)) + command.number);
        break;
      }
      default:
        break;
    }
  }

  // What a read command must answer.
  [[nodiscard]] Result answer(const Command& read) const {
    if (read.code == CommandCode::set_members) {
      const auto set = sets_.find(read.key);
      return set == sets_.end() ? List{} : List(set->second.begin(), set->second.end());
    }
    if (read.code == CommandCode::hash_get_all) {
      List fields;
      if (const auto hash = hashes_.find(read.key); hash != hashes_.end()) {
        for (const auto& [field, value] : hash->second) {
          fields.insert(fields.end(), {field, value});
        }
      }
      return fields;
    }
    if (const auto number = numbers_.find(read.key); number != numbers_.end()) {
      return std::to_string(number->second);
    }
    const auto text = texts_.find(read.key);
    return text == texts_.end() ? Result(Nil{}) : Result(text->second);
  }

 private:
  std::map<std::string, std::string> texts_;
  std::map<std::string, std::int64_t> numbers_;
  std::map<std::string, std::set<std::string>> sets_;
  std::map<std::string, std::map<std::string, std::string>> hashes_;
};

class ReplicaWorkload {
 public:
  static constexpr const char* counter = "requests";  // counts those that are done

  explicit ReplicaWorkload(std::uint64_t seed) : seed_(seed) {}

  // From 1 on. Its writes are one entry, so all of them are there or none.
  [[nodiscard]] std::vector<Command> request(std::uint64_t number) const {
    std::vector<Command> commands;
    for (std::uint64_t i = 1; i <= 4; ++i) {
      commands.push_back(any_command(mix(number, i)));
    }
    commands.push_back(incr(counter));
    return commands;
  }

  // Reads of everything there may be.
  [[nodiscard]] static std::vector<Command> reads() {
    std::vector<Command> reads{get(counter)};
    for (int i = 0; i < keys; ++i) {
      const std::string name = std::to_string(i);
      reads.insert(reads.end(), {get("text" + name), get("number" + name),
                                 set_members("set" + name), hash_get_all("hash" + name)});
    }
    return reads;
  }

  [[nodiscard]] PlainValues values_after(std::uint64_t requests) const {
    PlainValues values;
    for (std::uint64_t number = 1; number <= requests; ++number) {
      for (const Command& command : request(number)) {
        values.apply(command);
      }
    }
    return values;
  }

 private:
  static constexpr int keys = 24;  // of each type

  // Sorted sets, flags and deadlines too: they are compared with the log only.
  [[nodiscard]] static Command any_command(std::uint64_t bits) {
    const std::string key = std::to_string(bits / 64 % keys);
    const auto name = [&](int nth) { return "e" + std::to_string((bits >> (16 + 7 * nth)) % 48); };
    const auto number = static_cast<std::int64_t>(bits >> 40) - (1 << 23);
    const std::string text(40 + (bits >> 48) % 400, static_cast<char>('a' + (bits >> 40) % 26));
    switch (bits % 20) {
      case 0:
      case 1:
        return set("text" + key, text);
      case 2:
      case 3:
        return incr("number" + key, number);
      case 4:
      case 5:
      case 6:
      case 7:
        return set_add("set" + key, {name(0), name(1), name(2)});
      case 8:
        return set_remove("set" + key, {name(0), name(1)});
      case 9:
      case 10:
        return hash_set("hash" + key, {"f" + name(0), text});
      case 11:
      case 12:
        return hash_incr("hash" + key, "n" + name(0), number);
      case 13:
        return hash_del("hash" + key, {"f" + name(0), "n" + name(1)});
      case 14:
        return command(CommandCode::zset_add, "sorted" + key, {name(0), std::to_string(number)});
      case 15:
        return command(CommandCode::expire, "text" + key, {}, 1'000'000'000'000);
      case 16:
        return command(CommandCode::flag_enable, "flag" + key);
      case 17:
        return set_members("set" + key);  // a read, which brings cold cells back
      default: {
        constexpr const char* types[] = {"text", "number", "set", "hash", "sorted", "flag"};
        return bits % 20 == 18 ? hash_get_all("hash" + key) : del(types[bits / 1024 % 6] + key);
      }
    }
  }

  [[nodiscard]] std::uint64_t mix(std::uint64_t number, std::uint64_t i) const {
    std::uint64_t x = seed_ * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + i;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
    return x ^ (x >> 31);
  }

  std::uint64_t seed_;
};

}  // namespace starling::test
