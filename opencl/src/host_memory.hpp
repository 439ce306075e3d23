#pragma once

#include <cstddef>

#include "check.hpp"

namespace ocellus::opencl {

/// A buffer of a device that computes in the host's own memory, in pages of 2 MiB where the system
/// has them: kernels go through hundreds of megabytes of weights, and with small pages look up an
/// address every 64 lines. Null with a status where there is no memory, as clCreateBuffer.
cl_mem create_host_buffer(cl_context context, size_t bytes, cl_int* status);

}  // namespace ocellus::opencl
