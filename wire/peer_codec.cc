#include "wire/capnp_message.h"
#include "wire/peer.capnp.h"
#include "wire/plain_text.h"

namespace starling::wire {
namespace {

static_assert(static_cast<int>(schema::MemberState::LEFT) == static_cast<int>(MemberState::left));
static_assert(static_cast<int>(schema::Goodbye::Reason::SHUTTING_DOWN) ==
              static_cast<int>(Goodbye::Reason::shutting_down));

// ---------------------------------------------------------------- writing

void put(schema::Origin::Builder out, const Origin& origin) {
  out.setNode(origin.node);
  out.setEpoch(origin.epoch);
  out.setNonce(origin.nonce);
}

std::size_t words_of_members(const std::vector<Member>& members) {
  std::size_t words = 1;
  for (const Member& m : members) {
    words += capnp::sizeInWords<schema::Member>() + words_of(m.name) + words_of(m.peer_address) +
             words_of(m.client_address);
  }
  return words;
}

void put(capnp::List<schema::Member>::Builder out, const std::vector<Member>& members) {
  for (kj::uint i = 0; i < out.size(); ++i) {
    const Member& member = members[i];
    auto to = out[i];
    to.setNode(member.node);
    to.setName(as_text(member.name));
    to.setPeerAddress(as_text(member.peer_address));
    to.setClientAddress(as_text(member.client_address));
    to.setState(static_cast<schema::MemberState>(member.state));
    to.setRevision(member.revision);
  }
}

void put(schema::Hello::Builder out, const Hello& hello) {
  out.setProtocol(hello.protocol);
  out.setFeatureLevel(hello.feature_level);
  out.setCluster(as_text(hello.cluster));
  out.setNode(hello.node);
  out.setName(as_text(hello.name));
  put(out.initOrigin(), hello.origin);
  if (hello.previous) {
    put(out.initPrevious(), *hello.previous);
  }
  put_vector(hello.applied, [&](auto bytes) { out.setApplied(bytes); });
  auto hashes = out.initHashes(list_size(std::min(hello.hashes.size(), max_stream_hashes)));
  for (kj::uint i = 0; i < hashes.size(); ++i) {
    const StreamHash& hash = hello.hashes[i];
    auto to = hashes[i];
    to.setNode(hash.origin.node);
    to.setEpoch(hash.origin.epoch);
    to.setNonce(hash.origin.nonce);
    to.setN(hash.n);
    to.setHash(hash.hash);
  }
  put_vector(hello.durable, [&](auto bytes) { out.setDurable(bytes); });
  put_vector(hello.floor, [&](auto bytes) { out.setFloor(bytes); });
  put_vector(hello.stable, [&](auto bytes) { out.setStable(bytes); });
  put(out.initMembers(list_size(hello.members.size())), hello.members);
  out.setClockMs(hello.clock_ms);
  out.setReady(hello.ready);
}

// Everything of put_run before the bytes of the entries.
std::string run_header(const Run& run) {
  std::string out;
  put_run(out, {run.origin, run.first, run.last, run.hash_before, run.deps_before, {}});
  out.pop_back();  // the length of no entries
  put_varint(out, run.entries.size());
  return out;
}

// One overload per message, each returning its frame.
struct PeerEncoder {
  using Root = schema::PeerMessage;

  std::string operator()(const Hello& hello) const {
    const std::size_t words = capnp::sizeInWords<schema::Hello>() +
                              2 * capnp::sizeInWords<schema::Origin>() + words_of(hello.cluster) +
                              words_of(hello.name) + words_of(hello.applied) +
                              words_of(hello.durable) + words_of(hello.floor) +
                              words_of(hello.stable) + words_of_members(hello.members) + 1 +
                              hello.hashes.size() * capnp::sizeInWords<schema::StreamHash>();
    return build_frame<Root>(words, [&](auto root) { put(root.initHello(), hello); });
  }

  // The entries are copied once, from the run to the frame.
  std::string operator()(const Push& push) const {
    const std::string header = run_header(push.run);
    const std::string_view entries = push.run.entries;
    const std::size_t size = header.size() + entries.size();
    return build_frame<Root>(size / 8 + 1, [&](auto root) {
      auto out = root.initPush();
      auto run = out.initRun(list_size(size));
      std::memcpy(run.begin(), header.data(), header.size());
      std::memcpy(run.begin() + header.size(), entries.data(), entries.size());
      out.setAnswersPull(push.answers_pull);
    });
  }

