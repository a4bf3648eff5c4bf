// What only the store on disk can get wrong: directories that are not what they should be, damaged
// bytes, full disks, many files (R5.2, R5.4, bad-inputs.md section I).
#include "storage/rocksdb/rocksdb_store.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <random>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>
#include <rocksdb/db.h>

#include "crdt/varint.h"
#include "storage/rocksdb/object_prefix.h"
#include "storage/rocksdb/outside_position.h"
#include "tests/storage/store_helpers.h"
#include "tests/support/skip.h"
#include "tests/support/temp_dir.h"

namespace starling::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

std::unique_ptr<RocksDbStore> open(const fs::path& path, const RocksDbOptions& options = {}) {
  return must(RocksDbStore::open(path, options));
}

std::string refusal(const fs::path& path, const RocksDbOptions& options = {}) {
  const auto store = RocksDbStore::open(path, options);
  REQUIRE_FALSE(store.has_value());
  CHECK(store.error().code == StoreError::Code::refused);
  return store.error().message;
}

#define CHECK_SAYS(message, part) \
  CHECK_MESSAGE((message).find(part) != std::string::npos, (message))

const RocksDbOptions accepting_loss = [] {
  RocksDbOptions options;
  options.accept_loss = true;
  return options;
}();

void write_file(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void flip_byte(const fs::path& path, std::size_t at) {
  std::string bytes = read_file(path);
  REQUIRE(at < bytes.size());
  bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
  write_file(path, bytes);
}

std::vector<fs::path> files_in(const fs::path& directory, std::string_view extension = {}) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (extension.empty() || entry.path().extension() == extension) {
      files.push_back(entry.path());
    }
  }
  return files;
}

// The write-ahead log that holds what was appended last.
fs::path wal_of(const fs::path& data) {
  const auto files = files_in(data / "log", ".log");
  REQUIRE_FALSE(files.empty());
  return *std::ranges::max_element(files);
}

std::uint64_t bytes_in(const fs::path& directory) {
  std::uint64_t sum = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    std::error_code gone;  // RocksDB deletes files in the background
    const auto size = entry.file_size(gone);
    sum += gone ? 0 : size;
  }
  return sum;
}

std::string record(std::uint64_t position) {
  return "record " + std::to_string(position) + std::string(100, '.');
}

// Synced records 1..count, the state at `w`.
void fill(const fs::path& data, std::uint64_t count, std::uint64_t w) {
  const auto store = open(data);
  for (std::uint64_t position = 1; position <= count; ++position) {
    must(store->append(position, record(position)));
  }
  must(store->sync());
  if (w > 0) {
    checkpoint(*store, w, {{member_key("s", "e"), std::to_string(w)}});
  }
}

// Does to log/ what no program of ours does.
void tamper(const fs::path& data, std::uint64_t position) {
  rocksdb::DB* database = nullptr;
  REQUIRE(rocksdb::DB::Open(rocksdb::Options(), (data / "log").string(), &database).ok());
  std::string key = "l";
  put_be(key, position);
  CHECK(database->Delete(rocksdb::WriteOptions(), key).ok());
  delete database;
}

