// import and export: NDJSON in and out, streaming.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <sys/stat.h>
#include <unordered_map>

#include <fmt/format.h>

#include "client/cli/input.h"
#include "client/cli/ndjson.h"
#include "client/cli/output.h"
#include "client/cli/parse.h"
#include "client/cli/terminal.h"

namespace starling::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_line = 64u << 20;
constexpr std::size_t batches_in_flight = 16;
constexpr std::uint64_t batches_per_session = 500;  // a node remembers 1,000 op ids of a session

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin && file != stdout) {
      (void)std::fclose(file);
    }
  }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

std::uint64_t mix(std::uint64_t x) {  // the finalizer of SplitMix64
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// FNV-1a: the same on every machine, for ever.
std::uint64_t hash(std::string_view text, std::uint64_t before = 0xCBF29CE484222325u) {
  for (const char byte : text) {
    before = (before ^ static_cast<unsigned char>(byte)) * 0x100000001B3u;
  }
  return before;
}

struct ImportOptions {
  std::string path;
  std::uint64_t session = 0;
  bool may_run_again = false;  // the session has a name
  std::chrono::milliseconds retry_for{60s};
  std::uint64_t batch_lines = 100;
  std::uint64_t batch_bytes = 256u << 10;
  std::string journal{};
  bool ignore_ttl = false;
};

std::expected<ImportOptions, std::string> import_options(const Invocation& call) {
  ImportOptions options{.path = call.args.front()};
  if (call.has("--session")) {
    options.session = hash(call.option("--session"));
    options.may_run_again = true;
  } else {
    std::random_device device;
    options.session = (std::uint64_t{device()} << 32) | device();
  }
  if (call.has("--retry-for")) {
    const auto time = parse_duration(call.option("--retry-for"));
    if (!time) {
      return std::unexpected("import: --retry-for wants a time such as 60s");
    }
    options.retry_for = *time;
  }
  const auto count = [&](const char* name, std::uint64_t& to) {
    if (!call.has(name)) {
      return true;
    }
    const auto number = parse_count(call.option(name));
    to = static_cast<std::uint64_t>(number.value_or(0));
    return to > 0;
  };
  if (!count("--batch-lines", options.batch_lines) ||
      !count("--batch-bytes", options.batch_bytes)) {
    return std::unexpected("import: --batch-lines and --batch-bytes want a number above 0");
  }
  options.journal = call.option("--journal");
  options.ignore_ttl = call.has("--ignore-ttl");
  return options;
}

// Reads lines, sends them in batches, several at once, and takes note of what was acknowledged.
// How lines are grouped and named depends on nothing but the file and the options, so that a second
// run names the same things in the same way. A batch is named after its first line number and its
// content: a file that was changed, or another one under the same --session, is never taken for
// something that is there already.
class Import {
 public:
  Import(Session& session, ImportOptions options, File file, File journal, std::uint64_t size)
      : session_(session),
        options_(std::move(options)),
        file_(std::move(file)),
        journal_(std::move(journal)),
        progress_(size),
        client_(client_options()) {}

  int run() {
    std::string line;
    while (!failure_ && read_line(line)) {
      take(line);
    }
    send();
    while (!in_flight_.empty()) {
      settle();
    }
    progress_.clear();
    if (siblings_ > 0) {
      fmt::print(stderr,
                 "kvctl: import: {} multi-value registers had several values; the last one "
                 "was kept\n",
                 siblings_);
    }
    return failure_ ? fail(session_.globals(), *failure_) : report();
  }

 private:
  struct Batch {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
    std::uint64_t hash = 0;  // of the lines
    std::vector<Command> commands;
    std::vector<std::pair<std::string, CommandCode>> touches;  // once sent
  };
  struct InFlight {
    Batch batch;
    std::future<Result<Reply>> reply;
  };

  Options client_options() const {
    Options options = session_.client_options();
    options.retry_for = options_.retry_for;
    options.home_patience = options_.retry_for;
    options.deadline += options_.retry_for;
    options.connect_timeout = 2s;
    options.queue_bytes = (batches_in_flight + 2) * (options_.batch_bytes + max_line);
    return options;
  }

  // False at the end. Sets failure_ when there can be no next line.
  bool read_line(std::string& line) {
    char* buffer = buffer_.release();
    const ssize_t size = ::getline(&buffer, &buffer_size_, file_.get());
    buffer_.reset(buffer);
    if (size < 0) {
      if (std::ferror(file_.get()) != 0) {
        stop(
            {.exit = exit_failed,
             .code = "file",
             .what = fmt::format("import: cannot read {}: {}", options_.path, std::strerror(errno)),
             .where = {},
             .cause = {},
             .advice = {}});
      }
      return false;
    }
    line.assign(buffer_.get(), static_cast<std::size_t>(size));
    ++line_number_;
    bytes_read_ += line.size();
    return true;
  }

  void take(const std::string& line) {
    if (line.find_first_not_of(" \t\r\n") == std::string::npos) {
      return;
    }
    auto parsed = line.size() > max_line
                      ? std::unexpected(std::string("the line is longer than 64 MiB"))
                      : parse_ndjson(line, session_.globals().db);
    if (parsed && parsed->ttl_ms && !parsed->commands.empty() && !options_.ignore_ttl) {
      const Command& filled = parsed->commands.front();
      parsed->commands.push_back({.code = CommandCode::expire,
                                  .db = filled.db,
                                  .key = filled.key,
                                  .args = {},
                                  .number = *parsed->ttl_ms});
    }
    if (!parsed) {
      std::string before = "lines before it are loaded";
      if (options_.may_run_again && batch_.lines > 0) {
        // The mended file will have other lines in this batch, which is another batch to the node.
        before = fmt::format("lines {} to {} share its atomic batch and are not loaded",
                             batch_.first, batch_.last);
        batch_ = {};
      }
      send();
      stop({.exit = exit_failed,
            .code = "bad_line",
            .what = fmt::format("import: line {}: {}", line_number_, parsed.error()),
            .where = fmt::format("{}:{}", options_.path, line_number_),
            .cause = "the line is not in the form that `kvctl export` writes",
            .advice = fmt::format("mend the line; {}", before)});
      return;
    }
    siblings_ += parsed->drops_siblings ? 1 : 0;
    if (batch_.lines > 0 && batch_.bytes + line.size() > options_.batch_bytes) {
      send();
    }
    if (batch_.lines == 0) {
      batch_.first = line_number_;
      batch_.hash = hash(std::to_string(line_number_));
    }
    batch_.hash = hash(line, batch_.hash);
    batch_.last = line_number_;
    ++batch_.lines;
    batch_.bytes += line.size();
    std::move(parsed->commands.begin(), parsed->commands.end(),
              std::back_inserter(batch_.commands));
    if (batch_.lines >= options_.batch_lines) {
      send();
    }
  }

  void send() {
    if (batch_.lines == 0) {
      return;
    }
    Batch batch = std::exchange(batch_, {});
    while (!in_flight_.empty() &&
           (in_flight_.size() >= batches_in_flight || !commutes_with_all(batch))) {
      settle();
    }
    const OperationId operation{
        .session = mix(options_.session + batches_sent_++ / batches_per_session),
        .sequence = mix(batch.hash)};
    if (failure_) {
      return;
    }
    for (const Command& command : batch.commands) {
      ++touched_[name_of(command)][command.code];
      batch.touches.emplace_back(name_of(command), command.code);
    }
    auto reply = client_.start(std::exchange(batch.commands, {}), {.operation = operation});
    in_flight_.push_back({std::move(batch), std::move(reply)});
  }

  static std::string name_of(const Command& command) {
    return static_cast<char>(command.db) + command.key;
  }

  // A batch that the node refuses for now is sent again later, behind others. So batches are under
  // way together only if their order does not matter: additions commute, nothing else is assumed
  // to.
  [[nodiscard]] bool commutes_with_all(const Batch& batch) const {
    return std::ranges::none_of(batch.commands, [this](const Command& command) {
      const auto found = touched_.find(name_of(command));
      const bool adds = command.code == CommandCode::incr || command.code == CommandCode::set_add;
      return found != touched_.end() &&
             !(adds && found->second.size() == 1 && found->second.contains(command.code));
    });
  }

  // Waits for the oldest batch.
  void settle() {
    InFlight oldest = std::move(in_flight_.front());
    in_flight_.pop_front();
    const auto reply = oldest.reply.get();
    const Batch& batch = oldest.batch;
    for (const auto& [name, code] : batch.touches) {
      const auto found = touched_.find(name);
      if (--found->second[code] == 0) {
        found->second.erase(code);
      }
      if (found->second.empty()) {
        touched_.erase(found);
      }
    }
    if (!reply) {
      Failure failure = describe(reply.error(), "import", session_.where());
      failure.what =
          fmt::format("import: lines {} to {}: {}", batch.first, batch.last, reply.error().message);
      failure.where = fmt::format("{}, {}:{}", session_.where(), options_.path, batch.first);
      if (reply.error().maybe_applied || reply.error().code == ErrorCode::unreachable) {
        failure.advice = "run again with the same --session: what counted does not count twice";
      }
      stop(std::move(failure));
      return;
    }
    lines_ += batch.lines;
    ++batches_;
    repeated_ += reply->repeated ? batch.lines : 0;
    if (journal_) {
      fmt::print(journal_.get(), "{} {}\n", batch.first, batch.last);
      std::fflush(journal_.get());
    }
    progress_.show(bytes_read_, lines_);
  }

  void stop(Failure failure) {
    if (!failure_) {
      failure_ = std::move(failure);
    }
  }

  int report() const {
    if (session_.globals().json) {
      print_line(fmt::format(R"({{"lines":{},"batches":{},"repeated_lines":{}}})", lines_, batches_,
                             repeated_));
      return exit_ok;
    }
    fmt::print(stderr, "imported {} lines in {} atomic batches{}\n", lines_, batches_,
               repeated_ > 0 ? fmt::format("; {} lines had counted before", repeated_) : "");
    return exit_ok;
  }

  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };

  Session& session_;
  ImportOptions options_;
  File file_;
  File journal_;
  Progress progress_;
  Client client_;
  std::unique_ptr<char, Free> buffer_;
  std::size_t buffer_size_ = 0;
  std::uint64_t line_number_ = 0;
  std::uint64_t bytes_read_ = 0;
  std::uint64_t batches_sent_ = 0;
  std::uint64_t lines_ = 0;
  std::uint64_t batches_ = 0;
  std::uint64_t repeated_ = 0;
  std::uint64_t siblings_ = 0;
  Batch batch_;
  std::deque<InFlight> in_flight_;
  // What the batches under way do to which keys, and how often.
  std::unordered_map<std::string, std::map<CommandCode, std::uint64_t>> touched_;
  std::optional<Failure> failure_;
};

