#include "wire/capnp_message.h"
#include "wire/client.capnp.h"
#include "wire/plain_text.h"

namespace starling::wire {
namespace {

template <typename Code>
constexpr bool same_number(std::uint16_t in_schema, Code code) {
  return in_schema == static_cast<std::uint16_t>(code);
}

// The compiler names a code that is missing here.
bool is_known(CommandCode code) {
  using C = schema::CommandCode;
  switch (code) {
#define STARLING_COMMAND(name, in_schema)                        \
  case CommandCode::name:                                        \
    static_assert(same_number(C::in_schema, CommandCode::name)); \
    return true
    STARLING_COMMAND(get, GET);
    STARLING_COMMAND(set, SET);
    STARLING_COMMAND(incr, INCR);
    STARLING_COMMAND(del, DEL);
    STARLING_COMMAND(exists, EXISTS);
    STARLING_COMMAND(type, TYPE);
    STARLING_COMMAND(expire, EXPIRE);
    STARLING_COMMAND(set_add, SET_ADD);
    STARLING_COMMAND(set_remove, SET_REMOVE);
    STARLING_COMMAND(set_has, SET_HAS);
    STARLING_COMMAND(set_members, SET_MEMBERS);
    STARLING_COMMAND(set_size, SET_SIZE);
    STARLING_COMMAND(hash_set, HASH_SET);
    STARLING_COMMAND(hash_get, HASH_GET);
    STARLING_COMMAND(hash_del, HASH_DEL);
    STARLING_COMMAND(hash_get_all, HASH_GET_ALL);
    STARLING_COMMAND(hash_incr, HASH_INCR);
    STARLING_COMMAND(hash_size, HASH_SIZE);
    STARLING_COMMAND(flag_enable, FLAG_ENABLE);
    STARLING_COMMAND(flag_disable, FLAG_DISABLE);
    STARLING_COMMAND(flag_get, FLAG_GET);
    STARLING_COMMAND(mv_set, MV_SET);
    STARLING_COMMAND(mv_get, MV_GET);
    STARLING_COMMAND(zset_add, ZSET_ADD);
    STARLING_COMMAND(scan, SCAN);
    STARLING_COMMAND(export_, EXPORT);
    STARLING_COMMAND(why, WHY);
    STARLING_COMMAND(explain, EXPLAIN);
    STARLING_COMMAND(conflicts, CONFLICTS);
    STARLING_COMMAND(status, STATUS);
    STARLING_COMMAND(partition, PARTITION);
    STARLING_COMMAND(heal, HEAL);
#undef STARLING_COMMAND
  }
  return false;
}

bool is_known(ErrorCode code) {
  using C = schema::ErrorCode;
  switch (code) {
#define STARLING_ERROR(name, in_schema)                        \
  case ErrorCode::name:                                        \
    static_assert(same_number(C::in_schema, ErrorCode::name)); \
    return true
    STARLING_ERROR(bad_request, BAD_REQUEST);
    STARLING_ERROR(wrong_type, WRONG_TYPE);
    STARLING_ERROR(not_a_number, NOT_A_NUMBER);
    STARLING_ERROR(overflow, OVERFLOW);
    STARLING_ERROR(too_large, TOO_LARGE);
    STARLING_ERROR(behind, BEHIND);
    STARLING_ERROR(not_ready, NOT_READY);
    STARLING_ERROR(no_space, NO_SPACE);
    STARLING_ERROR(busy, BUSY);
    STARLING_ERROR(refused, REFUSED);
    STARLING_ERROR(storage, STORAGE);
    STARLING_ERROR(timeout, TIMEOUT);
    STARLING_ERROR(unsupported, UNSUPPORTED);
#undef STARLING_ERROR
  }
  return false;
}

// ---------------------------------------------------------------- writing

std::size_t words_of_command(const Command& command) {
  return capnp::sizeInWords<schema::Command>() + words_of(command.key) + words_of(command.args);
}

void put(schema::Command::Builder out, const Command& command) {
  out.setCode(static_cast<std::uint16_t>(command.code));
  out.setDb(command.db);
  if (!command.key.empty()) {
    out.setKey(as_data(command.key));
  }
  if (!command.args.empty()) {
    put_bytes_list(out.initArgs(list_size(command.args.size())), command.args);
  }
  out.setNumber(command.number);
}

struct ResultWords {
  std::size_t operator()(const Nil&) const { return 0; }
  std::size_t operator()(const Ok&) const { return 0; }
  std::size_t operator()(std::int64_t) const { return 0; }
  std::size_t operator()(const std::string& bytes) const { return words_of(bytes); }
  std::size_t operator()(const std::vector<std::string>& list) const { return words_of(list); }
  std::size_t operator()(const Error& error) const {
    return capnp::sizeInWords<schema::Error>() +
           words_of(std::string_view(error.message).substr(0, max_sentence_size));
  }
};

std::size_t words_of_response(const Response& response) {
  std::size_t words = capnp::sizeInWords<schema::Response>() + words_of(response.token) + 1;
  for (const Result& result : response.results) {
    words += capnp::sizeInWords<schema::Result>() + std::visit(ResultWords{}, result);
  }
  return words;
}

struct ResultWriter {
  schema::Result::Builder out;

