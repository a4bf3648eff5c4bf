#include "server/metrics.h"

#include <doctest/doctest.h>

#include "tests/node/fakes.h"

namespace starling {
namespace {

TEST_CASE("labels are escaped so that no name can forge a line") {
  MetricsText text;
  text.gauge("a", "Help.").sample(std::uint64_t{1}, {{"peer", "x\"} 5\nevil\\"}});
  text.counter("b_total", "Help.").sample(0.5);
  CHECK(text.take() ==
        "# HELP a Help.\n# TYPE a gauge\na{peer=\"x\\\"} 5\\nevil\\\\\"} 1\n"
        "# HELP b_total Help.\n# TYPE b_total counter\nb_total 0.5\n");
}

TEST_CASE("every rejection is counted, one line per second and kind is logged") {
  test::ReadableLog log;
  Rejections rejections(log.log);
  for (int i = 0; i < 1000; ++i) {
    rejections.note(Door::client, Rejection::bad_frame, "192.0.2.1:1", "not our protocol");
  }
  rejections.note(Door::peer, Rejection::bad_frame, "192.0.2.1:2");
  CHECK(rejections.count(Door::client, Rejection::bad_frame) == 1000);
  CHECK(rejections.count(Door::peer, Rejection::bad_frame) == 1);
  CHECK(rejections.count(Door::client, Rejection::no_hello) == 0);
  const std::string text = log.text();
  CHECK(std::ranges::count(text, '\n') == 2);
  CHECK(
      text.contains("door=client reason=bad_frame remote=192.0.2.1:1 detail=\"not our protocol\""));
}

TEST_CASE("a log line stays one line of plain text whatever is in it") {
  CHECK(log_value("plain:1") == "plain:1");
  CHECK(log_value("") == "\"\"");
  CHECK(log_value("two words") == "\"two words\"");
  CHECK(log_value("a\"b\\c\n\x1b[31m\xff") == "\"a\\\"b\\\\c\\n\\x1b[31m\\xff\"");
  CHECK(log_value("a=b") == "\"a=b\"");
  test::ReadableLog log;
  log.log.info("it {} works", {{"who", "x\ny"}});
  CHECK(log.text().ends_with("Z level=info msg=\"it {} works\" who=\"x\\ny\"\n"));
}

}  // namespace
}  // namespace starling
