// Who belongs to the cluster: facts that spread and are kept.
#include "server/replica/members.h"

#include <doctest/doctest.h>

namespace starling::test {
namespace {

using replica::Members;
using wire::Member;
using wire::MemberState;

Member member(std::uint64_t node, const std::string& name, std::uint64_t revision) {
  return {node, name, name + ":7002", name + ":7001", MemberState::active, revision};
}

TEST_CASE("of two facts about a node the higher revision wins, whichever comes first") {
  Members members;
  CHECK(members.merge(member(1, "old", 5)));
  CHECK(members.merge(member(1, "new", 6)));
  CHECK_FALSE(members.merge(member(1, "older", 4)));
  CHECK_FALSE(members.merge(member(1, "same", 6)));
  CHECK(members.find(1)->name == "new");
  CHECK(members.size() == 1);
}

TEST_CASE("nodes that know the same facts have the same hash, however they learned them") {
  Members here;
  Members there;
  here.merge(member(1, "a", 1));
  here.merge(member(2, "b", 1));
  there.merge(member(2, "b", 1));
  CHECK(here.hash() != there.hash());
  there.merge(member(1, "a", 1));
  CHECK(here.hash() == there.hash());
}

TEST_CASE("a member is found by its node id or its name") {
  Members members;
  members.merge(member(7, "seven", 1));
  CHECK(members.find_name("seven")->node == 7);
  CHECK(members.find_name("eight") == nullptr);
  CHECK(members.find(8) == nullptr);
}

TEST_CASE("facts survive their bytes; damaged bytes are no facts") {
  Members members;
  members.merge(member(1, "a", 1));
  Member gone = member(2, "b", 9);
  gone.state = MemberState::left;
  members.merge(gone);
  const std::string bytes = members.encode();
  const auto decoded = Members::decode(bytes);
  REQUIRE(decoded);
  CHECK(decoded->all() == members.all());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CHECK_FALSE(Members::decode(bytes.substr(0, length)));
  }
  CHECK_FALSE(Members::decode(bytes + "x"));
}

}  // namespace
}  // namespace starling::test
