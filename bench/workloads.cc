#include "bench/workloads.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "bench/resp.h"

namespace starling::bench {
namespace {

constexpr int mset_keys = 10;  // as redis-benchmark

// One word of a command is written in place: its length is known beforehand.
void append_numbered_word(std::string& out, std::string_view prefix, std::uint64_t number,
                          int digits) {
  out += '$';
  const fmt::format_int size(prefix.size() + static_cast<std::size_t>(digits));
  out.append(size.data(), size.size());
  out += "\r\n";
  append_numbered(out, prefix, number, digits);
  out += "\r\n";
}

void append_key(std::string& out, std::uint64_t number) {
  append_numbered_word(out, "key:", number, 12);
}

// Makes a stream out of a function of (out, random) that appends one command.
template <typename Append>
std::function<NextCommand(std::uint64_t)> drawn(const Append& append) {
  return [append](std::uint64_t seed) -> NextCommand {
    return [append, random = Random(seed)](std::string& out) mutable { append(out, random); };
  };
}

// The same out of a function of (out, random, index), in order.
template <typename Append>
std::function<NextCommand()> in_order(const Append& append) {
  return [append]() -> NextCommand {
    return [append, random = Random(7), index = std::uint64_t{0}](std::string& out) mutable {
      append(out, random, index++);
    };
  };
}

// Commands on strings.
std::vector<Workload> string_workloads(const WorkloadSizes& sizes,
                                       const std::shared_ptr<const Values>& values) {
  const std::uint64_t keys = sizes.keys;
  const auto set = [values](std::string& out, Random& random, std::uint64_t key) {
    append_head(out, 3);
    append_word(out, "SET");
    append_key(out, key);
    append_word(out, values->any(random));
  };
  const auto one_word = [](std::string& out, std::string_view command, std::uint64_t key) {
    append_head(out, 2);
    append_word(out, command);
    append_key(out, key);
  };
  const auto incr = [one_word](std::string& out, Random& /*random*/, std::uint64_t key) {
    one_word(out, "INCR", key);
  };
  std::vector<Workload> list;
  list.push_back({.name = "SET",
                  .command = "SET",
                  .has_value = true,
                  .commands = drawn([set, keys](std::string& out, Random& random) {
                    set(out, random, random.below(keys));
                  }),
                  .preload = in_order(set),
                  .preload_count = keys});
  list.push_back({.name = "GET",
                  .command = "GET",
                  .has_value = true,
                  .commands = drawn([one_word, keys](std::string& out, Random& random) {
                    one_word(out, "GET", random.below(keys));
                  }),
                  .preload = in_order(set),
                  .preload_count = keys,
                  .needs_preload = true});
  list.push_back({.name = "INCR",
                  .command = "INCR",
                  .commands = drawn([incr, keys](std::string& out, Random& random) {
                    incr(out, random, random.below(keys));
                  }),
                  .preload = in_order(incr),
                  .preload_count = keys});
  list.push_back({.name = "MSET",
                  .command = "MSET",
                  .has_value = true,
                  .commands = drawn([values, keys](std::string& out, Random& random) {
                    append_head(out, 1 + 2 * mset_keys);
                    append_word(out, "MSET");
                    for (int i = 0; i < mset_keys; ++i) {
                      append_key(out, random.below(keys));
                      append_word(out, values->any(random));
                    }
                  }),
                  .preload = in_order(set),
                  .preload_count = keys});
  return list;
}

// A command that adds to collections: on one key, and on many. `append` writes it for (out, random,
// key, member).
template <typename Append>
void add_collection(std::vector<Workload>& list, const WorkloadSizes& sizes,
                    const std::string& command, bool has_value, const Append& append) {
  const std::uint64_t members = sizes.keys;
  list.push_back(
      {.name = command,
       .command = command,
       .has_value = has_value,
       .commands = drawn([append, members](std::string& out, Random& random) {
         append(out, random, 0, random.below(members));
       }),
       .preload = in_order([append](std::string& out, Random& random, std::uint64_t index) {
         append(out, random, 0, index);
       }),
       .preload_count = members});
  const std::uint64_t keys = sizes.many_keys;
  const std::uint64_t each = sizes.members;
  list.push_back(
      {.name = command + "-many",
       .command = command,
       .has_value = has_value,
       .commands = drawn([append, keys, each](std::string& out, Random& random) {
         const std::uint64_t key = random.below(keys);
         append(out, random, key, random.below(each));
       }),
       .preload = in_order([append, keys](std::string& out, Random& random, std::uint64_t index) {
         append(out, random, index % keys, index / keys);
       }),
       .preload_count = keys * each});
}

void append_collection_head(std::string& out, std::string_view command, std::size_t words,
                            std::uint64_t key) {
  append_head(out, words);
  append_word(out, command);
  append_numbered_word(out, "collection:", key, 6);
}

void add_list_reader(std::vector<Workload>& list, const WorkloadSizes& sizes,
                     const std::shared_ptr<const Values>& values, const std::string& command,
                     const std::vector<std::string>& arguments, std::uint64_t length) {
  const auto push = [values](std::string& out, Random& random, std::uint64_t key) {
    append_collection_head(out, "LPUSH", 3, key);
    append_word(out, values->any(random));
  };
  for (const bool many : {false, true}) {
    const std::uint64_t keys = many ? sizes.many_keys : 1;
    const std::uint64_t each = many ? sizes.members : length;
    list.push_back(
        {.name = command + (many ? "-many" : ""),
         .command = command,
         .has_value = true,
         .commands = drawn([command, arguments, keys](std::string& out, Random& random) {
           append_collection_head(out, command, 2 + arguments.size(), random.below(keys));
           for (const std::string& argument : arguments) {
             append_word(out, argument);
           }
         }),
         .preload = in_order([push, keys](std::string& out, Random& random, std::uint64_t index) {
           push(out, random, index % keys);
         }),
         .preload_count = keys * each,
         .needs_preload = true});
  }
}

}  // namespace

Values::Values(std::size_t bytes) : bytes_(bytes) {
  Random random(42);
  text_.resize(std::max<std::size_t>(1 << 20, 4 * bytes));
  for (char& c : text_) {
    c = static_cast<char>('0' + random.below(75));
  }
}

void append_numbered(std::string& out, std::string_view prefix, std::uint64_t number, int digits) {
  const fmt::format_int text(number);
  out += prefix;
  out.append(
      static_cast<std::size_t>(digits) - std::min(text.size(), static_cast<std::size_t>(digits)),
      '0');
  out.append(text.data(), text.size());
}

std::vector<Workload> workloads(const WorkloadSizes& sizes) {
  const auto values = std::make_shared<const Values>(sizes.value_bytes);
  std::vector<Workload> list = string_workloads(sizes, values);
  add_collection(list, sizes, "SADD", false,
                 [](std::string& out, Random& /*random*/, std::uint64_t key, std::uint64_t member) {
                   append_collection_head(out, "SADD", 3, key);
                   append_numbered_word(out, "element:", member, 12);
                 });
  add_collection(
      list, sizes, "HSET", true,
      [values](std::string& out, Random& random, std::uint64_t key, std::uint64_t member) {
        append_collection_head(out, "HSET", 4, key);
        append_numbered_word(out, "field:", member, 12);
        append_word(out, values->any(random));
      });
  add_collection(list, sizes, "ZADD", false,
                 [](std::string& out, Random& random, std::uint64_t key, std::uint64_t member) {
                   append_collection_head(out, "ZADD", 4, key);
                   append_numbered_word(out, "", random.below(1'000'000), 6);
                   append_numbered_word(out, "element:", member, 12);
                 });
  add_collection(
      list, sizes, "LPUSH", true,
      [values](std::string& out, Random& random, std::uint64_t key, std::uint64_t /*member*/) {
        append_collection_head(out, "LPUSH", 3, key);
        append_word(out, values->any(random));
      });
  add_list_reader(list, sizes, values, "LPOP", {}, sizes.keys);
  add_list_reader(list, sizes, values, "LRANGE", {"0", "99"}, 1000);
  return list;
}

}  // namespace starling::bench
