#include "ocellus/opencl/error.hpp"

namespace ocellus {

Error::Error(const std::string& message, ExitCode code, std::string detail)
    : std::runtime_error(message), code_(code), detail_(std::move(detail)) {}
Error::~Error() = default;

DeviceError::DeviceError(const std::string& message, std::string detail)
    : Error(message, ExitCode::device, std::move(detail)) {}
DeviceError::~DeviceError() = default;

OutOfDeviceMemory::OutOfDeviceMemory(const std::string& message, size_t wanted, size_t available)
    : DeviceError(message), wanted_(wanted), available_(available) {}
OutOfDeviceMemory::~OutOfDeviceMemory() = default;

}  // namespace ocellus
