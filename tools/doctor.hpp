#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"

namespace ocellus::tools {

/// Compares the graphics hardware that Linux shows (/sys/class/drm, /dev) with the OpenCL devices
/// that were found. One sentence of advice for each thing that stands in the way: a GPU without an
/// OpenCL driver and the package that has one in this release of Debian or Ubuntu, a variable that
/// is not set, a device file that this user may not open, a driver that is known to compute wrong.
/// `root` stands for / (tests).
std::vector<std::string> examine_machine(const std::vector<opencl::DeviceInfo>& devices,
                                         const std::filesystem::path& root = "/");

}  // namespace ocellus::tools
