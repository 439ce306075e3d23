#pragma once

#include <cstddef>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// Bytes of this process in main memory: now, and the most that there have been. On a CPU device
/// they include the device's buffers. 0 where the system does not tell.
OCELLUS_API size_t resident_memory();
OCELLUS_API size_t peak_resident_memory();

}  // namespace ocellus
