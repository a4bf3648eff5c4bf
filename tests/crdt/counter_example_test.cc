// What others got wrong, by the name of the report (docs: reliability, table A3), and the family of
// commands that undo and redo each other inside one entry.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/crdt/random_values.h"
#include "tests/crdt/replica.h"

namespace starling::test {
namespace {

using Set = std::set<std::string>;

const Origin a_origin = origin_of(1);

}  // namespace

TEST_CASE(
    "riak_dt #82: an element added twice and removed at both places is gone after any merge") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  Replica c(origin_of(3));
  a.add("s", "x");
  b.add("s", "x");
  send(a, c);
  a.remove("s", "x");
  send(b, a);
  b.remove("s", "x");
  send(a, c);
  exchange(a, b);
  exchange(b, c);
  exchange(a, c);
  CHECK(a.elements("s").empty());
  CHECK(b.elements("s").empty());
  CHECK(c.elements("s").empty());
  CHECK(a == b);
  CHECK(b == c);
  a.checkpoint();
  CHECK(a.stored_cells() == 0);
}

TEST_CASE("riak_dt #78: a remove and a concurrent add of another element both take effect") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  a.add("s", "foo");
  a.add("s", "bar");
  b.add("s", "baz");
  exchange(a, b);
  a.remove("s", "bar");
  exchange(a, b);
  CHECK(a.elements("s") == Set{"foo", "baz"});
  CHECK(a == b);
}

TEST_CASE(
    "riak_dt #53: two concurrent removes of a counter field reset it once, an unseen increment "
    "stays") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  Replica c(origin_of(3));
  a.hincr("h", "f", 10);
  exchange(a, b);
  send(a, c);
  a.hdel("h", "f");
  b.hdel("h", "f");
  c.hincr("h", "f", 3);
  for (int round = 0; round < 2; ++round) {
    exchange(a, b);
    exchange(b, c);
    exchange(a, c);
  }
  CHECK(a.hget("h", "f") == "3");
  CHECK(a == b);
  CHECK(b == c);
}

TEST_CASE(
    "embedded counters (Baquero et al. 2016): removing and recreating a counter field does not "
    "bring its past back") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  a.hincr("h", "f", 5);
  exchange(a, b);
  a.del("h");
  a.hincr("h", "f", 1);
  b.hincr("h", "f", 2);
  exchange(a, b);
  CHECK(a.hget("h", "f") == "3");
  CHECK(a == b);
}

TEST_CASE("riak_dt #82 for flags: both sides were on, both were switched off concurrently") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  Replica c(origin_of(3));
  a.enable("f");
  b.enable("f");
  send(a, c);
  a.disable("f");
  send(b, a);
  b.disable("f");
  send(a, c);
  exchange(a, b);
  exchange(b, c);
  exchange(a, c);
  CHECK_FALSE(a.is_on("f"));
  CHECK_FALSE(c.is_on("f"));
  CHECK(a == b);
  CHECK(b == c);
}

TEST_CASE("riak_dt #133: equality and digest ignore the order in which things arrived") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  Replica c(origin_of(3));
  a.assign("r", "x");
  b.assign("r", "y");
  c.assign("r", "z");
  a.incr("n", 1);
  c.incr("n", 2);
  Replica forward(origin_of(8));
  Replica backward(origin_of(9));
  for (const Replica* from : {&a, &b, &c}) {
    send(*from, forward);
  }
  for (const Replica* from : {&c, &b, &a}) {
    send(*from, backward);
  }
  CHECK(forward == backward);
  CHECK(forward.cell({{0, "r"}, {CellKind::mv_register, ""}}) ==
        backward.cell({{0, "r"}, {CellKind::mv_register, ""}}));
}

TEST_CASE(
    "riak_kv #679, #1094, #1643: a node that lost its disk writes under a new origin and its write "
    "survives") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  a.add("s", "old");
  a.set("k", "old");
  exchange(a, b);
  b.remove("s", "old");
  const Origin before = a.origin();
  a.forget_everything();
  CHECK(a.origin() != before);
  a.add("s", "new");  // its first operation again, but not the same dot
  a.set("k", "new");
  a.incr("n", 1);
  exchange(a, b);
  CHECK(b.elements("s") == Set{"new"});
  CHECK(b.siblings("k") == 2);  // concurrent with what it forgot: both are kept
  CHECK(b.get("n") == "1");
}

