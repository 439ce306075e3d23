#pragma once

#include <memory>
#include <vector>

#include "execution/plan.hpp"
#include "ocellus/opencl/pointwise.hpp"

namespace ocellus::execution {

/// Scale and shift of an affine layer, computed on the device from its parameters and states when
/// those change.
class AffineVectors {
 public:
  AffineVectors(opencl::Device& device, const Network& network, int layer, const Pointwise& trait,
                int channels);
  void refresh(opencl::Queue& queue, const Network& network);
  const Tensor& scale() const { return scale_; }
  const Tensor& shift() const { return shift_; }

 private:
  int layer_;
  Tensor scale_, shift_;
  opencl::Pointwise kernel_;
  uint64_t version_ = 0;
};

/// The kernel of a pointwise chain that no heavy layer took. Inputs: x, then the stages' operands
/// in order.
opencl::Pointwise chain_kernel(opencl::Device& device, const Shape& shape,
                               const std::vector<ChainStage>& stages, const std::string& name);

/// The kernel of a pointwise node's backward step. `wanted` and `accumulate` an input; inputs of
/// the kernel: dy, then x0.. and y as far as `reads_x`, `reads_y` say; one output a wanted input.
struct DerivativeKernel {
  opencl::Pointwise kernel;
  bool reads_x = false, reads_y = false;
};
DerivativeKernel derivative_kernel(opencl::Device& device, const Shape& shape,
                                   const Pointwise& trait, const BackwardOverride* override_rule,
                                   const std::vector<bool>& wanted,
                                   const std::vector<bool>& accumulate, const std::string& name);

/// dx = dy * scale, or without scale dx = dy; `accumulate` adds.
opencl::Pointwise scale_kernel(opencl::Device& device, const Shape& shape, bool accumulate,
                               const std::string& name);

}  // namespace ocellus::execution
