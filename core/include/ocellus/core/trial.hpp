#pragma once

#include <filesystem>
#include <functional>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// Runs `read`, which parses `file`, in a forked child with limits on memory and time, its results
/// thrown away. Returns when it ended well: then the file can be read for good. A crash, a hang or
/// a memory bomb there becomes one DataError; an Error that `read` threw comes back as an Error of
/// the same message and exit code.
///
/// Call it before any OpenCL device is opened and before threads are started: fork() copies only
/// the calling thread, and drivers do not survive it.
OCELLUS_API void trial_read(const std::filesystem::path& file, const std::function<void()>& read);

}  // namespace ocellus
