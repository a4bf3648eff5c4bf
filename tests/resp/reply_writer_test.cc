#include "server/resp/reply_writer.h"

#include <limits>

#include <doctest/doctest.h>

namespace starling::resp {
namespace {

template <typename Write>
std::string in(Protocol protocol, const Write& write) {
  std::string out;
  ReplyWriter writer(out);
  writer.set_protocol(protocol);
  write(writer);
  return out;
}

#define CHECK_REPLY(call, in_resp2, in_resp3)                                                  \
  CHECK(in(Protocol::resp2, [](ReplyWriter& reply) { reply.call; }) == std::string(in_resp2)); \
  CHECK(in(Protocol::resp3, [](ReplyWriter& reply) { reply.call; }) == std::string(in_resp3))

TEST_CASE("what both protocols say in the same way") {
  CHECK_REPLY(ok(), "+OK\r\n", "+OK\r\n");
  CHECK_REPLY(integer(-42), ":-42\r\n", ":-42\r\n");
  CHECK_REPLY(integer(std::numeric_limits<std::int64_t>::min()), ":-9223372036854775808\r\n",
              ":-9223372036854775808\r\n");
  CHECK_REPLY(bulk(""), "$0\r\n\r\n", "$0\r\n\r\n");
  CHECK_REPLY(bulk("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n");
  CHECK_REPLY(bulk_integer(100), "$3\r\n100\r\n", "$3\r\n100\r\n");
  CHECK_REPLY(array(3), "*3\r\n", "*3\r\n");
}

TEST_CASE("what RESP2 can only say with less") {
  CHECK_REPLY(nil(), "$-1\r\n", "_\r\n");
  CHECK_REPLY(nil_array(), "*-1\r\n", "_\r\n");
  CHECK_REPLY(map(2), "*4\r\n", "%2\r\n");
  CHECK_REPLY(set(2), "*2\r\n", "~2\r\n");
  CHECK_REPLY(push(2), "*2\r\n", ">2\r\n");
  CHECK_REPLY(boolean(true), ":1\r\n", "#t\r\n");
  CHECK_REPLY(boolean(false), ":0\r\n", "#f\r\n");
  CHECK_REPLY(number(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
  CHECK_REPLY(verbatim("hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
}

TEST_CASE("doubles are printed as Redis prints them") {
  CHECK(number_text(3) == "3");
  CHECK(number_text(0.1) == "0.10000000000000001");
  CHECK(number_text(1e100) == "1e+100");
  CHECK(number_text(-0.0) == "-0");
  CHECK(number_text(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(number_text(-std::numeric_limits<double>::infinity()) == "-inf");
}

TEST_CASE("an error cannot be split by what a client sent") {
  CHECK_REPLY(error("ERR unknown command 'a\r\n+OK'"), "-ERR unknown command 'a  +OK'\r\n",
              "-ERR unknown command 'a  +OK'\r\n");
}

TEST_CASE("a switch of the protocol holds for what is written after it") {
  std::string out;
  ReplyWriter reply(out);
  reply.nil();
  reply.set_protocol(Protocol::resp3);
  reply.nil();
  reply.set_protocol(Protocol::resp2);
  reply.nil();
  CHECK(out == "$-1\r\n_\r\n$-1\r\n");
}

}  // namespace
}  // namespace starling::resp