Failure file_failure(std::string_view command, std::string_view what, const std::string& path) {
  return {.exit = exit_failed,
          .code = "file",
          .what = fmt::format("{}: cannot {} {}: {}", command, what, path, std::strerror(errno)),
          .where = {},
          .cause = {},
          .advice = {}};
}

}  // namespace

int run_import(Session& session, const Invocation& call) {
  const Globals& globals = session.globals();
  auto options = import_options(call);
  if (!options) {
    return fail(globals, {.exit = exit_usage,
                          .code = "usage",
                          .what = options.error(),
                          .where = {},
                          .cause = {},
                          .advice = "kvctl help import"});
  }
  File file(options->path == "-" ? stdin : std::fopen(options->path.c_str(), "rb"));
  if (!file) {
    return fail(globals, file_failure("import", "read", options->path));
  }
  struct stat info{};
  const bool sized = fstat(fileno(file.get()), &info) == 0 && S_ISREG(info.st_mode);
  File journal(options->journal.empty() ? nullptr : std::fopen(options->journal.c_str(), "ab"));
  if (!options->journal.empty() && !journal) {
    return fail(globals, file_failure("import", "append to", options->journal));
  }
  return Import(session, std::move(*options), std::move(file), std::move(journal),
                sized ? static_cast<std::uint64_t>(info.st_size) : 0)
      .run();
}

