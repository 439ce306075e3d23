#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// Bytes that can be read at any place: a file, an entry of an archive. Copies read from the same
/// source and keep it open.
struct OCELLUS_API ByteSource {
  std::string name;   ///< in messages
  uint64_t size = 0;  ///< bytes
  /// Reads bytes [first, first + to.size()), which lie below `size`. Throws DataError. May be
  /// called by several threads.
  std::function<void(uint64_t first, std::span<std::byte> to)> read;

  /// Throws DataError if the file cannot be opened.
  static ByteSource of_file(const std::filesystem::path& file);
  static ByteSource of_memory(std::vector<std::byte> bytes, std::string name);
};

}  // namespace ocellus
