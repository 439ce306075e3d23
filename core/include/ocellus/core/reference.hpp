#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ocellus/core/json.hpp"
#include "ocellus/core/shape.hpp"

namespace ocellus {

/// A host tensor in double precision, row-major.
struct ReferenceTensor {
  Shape shape;
  std::vector<double> values;
};

/// What a reference is asked to compute: a layer's forward pass, as naively as can be. Gradients
/// are checked by central differences of it.
struct ReferenceCall {
  const Json& parameters;  ///< checked parameters of the layer
  std::span<const ReferenceTensor> inputs;
  std::span<const ReferenceTensor> weights;  ///< parameters, then states, in plan order
  bool training = false;
  uint64_t seed = 0;
  uint32_t step = 0, node = 0;
  std::span<const int> samples;  ///< global sample index of each item
};

/// Returns the outputs; after them, where forward changes states, their new values.
using Reference = std::function<std::vector<ReferenceTensor>(const ReferenceCall&)>;

}  // namespace ocellus
