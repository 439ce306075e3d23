#include "host_memory.hpp"

#include <cstdlib>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ocellus::opencl {

cl_mem create_host_buffer(cl_context context, size_t bytes, cl_int* status) {
#ifdef __linux__
  constexpr size_t kPage = 2 << 20;
  void* memory = nullptr;
  if (bytes >= kPage && posix_memalign(&memory, kPage, bytes) == 0) {
    madvise(memory, bytes, MADV_HUGEPAGE);  // a wish: small pages do as well
    const cl_mem handle =
        clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes, memory, status);
    const auto give_back = [](cl_mem, void* m) { std::free(m); };
    if (handle && clSetMemObjectDestructorCallback(handle, give_back, memory) == CL_SUCCESS)
      return handle;
    if (handle) clReleaseMemObject(handle);
    std::free(memory);
  }
#endif
  return clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, nullptr, status);
}

}  // namespace ocellus::opencl