  std::string operator()(const Pull& pull) const {
    const std::size_t words =
        capnp::sizeInWords<schema::Pull>() + capnp::sizeInWords<schema::Origin>();
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initPull();
      put(out.initOrigin(), pull.origin);
      out.setAfter(pull.after);
      out.setUpto(pull.upto);
    });
  }

  std::string operator()(const PullNack& nack) const {
    const std::size_t words =
        capnp::sizeInWords<schema::PullNack>() + capnp::sizeInWords<schema::Origin>();
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initPullNack();
      put(out.initOrigin(), nack.origin);
      out.setFloor(nack.floor);
    });
  }

  std::string operator()(const Ack& ack) const {
    const std::size_t words =
        capnp::sizeInWords<schema::Ack>() + words_of(ack.applied) + words_of(ack.durable);
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initAck();
      put_vector(ack.applied, [&](auto bytes) { out.setApplied(bytes); });
      put_vector(ack.durable, [&](auto bytes) { out.setDurable(bytes); });
      out.setReceivedBytes(ack.received_bytes);
      out.setCreditBytes(ack.credit_bytes);
    });
  }

  std::string operator()(const Heartbeat& beat) const {
    const std::size_t words = capnp::sizeInWords<schema::Heartbeat>() + words_of(beat.applied) +
                              words_of(beat.durable) + words_of(beat.stable);
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initHeartbeat();
      put_vector(beat.applied, [&](auto bytes) { out.setApplied(bytes); });
      put_vector(beat.durable, [&](auto bytes) { out.setDurable(bytes); });
      out.setHlc(beat.hlc);
      out.setClockMs(beat.clock_ms);
      put_vector(beat.stable, [&](auto bytes) { out.setStable(bytes); });
      out.setOpsPerSecond(beat.ops_per_second);
      out.setMembersHash(beat.members_hash);
      out.setReady(beat.ready);
    });
  }

  std::string operator()(const MemberFacts& facts) const {
    const std::size_t words =
        capnp::sizeInWords<schema::MemberFacts>() + words_of_members(facts.members);
    return build_frame<Root>(words, [&](auto root) {
      put(root.initMemberFacts().initMembers(list_size(facts.members.size())), facts.members);
    });
  }

  std::string operator()(const DigestRequest& request) const {
    return build_frame<Root>(capnp::sizeInWords<schema::DigestRequest>(),
                             [&](auto root) { root.initDigestRequest().setId(request.id); });
  }

  std::string operator()(const DigestReply& reply) const {
    const std::size_t words = capnp::sizeInWords<schema::DigestReply>() + words_of(reply.applied);
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initDigestReply();
      out.setId(reply.id);
      put_vector(reply.applied, [&](auto bytes) { out.setApplied(bytes); });
      out.setDigestHigh(reply.digest.high);
      out.setDigestLow(reply.digest.low);
      out.setCells(reply.cells);
    });
  }

  std::string operator()(const Goodbye& goodbye) const {
    const std::string detail = make_plain_text(goodbye.detail, max_sentence_size);
    const std::size_t words = capnp::sizeInWords<schema::Goodbye>() + words_of(detail);
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initGoodbye();
      out.setReason(static_cast<schema::Goodbye::Reason>(goodbye.reason));
      out.setDetail(as_text(detail));
    });
  }
};

// ---------------------------------------------------------------- reading

Origin read(schema::Origin::Reader in) { return {in.getNode(), in.getEpoch(), in.getNonce()}; }

// One overload per message; what is wrong ends up in the checker.
class PeerDecoder {
 public:
  explicit PeerDecoder(Checker& checker) : checker_(checker) {}

  PeerMessage operator()(schema::PeerMessage::Reader in) {
    switch (in.which()) {
      case schema::PeerMessage::HELLO:
        return hello(in.getHello());
      case schema::PeerMessage::PUSH:
        return push(in.getPush());
      case schema::PeerMessage::PULL:
        return pull(in.getPull());
      case schema::PeerMessage::PULL_NACK:
        return pull_nack(in.getPullNack());
      case schema::PeerMessage::ACK:
        return ack(in.getAck());
      case schema::PeerMessage::HEARTBEAT:
        return heartbeat(in.getHeartbeat());
      case schema::PeerMessage::MEMBER_FACTS:
        return MemberFacts{members(in.getMemberFacts().getMembers())};
      case schema::PeerMessage::DIGEST_REQUEST:
        return DigestRequest{in.getDigestRequest().getId()};
      case schema::PeerMessage::DIGEST_REPLY:
        return digest_reply(in.getDigestReply());
      case schema::PeerMessage::GOODBYE:
        return goodbye(in.getGoodbye());
    }
    checker_.fail(CodecError::unknown_message);
    return {};
  }

