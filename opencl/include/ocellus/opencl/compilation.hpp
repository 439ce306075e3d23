#pragma once

#include <memory>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// Kernels compiled side by side: those that this thread asks `device` for while a Compilation
/// lives are compiled by finish(), on as many threads as there are cores. One that is launched
/// before is compiled then and there.
///
///     Compilation together(*device);
///     for (...) ops.push_back(layer.prepare(*device, plan));
///     together.finish();
class OCELLUS_API Compilation {
 public:
  explicit Compilation(Device& device);
  /// Without finish(): what was not compiled will be at its first launch.
  ~Compilation();
  Compilation(const Compilation&) = delete;
  Compilation& operator=(const Compilation&) = delete;

  /// Throws what Device::kernel() would have thrown, for the first kernel that fails.
  void finish();

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