TEST_CASE(
    "riak_kv #679: the same dot given out twice would swallow the second write; the hash of the "
    "stream shows it") {
  Replica first(a_origin);
  Replica clone(a_origin);  // what a new origin at every start rules out
  Replica b(origin_of(2));
  first.add("s", "x");
  clone.add("s", "y");
  send(first, b);
  send(clone, b);
  CHECK(b.elements("s") == Set{"x"});
  CHECK(first.streams().at(a_origin).n == clone.streams().at(a_origin).n);
  CHECK(first.streams().at(a_origin).hash != clone.streams().at(a_origin).hash);
}

TEST_CASE(
    "riak_kv doomstone: a delete that arrives late does not take the value written after it") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  Replica fallback(origin_of(3));
  a.set("k", "old");
  send(a, b);
  send(a, fallback);
  b.del("k");
  exchange(a, b);
  a.set("k", "new");
  send(a, fallback);  // has to wait for the delete that it saw
  CHECK(fallback.get("k") == "old");
  send(b, fallback);
  CHECK(fallback.get("k") == "new");
  exchange(a, b);
  CHECK(b.get("k") == "new");
  CHECK(fallback == b);
}

TEST_CASE("riak_kv #1027: origins differ by 64 bits of node and 32 of nonce, not by time alone") {
  Replica a(origin_of(0xA1, 100, 1));
  Replica b(origin_of(0xA1, 100, 2));  // same node id, same second: a cloned disk
  a.add("s", "x");
  b.add("s", "y");
  exchange(a, b);
  CHECK(a.elements("s") == Set{"x", "y"});
  CHECK(a == b);
}

TEST_CASE("Akka #22188, #22606: deltas out of order leave no holes that act as removes") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  a.add("s", "x");
  a.add("s", "y");
  a.add("s", "z");
  const auto sent = a.sent();
  b.receive(sent[2]);
  b.receive(sent[1]);
  CHECK(b.elements("s").empty());
  CHECK(b.held().size() == 2);
  b.add("s", "mine");
  b.receive(sent[0]);
  CHECK(b.held().empty());
  CHECK(b.elements("s") == Set{"mine", "x", "y", "z"});
}

TEST_CASE(
    "Akka #22631, #22648: a remove delta merged into deltas of other elements gives what the full "
    "state gives") {
  Replica a(origin_of(1));
  Replica warm(origin_of(2));
  Replica cold(origin_of(3), true);  // joins deltas with deltas before it sees the state
  a.add("s", "x");
  a.add("s", "y");
  a.hset("h", "f", "1");
  a.hset("h", "g", "2");
  send(a, warm);
  send(a, cold);
  cold.checkpoint();
  a.remove("s", "x");
  a.add("s", "x");
  a.remove("s", "y");
  a.hdel("h", "f");
  a.hset("h", "f", "3");
  a.hdel("h", "g");
  send(a, warm);
  send(a, cold);
  CHECK(cold.elements("s") == Set{"x"});
  CHECK(cold.fields("h") == std::map<std::string, std::string>{{"f", "3"}});
  CHECK(warm == cold);
  CHECK(a == cold);
}

TEST_CASE(
    "Akka #22890: removes, re-adds and full states in turn, on four replicas, end in the right "
    "set") {
  std::vector<Replica> replicas;
  for (std::uint64_t node = 1; node <= 4; ++node) {
    replicas.emplace_back(origin_of(node), node % 2 == 0);
  }
  for (int round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < replicas.size(); ++i) {
      const std::string element = std::to_string((round + static_cast<int>(i)) % 5);
      round % 3 == 0 ? replicas[i].remove("s", element) : replicas[i].add("s", element);
      exchange(replicas[i], replicas[(i + static_cast<std::size_t>(round)) % replicas.size()]);
      if (round % 7 == 0) {
        replicas[i].checkpoint();
      }
    }
  }
  replicas[0].add("s", "last");
  for (Replica& from : replicas) {
    for (Replica& to : replicas) {
      exchange(from, to);
    }
  }
  for (const Replica& replica : replicas) {
    CHECK(replica.elements("s").contains("last"));
    CHECK(replica == replicas[0]);
  }
}

