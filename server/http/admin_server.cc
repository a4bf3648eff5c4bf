#include "server/http/admin_server.h"

#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <utility>

#include <microhttpd.h>

#include "server/http/pages.h"

namespace starling::http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t memory_per_connection = 16 << 10;  // request line and headers: 431 beyond it
constexpr std::array<std::string_view, 2> allowed_methods{MHD_HTTP_METHOD_GET,
                                                          MHD_HTTP_METHOD_HEAD};

// Which requests could be read in two ways by us and by a proxy before us.
struct Lengths {
  unsigned content_length = 0;
  unsigned transfer_encoding = 0;
  [[nodiscard]] bool ambiguous() const {
    return content_length > 1 || transfer_encoding > 1 ||
           (content_length > 0 && transfer_encoding > 0);
  }
};

MHD_Result count_length(void* lengths, MHD_ValueKind, const char* name, const char*) {
  auto& found = *static_cast<Lengths*>(lengths);
  if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
    ++found.content_length;
  } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
    ++found.transfer_encoding;
  }
  return MHD_YES;
}

// Paths are compared as they were sent: there is nothing here that needs an escape.
size_t leave_escaped(void*, MHD_Connection*, char* text) { return std::strlen(text); }

std::string remote_of(MHD_Connection* connection) {
  const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  if (info == nullptr || info->client_addr == nullptr) {
    return "unknown";
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  const sockaddr* address = info->client_addr;
  const void* bytes =
      address->sa_family == AF_INET6
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr)
          : static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr);
  const char* shown = inet_ntop(address->sa_family, bytes, text.data(), text.size());
  return shown == nullptr ? "unknown" : shown;
}

}  // namespace

struct AdminServer::Impl {
  Impl(Options given, SnapshotBoard& the_board, Rejections& the_rejections)
      : options(std::move(given)), board(the_board), rejections(the_rejections) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  [[nodiscard]] std::expected<void, std::string> start(net::ListenSocket socket);
  void run();
  void close_slow();
  [[nodiscard]] int wait_ms() const;

  [[nodiscard]] MHD_Result answer(MHD_Connection* connection, std::string_view path,
                                  std::string_view method);
  [[nodiscard]] Page page_for(MHD_Connection* connection, std::string_view path,
                              std::string_view method);
  [[nodiscard]] Facts facts();

  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url,
                               const char* method, const char* version, const char* upload,
                               std::size_t* upload_size, void** request);
  static void on_completed(void* self, MHD_Connection* connection, void** request,
                           MHD_RequestTerminationCode code);
  static void on_connection(void* self, MHD_Connection* connection, void** socket,
                            MHD_ConnectionNotificationCode code);

  Options options;
  SnapshotBoard& board;
  Rejections& rejections;
  Clock::time_point started = Clock::now();
  double start_unix_seconds =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  MHD_Daemon* daemon = nullptr;
  int stop_event = -1;
  std::atomic<bool> stopping = false;
  std::thread thread;
  // When the request that is awaited on this connection must be complete. HTTP thread only.
  std::unordered_map<MHD_Connection*, Clock::time_point> deadlines;
};

AdminServer::Impl::~Impl() {
  if (thread.joinable()) {
    stopping = true;
    const std::uint64_t one = 1;
    (void)!::write(stop_event, &one, sizeof one);
    thread.join();
  }
  if (daemon != nullptr) {
    MHD_stop_daemon(daemon);
  }
  if (stop_event >= 0) {
    ::close(stop_event);
  }
}

std::expected<void, std::string> AdminServer::Impl::start(net::ListenSocket socket) {
  stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_event < 0) {
    return std::unexpected(std::string("cannot make an eventfd: ") + std::strerror(errno));
  }
  const auto idle_seconds =
      static_cast<unsigned>(std::max<std::int64_t>(1, options.request_timeout.count() / 1000));
  daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, nullptr, nullptr, &Impl::on_request, this,  //
                            MHD_OPTION_LISTEN_SOCKET, socket.fd(),                        //
                            MHD_OPTION_CONNECTION_LIMIT, options.connections,             //
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_per_connection,    //
                            MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds,                  //
                            MHD_OPTION_STRICT_FOR_CLIENT, 1,                              //
                            MHD_OPTION_UNESCAPE_CALLBACK, &leave_escaped, nullptr,        //
                            MHD_OPTION_NOTIFY_COMPLETED, &Impl::on_completed, this,       //
                            MHD_OPTION_NOTIFY_CONNECTION, &Impl::on_connection, this,     //
                            MHD_OPTION_END);
  if (daemon == nullptr) {
    return std::unexpected("the HTTP library could not be started");
  }
  (void)socket.release();  // the daemon closes it
  sigset_t all;
  sigset_t before;
  sigfillset(&all);  // signals belong to the reactor thread
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), "http");
  return {};
}

// The library's own loop would do, but could not close a connection that is slow without being
// idle.
void AdminServer::Impl::run() {
  const int epoll = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  std::array<pollfd, 2> events{pollfd{epoll, POLLIN, 0}, pollfd{stop_event, POLLIN, 0}};
  while (!stopping) {
    (void)::poll(events.data(), events.size(), wait_ms());
    MHD_run(daemon);
    close_slow();
  }
}