 private:
  std::vector<Member> members(capnp::List<schema::Member>::Reader list) {
    const kj::uint size = checker_.count(list.size(), max_members);
    std::vector<Member> out(size);
    for (kj::uint i = 0; i < size; ++i) {
      const auto in = list[i];
      Member& member = out[i];
      member.node = in.getNode();
      member.name = checker_.text(in.getName(), max_name_size);
      member.peer_address = checker_.text(in.getPeerAddress(), max_address_size);
      member.client_address = checker_.text(in.getClientAddress(), max_address_size);
      if (in.getState() > schema::MemberState::LEFT) {
        checker_.fail(CodecError::bad_value);
      }
      member.state = static_cast<MemberState>(in.getState());
      member.revision = in.getRevision();
    }
    return out;
  }

  std::vector<StreamHash> hashes(capnp::List<schema::StreamHash>::Reader list) {
    const kj::uint size = checker_.count(list.size(), max_stream_hashes);
    std::vector<StreamHash> out(size);
    for (kj::uint i = 0; i < size; ++i) {
      const auto in = list[i];
      out[i] = {{in.getNode(), in.getEpoch(), in.getNonce()}, in.getN(), in.getHash()};
    }
    return out;
  }

  Hello hello(schema::Hello::Reader in) {
    Hello out;
    out.protocol = in.getProtocol();
    out.feature_level = in.getFeatureLevel();
    out.cluster = checker_.text(in.getCluster(), max_name_size);
    out.node = in.getNode();
    out.name = checker_.text(in.getName(), max_name_size);
    out.origin = read(in.getOrigin());
    if (in.hasPrevious()) {
      out.previous = read(in.getPrevious());
    }
    out.applied = checker_.vector(in.getApplied());
    out.hashes = hashes(in.getHashes());
    out.durable = checker_.vector(in.getDurable());
    out.floor = checker_.vector(in.getFloor());
    out.stable = checker_.vector(in.getStable());
    out.members = members(in.getMembers());
    out.clock_ms = in.getClockMs();
    out.ready = in.getReady();
    return out;
  }

  Push push(schema::PeerMessage::Push::Reader in) {
    const capnp::Data::Reader bytes = in.getRun();
    ByteReader reader({reinterpret_cast<const char*>(bytes.begin()), bytes.size()});
    Push out{read_run(reader), in.getAnswersPull()};
    if (!reader.complete()) {
      checker_.fail(CodecError::bad_bytes);
    }
    return out;
  }

  Pull pull(schema::Pull::Reader in) { return {read(in.getOrigin()), in.getAfter(), in.getUpto()}; }

  PullNack pull_nack(schema::PullNack::Reader in) { return {read(in.getOrigin()), in.getFloor()}; }

  Ack ack(schema::Ack::Reader in) {
    return {checker_.vector(in.getApplied()), checker_.vector(in.getDurable()),
            in.getReceivedBytes(), in.getCreditBytes()};
  }

  Heartbeat heartbeat(schema::Heartbeat::Reader in) {
    Heartbeat out;
    out.applied = checker_.vector(in.getApplied());
    out.durable = checker_.vector(in.getDurable());
    out.hlc = in.getHlc();
    out.clock_ms = in.getClockMs();
    out.stable = checker_.vector(in.getStable());
    out.ops_per_second = in.getOpsPerSecond();
    out.members_hash = in.getMembersHash();
    out.ready = in.getReady();
    return out;
  }

  DigestReply digest_reply(schema::DigestReply::Reader in) {
    return {in.getId(),
            checker_.vector(in.getApplied()),
            {in.getDigestHigh(), in.getDigestLow()},
            in.getCells()};
  }

  Goodbye goodbye(schema::Goodbye::Reader in) {
    if (in.getReason() > schema::Goodbye::Reason::SHUTTING_DOWN) {
      checker_.fail(CodecError::bad_value);
    }
    return {static_cast<Goodbye::Reason>(in.getReason()),
            checker_.text(in.getDetail(), max_sentence_size)};
  }

  Checker& checker_;
};

}  // namespace

std::string encode(const Push& push) { return PeerEncoder{}(push); }

std::string encode(const PeerMessage& message) { return std::visit(PeerEncoder{}, message); }

std::expected<PeerMessage, CodecError> decode_peer(std::string_view body) {
  return read_body<schema::PeerMessage, PeerMessage>(
      body, [](auto root, Checker& checker) { return PeerDecoder(checker)(root); });
}

}  // namespace starling::wire
