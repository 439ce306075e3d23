#pragma once

#include <vector>

#include "layers.hpp"
#include "ocellus/opencl/strided.hpp"

/// What layers over any axes share: shapes as strides (see opencl::StridedProblem).
namespace ocellus::layers {

using Strides = std::vector<int>;

/// Strides of a contiguous tensor; 0 along extents of 1, which are broadcast or reduced.
Strides strides_of(const Shape& shape);

/// The index space of a shape.
inline std::vector<int> extents_of(const Shape& shape) {
  return {shape.extents().begin(), shape.extents().end()};
}

/// `axes` of a layer's parameter, negative ones counted from the end, in rising order. Throws
/// ShapeError for an axis that `shape` lacks, the batch axis, or one named twice.
std::vector<int> axes_of(const std::vector<int>& axes, const Shape& shape);

/// A parameter that Keras writes as a number or a list: -1 or [1, 2]. Throws UsageError naming it.
std::vector<int> integers_of(const Json& value, const std::string& parameter);

/// The shape with extent 1 along `axes`.
Shape with_ones(Shape shape, const std::vector<int>& axes);

/// Plan of a layer with an op that wants contiguous tensors.
LayerPlan op_plan(const PlanRequest& request, const Shape& output);

}  // namespace ocellus::layers
