#include "tests/sim/stage.h"

#include <utility>

#include "tests/sim/describe.h"
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

NodeIndex Stage::absent_node(const std::function<void(replica::Config&)>& change) {
  replica::Config config;
  config.name = "n" + std::to_string(cluster_.size());
  config.peer_address = config.name + ":7002";
  config.client_address = config.name + ":7001";
  if (cluster_.size() > 0) {
    config.join = {"n0:7002"};
  }
  config.checkpoint_age = std::chrono::hours(1);  // only on demand
  config.allow_faults = true;
  if (change) {
    change(config);
  }
  return cluster_.add(std::move(config));
}

NodeIndex Stage::node(const std::function<void(replica::Config&)>& change) {
  const NodeIndex node = absent_node(change);
  cluster_.start(node);
  return node;
}

std::vector<NodeIndex> Stage::nodes(std::size_t count) {
  std::vector<NodeIndex> nodes;
  for (std::size_t i = 0; i < count; ++i) {
    nodes.push_back(node());
  }
  settle();
  return nodes;
}

void Stage::settle() {
  const std::string why = sim::settle(cluster_);
  expect(why.empty(), "liveness", "nothing is wrong, and " + why);
}

Result Stage::ask(NodeIndex node, Command command) {
  const std::string what = describe(command);
  const auto answer = sim::ask(cluster_, node, std::move(command));
  if (!answer) {
    expect(false, "liveness", cluster_.name(node) + " does not answer \"" + what + "\"");
    return wire::Nil{};
  }
  return answer->results.front();
}

Result Stage::set(NodeIndex node, const std::string& key, const std::string& value) {
  return ask(node, {CommandCode::set, 0, key, {value}, 0});
}
Result Stage::get(NodeIndex node, const std::string& key) {
  return ask(node, {CommandCode::get, 0, key, {}, 0});
}
Result Stage::incr(NodeIndex node, const std::string& key, std::int64_t by) {
  return ask(node, {CommandCode::incr, 0, key, {}, by});
}
Result Stage::del(NodeIndex node, const std::string& key) {
  return ask(node, {CommandCode::del, 0, key, {}, 0});
}
Result Stage::add(NodeIndex node, const std::string& set, const std::string& element) {
  return ask(node, {CommandCode::set_add, 0, set, {element}, 0});
}
Result Stage::remove(NodeIndex node, const std::string& set, const std::string& element) {
  return ask(node, {CommandCode::set_remove, 0, set, {element}, 0});
}
Result Stage::members(NodeIndex node, const std::string& set) {
  return ask(node, {CommandCode::set_members, 0, set, {}, 0});
}

void Stage::send(NodeIndex node, Command command) {
  wire::Request request;
  request.commands = {std::move(command)};
  cluster_.request(node, std::move(request),
                   [this](const wire::Response& response) { answers_.push_back(response); });
}

// A digest is taken from a cut, which waits for a checkpoint.
void Stage::checkpoint(NodeIndex node) { (void)converged(node); }

bool Stage::converged(NodeIndex node) {
  const Result status = ask(node, {CommandCode::status, 0, "", {}, 1});
  const auto* json = std::get_if<std::string>(&status);
  return json != nullptr && json->ends_with("\"converged\":true}");
}

void Stage::expect(bool holds, std::string rule, std::string sentence) {
  if (!holds) {
    cluster_.judge().complain(std::move(rule), std::move(sentence));
  }
}

void Stage::expect_equal(const Result& is, const Result& wanted, std::string_view what) {
  expect(is == wanted, "spec",
         std::string(what) + " gives " + describe(is) + " instead of " + describe(wanted));
}

}  // namespace starling::sim
