#include "bench/cluster.h"

#include <thread>

#include <fmt/format.h>
#include <starling/client.h>

#include "bench/failure.h"

namespace starling::bench {
namespace {

constexpr auto convergence_patience = std::chrono::minutes(2);

// What `kvctl partition` and `kvctl heal` send.
void change_links_of(const Server& server, CommandCode code) {
  Client client(
      Options{.endpoints = {server.client_door()}, .learn_endpoints = false, .name = "kvbench"});
  if (const auto reply = client.execute({{.code = code}}); !reply) {
    throw Failure(fmt::format("{} does not change its links: {}", server.options().name,
                              reply.error().message));
  }
}

}  // namespace

Cluster::Cluster(const Context& context, unsigned nodes) {
  for (unsigned i = 0; i < nodes; ++i) {
    ServerOptions options = context.kvd(std::string(1, static_cast<char>('a' + i)),
                                        i == 0 ? context.cores.server : context.cores.load,
                                        i == 0 ? std::string() : first().peer_door());
    options.flags.emplace_back("--allow-faults");
    nodes_.push_back(std::make_unique<Server>(context.nursery, options));
    nodes_.back()->start();
    connections_.push_back(RespConnection::open(nodes_.back()->port()));
  }
  converge();
}

void Cluster::converge() {
  // One origin's writes arrive in order: who has the last one has all.
  const std::string mark = std::to_string(++marks_);
  connections_.front().must({"SET", "kvbench:mark", mark});
  for (RespConnection& connection : connections_) {
    wait_for_text(connection, {"GET", "kvbench:mark"}, mark, std::chrono::milliseconds(1));
  }
  for (const auto& node : nodes_) {
    node->settle();
  }
}

void Cluster::cut() { change_links_of(first(), CommandCode::partition); }

void Cluster::heal() { change_links_of(first(), CommandCode::heal); }

Cluster::Usage Cluster::usage() const {
  Usage usage;
  for (const auto& node : nodes_) {
    usage.cpu_us.push_back(node->cpu_us());
  }
  usage.sent_bytes = first().metric("starling_peer_sent_bytes_total");
  return usage;
}

std::chrono::steady_clock::time_point wait_for_text(RespConnection& connection,
                                                    const std::vector<std::string_view>& words,
                                                    std::string_view wanted,
                                                    std::chrono::microseconds pause) {
  const auto end = std::chrono::steady_clock::now() + convergence_patience;
  for (;;) {
    const RespReply reply = connection.must(words);
    const auto now = std::chrono::steady_clock::now();
    if (reply.kind != '_' && reply.text == wanted) {
      return now;
    }
    if (now > end) {
      throw Failure("a write did not become visible on another node within two minutes");
    }
    if (pause.count() > 0) {
      std::this_thread::sleep_for(pause);
    }
  }
}

}  // namespace starling::bench
