#pragma once

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

#include <string>

namespace ocellus::opencl {

/// "CL_INVALID_VALUE (-30)".
std::string status_name(cl_int status);

/// Throws DeviceError("<what>: <status name>") unless the call succeeded.
void check(cl_int status, const std::string& what);
inline void check(cl_int status, const char* what) {
  if (status != CL_SUCCESS) check(status, std::string(what));
}

}  // namespace ocellus::opencl
