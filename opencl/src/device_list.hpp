#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

struct FoundDevice {
  cl_device_id id;
  cl_platform_id platform;
  DeviceInfo info;
};

/// All devices in the order of preference, limits clamped.
std::vector<FoundDevice> find_devices();

/// The one that `selector` means (DeviceOptions::selector, already resolved against the
/// environment). Throws DeviceError.
FoundDevice select_device(const std::string& selector);

/// "2G", "512M", "16K", "100". Throws Error naming `where` and the text.
uint64_t parse_bytes(const std::string& text, const std::string& where);

/// The environment variable, or "".
std::string environment(const char* name);

}  // namespace ocellus::opencl
