#pragma once

#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"

namespace ocellus::tools {

/// Compares the graphics hardware that Linux shows (/sys/class/drm, /dev/dri) with the OpenCL
/// devices that were found. One sentence of advice for each thing that stands in the way: a GPU
/// without an OpenCL driver and the package that has one, a device file that this user may not
/// open, a driver that is known to compute wrong or too slowly.
std::vector<std::string> examine_machine(const std::vector<opencl::DeviceInfo>& devices);

}  // namespace ocellus::tools
