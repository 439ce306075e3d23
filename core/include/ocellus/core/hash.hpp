#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// Cryptographic hash of a file's contents, read piece by piece: "sha256:HEX" or "md5:HEX", as
/// `algorithm` ("sha256", "md5") says. MD5 tells a damaged file, not a forged one; it is here
/// because publishers still give it. `progress` is called with the bytes read so far. Throws
/// DataError where the file cannot be read, UsageError for another algorithm.
OCELLUS_API std::string hash_file(const std::filesystem::path& file, std::string_view algorithm,
                                  const std::function<void(int64_t bytes)>& progress = {});

}  // namespace ocellus
