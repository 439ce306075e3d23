#pragma once

#include <memory>
#include <vector>

#include "ocellus/core/layer.hpp"

namespace ocellus::layers {

/// What is taken of one axis: `count` indices from `first` on, `stride` apart.
struct AxisRange {
  int first = 0, stride = 1, count = 0;
};

/// Copies a range of each axis (the batch included) of input 0 to output 0; backward sends
/// gradients to their places.
std::unique_ptr<LayerOp> make_slice_op(opencl::Device& device, const LayerPlan& plan,
                                       const std::vector<AxisRange>& ranges);

}  // namespace ocellus::layers
