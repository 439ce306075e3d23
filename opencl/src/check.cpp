#include "check.hpp"

#include <fmt/format.h>

#include "ocellus/opencl/error.hpp"

namespace ocellus::opencl {

std::string status_name(cl_int status) {
  struct Name {
    cl_int status;
    const char* text;
  };
#define NAME(x) \
  { x, #x }
  static constexpr Name kNames[] = {NAME(CL_DEVICE_NOT_FOUND),
                                    NAME(CL_DEVICE_NOT_AVAILABLE),
                                    NAME(CL_COMPILER_NOT_AVAILABLE),
                                    NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE),
                                    NAME(CL_OUT_OF_RESOURCES),
                                    NAME(CL_OUT_OF_HOST_MEMORY),
                                    NAME(CL_PROFILING_INFO_NOT_AVAILABLE),
                                    NAME(CL_MEM_COPY_OVERLAP),
                                    NAME(CL_BUILD_PROGRAM_FAILURE),
                                    NAME(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
                                    NAME(CL_INVALID_VALUE),
                                    NAME(CL_INVALID_PLATFORM),
                                    NAME(CL_INVALID_DEVICE),
                                    NAME(CL_INVALID_CONTEXT),
                                    NAME(CL_INVALID_QUEUE_PROPERTIES),
                                    NAME(CL_INVALID_COMMAND_QUEUE),
                                    NAME(CL_INVALID_MEM_OBJECT),
                                    NAME(CL_INVALID_BUILD_OPTIONS),
                                    NAME(CL_INVALID_PROGRAM_EXECUTABLE),
                                    NAME(CL_INVALID_KERNEL_NAME),
                                    NAME(CL_INVALID_KERNEL),
                                    NAME(CL_INVALID_ARG_INDEX),
                                    NAME(CL_INVALID_ARG_VALUE),
                                    NAME(CL_INVALID_ARG_SIZE),
                                    NAME(CL_INVALID_KERNEL_ARGS),
                                    NAME(CL_INVALID_WORK_DIMENSION),
                                    NAME(CL_INVALID_WORK_GROUP_SIZE),
                                    NAME(CL_INVALID_WORK_ITEM_SIZE),
                                    NAME(CL_INVALID_EVENT),
                                    NAME(CL_INVALID_OPERATION),
                                    NAME(CL_INVALID_BUFFER_SIZE),
                                    NAME(CL_INVALID_GLOBAL_WORK_SIZE)};
#undef NAME
  for (const Name& name : kNames)
    if (name.status == status) return fmt::format("{} ({})", name.text, status);
  return fmt::format("OpenCL error {}", status);
}

void check(cl_int status, const std::string& what) {
  if (status != CL_SUCCESS) throw DeviceError(fmt::format("{}: {}", what, status_name(status)));
}

}  // namespace ocellus::opencl