int AdminServer::Impl::wait_ms() const {
  MHD_UNSIGNED_LONG_LONG library_ms = 0;
  int wait = deadlines.empty() ? -1 : 500;
  if (MHD_get_timeout(daemon, &library_ms) == MHD_YES &&
      (wait < 0 || library_ms < static_cast<unsigned>(wait))) {
    wait = static_cast<int>(library_ms);
  }
  return wait;
}

void AdminServer::Impl::close_slow() {
  const auto now = Clock::now();
  for (auto& [connection, deadline] : deadlines) {
    if (now < deadline) {
      continue;
    }
    rejections.note(Door::http, Rejection::slow_sender, remote_of(connection));
    deadline = Clock::time_point::max();  // the library notices and says that it is closed
    const auto* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != nullptr) {
      ::shutdown(info->connect_fd, SHUT_RDWR);
    }
  }
}

void AdminServer::Impl::on_connection(void* self, MHD_Connection* connection, void**,
                                      MHD_ConnectionNotificationCode code) {
  auto& impl = *static_cast<Impl*>(self);
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    impl.deadlines[connection] = Clock::now() + impl.options.request_timeout;
  } else {
    impl.deadlines.erase(connection);
  }
}

void AdminServer::Impl::on_completed(void* self, MHD_Connection* connection, void**,
                                     MHD_RequestTerminationCode) {
  auto& impl = *static_cast<Impl*>(self);
  if (const auto found = impl.deadlines.find(connection); found != impl.deadlines.end()) {
    found->second = Clock::now() + impl.options.request_timeout;
  }
}

// The library calls once at the end of the headers and again as the body comes. What should have no
// body is answered when there is none left, so that the connection can be used again; everything
// else at once, and then the library closes the connection.
MHD_Result AdminServer::Impl::on_request(void* self, MHD_Connection* connection, const char* url,
                                         const char* method, const char*, const char*,
                                         std::size_t* upload_size, void** request) {
  const std::string_view verb = method;
  if (verb == allowed_methods[0] || verb == allowed_methods[1]) {
    if (*request == nullptr) {
      *request = connection;
      return MHD_YES;
    }
    if (*upload_size > 0) {
      *upload_size = 0;  // not read, but taken; the deadline bounds it
      return MHD_YES;
    }
  }
  return static_cast<Impl*>(self)->answer(connection, url, verb);
}

Page AdminServer::Impl::page_for(MHD_Connection* connection, std::string_view path,
                                 std::string_view method) {
  Lengths lengths;
  MHD_get_connection_values(connection, MHD_HEADER_KIND, &count_length, &lengths);
  if (lengths.ambiguous()) {
    rejections.note(Door::http, Rejection::bad_request, remote_of(connection),
                    "more than one length");
    return {.status = MHD_HTTP_BAD_REQUEST, .body = "the length of this request is ambiguous\n"};
  }
  if (path != "/livez" && path != "/readyz" && path != "/health" && path != "/metrics") {
    rejections.note(Door::http, Rejection::unknown_path, remote_of(connection));
    return {.status = MHD_HTTP_NOT_FOUND, .body = "try /livez /readyz /health /metrics\n"};
  }
  if (method != allowed_methods[0] && method != allowed_methods[1]) {
    rejections.note(Door::http, Rejection::bad_method, remote_of(connection));
    return {.status = MHD_HTTP_METHOD_NOT_ALLOWED, .body = "only GET and HEAD\n"};
  }
  if (path == "/livez") {
    return livez(board.get());
  }
  if (path == "/readyz") {
    return readyz(board.get());
  }
  return path == "/health" ? health(facts()) : metrics(facts(), rejections);
}

Facts AdminServer::Impl::facts() {
  return {.answer = board.get(),
          .process = process_usage(),
          .disk = disk_usage(options.data),
          .memory_limit_bytes = options.memory_limit_bytes,
          .uptime_seconds = std::chrono::duration<double>(Clock::now() - started).count(),
          .start_unix_seconds = start_unix_seconds};
}

MHD_Result AdminServer::Impl::answer(MHD_Connection* connection, std::string_view path,
                                     std::string_view method) {
  Page page = page_for(connection, path, method);
  MHD_Response* response =
      MHD_create_response_from_buffer(page.body.size(), page.body.data(), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) {
    return MHD_NO;
  }
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                          std::string(page.content_type).c_str());
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (page.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  if (page.status == MHD_HTTP_BAD_REQUEST) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  }
  const MHD_Result queued = MHD_queue_response(connection, page.status, response);
  MHD_destroy_response(response);
  return queued;
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminServer::~AdminServer() = default;

std::expected<std::unique_ptr<AdminServer>, std::string> AdminServer::open(net::ListenSocket socket,
                                                                           Options options,
                                                                           SnapshotBoard& board,
                                                                           Rejections& rejections) {
  auto impl = std::make_unique<Impl>(std::move(options), board, rejections);
  if (auto started = impl->start(std::move(socket)); !started) {
    return std::unexpected(started.error());
  }
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

}  // namespace starling::http
