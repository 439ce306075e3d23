#pragma once

#include <vector>

#include "ocellus/opencl/convolution.hpp"

namespace ocellus::opencl {

/// One axis of a ConvolutionPart: an ordinary window axis whose outputs are a lattice of the
/// result, and the taps of the original kernel that it uses (tap t is the kernel's row last - t *
/// tap_step).
struct PartAxis {
  Axis axis;
  int origin = 0, step = 1;  ///< output o is the result's pixel origin + step * o
  int size = 1;              ///< pixels of the result
  int last = 0, tap_step = 1;
};

/// An ordinary convolution that gives all, or a lattice, of a pass's result.
struct ConvolutionPart {
  PartAxis h, w;
  size_t weights_offset = 0;  ///< of its turned weights, in floats
  int taps() const { return h.axis.kernel * w.axis.kernel; }
};

/// The forward pass as one part.
ConvolutionPart forward_part(const ConvolutionProblem& problem);

/// The gradient by x as convolutions of dy with turned weights: one for each phase of the strides,
/// since an input pixel meets only the taps k with (i + pad - k * dilation) divisible by the
/// stride. A phase without taps has kernel size 0: its pixels are 0.
std::vector<ConvolutionPart> backward_parts(const ConvolutionProblem& problem);

/// Turned weights for all parts, (taps, out_channels / groups, in_channels) each.
class TurnedWeights {
 public:
  TurnedWeights(Device& device, const ConvolutionProblem& problem,
                std::vector<ConvolutionPart> parts);
  size_t bytes() const { return bytes_; }
  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const;

 private:
  ConvolutionProblem p_;
  std::vector<ConvolutionPart> parts_;
  size_t bytes_ = 0;
  Kernel kernel_;
};

}  // namespace ocellus::opencl
