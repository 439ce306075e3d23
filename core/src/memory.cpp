#include "ocellus/core/memory.hpp"

#include "platform/platform.hpp"

namespace ocellus {

size_t resident_memory() { return platform::resident_memory(); }
size_t peak_resident_memory() { return platform::peak_resident_memory(); }

}  // namespace ocellus
