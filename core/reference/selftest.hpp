#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ocellus/core/progress.hpp"
#include "ocellus/core/registry.hpp"
#include "ocellus/opencl/device.hpp"

namespace ocellus::reference {

/// One comparison of a device with the float64 reference.
struct Check {
  std::string name;    ///< "Conv2D {"filters": 7, ...} on (2, 7, 11, 1): output"
  double error = 0;    ///< max |device - reference|
  double allowed = 0;  ///< 1e-5 sqrt(summed terms) max |reference|
  bool good() const { return error <= allowed; }
};

/// Matrix products and convolutions in all passes, then every loaded layer that has a reference,
/// forward and backward. A few seconds; `all` takes every algorithm and every case of the layers'
/// table. Throws Interrupted when asked to stop.
std::vector<Check> selftest(const Registry& registry, const std::shared_ptr<opencl::Device>& device,
                            bool all, Progress& progress);

/// Names of loaded layers that have no reference, and so were not checked.
std::vector<std::string> layers_without_reference(const Registry& registry);

}  // namespace ocellus::reference
