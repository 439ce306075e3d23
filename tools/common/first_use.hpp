#pragma once

#include "ocellus/opencl/device.hpp"
#include "terminal.hpp"

namespace ocellus::tools {

/// Whether a device may be trusted: the first time that it is met with its driver,
/// `ocellus-selftest` runs on it, in a process of its own, for some seconds; a pass is remembered
/// under the user's cache folder. OCELLUS_SELFTEST=off says yes to everything. Throws Interrupted
/// when the user stops the selftest.
bool passes_selftest(const opencl::DeviceInfo& device, Terminal& terminal);

/// Opens a device. Where nobody named one: the first, in the order of preference, that passes its
/// selftest; each that does not is reported in a line. A device that was named is opened with a
/// warning when it fails. Throws DeviceError.
std::shared_ptr<opencl::Device> open_trusted(opencl::DeviceOptions options, Terminal& terminal);

}  // namespace ocellus::tools