TEST_CASE("Antidote #201: mutual dependencies between three replicas drain completely") {
  std::vector<Replica> replicas;
  for (std::uint64_t node = 1; node <= 3; ++node) {
    replicas.emplace_back(origin_of(node));
  }
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < 3; ++i) {
      replicas[i].incr("n");
      send(replicas[i], replicas[(i + 1) % 3]);
    }
  }
  Replica late(origin_of(9));
  for (const Replica& from : replicas) {
    auto sent = from.sent();
    std::ranges::reverse(sent);
    for (const Sent& message : sent) {
      late.receive(message);
    }
  }
  CHECK(late.held().empty());
  CHECK(late.get("n") == "60");
}

TEST_CASE(
    "Antidote #420, #489: who was cut off, or restarted while it caught up, ends with all of it") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  Replica cut_off(origin_of(3));
  for (int round = 0; round < 20; ++round) {
    a.incr("n");
    a.add("s", std::to_string(round));
    exchange(a, b);
    b.incr("n");
    b.remove("s", std::to_string(round));
  }
  cut_off.incr("n");  // it served its clients meanwhile
  cut_off.add("s", "here");
  // The newest come first, and wait; with the restart what waits is gone, what was applied is not.
  const std::vector<Sent> newest(b.sent().begin() + 10, b.sent().end());
  for (const Sent& message : newest) {
    cut_off.receive(message);
  }
  cut_off.receive(a.sent().front());
  CHECK(cut_off.held().size() == newest.size());
  for (const Sent& message : newest) {
    cut_off.drop_held(message);
  }
  cut_off.restart();
  cut_off.incr("n");
  for (Replica* replica : {&a, &b, &cut_off, &a, &b}) {
    for (Replica* to : {&a, &b, &cut_off}) {
      send(*replica, *to);
    }
  }
  CHECK(cut_off.held().empty());
  CHECK(cut_off.get("n") == "42");
  CHECK(cut_off.elements("s") == Set{"here"});
  CHECK(a == b);
  CHECK(b == cut_off);
}

TEST_CASE(
    "riak_dt counter-example file: operations on a map give the same map in whatever order they "
    "arrive") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  a.hset("m", "f", "1");
  b.hset("m", "f", "2");
  send(a, b);
  b.hdel("m", "f");
  a.hincr("m", "f", 5);
  a.hincr("m", "g");
  b.del("m");
  b.hincr("m", "g", 10);
  std::vector<Sent> list = a.sent();
  list.insert(list.end(), b.sent().begin(), b.sent().end());
  exchange(a, b);
  REQUIRE(a == b);
  std::ranges::sort(list);  // the first of all permutations
  bool cold = false;
  do {
    Replica listener(origin_of(9), cold);
    for (const Sent& message : list) {
      listener.receive(message);
    }
    REQUIRE(listener.held().empty());
    REQUIRE(listener == a);
    cold = !cold;
  } while (std::ranges::next_permutation(list).found);
}

TEST_CASE(
    "rust-crdt #35: joins of cells inside a hash do not reuse each other's clock, so adds "
    "survive") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  Replica c(origin_of(3));
  a.hset("h", "f", "1");
  b.hset("h", "g", "2");
  exchange(a, b);
  b.hdel("h", "f");
  c.hset("h", "f", "3");
  c.hset("h", "g", "4");
  for (int round = 0; round < 2; ++round) {
    exchange(b, c);
    exchange(a, c);
    exchange(a, b);
  }
  CHECK(a.hget("h", "f") == "3");
  CHECK(a.hget("h", "g").has_value());
  CHECK(a == b);
  CHECK(b == c);
}

TEST_CASE("cblp/crdt #18: a remove commutes with a concurrent add of the same element") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  a.add("s", "x");
  exchange(a, b);
  a.remove("s", "x");
  b.add("s", "x");
  Replica remove_first(origin_of(8));
  Replica add_first(origin_of(9));
  send(a, remove_first);
  send(b, remove_first);
  remove_first.receive(b.sent()[0]);
  add_first.receive(a.sent()[0]);
  send(b, add_first);
  send(a, add_first);
  CHECK(remove_first.elements("s") == Set{"x"});
  CHECK(add_first.elements("s") == Set{"x"});
  CHECK(remove_first == add_first);
}

// -- commands that undo and redo each other, in one entry and in one entry each --

