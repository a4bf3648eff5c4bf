// What nodes tell each other, and what they keep for each other.
#include <map>

#include "tests/sim/checkers.h"

namespace starling::sim {
namespace {

class EqualDigests final : public Checker {
 public:
  EqualDigests() : Checker("I6", "equal version vectors have equal digests") {}

  void digested(NodeHistory& node, const VersionVector& applied, const Digest& digest) override {
    checked();
    std::string key;
    put_version_vector(key, applied);
    const auto [known, fresh] = digests_.try_emplace(std::move(key), digest);
    if (!(known->second == digest)) {
      complain(node.name + " has another digest than an equal version vector had before");
    }
  }
  void said(NodeHistory& node, const wire::PeerMessage& message) override {
    if (const auto* reply = std::get_if<wire::DigestReply>(&message)) {
      digested(node, reply->applied, reply->digest);
    }
  }

 private:
  std::map<std::string, Digest> digests_;  // by encoded V
};

class BoundedMemory final : public Checker {
 public:
  BoundedMemory() : Checker("I8", "entries that came too early are held within their bound") {}

  void looked(NodeHistory& node, const replica::View& view,
              const replica::Config& config) override {
    checked();
    if (view.held_bytes > config.hold_bytes) {
      complain(node.name + " holds back " + std::to_string(view.held_bytes) + " bytes, " +
               std::to_string(config.hold_bytes) + " are its bound");
    }
  }
};

}  // namespace

Checkers checkers_of_peers() {
  Checkers all;
  all.push_back(std::make_unique<EqualDigests>());
  all.push_back(std::make_unique<BoundedMemory>());
  return all;
}

}  // namespace starling::sim