  void operator()(const Nil&) { out.setNil(); }
  void operator()(const Ok&) { out.setOk(); }
  void operator()(std::int64_t integer) { out.setInteger(integer); }
  void operator()(const std::string& bytes) { out.setBytes(as_data(bytes)); }
  void operator()(const std::vector<std::string>& list) {
    put_bytes_list(out.initList(list_size(list.size())), list);
  }
  void operator()(const Error& error) {
    auto to = out.initError();
    to.setCode(static_cast<std::uint16_t>(error.code));
    to.setMessage(as_text(make_plain_text(error.message, max_sentence_size)));
  }
};

// One overload per message, each returning its frame.
struct ClientEncoder {
  using Root = schema::ClientMessage;

  std::string operator()(const ClientHello& hello) const {
    const std::string client = make_plain_text(hello.client, max_sentence_size);
    const std::size_t words = capnp::sizeInWords<schema::ClientHello>() + words_of(client);
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initClientHello();
      out.setProtocol(hello.protocol);
      out.setClient(as_text(client));
    });
  }

  std::string operator()(const ServerHello& hello) const {
    const std::size_t words = capnp::sizeInWords<schema::ServerHello>() + words_of(hello.cluster) +
                              words_of(hello.name) + words_of(hello.client_addresses);
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initServerHello();
      out.setProtocol(hello.protocol);
      out.setCluster(as_text(hello.cluster));
      out.setName(as_text(hello.name));
      out.setNode(hello.node);
      auto addresses = out.initClientAddresses(list_size(hello.client_addresses.size()));
      for (kj::uint i = 0; i < addresses.size(); ++i) {
        addresses.set(i, as_text(hello.client_addresses[i]));
      }
    });
  }

  std::string operator()(const Request& request) const {
    std::size_t words = capnp::sizeInWords<schema::Request>() + words_of(request.token) +
                        capnp::sizeInWords<schema::OpId>() + 1;
    for (const Command& command : request.commands) {
      words += words_of_command(command);
    }
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initRequest();
      out.setId(request.id);
      out.setDeadlineMs(request.deadline_ms);
      put_vector(request.token, [&](auto bytes) { out.setToken(bytes); });
      if (request.op_id) {
        auto op_id = out.initOpId();
        op_id.setSession(request.op_id->session);
        op_id.setSequence(request.op_id->sequence);
      }
      auto commands = out.initCommands(list_size(request.commands.size()));
      for (kj::uint i = 0; i < commands.size(); ++i) {
        put(commands[i], request.commands[i]);
      }
    });
  }

  std::string operator()(const Response& response) const {
    const std::size_t words = words_of_response(response);
    if (words > max_frame_body / 8 - 16) {
      return (*this)(too_large(response));
    }
    return build_frame<Root>(words, [&](auto root) {
      auto out = root.initResponse();
      out.setId(response.id);
      put_vector(response.token, [&](auto bytes) { out.setToken(bytes); });
      out.setRepeated(response.repeated);
      auto results = out.initResults(list_size(response.results.size()));
      for (kj::uint i = 0; i < results.size(); ++i) {
        std::visit(ResultWriter{results[i]}, response.results[i]);
      }
    });
  }

 private:
  static Response too_large(const Response& response) {
    return {response.id,
            response.token,
            response.repeated,
            {Error{ErrorCode::too_large, "the reply does not fit into one frame; ask for less"}}};
  }
};

