#pragma once

#include <cstdint>

#include "ocellus/core/abi.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus {

/// What a plugin file shows of itself before any of its code runs. The loader finds it by scanning
/// the file for `magic`, checks all fields, and only then opens the file. Fields have fixed sizes;
/// text is zero-terminated.
struct PluginDescriptor {
  char magic[16];      ///< plugin_magic
  uint32_t size;       ///< sizeof(PluginDescriptor)
  uint16_t api_major;  ///< must equal the host's
  uint16_t api_minor;  ///< must not be above the host's
  char abi[104];       ///< OCELLUS_ABI_TAG: must equal the host's
  char id[64];         ///< unique, file-name like
  char name[64];
  char version[32];
  char licence[32];
  void (*register_types)(Registrar&);
};

inline constexpr uint16_t plugin_api_major = 1;
inline constexpr uint16_t plugin_api_minor = 0;

}  // namespace ocellus

/// The door of a plugin, once in a shared library:
///     OCELLUS_PLUGIN("mine", "My layers", "1.0", "MIT", register_types)
///     void register_types(ocellus::Registrar& r);   // declared before
/// The magic is spelt here, and in the loader in two halves, so that the loader's own file does not
/// match.
#define OCELLUS_PLUGIN(id_, name_, version_, licence_, register_)                              \
  extern "C" __attribute__((visibility("default"), used))                                      \
  const ocellus::PluginDescriptor ocellus_plugin_v1 = {                                        \
      {'\x8f', 'O', 'c', 'e', 'l', 'l', 'u', 's', 'P', 'l', 'u', 'g', 'i', 'n', '\x1a', '\n'}, \
      sizeof(ocellus::PluginDescriptor),                                                       \
      ocellus::plugin_api_major,                                                               \
      ocellus::plugin_api_minor,                                                               \
      OCELLUS_ABI_TAG,                                                                         \
      id_,                                                                                     \
      name_,                                                                                   \
      version_,                                                                                \
      licence_,                                                                                \
      register_};
