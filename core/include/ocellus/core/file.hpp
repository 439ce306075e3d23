#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// Contents of a regular file. Throw DataError "FILE: no such file", "... is a directory", "...
/// permission denied".
OCELLUS_API std::vector<std::byte> read_file(const std::filesystem::path& path);
OCELLUS_API std::string read_text(const std::filesystem::path& path);

/// Contents of a file, unpacked when they are gzip (by content, not by name). `limit` bounds the
/// unpacked size: a bomb is refused. Throws DataError on a damaged or truncated stream.
OCELLUS_API std::vector<std::byte> read_maybe_gzip(const std::filesystem::path& path,
                                                   size_t limit = size_t{4} << 30);

/// Replaces a file in one step: a temporary file in the same directory is written, flushed to the
/// disk and renamed. A crash leaves the old file whole. Throw Error naming the file (disk full,
/// permission).
OCELLUS_API void write_atomically(const std::filesystem::path& path,
                                  std::span<const std::byte> bytes);
OCELLUS_API void write_atomically(const std::filesystem::path& path, std::string_view text);
/// The same for a library that writes a file by name itself: `write` is given the temporary's name.
OCELLUS_API void write_atomically(
    const std::filesystem::path& path,
    const std::function<void(const std::filesystem::path& temporary)>& write);

/// "crc32:9ae0daaf": tells versions of a file apart in reports. A checksum, not a protection
/// against forgery.
OCELLUS_API std::string checksum(std::span<const std::byte> bytes);
OCELLUS_API std::string checksum(const std::filesystem::path& file);

}  // namespace ocellus
