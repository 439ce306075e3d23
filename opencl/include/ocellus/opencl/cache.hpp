#pragma once

#include <filesystem>

#include "ocellus/opencl/api.hpp"

namespace ocellus::opencl {

/// Where what can be had again is kept: $OCELLUS_CACHE, else $XDG_CACHE_HOME/ocellus, else
/// ~/.cache/ocellus. Empty when the user has no such place. The folder may not exist yet.
OCELLUS_API std::filesystem::path cache_folder();

}  // namespace ocellus::opencl