// ---------------------------------------------------------------- reading

// One overload per message; what is wrong ends up in the checker.
class ClientDecoder {
 public:
  explicit ClientDecoder(Checker& checker) : checker_(checker) {}

  ClientMessage operator()(schema::ClientMessage::Reader in) {
    switch (in.which()) {
      case schema::ClientMessage::CLIENT_HELLO:
        return client_hello(in.getClientHello());
      case schema::ClientMessage::SERVER_HELLO:
        return server_hello(in.getServerHello());
      case schema::ClientMessage::REQUEST:
        return request(in.getRequest());
      case schema::ClientMessage::RESPONSE:
        return response(in.getResponse());
    }
    checker_.fail(CodecError::unknown_message);
    return {};
  }

 private:
  ClientHello client_hello(schema::ClientHello::Reader in) {
    return {in.getProtocol(), checker_.text(in.getClient(), max_sentence_size)};
  }

  ServerHello server_hello(schema::ServerHello::Reader in) {
    ServerHello out;
    out.protocol = in.getProtocol();
    out.cluster = checker_.text(in.getCluster(), max_name_size);
    out.name = checker_.text(in.getName(), max_name_size);
    out.node = in.getNode();
    const auto addresses = in.getClientAddresses();
    const kj::uint size = checker_.count(addresses.size(), max_members);
    for (kj::uint i = 0; i < size; ++i) {
      out.client_addresses.push_back(checker_.text(addresses[i], max_address_size));
    }
    return out;
  }

  Request request(schema::Request::Reader in) {
    Request out;
    out.id = in.getId();
    out.deadline_ms = in.getDeadlineMs();
    out.token = checker_.vector(in.getToken());
    if (in.hasOpId()) {
      const auto op_id = in.getOpId();
      out.op_id = OpId{op_id.getSession(), op_id.getSequence()};
    }
    const auto commands = in.getCommands();
    const kj::uint size = checker_.count(commands.size(), max_commands);
    out.commands.resize(size);
    for (kj::uint i = 0; i < size; ++i) {
      command(commands[i], out.commands[i]);
    }
    return out;
  }

  void command(schema::Command::Reader in, Command& out) {
    out.code = static_cast<CommandCode>(in.getCode());
    if (!is_known(out.code)) {
      checker_.fail(CodecError::bad_value);
    }
    out.db = in.getDb();
    out.key = checker_.bytes(in.getKey());
    out.args = checker_.bytes_list(in.getArgs());
    out.number = in.getNumber();
  }

  Response response(schema::Response::Reader in) {
    Response out;
    out.id = in.getId();
    out.token = checker_.vector(in.getToken());
    out.repeated = in.getRepeated();
    const auto results = in.getResults();
    const kj::uint size = checker_.count(results.size(), max_commands);
    out.results.resize(size);
    for (kj::uint i = 0; i < size; ++i) {
      out.results[i] = result(results[i]);
    }
    return out;
  }

  Result result(schema::Result::Reader in) {
    switch (in.which()) {
      case schema::Result::NIL:
        return Nil{};
      case schema::Result::OK:
        return Ok{};
      case schema::Result::INTEGER:
        return in.getInteger();
      case schema::Result::BYTES:
        return checker_.bytes(in.getBytes());
      case schema::Result::LIST:
        return checker_.bytes_list(in.getList());
      case schema::Result::ERROR:
        return error(in.getError());
    }
    checker_.fail(CodecError::bad_value);
    return {};
  }

  Error error(schema::Error::Reader in) {
    const auto code = static_cast<ErrorCode>(in.getCode());
    if (!is_known(code)) {
      checker_.fail(CodecError::bad_value);
    }
    return {code, checker_.text(in.getMessage(), max_sentence_size)};
  }

  Checker& checker_;
};

}  // namespace

std::string encode(const ClientMessage& message) { return std::visit(ClientEncoder{}, message); }

std::expected<ClientMessage, CodecError> decode_client(std::string_view body) {
  return read_body<schema::ClientMessage, ClientMessage>(
      body, [](auto root, Checker& checker) { return ClientDecoder(checker)(root); });
}

}  // namespace starling::wire
