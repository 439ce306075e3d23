#pragma once

#include <memory>
#include <span>
#include <string>

#include "ocellus/opencl/convolution.hpp"

namespace ocellus::opencl {

/// A depthwise convolution of what a 1x1 convolution makes of x: the inverted bottleneck of
/// MobileNetV2 (Sandler et al., CVPR 2018) without its wide tensor in memory.
///   wide (N, H, W, C) = expansion(x (N, H, W, in_channels) . expansion kernel (in_channels, C))
///   y (N, H', W', C)  = epilogue(depthwise convolution of wide)
struct ExpandedDepthwiseProblem {
  ConvolutionProblem depthwise;  ///< its in_channels are C; its epilogue is y's
  int in_channels = 1;           ///< of x
  Epilogue expansion;            ///< of the 1x1 convolution; its pixels are those of `wide`
};

/// Forward only; for devices of the vector family.
class OCELLUS_API ExpandedDepthwise {
 public:
  /// Whether devices of the vector family can compute the problem so.
  static bool supports(const ExpandedDepthwiseProblem& problem);

  /// Throws Error where supports() is false or the device is of another family.
  ExpandedDepthwise(Device& device, const ExpandedDepthwiseProblem& problem);
  ~ExpandedDepthwise();
  ExpandedDepthwise(ExpandedDepthwise&&) noexcept;

  size_t packed_bytes() const;
  std::string packed_layout() const;
  /// `kernel` is the expansion's.
  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const;
  /// `expansion` and `epilogue` are the operands of the two epilogues.
  void run(Queue& queue, const Operand& x, const Buffer& packed, std::span<const Operand> expansion,
           const Operand& depthwise_kernel, const Operand& y,
           std::span<const Operand> epilogue) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