bool happens_within(std::chrono::seconds limit, const auto& condition) {
  const auto deadline = steady_clock::now() + limit;
  while (!condition()) {
    if (steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// -- whose directory is it --

TEST_CASE("a missing directory is created, its parents are not") {
  TempDir dir;
  open(dir / "data");
  CHECK(fs::exists(dir / "data" / "FORMAT"));
  open(dir / "data/");  // the same directory
  const auto message = refusal(dir / "no" / "such" / "data");
  CHECK_SAYS(message, "parent");
  CHECK_SAYS(message, "--data");
  CHECK_FALSE(fs::exists(dir / "no"));
}

TEST_CASE("a file in place of the directory is refused") {
  TempDir dir;
  write_file(dir / "data", "hello");
  CHECK_SAYS(refusal(dir / "data"), "not a directory");
}

TEST_CASE("a directory that cannot be created is refused") {
  CHECK_SAYS(refusal("/proc/starling-data"), "cannot be created");
}

TEST_CASE("a foreign directory is refused and not touched") {
  TempDir dir;
  write_file(dir / "photo.jpg", "jpeg");
  const auto message = refusal(dir.path());
  CHECK_SAYS(message, "not empty");
  CHECK_SAYS(message, "photo.jpg");
  CHECK(files_in(dir.path()).size() == 1);
}

TEST_CASE("a first start that died before it wrote FORMAT is repeated") {
  TempDir dir;
  fs::create_directory(dir / "data");
  write_file(dir / "data" / "LOCK", "123");
  write_file(dir / "data" / "FORMAT.tmp", "starl");
  write_file(dir / "data" / "outside", "");
  fill(dir / "data", 3, 2);
  CHECK(open(dir / "data")->bounds().last == 3);
}

TEST_CASE("a newer format is refused and not touched") {
  TempDir dir;
  fill(dir / "data", 3, 2);
  write_file(dir / "data" / "FORMAT", "starling data directory\nformat 1\n");
  const auto message = refusal(dir / "data");
  CHECK_SAYS(message, "newer");
  CHECK_SAYS(message, "format 1");
}

TEST_CASE("an older draft of format 0 is refused and not touched: its rows would read as absent") {
  TempDir dir;
  fill(dir / "data", 3, 2);
  for (const auto* text :
       {"starling data directory\nformat 0\n", "starling data directory\nformat 0 draft 1\n"}) {
    CAPTURE(text);
    write_file(dir / "data" / "FORMAT", text);
    CHECK_SAYS(refusal(dir / "data"), "draft 1 of format 0");
  }
}

TEST_CASE("a FORMAT that says something else is refused") {
  TempDir dir;
  fill(dir / "data", 3, 2);
  for (const auto* text : {"", "postgres 15\n", "starling data directory\nformat x\n",
                           "starling data directory\nformat 0", "starling data directory\n"}) {
    CAPTURE(text);
    write_file(dir / "data" / "FORMAT", text);
    CHECK_SAYS(refusal(dir / "data"), "FORMAT");
  }
}

TEST_CASE("a directory in use is refused and its holder named") {
  TempDir dir;
  const auto holder = open(dir / "data");
  const auto message = refusal(dir / "data");
  CHECK_SAYS(message, "in use");
  CHECK_SAYS(message, std::to_string(::getpid()));
  must(holder->append(1, "still ours"));
}

TEST_CASE("files of an unfinished checkpoint are deleted at open") {
  TempDir dir;
  fill(dir / "data", 3, 2);
  write_file(dir / "data" / "incoming" / "checkpoint-00000000000000000003.sst", "half");
  const auto store = open(dir / "data");
  CHECK(files_in(dir / "data" / "incoming").empty());
  CHECK(store->state_position() == 2);
  checkpoint(*store, 3, {});
  CHECK(files_in(dir / "data" / "incoming").empty());
}

// -- damage (R5.4) --

TEST_CASE("a byte flipped in the middle of the write-ahead log is refused") {
  TempDir dir;
  fill(dir / "data", 1000, 2);
  const fs::path wal = wal_of(dir / "data");
  flip_byte(wal, fs::file_size(wal) / 2);
  const auto message = refusal(dir / "data");
  CHECK_SAYS(message, "damaged");
  CHECK_SAYS(message, "checksum mismatch");
  CHECK_SAYS(message, "--join");
  refusal(dir / "data");  // refusing repairs nothing

  SUBCASE("a sole member continues with what precedes it") {
    const auto store = open(dir / "data", accepting_loss);
    REQUIRE(store->accepted_damage());
    const auto last = store->bounds().last;
    CHECK(last > 300);
    CHECK(last < 700);
    CHECK(must(store->read_record(last)) == record(last));
    must(store->append(last + 1, "new"));
    must(store->sync());
  }
}

TEST_CASE("a torn tail that was never synced is cut off") {
  TempDir dir;
  fill(dir / "data", 10, 2);
  {
    const auto store = open(dir / "data");
    for (std::uint64_t position = 11; position <= 20; ++position) {
      must(store->append(position, record(position)));
    }
  }
  fs::resize_file(wal_of(dir / "data"), fs::file_size(wal_of(dir / "data")) - 5);
  const auto store = open(dir / "data");
  CHECK(store->bounds().last == 19);
  must(store->append(20, "again"));
}

TEST_CASE("zeros behind the write-ahead log do no harm") {
  TempDir dir;
  fill(dir / "data", 10, 2);
  fs::resize_file(wal_of(dir / "data"), fs::file_size(wal_of(dir / "data")) + 100'000);
  CHECK(open(dir / "data")->bounds().last == 10);
}

TEST_CASE("a lost tail that was synced is damage, which a sole member may accept") {
  TempDir dir;
  fill(dir / "data", 10, 2);
  fs::resize_file(wal_of(dir / "data"), fs::file_size(wal_of(dir / "data")) - 5);
  const auto message = refusal(dir / "data");
  CHECK_SAYS(message, "ends at 9");
  CHECK_SAYS(message, "10 was synced");
  CHECK_SAYS(message, "--accept-loss");
  {
    const auto store = open(dir / "data", accepting_loss);
    CHECK_SAYS(store->accepted_damage().value_or(""), "10 was synced");
    CHECK(store->bounds().last == 9);
    must(store->append(10, "new"));
  }
  const auto store = open(dir / "data");  // accepted once, sound from then on
  CHECK_FALSE(store->accepted_damage());
  CHECK(must(store->read_record(10)) == "new");
}

TEST_CASE("an emptied log that held more than the state is damage") {
  TempDir dir;
  fill(dir / "data", 10, 4);
  fs::remove_all(dir / "data" / "log");
  CHECK_SAYS(refusal(dir / "data"), "10 was synced");
  const auto store = open(dir / "data", accepting_loss);
  CHECK(store->bounds().first == 5);
  CHECK(store->bounds().last == 4);
  must(store->append(5, "new"));
}

TEST_CASE("an emptied log that held no more than the state continues after it") {
  TempDir dir;
  fill(dir / "data", 10, 10);
  fs::remove_all(dir / "data" / "log");
  for (std::uint64_t next = 11; next <= 12; ++next) {
    const auto store = open(dir / "data");
    CHECK(store->bounds().first == 11);
    CHECK(store->bounds().last == next - 1);
    must(store->append(next, record(next)));
    must(store->sync());
  }
  CHECK(must(open(dir / "data")->read_record(11)) == record(11));
}

TEST_CASE("a log that ends before the state is damage") {
  TempDir dir;
  fill(dir / "data", 5, 2);
  fs::copy(dir / "data" / "log", dir / "old log", fs::copy_options::recursive);
  {
    const auto store = open(dir / "data");
    must(store->append(6, record(6)));
    must(store->sync());
    checkpoint(*store, 6, {});
  }
  fs::remove_all(dir / "data" / "log");
  fs::rename(dir / "old log", dir / "data" / "log");
  CHECK_SAYS(refusal(dir / "data"), "ends at 5, before the state at 6");
  const auto store = open(dir / "data", accepting_loss);
  CHECK(store->bounds().first == 7);
  must(store->append(7, "new"));
}

TEST_CASE("a log that begins after the state is damage") {
  TempDir dir;
  fill(dir / "data", 5, 3);
  must(open(dir / "data")->truncate(4));
  fs::remove_all(dir / "data" / "state");
  CHECK_SAYS(refusal(dir / "data"), "begins at 4 but the state ends at 0");
  const auto store = open(dir / "data", accepting_loss);
  CHECK(store->bounds().first == 1);
  CHECK(store->bounds().last == 0);
  must(store->append(1, "new"));
}

TEST_CASE("a lost state is rebuilt where the log still has everything") {
  TempDir dir;
  fill(dir / "data", 5, 3);
  fs::remove_all(dir / "data" / "state");
  const auto store = open(dir / "data");
  CHECK(store->state_position() == 0);
  CHECK(must(store->read_record(1)) == record(1));
}

TEST_CASE("a gap after the state is damage") {
  TempDir dir;
  fill(dir / "data", 9, 3);
  tamper(dir / "data", 7);
  CHECK_SAYS(refusal(dir / "data"), "no record at 7 of 4..9");
  {
    const auto store = open(dir / "data", accepting_loss);
    CHECK(store->bounds().last == 6);
    must(store->append(7, "new"));
    must(store->sync());
  }
  CHECK(must(open(dir / "data")->read_record(7)) == "new");
}

TEST_CASE("records behind a gap that was never synced are a torn tail") {
  TempDir dir;
  fill(dir / "data", 9, 3);
  std::uint64_t gap = 0;
  SUBCASE("in the middle") { gap = 7; }
  SUBCASE("right after the state") { gap = 4; }
  SUBCASE("nothing before the gap is left in the log") {
    must(open(dir / "data")->truncate(4));
    gap = 4;
  }
  tamper(dir / "data", gap);
  write_file(dir / "data" / "outside", encode_outside_position(gap - 1));
  {
    const auto store = open(dir / "data");
    CHECK(store->bounds().last == gap - 1);
    must(store->append(gap, "new"));
    must(store->sync());
  }
  const auto store = open(dir / "data");
  CHECK(store->bounds().last == gap);
  CHECK(must(store->read_record(gap)) == "new");
  CHECK(must(store->read_record(gap + 1)) == std::nullopt);
}

TEST_CASE("a gap in what the state already has is an error when it is read") {
  TempDir dir;
  fill(dir / "data", 9, 8);
  tamper(dir / "data", 4);
  const auto store = open(dir / "data");
  const auto read = store->read_record(4);
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().code == StoreError::Code::corruption);
  CHECK(must(store->read_record(5)) == record(5));
}

TEST_CASE("without a believable outside position nothing proves that the log is complete") {
  TempDir dir;
  fill(dir / "data", 5, 3);
  SUBCASE("missing") { fs::remove(dir / "data" / "outside"); }
  SUBCASE("emptied") { write_file(dir / "data" / "outside", ""); }
  SUBCASE("altered") { flip_byte(dir / "data" / "outside", 19); }
  CHECK_SAYS(refusal(dir / "data"), "outside");
  open(dir / "data", accepting_loss);
  CHECK(open(dir / "data")->bounds().last == 5);
}

TEST_CASE("an outside position that lags is no damage") {
  TempDir dir;
  fill(dir / "data", 5, 3);
  write_file(dir / "data" / "outside", encode_outside_position(1));
  CHECK(open(dir / "data")->bounds().last == 5);
  CHECK(read_file(dir / "data" / "outside") == encode_outside_position(5));
}

TEST_CASE("a flipped byte in a state file makes reads fail, never rows vanish") {
  TempDir dir;
  constexpr int rows = 20'000;
  std::mt19937 random(7);
  {
    const auto store = open(dir / "data");
    Changes changes;
    for (int i = 0; i < rows; ++i) {
      std::string value(64, '\0');
      std::ranges::generate(value, [&] { return static_cast<char>(random()); });
      changes[member_key("set", std::to_string(i))] = value;
    }
    checkpoint(*store, 0, changes);
  }
  const auto files = files_in(dir / "data" / "state", ".sst");
  REQUIRE(files.size() == 1);
  flip_byte(files[0], fs::file_size(files[0]) / 2);
  const auto store = open(dir / "data");
  int found = 0;
  int damaged = 0;
  for (int i = 0; i < rows; ++i) {
    const auto row = store->get(member_key("set", std::to_string(i)));
    if (!row) {
      CHECK(row.error().code == StoreError::Code::corruption);
      ++damaged;
    } else {
      REQUIRE(row->has_value());
      ++found;
    }
  }
  CHECK(damaged > 0);
  CHECK(found + damaged == rows);
  MESSAGE(damaged, " of ", rows, " reads failed with corruption");

  const auto it = store->cut()->scan({}, {});
  while (it->valid()) {
    it->next();
  }
  REQUIRE_FALSE(it->status().has_value());
  CHECK(it->status().error().code == StoreError::Code::corruption);
}

TEST_CASE("missing or damaged database files are named") {
  TempDir dir;
  fill(dir / "data", 5, 3);
  std::string culprit;
  SUBCASE("state file") {
    culprit = files_in(dir / "data" / "state", ".sst")[0].stem().string();
    fs::remove(dir / "data" / "state" / (culprit + ".sst"));
  }
  SUBCASE("CURRENT of the log") {
    culprit = "CURRENT";
    write_file(dir / "data" / "log" / culprit, "nonsense");
  }
  const auto store = RocksDbStore::open(dir / "data");
  REQUIRE_FALSE(store.has_value());
  CHECK_SAYS(store.error().message, culprit);
}

// -- order and ownership --

TEST_CASE("a checkpoint is refused while the log is not durable up to it") {
  TempDir dir;
  const auto store = open(dir / "data");
  must(store->append(1, "a"));
  {
    const auto writer = written(*store, 1, {{member_key("s", "e"), "1"}});
    CHECK_SAYS(message_of(writer->ingest()), "durable only up to 0");
  }
  CHECK(store->state_position() == 0);
  CHECK(rows_of(*store).empty());
  must(store->sync());
  checkpoint(*store, 1, {{member_key("s", "e"), "1"}});
}

TEST_CASE("checkpoints never go back, and there is one at a time") {
  TempDir dir;
  fill(dir / "data", 5, 3);
  const auto store = open(dir / "data");
  CHECK_SAYS(message_of(store->begin_checkpoint(2)), "cannot follow");
  const auto writer = must(store->begin_checkpoint(4));
  CHECK_SAYS(message_of(store->begin_checkpoint(5)), "another checkpoint");
}

TEST_CASE("the store's own rows and facts are closed to others") {
  TempDir dir;
  const auto store = open(dir / "data");
  const auto writer = must(store->begin_checkpoint(0));
  CHECK_FALSE(writer->put(std::string(store_prefix) + "W", "").has_value());
  CHECK_FALSE(store->put_fact(std::string_view("\0floor", 6), "").has_value());
}

TEST_CASE("what was appended and not synced survives a closed process") {
  TempDir dir;
  must(open(dir / "data")->append(1, "a"));
  CHECK(must(open(dir / "data")->read_record(1)) == "a");
}

TEST_CASE("the state database never writes a memtable") {
  TempDir dir;
  fill(dir / "data", 5, 3);
  fill(dir / "other", 5, 5);
  open(dir / "data");
  for (const auto& file : files_in(dir / "data" / "state", ".log")) {
    CHECK(fs::file_size(file) == 0);
  }
}

TEST_CASE("object prefixes end with the user key, and meta rows have none") {
  for (const std::string object : {"", "a", "\xFF\xFF", "long key with spaces"}) {
    const std::string prefix = encode_object_prefix(0, {3, object});
    CHECK(object_prefix_of(member_key("x", "y")) != object_prefix_of(prefix));
    CHECK(object_prefix_of(prefix) == prefix);
    CHECK(object_prefix_of(prefix + "anything") == prefix);
    CHECK(within_one_object(prefix, prefix + '\xFF'));
    CHECK_FALSE(within_one_object(prefix, ""));
    if (!object.empty()) {
      CHECK(object_prefix_of(prefix.substr(0, prefix.size() - 1)) == std::nullopt);
    }
  }
  CHECK(object_prefix_of(std::string(meta_prefix) + std::string(20, '\0')) == std::nullopt);
  CHECK(object_prefix_of("") == std::nullopt);
  CHECK_FALSE(within_one_object(member_key("a", ""), std::string(meta_prefix)));
}

TEST_CASE("memory is shared out within bounds") {
  const auto small = RocksDbOptions::for_memory(1);
  CHECK(small.block_cache_bytes == 8 << 20);
  CHECK(small.log_write_buffer_bytes == 1 << 20);
  const auto large = RocksDbOptions::for_memory(std::uint64_t{1} << 40);
  CHECK(large.block_cache_bytes == std::uint64_t{4} << 30);
  CHECK(large.log_write_buffer_bytes == 16 << 20);
}

// -- space --

// 64 MiB in memory, gone with the object.
struct SmallDisk {
  explicit SmallDisk(fs::path where) : path(std::move(where)) {
    fs::create_directory(path);
    mounted = ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=64m") == 0;
  }
  ~SmallDisk() {
    if (mounted) {
      ::umount(path.c_str());
    }
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  fs::path path;
  bool mounted = false;
};

TEST_CASE("below the reserve the store says so and keeps working, so that it can make room") {
  TempDir dir;
  struct statvfs disk{};
  REQUIRE(::statvfs(dir.path().c_str(), &disk) == 0);
  RocksDbOptions options;
  options.free_space_reserve_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize * 2;
  const auto store = open(dir / "data", options);
  CHECK_FALSE(store->has_room(0));
  must(store->append(1, "a"));
  must(store->sync());
  checkpoint(*store, 1, {});
  must(store->truncate(2));
}

TEST_CASE("a disk that is nearly full is refused at open") {
  TempDir dir;
  RocksDbOptions options;
  options.free_space_reserve_bytes = UINT64_MAX;
  const auto store = RocksDbStore::open(dir / "data", options);
  REQUIRE_FALSE(store.has_value());
  CHECK(store.error().code == StoreError::Code::no_space);
}

TEST_CASE("a disk that fills up turns writes into errors, and nothing is lost") {
  TempDir dir;
  const SmallDisk disk(dir / "disk");
  if (!disk.mounted) {
    skip("mounting a small disk needs root");
    return;
  }
  std::uint64_t appended = 0;
  std::uint64_t before_low = 0;
  {
    RocksDbOptions options;
    options.log_write_buffer_bytes = 1 << 20;
    const auto store = open(dir / "disk" / "data", options);  // reserve 16 MiB
    CHECK(store->has_room(0));
    CHECK_FALSE(store->has_room(64 << 20));
    std::mt19937 random(13);
    std::string bytes(1 << 20, '\0');
    std::ranges::generate(bytes, [&] { return static_cast<char>(random()); });
    for (;;) {
      before_low += store->has_room(0) ? 1 : 0;
      const auto written = store->append(appended + 1, bytes);
      if (!written) {
        CHECK_SAYS(written.error().message, "nearly full");
        CHECK(written.error().code == StoreError::Code::no_space);
        break;
      }
      ++appended;
      REQUIRE(appended < 64);
      std::this_thread::sleep_for(std::chrono::milliseconds(101));  // the answer is cached
    }
    CHECK_FALSE(store->has_room(0));
    must(store->sync());
  }
  CHECK(before_low < appended);  // there was a warning first
  {
    RocksDbOptions options;
    options.free_space_reserve_bytes = 0;
    CHECK(open(dir / "disk" / "data", options)->bounds().last == appended);
  }
}

TEST_CASE("truncation gives disk space back") {
  TempDir dir;
  RocksDbOptions options;
  options.log_write_buffer_bytes = 256 << 10;
  const auto store = open(dir / "data", options);
  std::mt19937 random(11);
  std::string bytes(10'000, '\0');
  for (std::uint64_t position = 1; position <= 2'000; ++position) {
    std::ranges::generate(bytes, [&] { return static_cast<char>(random()); });
    must(store->append(position, bytes));
  }
  must(store->sync());
  checkpoint(*store, 2'000, {});
  const std::uint64_t full = bytes_in(dir / "data" / "log");
  CHECK(full > 15'000'000);
  must(store->truncate(1'990));
  const auto is_small = [&] { return bytes_in(dir / "data" / "log") < full / 4; };
  CHECK_MESSAGE(happens_within(std::chrono::seconds(20), is_small), full, " bytes before, ",
                bytes_in(dir / "data" / "log"), " after");
  CHECK(store->bounds().first == 1'990);
  CHECK(must(store->read_record(1'990)).has_value());
}

// -- many files, many threads --

TEST_CASE("900 random checkpoints add up to what a map says") {
  TempDir dir;
  constexpr unsigned seed = 900;
  CAPTURE(seed);
  std::mt19937 random(seed);
  auto store = open(dir / "data");
  Rows model;
  int stalls = 0;
  for (int round = 1; round <= 900; ++round) {
    Changes changes;
    for (int i = 0; i < 60; ++i) {
      const std::string key =
          member_key("set" + std::to_string(random() % 40), std::to_string(random() % 50));
      changes[key] = random() % 4 == 0 ? std::nullopt : std::optional(std::to_string(round) + "!");
    }
    if (store->checkpoint_stalled()) {
      ++stalls;
      REQUIRE(
          happens_within(std::chrono::seconds(60), [&] { return !store->checkpoint_stalled(); }));
    }
    checkpoint(*store, 0, changes);
    for (const auto& [key, value] : changes) {
      if (value) {
        model[key] = *value;
      } else {
        model.erase(key);
      }
    }
    if (round % 150 == 0) {
      store.reset();
      store = open(dir / "data");
    }
    if (round % 50 == 0) {
      REQUIRE(rows_of(*store) == model);
    }
  }
  MESSAGE("waited for compaction ", stalls, " times");
}

TEST_CASE("cuts stay exact while other threads append, sync and ingest") {
  TempDir dir;
  const auto store = open(dir / "data");
  constexpr std::uint64_t rounds = 40;
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::thread reader([&] {
    while (!done) {
      const auto cut = store->cut();
      const std::string want = std::to_string(cut->position());
      std::uint64_t rows = 0;
      const auto it = cut->scan({}, {});
      for (; it->valid(); it->next(), ++rows) {
        wrong += it->value() == want ? 0 : 1;
      }
      wrong += rows == (cut->position() == 0 ? 0 : 100) && it->status() ? 0 : 1;
    }
  });
  std::thread syncer([&] {
    while (!done) {
      const auto position = store->sync();
      wrong += position && *position <= store->bounds().last ? 0 : 1;
    }
  });
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    must(store->append(round, record(round)));
    must(store->sync());
    if (store->checkpoint_stalled()) {
      continue;
    }
    Changes changes;
    for (int i = 0; i < 100; ++i) {
      changes[member_key("set", std::to_string(i))] = std::to_string(round);
    }
    checkpoint(*store, round, changes);
    must(store->truncate(round / 2));
  }
  done = true;
  reader.join();
  syncer.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace starling::test