int run_export(Session& session, const Invocation& call) {
  const Globals& globals = session.globals();
  const bool to_file = !call.args.empty() && call.args.front() != "-";
  const File file(to_file ? std::fopen(call.args.front().c_str(), "wb") : stdout);
  if (!file) {
    return fail(globals, file_failure("export", "write", call.args.front()));
  }
  Progress progress(0);
  std::uint64_t bytes = 0;
  std::uint64_t lines = 0;
  std::string cursor;
  do {
    auto page = session.client().call<Page>(
        {.code = CommandCode::export_, .db = 0, .key = {}, .args = {cursor}, .number = 1 << 20});
    if (!page) {
      progress.clear();
      return fail(globals, session, "export", page.error());
    }
    for (std::string& line : page->items) {
      if (!line.ends_with('\n')) {
        line += '\n';
      }
      if (std::fwrite(line.data(), 1, line.size(), file.get()) != line.size()) {
        progress.clear();
        const bool reader_left = errno == EPIPE && !to_file;
        return reader_left
                   ? exit_ok
                   : fail(globals, file_failure("export", "write",
                                                to_file ? call.args.front() : "standard output"));
      }
      bytes += line.size();
      ++lines;
    }
    if (to_file || !stdout_is_terminal()) {
      progress.show(bytes, lines);
    }
    cursor = std::move(page->cursor);
  } while (!cursor.empty());
  progress.clear();
  if (std::fflush(file.get()) != 0 && errno != EPIPE) {
    return fail(globals,
                file_failure("export", "write", to_file ? call.args.front() : "standard output"));
  }
  if (to_file && stderr_is_terminal()) {
    fmt::print(stderr, "exported {} lines, {}\n", lines, human_bytes(bytes));
  }
  return exit_ok;
}

}  // namespace starling::cli
