#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace ocellus::test {

/// A fresh directory that goes away with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "ocellus-test-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A cache of the test's own ($OCELLUS_CACHE), thrown away at the end. `allows`, a variable that
/// turns a part of the cache off, is taken away.
class TemporaryCache : public TemporaryDirectory {
 public:
  explicit TemporaryCache(const char* allows) {
    setenv("OCELLUS_CACHE", path().c_str(), 1);
    unsetenv(allows);
  }
  ~TemporaryCache() { unsetenv("OCELLUS_CACHE"); }
};

/// For BOOST_CHECK_EXCEPTION: the message holds `part`.
inline auto says(std::string part) {
  return [part = std::move(part)](const std::exception& e) {
    const bool found = std::string(e.what()).find(part) != std::string::npos;
    if (!found) BOOST_TEST_MESSAGE("message: " << e.what());
    return found;
  };
}

}  // namespace ocellus::test
