#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace starling::test {

// A fresh empty directory that lives as long as this object. Set STARLING_KEEP_TEMP to look at it
// afterwards.
class TempDir {
 public:
  TempDir() {
    std::string path = (std::filesystem::temp_directory_path() / "starling-test-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) {
      throw std::runtime_error("cannot create a directory like " + path);
    }
    path_ = path;
  }
  ~TempDir() {
    if (std::getenv("STARLING_KEEP_TEMP") == nullptr) {
      std::error_code ignored;  // a directory that stays behind is no reason to fail a test
      std::filesystem::remove_all(path_, ignored);
    }
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace starling::test
