#include "client/cli/status_view.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace starling::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string text(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) {
    return {};
  }
  return found->is_string() ? found->get<std::string>() : found->dump();
}

std::int64_t number(const Json& object, const char* name, std::int64_t otherwise) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<std::int64_t>() : otherwise;
}

bool truth(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

void add_texts(const Json& object, const char* name, std::vector<std::string>& to) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array()) {
    return;
  }
  for (const Json& item : *found) {
    to.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  }
}

}  // namespace

std::expected<StatusView, std::string> parse_status(std::string_view json) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) {
    return std::unexpected("the node's status is not a JSON object");
  }
  StatusView view;
  view.cluster = text(document, "cluster");
  view.name = text(document, "name");
  view.node = text(document, "node");
  view.ready = truth(document, "ready");
  view.version = text(document, "version");
  view.digest = text(document, "digest");
  view.cells = number(document, "cells", -1);
  add_texts(document, "reasons", view.reasons);
  bool equal = true;
  if (const auto members = document.find("members");
      members != document.end() && members->is_array()) {
    for (const Json& item : *members) {
      if (!item.is_object()) {
        continue;
      }
      MemberView member;
      member.name = text(item, "name");
      member.client = text(item, "client");
      member.state = text(item, "state");
      member.self = truth(item, "self") || (!view.name.empty() && member.name == view.name);
      member.behind_ops = number(item, "behind_ops", 0);
      member.ahead_ops = number(item, "ahead_ops", 0);
      member.version_equal = item.contains("version_equal")
                                 ? truth(item, "version_equal")
                                 : member.behind_ops == 0 && member.ahead_ops == 0;
      if (truth(item, "version_equal")) {  // newer than the last heartbeat
        member.behind_ops = 0;
        member.ahead_ops = 0;
      }
      member.last_heard_ms = number(item, "last_heard_ms", -1);
      member.digest = text(item, "digest");
      member.converged = truth(item, "converged");
      if (member.reachable() && !member.self) {
        equal =
            equal && member.version_equal && !member.digest.empty() && member.digest == view.digest;
      }
      view.members.push_back(std::move(member));
    }
  }
  if (std::ranges::none_of(view.members, &MemberView::self)) {  // it lists the others
    MemberView self;
    self.name = view.name;
    self.client = text(document, "client");
    self.state = "up";
    self.self = true;
    self.version_equal = true;
    self.digest = view.digest;
    self.converged = true;
    view.members.insert(view.members.begin(), std::move(self));
  }
  view.converged = document.contains("converged") ? truth(document, "converged") : equal;
  return view;
}

}  // namespace starling::cli
