#include "storage/rocksdb/directory.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

#include "storage/rocksdb/errors.h"
#include "storage/rocksdb/outside_position.h"

namespace starling {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view format_first_line = "starling data directory\n";

std::string os_message(const std::error_code& error) { return error.message(); }

StoreResult<void> ensure_exists(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) {
    return {};
  }
  if (fs::exists(status)) {
    return std::unexpected(refused(fmt::format(
        "data directory {} is not a directory; name a directory with --data", path.string())));
  }
  const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (!fs::is_directory(parent, error)) {
    return std::unexpected(refused(
        fmt::format("data directory {} cannot be created: its parent {} does not exist or is not a "
                    "directory; a mount may be missing; create the parent or correct --data",
                    path.string(), parent.string())));
  }
  if (!fs::create_directory(path, error) && error) {
    return std::unexpected(
        refused(fmt::format("data directory {} cannot be created: {}; check the permissions of {}",
                            path.string(), os_message(error), parent.string())));
  }
  return sync_directory(parent);
}

// A start that died before FORMAT was written leaves only these.
bool is_left_by_first_start(std::string_view name) {
  constexpr std::array<std::string_view, 5> ours{"LOCK", "FORMAT.tmp", "outside", "outside.tmp",
                                                 "lost+found"};
  return std::ranges::find(ours, name) != ours.end();
}

// FORMAT exists, or nothing of anybody else's does.
StoreResult<bool> is_new(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path / "FORMAT", error)) {
    return false;
  }
  fs::directory_iterator entries(path, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (!is_left_by_first_start(name)) {
      return std::unexpected(
          refused(fmt::format("directory {} is not empty and has no FORMAT file, so it is not "
                              "Starling's (it holds {}); "
                              "nothing was changed; name an empty or new directory with --data",
                              path.string(), name)));
    }
  }
  if (error) {
    return std::unexpected(
        refused(fmt::format("data directory {} cannot be read: {}; check its "
                            "permissions",
                            path.string(), os_message(error))));
  }
  return true;
}

StoreResult<FileDescriptor> lock(const fs::path& path) {
  const fs::path file = path / "LOCK";
  FileDescriptor lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.is_open()) {
    const std::error_code error(errno, std::generic_category());
    return std::unexpected(refused(
        fmt::format("data directory {} is not writable: {}; check its owner, its permissions "
                    "and whether the disk is mounted read-only",
                    path.string(), os_message(error))));
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    const std::string holder = read_small_file(file, 20).value_or("");
    return std::unexpected(refused(fmt::format(
        "data directory {} is in use by process {}; stop that process or give this one a directory "
        "of its own",
        path.string(), holder.empty() ? "(unknown)" : holder)));
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock.get(), 0) != 0 ||
      ::pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return std::unexpected(error_from_errno("writing", file));
  }
  return lock;
}

struct Format {
  unsigned version = 0;
  unsigned draft = 1;
};

// Takes a number from the front.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  const char* const begin = text.data();
  const auto [end, error] = std::from_chars(begin, begin + text.size(), number);
  if (error != std::errc()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - begin));
  return number;
}

// "format V" or "format V draft D"; the first draft did not say so.
std::optional<Format> parse_format(std::string_view text) {
  constexpr std::string_view label = "format ";
  constexpr std::string_view draft_label = " draft ";
  if (!text.starts_with(format_first_line)) {
    return std::nullopt;
  }
  text.remove_prefix(format_first_line.size());
  if (!text.starts_with(label)) {
    return std::nullopt;
  }
  text.remove_prefix(label.size());
  Format format;
  const auto version = take_number(text);
  if (!version) {
    return std::nullopt;
  }
  format.version = *version;
  if (text.starts_with(draft_label)) {
    text.remove_prefix(draft_label.size());
    const auto draft = take_number(text);
    if (!draft) {
      return std::nullopt;
    }
    format.draft = *draft;
  }
  return text == "\n" ? std::optional(format) : std::nullopt;
}

StoreResult<void> check_format(const fs::path& path) {
  auto text = read_small_file(path / "FORMAT");
  if (!text) {
    return std::unexpected(text.error());
  }
  const auto format = parse_format(*text);
  if (!format) {
    return std::unexpected(
        refused(fmt::format("{} does not say that this is a Starling data directory: it is damaged "
                            "or belongs to another "
                            "program; name another directory with --data, or {}",
                            (path / "FORMAT").string(), restore_advice())));
  }
  if (format->version > directory_format_version) {
    return std::unexpected(
        refused(fmt::format("data directory {} was written by a newer Starling: it has format {} "
                            "and this program knows "
                            "up to {}; nothing was changed; start the newer program",
                            path.string(), format->version, directory_format_version)));
  }
  if (format->draft != directory_format_draft) {
    return std::unexpected(refused(fmt::format(
        "data directory {} was written under draft {} of format {}, and this program reads draft "
        "{}: before format 1 they do not read each other's; nothing was changed; export with the "
        "program that wrote it, or start with an empty directory and --join",
        path.string(), format->draft, format->version, directory_format_draft)));
  }
  return {};
}

// FORMAT comes last: a directory that has it has everything that must exist from the first moment.
StoreResult<void> initialise(const fs::path& path) {
  if (auto written = write_small_file(path / "outside", encode_outside_position(0)); !written) {
    return written;
  }
  return write_small_file(path / "FORMAT",
                          fmt::format("{}format {} draft {}\n", format_first_line,
                                      directory_format_version, directory_format_draft));
}

// Files of checkpoints that were being written when the process died.
StoreResult<void> empty_incoming(const fs::path& incoming) {
  std::error_code error;
  fs::remove_all(incoming, error);
  if (!error) {
    fs::create_directory(incoming, error);
  }
  if (error) {
    return std::unexpected(refused(fmt::format("{} cannot be emptied: {}; check its permissions",
                                               incoming.string(), os_message(error))));
  }
  return {};
}

}  // namespace

StoreResult<Directory> Directory::open(const fs::path& given) {
  std::error_code ignored;
  fs::path path = fs::absolute(given, ignored).lexically_normal();
  if (!path.has_filename()) {
    path = path.parent_path();  // "data/" names the same directory as "data"
  }
  if (auto exists = ensure_exists(path); !exists) {
    return std::unexpected(exists.error());
  }
  if (auto is_ours = is_new(path); !is_ours) {  // before the first write into it
    return std::unexpected(is_ours.error());
  }
  auto locked = lock(path);
  if (!locked) {
    return std::unexpected(locked.error());
  }
  const auto fresh = is_new(path);  // again: another process may have initialised it meanwhile
  if (!fresh) {
    return std::unexpected(fresh.error());
  }
  if (*fresh) {
    if (auto initialised = initialise(path); !initialised) {
      return std::unexpected(initialised.error());
    }
  }
  if (auto format = check_format(path); !format) {
    return std::unexpected(format.error());
  }
  Directory directory(std::move(path), std::move(*locked));
  if (auto emptied = empty_incoming(directory.incoming()); !emptied) {
    return std::unexpected(emptied.error());
  }
  return directory;
}

}  // namespace starling
