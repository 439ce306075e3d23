#include "loader.hpp"

#define BOOST_DLL_USE_STD_FS
#include <fmt/format.h>

#include <algorithm>
#include <boost/dll/shared_library.hpp>
#include <cstring>
#include <mutex>
#include <vector>

#include "ocellus/core/error.hpp"
#include "ocellus/core/file.hpp"

namespace ocellus {
namespace {

// Two halves, so that a scan of this library's own file finds nothing.
std::string magic() { return std::string("\x8fOcellus", 8) + std::string("Plugin\x1a\n", 8); }

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& reason) {
  throw PluginError(fmt::format("{}: {}", file.string(), reason));
}

[[noreturn]] void refuse_build(const std::filesystem::path& file, const std::string& reason) {
  refuse(file, fmt::format("{}; rebuild it against this Ocellus: find_package(ocellus {} EXACT) "
                           "and ocellus_add_plugin()",
                           reason, OCELLUS_VERSION));
}

template <size_t N>
std::string text_of(const std::filesystem::path& file, const char (&field)[N], const char* what) {
  const auto* end = static_cast<const char*>(std::memchr(field, 0, N));
  if (!end) refuse_build(file, fmt::format("the {} in its plugin descriptor does not end", what));
  return std::string(field, end);
}

}  // namespace

PluginDescriptor scan_plugin(const std::filesystem::path& file) {
  std::string bytes;
  try {
    bytes = read_text(file);
  } catch (const DataError& e) {
    throw PluginError(e.what());
  }
  if (!bytes.starts_with("\x7f"
                         "ELF"))
    refuse(file, "is not a shared library");
  const size_t at = bytes.find(magic());
  if (at == std::string::npos)
    refuse(file,
           "is a library without a plugin descriptor; write OCELLUS_PLUGIN(...) in one of its "
           "sources");

  PluginDescriptor d{};
  // Size first: only when it agrees do the other fields lie where this build expects them.
  uint32_t size = 0;
  if (bytes.size() - at >= offsetof(PluginDescriptor, size) + sizeof size)
    std::memcpy(&size, &bytes[at + offsetof(PluginDescriptor, size)], sizeof size);
  if (size != sizeof d || bytes.size() - at < sizeof d)
    refuse_build(file, fmt::format("its plugin descriptor has {} bytes, this Ocellus expects {}",
                                   size, sizeof d));
  std::memcpy(static_cast<void*>(&d), &bytes[at], sizeof d);

  if (d.api_major != plugin_api_major)
    refuse_build(file, fmt::format("it was built for plugin API {}.{}, this Ocellus has {}.{}",
                                   d.api_major, d.api_minor, plugin_api_major, plugin_api_minor));
  if (d.api_minor > plugin_api_minor)
    refuse_build(file, fmt::format("it wants plugin API {}.{}, newer than this Ocellus with {}.{}",
                                   d.api_major, d.api_minor, plugin_api_major, plugin_api_minor));
  if (const std::string abi = text_of(file, d.abi, "ABI tag"); abi != OCELLUS_ABI_TAG)
    refuse_build(file,
                 fmt::format("it was built as '{}', this Ocellus as '{}'", abi, OCELLUS_ABI_TAG));
  const std::string id = text_of(file, d.id, "id");
  if (id.empty() || !std::all_of(id.begin(), id.end(), [](unsigned char c) {
        return std::isalnum(c) || std::strchr("_-.", c);
      }))
    refuse(file, fmt::format("its id '{}' is not made of letters, digits, '_', '-' and '.'", id));
  text_of(file, d.name, "name");
  text_of(file, d.version, "version");
  text_of(file, d.licence, "licence");
  return d;
}

void (*open_plugin(const std::filesystem::path& file,
                   const PluginDescriptor& scanned))(Registrar&) {
  namespace dll = boost::dll;
  // Never unloaded, so the handles outlive everything and are reachable from here for leak
  // checkers.
  static auto& opened = *new std::vector<dll::shared_library>;
  static std::mutex mutex;
  try {
    dll::shared_library library(std::filesystem::absolute(file),
                                dll::load_mode::rtld_now | dll::load_mode::rtld_local);
    if (!library.has("ocellus_plugin_v1")) refuse(file, "does not export ocellus_plugin_v1");
    const auto& exported = library.get<const PluginDescriptor>("ocellus_plugin_v1");
    // All but the entry, whose address is known only now.
    if (std::memcmp(&exported, &scanned, offsetof(PluginDescriptor, register_types)) != 0 ||
        !exported.register_types)
      refuse(file, "exports another plugin descriptor than the one found in the file");
    const std::lock_guard lock(mutex);
    opened.push_back(std::move(library));
    return exported.register_types;
  } catch (const std::system_error& e) {
    refuse(file, fmt::format("cannot be opened: {}", e.what()));
  }
}

}  // namespace ocellus
