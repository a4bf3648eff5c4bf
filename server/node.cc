#include "server/node.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include "server/driver.h"
#include "server/host.h"
#include "server/http/admin_server.h"
#include "server/net/acceptor.h"
#include "server/net/asio_loop.h"
#include "server/net/client_door.h"
#include "server/net/dialer.h"
#include "server/net/listen.h"
#include "server/net/peer_door.h"
#include "server/net/resp_door.h"
#include "server/snapshot.h"
#include "server/turns/command_thread.h"
#include "server/worker.h"
#include "storage/rocksdb/rocksdb_store.h"

namespace starling {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds dial_timeout{3'000};
constexpr milliseconds sweep_interval{1'000};
constexpr std::uint64_t unarmed = std::numeric_limits<std::uint64_t>::max();
constexpr milliseconds stop_look_interval{20};
constexpr milliseconds stop_patience{2'000};  // for replies and goodbyes to leave
constexpr unsigned stop_limit_s = 8;          // then it ends as it is, which is safe too

std::uint64_t random_number() {
  std::uint64_t number = 0;
  while (getrandom(&number, sizeof number, 0) != sizeof number) {
  }
  return number;
}

// How many files each part may have open, so that a storm at one door leaves the others theirs.
struct FileBudget {
  std::size_t clients;
  std::size_t lingering;
  std::size_t peers;
  unsigned http;
};
FileBudget share_files(std::uint64_t limit, std::uint64_t wanted_clients) {
  const std::uint64_t eighth = limit / 8;
  const std::uint64_t http = std::clamp<std::uint64_t>(eighth, 4, 512);
  const std::uint64_t peers = std::clamp<std::uint64_t>(eighth, 8, 1024);
  const std::uint64_t lingering = std::clamp<std::uint64_t>(limit / 32, 2, 64);
  const std::uint64_t storage = std::max<std::uint64_t>(limit / 4, 40);
  const std::uint64_t taken = http + peers + 2 * lingering + storage;
  const std::uint64_t left = limit > taken + 8 ? limit - taken : 8;
  // Native clients and Redis clients have as many each, and so has what lingers at their doors.
  return {std::min(wanted_clients, left / 2), lingering, peers, static_cast<unsigned>(http)};
}

// The part of --memory that is for tables; the rest is the store's.
std::uint64_t table_memory(std::uint64_t memory, const RocksDbOptions& store) {
  const std::uint64_t caches = store.block_cache_bytes + 2 * store.log_write_buffer_bytes;
  constexpr std::uint64_t least = 16u << 20;
  return memory > caches + least ? memory - caches : least;
}

void end_late(int) {
  constexpr char line[] =
      "kvd: stopping took too long and ends here; what was acknowledged is in the log\n";
  (void)!::write(STDERR_FILENO, line, sizeof line - 1);
  ::_exit(0);
}

struct Sockets {
  std::optional<net::ListenSocket> client;
  std::optional<net::ListenSocket> peer;
  std::optional<net::ListenSocket> resp;
  std::optional<net::ListenSocket> http;
};

std::expected<Sockets, std::string> open_sockets(const Config& config) {
  Sockets sockets;
  const auto open = [](const std::optional<net::Address>& address, const char* flag,
                       std::optional<net::ListenSocket>& out) -> std::expected<void, std::string> {
    if (address) {
      auto socket = net::listen_on(*address, flag);
      if (!socket) {
        return std::unexpected(socket.error());
      }
      out.emplace(std::move(*socket));
    }
    return {};
  };
  if (auto opened = open(config.client, "--client", sockets.client); !opened) {
    return std::unexpected(opened.error());
  }
  if (auto opened = open(config.peer, "--peer", sockets.peer); !opened) {
    return std::unexpected(opened.error());
  }
  if (auto opened = open(config.resp, "--resp", sockets.resp); !opened) {
    return std::unexpected(opened.error());
  }
  if (auto opened = open(config.http, "--http", sockets.http); !opened) {
    return std::unexpected(opened.error());
  }
  return sockets;
}

std::string address_of(const std::optional<net::ListenSocket>& socket) {
  return socket ? net::to_string(socket->address()) : "off";
}

replica::Config replica_config(const Config& config, const Sockets& sockets,
                               const RocksDbOptions& store) {
  replica::Config out;
  out.cluster = config.cluster;
  out.name = config.name;
  if (sockets.peer) {
    out.peer_address = net::to_string(config.advertise.value_or(sockets.peer->address()));
  }
  if (sockets.client) {
    net::Address told = sockets.client->address();
    if (config.advertise_client) {
      told = *config.advertise_client;
    } else if (config.advertise) {
      told.host = config.advertise->host;
    } else if (net::is_wildcard(told.host)) {
      told.host = host_name();
    }
    out.client_address = net::to_string(told);
  }
  out.join = config.join;
  out.sync = config.sync;
  out.memory_bytes = table_memory(config.memory_bytes, store);
  out.max_value_bytes = config.max_value_bytes;
  out.conflict_lines = config.conflict_lines;
  out.allow_faults = config.allow_faults;
  out.random_seed = random_number();
  out.checkpoint_bytes = config.checkpoint_bytes;
  out.checkpoint_age = config.checkpoint_age;
  out.heartbeat_interval = config.heartbeat;
  out.peer_timeout = config.peer_timeout;
  out.truncate_log = config.truncate_log;
  return out;
}

// Of Redis's three, the one that loses as much in a crash.
std::string fsync_name(replica::SyncMode mode) {
  switch (mode) {
    case replica::SyncMode::os:
      return "no";
    case replica::SyncMode::everysec:
      return "everysec";
    case replica::SyncMode::always:
      return "always";
  }
  return "everysec";
}

}  // namespace

// Members are in the order in which they are built; what is below may use what is above.
class Node::Impl final : public net::Core, public Doors, public resp::Backend {
 public:
  Impl(Config given, Log& the_log) : config(std::move(given)), log(the_log) {}
  ~Impl() override { end_background(); }

  std::expected<void, std::string> open();
  void run(const std::function<void(const std::string&)>& ready);

  // -- net::Core --
  void step(replica::Input input, std::size_t bytes) override {
    driver->step(std::move(input), bytes);
  }
  bool tick_is_full() const override { return driver->tick_is_full(); }
  std::uint64_t now_us() const override { return loop.now().monotonic_us; }
  wire::ServerHello server_hello() const override;

  // -- Doors --
  void reply(replica::Reply one) override { client_door->reply(std::move(one)); }
  void send(replica::Send one) override { peer_door->send(one); }
  void dial(replica::Dial one) override;
  void close(replica::Close one) override { peer_door->close(one); }
  void flush() override;

  // -- resp::Backend --
  replica::Replica& replica() override { return *core; }
  replica::Now now() const override { return loop.now(); }
  void want_tick(std::size_t bytes) override { driver->touch(bytes); }
  void wake_by(std::uint64_t monotonic_us) override;
  std::uint64_t random() override { return randomness(); }
  resp::NodeFacts facts() const override;
  void shut_down() override {
    asio::post(context, [this] { begin_stop("SHUTDOWN"); });
  }

  void begin_stop(const char* why);

  asio::io_context context{1};  // one thread

 private:
  [[noreturn]] void fatal(std::string_view doing, const StoreError& error);
  void build_doors(Sockets sockets, const FileBudget& files);
  void announce_if_ready();
  void publish_snapshot();
  void sweep();
  void watch_signals();
  void look_whether_stopped();
  void end_background();

  Config config;
  Log& log;
  std::unique_ptr<net::ReadBuffer> buffer = std::make_unique<net::ReadBuffer>();
  ShellCounters counters;
  Rejections rejections{log};
  SnapshotBoard board;
  std::unique_ptr<http::AdminServer> http;
  std::unique_ptr<RocksDbStore> store;
  std::unique_ptr<replica::Replica> core;
  std::string ready_line;
  std::uint64_t node_id = 0;
  std::uint16_t resp_port = 0;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  const std::uint64_t system_memory_bytes = usable_memory_bytes();
  std::mt19937_64 randomness{random_number()};

  net::AsioLoop loop{context};
  Worker log_sync{"log-sync"};
  Worker checkpoints{"checkpoint", Worker::Rank::stands_back};
  Worker urgent{"urgent"};  // checkpoints that writes wait for
  Worker readers{"reader", Worker::Rank::stands_back};
  std::optional<net::ClientDoor> client_door;
  std::optional<net::PeerDoor> peer_door;
  std::optional<net::RespDoor> resp_door;
  std::optional<Driver> driver;
  std::optional<net::Acceptor> client_acceptor;
  std::optional<net::Acceptor> peer_acceptor;
  std::optional<net::Acceptor> resp_acceptor;
  asio::steady_timer sweep_timer{context};
  asio::steady_timer resp_timer{context};
  std::uint64_t resp_wake_us = unarmed;  // when it fires
  asio::steady_timer stop_timer{context};
  asio::signal_set signals{context};

  std::function<void(const std::string&)> on_ready;  // empty once it was called
  bool resp_goes_first = false;
  std::chrono::steady_clock::time_point stop_begun;
  bool stopping = false;
  std::uint64_t requests_at_sweep = 0;
  std::uint64_t commands_at_sweep = 0;
  double requests_per_second = 0;  // of both doors
  double cpu_seconds_at_sweep = 0;
  double cpu_cores = 0;
  mutable std::uint64_t memory_peak_bytes = 0;  // as INFO told it last
  double resp_commands_per_second = 0;          // of one
};

std::expected<void, std::string> Node::Impl::open() {
  const FileBudget files = share_files(raise_open_files_limit(), config.max_clients);
  if (files.clients < config.max_clients) {
    log.warning("fewer clients than --max-clients: the limit of open files is low",
                {{"clients", std::to_string(files.clients)}});
  }
  auto sockets = open_sockets(config);
  if (!sockets) {
    return std::unexpected(sockets.error());
  }
  ready_line = "ready name=" + config.name + " client=" + address_of(sockets->client) +
               " peer=" + address_of(sockets->peer) + " resp=" + address_of(sockets->resp) +
               " http=" + address_of(sockets->http);
  if (sockets->http) {  // first: it says "starting" while the log is replayed
    auto opened = http::AdminServer::open(
        std::move(*sockets->http),
        {.data = config.data, .memory_limit_bytes = config.memory_bytes, .connections = files.http},
        board, rejections);
    if (!opened) {
      return std::unexpected("--http: " + opened.error());
    }
    http = std::move(*opened);
  }

  RocksDbOptions options = RocksDbOptions::for_memory(config.memory_bytes);
  options.accept_loss = config.accept_loss;
  auto opened = RocksDbStore::open(config.data, options);
  if (!opened) {
    return std::unexpected(opened.error().message);
  }
  store = std::move(*opened);
  if (const auto& damage = store->accepted_damage()) {
    log.warning("opened with loss, as --accept-loss allows", {{"damage", *damage}});
  }
  auto recovered =
      replica::Replica::open(*store, replica_config(config, *sockets, options), loop.now());
  if (!recovered) {
    return std::unexpected(recovered.error().message);
  }
  core = std::move(*recovered);
  node_id = core->view(loop.now()).node;
  build_doors(std::move(*sockets), files);
  return {};
}

void Node::Impl::build_doors(Sockets sockets, const FileBudget& files) {
  net::ClientDoor::Limits clients;
  clients.clients = files.clients;
  clients.lingering = files.lingering;
  clients.unsent = config.output_limit_bytes;
  clients.held = std::clamp<std::uint64_t>(config.memory_bytes / 4, 128u << 20, 1u << 30);
  clients.hello_us = static_cast<std::uint64_t>(config.hello_timeout.count()) * 1000;
  client_door.emplace(*this, clients, counters, rejections);
  // What the core may have under way to a peer, and a tick's run with the largest entry, fits.
  static_assert(replica::Config::largest_window + max_entry_size + (2u << 20) +
                    replica::Config::largest_pull_answer <
                net::PeerDoor::Limits{}.unsent);
  net::PeerDoor::Limits peers;
  peers.connections = files.peers;
  peers.hello_us = clients.hello_us;
  peer_door.emplace(*this, peers, counters, rejections);

  resp::Options options;
  options.max_value_bytes = config.max_value_bytes;
  options.max_clients = files.clients;
  options.long_cells = config.long_cells;
  options.pace.turn_us = config.turn_us;
  options.start_long = CommandThread::start;
  options.max_reply_bytes = clients.unsent / 4 * 3;  // a client may leave that unread
  net::RespDoor::Limits resp_clients;
  resp_clients.clients = files.clients;
  resp_clients.lingering = files.lingering;
  resp_clients.unsent = clients.unsent;
  resp_clients.held = clients.held;
  resp_door.emplace(*this, options, resp_clients, counters, rejections);

  driver.emplace(Driver::Parts{
      .store = *store,
      .replica = *core,
      .loop = loop,
      .doors = *this,
      .background = {log_sync, checkpoints, urgent, readers},
      .log = log,
      .counters = counters,
      .fatal = [this](std::string_view doing, const StoreError& error) { fatal(doing, error); },
      .sync = config.sync});
  loop.on_wake([this] { driver->wake(); });

  if (sockets.client) {
    client_acceptor.emplace(context, std::move(*sockets.client), *buffer,
                            [this](std::unique_ptr<net::Connection> connection) {
                              client_door->accept(std::move(connection));
                            });
  }
  if (sockets.resp) {
    resp_port = sockets.resp->address().port;
    resp_acceptor.emplace(context, std::move(*sockets.resp), *buffer,
                          [this](std::unique_ptr<net::Connection> connection) {
                            resp_door->accept(std::move(connection));
                          });
  }
  if (sockets.peer) {
    peer_acceptor.emplace(context, std::move(*sockets.peer), *buffer,
                          [this](std::unique_ptr<net::Connection> connection) {
                            peer_door->accept(std::move(connection));
                          });
  }
}

void Node::Impl::fatal(std::string_view doing, const StoreError& error) {
  log.error(
      "the process ends at once: nothing unacknowledged was served; after the cause is gone, "
      "start it again",
      {{"doing", std::string(doing)}, {"error", error.message}});
  ::_exit(exit_storage);
}

// ---------------------------------------------------------------- serving

void Node::Impl::run(const std::function<void(const std::string&)>& ready) {
  on_ready = ready;
  watch_signals();
  if (client_acceptor) {
    client_acceptor->start();
  }
  if (peer_acceptor) {
    peer_acceptor->start();
  }
  if (resp_acceptor) {
    resp_acceptor->start();
  }
  cpu_seconds_at_sweep = process_cpu_seconds();  // what recovery took is not of this second
  sweep();
  board.serve([this] { asio::post(context, [this] { publish_snapshot(); }); });
  announce_if_ready();
  context.run();
  board.serve({});
  end_background();
  log.info("stopped");
}

wire::ServerHello Node::Impl::server_hello() const {
  wire::ServerHello hello;
  hello.cluster = config.cluster;
  hello.name = config.name;
  hello.node = node_id;
  hello.client_addresses = core->client_addresses();
  return hello;
}

void Node::Impl::dial(replica::Dial one) {
  net::dial(context, one.address, dial_timeout, *buffer, [this, id = one.dial](net::Dialed dialed) {
    if (dialed && !stopping) {
      peer_door->dialed(id, std::move(*dialed));
    } else {
      ++counters.peer_dials_failed;
      driver->step(replica::DialFailed{id});
    }
  });
}

void Node::Impl::flush() {
  // Who waits for room in a tick is heard now: each door goes first in every second tick.
  if (std::exchange(resp_goes_first, !resp_goes_first)) {
    resp_door->flush();
    client_door->flush();
  } else {
    client_door->flush();
    resp_door->flush();
  }
  peer_door->flush();
  announce_if_ready();
}

void Node::Impl::announce_if_ready() {
  if (on_ready && core->view(loop.now()).ready) {
    std::exchange(on_ready, nullptr)(ready_line);
  }
}

void Node::Impl::publish_snapshot() {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->name = config.name;
  snapshot->cluster = config.cluster;
  snapshot->stopping = stopping;
  snapshot->view = core->view(loop.now());
  snapshot->counters = counters;
  snapshot->counters.resp_clients_waiting = resp_door->waiting();
  snapshot->requests_per_second = requests_per_second;
  snapshot->cpu_cores = cpu_cores;
  board.publish(std::move(snapshot));
}

// The earliest moment that was asked for; what must wait on then asks again.
void Node::Impl::wake_by(std::uint64_t monotonic_us) {
  if (monotonic_us >= resp_wake_us) {
    return;
  }
  constexpr std::uint64_t longest_us = 3'600'000'000;  // farther than that is asked for again
  monotonic_us = std::min(monotonic_us, now_us() + longest_us);
  resp_wake_us = monotonic_us;
  resp_timer.expires_at(
      std::chrono::steady_clock::time_point(std::chrono::microseconds(monotonic_us)));
  resp_timer.async_wait([this](std::error_code error) {
    if (!error) {
      resp_wake_us = unarmed;
      driver->touch(0);
    }
  });
}

resp::NodeFacts Node::Impl::facts() const {
  const ProcessUsage usage = process_usage();
  resp::NodeFacts facts;
  facts.version = version_text;
  facts.name = config.name;
  facts.port = resp_port;
  facts.uptime_seconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started)
          .count());
  facts.system = system_name();
  facts.memory_bytes = usage.resident_bytes;
  // The kernel notes its peak now and then, so it may lag behind what is resident now; a peak that
  // was told once does not fall.
  memory_peak_bytes =
      std::max({memory_peak_bytes, usage.peak_resident_bytes, usage.resident_bytes});
  facts.memory_peak_bytes = memory_peak_bytes;
  facts.memory_limit = config.memory_bytes;
  facts.system_memory_bytes = system_memory_bytes;
  facts.user_cpu_us = static_cast<std::uint64_t>(usage.user_cpu_seconds * 1e6);
  facts.system_cpu_us =
      static_cast<std::uint64_t>((usage.cpu_seconds - usage.user_cpu_seconds) * 1e6);
  facts.process = static_cast<std::uint64_t>(::getpid());
  const replica::Now now = loop.now();
  facts.durable_until_unix_s =
      (now.unix_ms - (now.monotonic_us - driver->durable_until_us()) / 1000) / 1000;
  facts.bytes_received = counters.resp_bytes_received;
  facts.bytes_sent = counters.resp_bytes_sent;
  facts.commands_per_second = static_cast<std::uint64_t>(resp_commands_per_second);
  facts.connections_rejected = rejections.count(Door::resp, Rejection::too_many);
  const std::string unsent = std::to_string(config.output_limit_bytes);
  facts.options = {
      {"appendfsync", fsync_name(config.sync)},
      {"client-output-buffer-limit",
       "normal " + unsent + " 0 0 slave 0 0 0 pubsub " + unsent + " 0 0"},
      {"dir", config.data.string()},
  };
  return facts;
}

void Node::Impl::sweep() {
  client_door->sweep();
  resp_door->sweep();
  peer_door->sweep();
  const double seconds = std::chrono::duration<double>(sweep_interval).count();
  const auto rate = [&](auto count, auto& before) {
    return static_cast<double>(count - std::exchange(before, count)) / seconds;
  };
  cpu_cores = rate(process_cpu_seconds(), cpu_seconds_at_sweep);
  resp_commands_per_second = rate(counters.resp_commands, commands_at_sweep);
  requests_per_second =
      rate(counters.client_requests, requests_at_sweep) + resp_commands_per_second;
  sweep_timer.expires_after(sweep_interval);
  sweep_timer.async_wait([this](std::error_code error) {
    if (!error) {
      sweep();
    }
  });
}

// ---------------------------------------------------------------- stopping

void Node::Impl::watch_signals() {
  if (!stopping) {
    signals.add(SIGINT);
    signals.add(SIGTERM);
  }
  signals.async_wait([this](std::error_code error, int) {
    if (error) {
      return;
    }
    if (stopping) {
      log.warning("stopped at once by a second signal; what was acknowledged is in the log");
      ::_exit(0);
    }
    begin_stop("signal");
    watch_signals();
  });
}

void Node::Impl::begin_stop(const char* why) {
  if (std::exchange(stopping, true)) {
    return;
  }
  log.info("stopping", {{"why", why}});
  ::signal(SIGALRM, end_late);
  ::alarm(stop_limit_s);
  on_ready = nullptr;
  client_acceptor.reset();
  peer_acceptor.reset();
  resp_acceptor.reset();
  driver->step(replica::StopRequested{});
  client_door->drain();
  resp_door->drain();
  stop_begun = std::chrono::steady_clock::now();
  look_whether_stopped();
}

void Node::Impl::look_whether_stopped() {
  stop_timer.expires_after(stop_look_interval);
  stop_timer.async_wait([this](std::error_code error) {
    if (error) {
      return;
    }
    const bool done = client_door->empty() && resp_door->empty() && peer_door->empty();
    if (done || std::chrono::steady_clock::now() > stop_begun + stop_patience) {
      context.stop();
    } else {
      look_whether_stopped();
    }
  });
}

// The log becomes durable first: a checkpoint under way may take a while and may be cut short.
void Node::Impl::end_background() {
  http.reset();
  log_sync.stop();
  if (driver) {
    driver->final_sync();
  }
  readers.stop();
  checkpoints.stop();
  urgent.stop();
  ::alarm(0);
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;

std::expected<std::unique_ptr<Node>, std::string> Node::open(Config config, Log& log) {
  auto impl = std::make_unique<Impl>(std::move(config), log);
  if (auto opened = impl->open(); !opened) {
    return std::unexpected(opened.error());
  }
  return std::unique_ptr<Node>(new Node(std::move(impl)));
}

void Node::run(const std::function<void(const std::string&)>& ready) { impl_->run(ready); }

void Node::stop() {
  asio::post(impl_->context, [impl = impl_.get()] { impl->begin_stop("asked"); });
}

}  // namespace starling
