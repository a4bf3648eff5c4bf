#include "tests/sim/stage.h"

#include <utility>

#include "tests/sim/describe.h"
#include "tests/sim/door_command.h"
#include "tests/sim/final_checks.h"

namespace starling::sim {

using wire::Command;
using wire::CommandCode;
using wire::Result;

Stage::Stage(bool keep_trace) : cluster_({.seed = 1, .keep_lines = keep_trace}) {
  cluster_.network.weather.delay_min_us = ms;
  cluster_.network.weather.delay_max_us = ms;
  cluster_.sync_max_us = 0;
  cluster_.checkpoint_max_us = 0;
}

NodeIndex Stage::absent_node(const Change& change) {
  replica::Config config;
  config.name = "n" + std::to_string(cluster_.size());
  config.peer_address = config.name + ":7002";
  config.client_address = config.name + ":7001";
  if (cluster_.size() > 0) {
    config.join = {"n0:7002"};
  }
  config.checkpoint_age = std::chrono::hours(1);  // only on demand
  if (change) {
    change(config);
  }
  return cluster_.add(std::move(config));
}

NodeIndex Stage::node(const Change& change) {
  const NodeIndex node = absent_node(change);
  start(node);
  return node;
}

void Stage::settle() {
  const std::string why = sim::settle(cluster_);
  expect(why.empty(), "liveness", "nothing is wrong, and " + why);
}

Result Stage::ask(NodeIndex node, Command command) {
  const std::string what = describe(command);
  const auto answer = sim::ask(cluster_, node, std::move(command));
  expect(answer.has_value(), "liveness", cluster_.name(node) + " does not answer \"" + what + "\"");
  return answer ? answer->results.front() : wire::Nil{};
}

Result Stage::redis(NodeIndex node, std::string_view line) { return ask(node, door_command(line)); }

std::vector<Result> Stage::redis(NodeIndex node, std::uint64_t connection,
                                 const std::vector<std::string>& lines) {
  wire::Request request;
  request.id = connection;
  for (const std::string& line : lines) {
    request.commands.push_back(door_command(line));
  }
  const auto answer = sim::ask(cluster_, node, std::move(request));
  expect(answer.has_value(), "liveness", cluster_.name(node) + " does not answer " + lines.front());
  return answer ? answer->results : std::vector<Result>{};
}

void Stage::set(NodeIndex node, const std::string& key, const std::string& value) {
  const Result result = ask(node, {CommandCode::set, 0, key, {value}, 0});
  expect(result == Result(wire::Ok{}), "spec",
         "a set at " + cluster_.name(node) + " is answered " + describe(result));
}

void Stage::fill(NodeIndex node, std::size_t entries) {
  for (std::size_t i = 0; i < entries; ++i) {
    set(node, "filler" + std::to_string(i), "x");
  }
}

// A digest is taken from a cut, and a cut waits for a checkpoint.
void Stage::checkpoint(NodeIndex node) { (void)ask(node, {CommandCode::status, 0, "", {}, 1}); }

void Stage::expect(bool holds, std::string rule, std::string sentence) {
  if (!holds) {
    cluster_.judge().complain(std::move(rule), std::move(sentence));
  }
}

void Stage::expect_value(NodeIndex node, const std::string& key, const std::string& value) {
  const Result result = ask(node, {CommandCode::get, 0, key, {}, 0});
  expect(result == Result(value), "spec",
         key + " is " + describe(result) + " at " + cluster_.name(node) + ", not " + value);
}

void Stage::expect_redis(NodeIndex node, std::string_view line, const Result& wanted) {
  const Result result = redis(node, line);
  expect(same(result, wanted), "spec",
         cluster_.name(node) + " answers \"" + std::string(line) + "\" with " + describe(result) +
             ", not " + describe(wanted));
}

void Stage::expect_not_ready(NodeIndex node) {
  const Result result = ask(node, {CommandCode::get, 0, "any", {}, 0});
  const auto* error = std::get_if<wire::Error>(&result);
  expect(error != nullptr && error->code == wire::ErrorCode::not_ready, "R5.7",
         cluster_.name(node) + " should not be ready, and answers " + describe(result));
}

}  // namespace starling::sim
