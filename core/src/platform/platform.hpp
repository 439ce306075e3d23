#pragma once

#include <filesystem>

// What differs between operating systems; one implementation file a system.
namespace ocellus::platform {

/// File from which the dynamic linker loaded this library. Throws Error.
std::filesystem::path this_library();

}  // namespace ocellus::platform
