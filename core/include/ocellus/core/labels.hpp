#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// Class names from a text file, one a line, in the order of the classes. Where every line begins
/// with its own number ("0 cat", as Teachable Machine writes), the numbers are left out. Empty
/// lines are skipped. Throws DataError where nothing is left.
OCELLUS_API std::vector<std::string> read_labels(const std::filesystem::path& file);

}  // namespace ocellus
