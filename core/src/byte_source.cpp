#include "ocellus/core/byte_source.hpp"

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>

#include "ocellus/core/error.hpp"

namespace ocellus {
namespace {

class File {
 public:
  explicit File(const std::filesystem::path& file)
      : name_(file.string()), in_(file, std::ios::binary) {
    if (!in_) throw DataError(fmt::format("{}: cannot be opened", name_));
  }

  void read(uint64_t first, std::span<std::byte> to) {
    const std::lock_guard lock(mutex_);
    in_.clear();
    in_.seekg(static_cast<std::streamoff>(first));
    in_.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size()));
    if (!in_)
      throw DataError(fmt::format("{}: bytes {} to {} cannot be read any more", name_, first,
                                  first + to.size()));
  }

 private:
  std::string name_;
  std::mutex mutex_;
  std::ifstream in_;
};

}  // namespace

ByteSource ByteSource::of_file(const std::filesystem::path& file) {
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(file, error);
  if (error) throw DataError(fmt::format("{}: {}", file.string(), error.message()));
  return {file.string(), size,
          [opened = std::make_shared<File>(file)](uint64_t first, std::span<std::byte> to) {
            opened->read(first, to);
          }};
}

ByteSource ByteSource::of_memory(std::vector<std::byte> bytes, std::string name) {
  const auto kept = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {std::move(name), kept->size(), [kept](uint64_t first, std::span<std::byte> to) {
            if (!to.empty()) std::memcpy(to.data(), kept->data() + first, to.size());
          }};
}

}  // namespace ocellus