namespace {

// Runs `commands` on one replica in one entry or several, while another writes concurrently and
// a third only listens; returns the listener after all is delivered.
template <typename Commands, typename Before>
Replica listener_after(bool one_entry, Before before, Commands commands) {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  before(a);
  exchange(a, b);
  if (one_entry) {
    a.begin();
  }
  commands(a);
  if (one_entry) {
    a.commit();
  }
  Replica warm(origin_of(8));
  Replica cold(origin_of(9), true);
  for (Replica* listener : {&warm, &cold, &b}) {
    send(a, *listener);
    send(a, *listener);  // twice is once
  }
  REQUIRE(warm == a);
  REQUIRE(cold == a);
  REQUIRE(b == a);
  return warm;
}

}  // namespace

TEST_CASE("SADD/SREM/SADD ends with the element, in one entry and in three") {
  for (const bool one_entry : {true, false}) {
    const Replica after = listener_after(
        one_entry, [](Replica&) {},
        [](Replica& a) {
          a.add("s", "x");
          a.remove("s", "x");
          a.add("s", "x");
        });
    CHECK(after.elements("s") == Set{"x"});
  }
}

TEST_CASE(
    "SREM/SADD/SREM of an element that was there ends without it, in one entry and in three") {
  for (const bool one_entry : {true, false}) {
    const Replica after = listener_after(
        one_entry, [](Replica& a) { a.add("s", "x"); },
        [](Replica& a) {
          a.remove("s", "x");
          a.add("s", "x");
          a.remove("s", "x");
        });
    CHECK(after.elements("s").empty());
  }
}

TEST_CASE("INCR/DEL/INCR counts only the last, in one entry and in three") {
  for (const bool one_entry : {true, false}) {
    const Replica after = listener_after(
        one_entry, [](Replica& a) { a.incr("k", 100); },
        [](Replica& a) {
          a.incr("k", 10);
          a.del("k");
          a.incr("k", 1);
        });
    CHECK(after.get("k") == "1");
  }
}

TEST_CASE("SADD/DEL/SADD keeps only what was added after the DEL, in one entry and in three") {
  for (const bool one_entry : {true, false}) {
    const Replica after = listener_after(
        one_entry, [](Replica& a) { a.add("s", "old"); },
        [](Replica& a) {
          a.add("s", "x");
          a.add("s", "y");
          a.del("s");
          a.add("s", "x");
        });
    CHECK(after.elements("s") == Set{"x"});
  }
}

TEST_CASE("SET/DEL/SET shows the last, in one entry and in three") {
  for (const bool one_entry : {true, false}) {
    const Replica after = listener_after(
        one_entry, [](Replica& a) { a.set("k", "0"); },
        [](Replica& a) {
          a.set("k", "1");
          a.incr("k", 5);
          a.del("k");
          a.set("k", "2");
        });
    CHECK(after.get("k") == "2");
    CHECK(after.siblings("k") == 1);
  }
}

TEST_CASE("SET/DEL leaves nothing, in one entry and in two") {
  for (const bool one_entry : {true, false}) {
    const Replica after = listener_after(
        one_entry, [](Replica&) {},
        [](Replica& a) {
          a.set("k", "1");
          a.del("k");
        });
    CHECK_FALSE(after.get("k").has_value());
    CHECK(after.digest() == Digest{});
  }
}

TEST_CASE("HSET/HDEL/HINCRBY on one field shows the increment, in one entry and in three") {
  for (const bool one_entry : {true, false}) {
    const Replica after = listener_after(
        one_entry, [](Replica& a) { a.hincr("h", "f", 7); },
        [](Replica& a) {
          a.hset("h", "f", "5");
          a.hdel("h", "f");
          a.hincr("h", "f", 2);
        });
    CHECK(after.hget("h", "f") == "2");
  }
}

TEST_CASE("an entry is visible all at once: nobody sees the DEL without the SET behind it") {
  Replica a(origin_of(1));
  Replica b(origin_of(2));
  a.set("k", "1");
  send(a, b);
  a.begin();
  a.del("k");
  a.set("k", "2");
  const Sent message = a.commit();
  REQUIRE(message->entry.ops.size() == 2);
  b.receive(message);
  CHECK(b.get("k") == "2");
  CHECK(b.applied().at(a.origin()) == message->entry.last());
}

}  // namespace starling::test
