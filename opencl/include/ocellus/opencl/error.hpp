#pragma once

#include <stdexcept>
#include <string>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// What a program returns to the shell. Every Error owns one.
enum class ExitCode {
  good = 0,
  failed = 1,
  usage = 2,
  plugin = 3,
  device = 4,
  data = 5,
  interrupted = 130
};

/// Base of every exception that Ocellus throws on purpose. `what()` is one line: what went wrong,
/// where, and what to do about it. `detail()` is the rest (a build log, say), shown by `-v`.
class OCELLUS_API Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode code = ExitCode::failed,
                 std::string detail = {});
  ~Error() override;
  ExitCode exit_code() const noexcept { return code_; }
  const std::string& detail() const noexcept { return detail_; }

 private:
  ExitCode code_;
  std::string detail_;
};

/// A device is missing, refuses a call, or does not compile a kernel.
class OCELLUS_API DeviceError : public Error {
 public:
  explicit DeviceError(const std::string& message, std::string detail = {});
  ~DeviceError() override;
};

/// A request does not fit the device's memory, its largest allocation, or the ceiling set for it.
class OCELLUS_API OutOfDeviceMemory : public DeviceError {
 public:
  OutOfDeviceMemory(const std::string& message, size_t wanted_bytes, size_t available_bytes);
  ~OutOfDeviceMemory() override;
  size_t wanted_bytes() const noexcept { return wanted_; }
  size_t available_bytes() const noexcept { return available_; }

 private:
  size_t wanted_, available_;
};

}  // namespace ocellus
