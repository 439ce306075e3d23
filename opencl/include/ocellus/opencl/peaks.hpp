#pragma once

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// What a device reaches at best, as our own kernels measure it.
struct Peaks {
  double gflops = 0;        ///< multiply-adds in registers, two operations each
  double gbytes_per_s = 0;  ///< a copy of more than any cache holds, read and written bytes
};

/// The fastest of several runs of a multiply-add kernel and of a copy kernel of the device's
/// family; about a second. Throws DeviceError when the results are wrong.
OCELLUS_API Peaks measure_peaks(Device& device);

}  // namespace ocellus::opencl
