#include <dlfcn.h>

#include "ocellus/core/error.hpp"
#include "platform/platform.hpp"

namespace ocellus::platform {

std::filesystem::path this_library() {
  Dl_info info{};
  if (!dladdr(reinterpret_cast<const void*>(&this_library), &info) || !info.dli_fname)
    throw Error("the dynamic linker does not say where libocellus_core.so lies");
  return std::filesystem::canonical(info.dli_fname);
}

}  // namespace ocellus::platform
