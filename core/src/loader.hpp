#pragma once

#include <filesystem>

#include "ocellus/core/plugin.hpp"

namespace ocellus {

/// What a plugin file says of itself, found by scanning its bytes: none of its code runs. Throws
/// PluginError where there is no descriptor, or one that does not fit this build.
PluginDescriptor scan_plugin(const std::filesystem::path& file);

/// Opens a scanned file and gives its entry. It stays open until the process ends: objects,
/// functions and exception types of a plugin may live longer than any Registry.
void (*open_plugin(const std::filesystem::path& file, const PluginDescriptor& scanned))(Registrar&);

}  // namespace ocellus
