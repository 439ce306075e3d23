#include "ocellus/core/layer.hpp"

#include <fmt/format.h>

namespace ocellus {

LayerOp::~LayerOp() = default;

void LayerOp::backward(opencl::Queue&, const BackwardArgs&) {
  throw Error("this layer has no backward pass: it can run, but not train or give gradients");
}

Layer::~Layer() = default;

std::unique_ptr<LayerOp> Layer::prepare(opencl::Device&, const LayerPlan&) const {
  throw Error("a layer whose plan is not pointwise must supply prepare()");
}

void expect_inputs(const PlanRequest& request, size_t count, int rank) {
  if (request.inputs.size() != count)
    throw ShapeError(fmt::format("takes {} input{}, {} {} given", count, count == 1 ? "" : "s",
                                 request.inputs.size(), request.inputs.size() == 1 ? "is" : "are"));
  // Plans add and multiply extents as int: this leaves them room.
  for (const Shape& x : request.inputs)
    for (const int extent : x.extents())
      if (extent > 1 << 28)
        throw ShapeError(fmt::format("takes inputs of up to 2^28 along an axis, has {}", x.str()));
  if (rank && count && request.inputs[0].rank() != rank)
    throw ShapeError(fmt::format("takes an input with {} axes (batch included), {} has {}", rank,
                                 request.inputs[0].str(), request.inputs[0].rank()));
}

}  // namespace ocellus
