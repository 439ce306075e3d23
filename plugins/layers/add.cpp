// Add: the sum of two or more inputs of the same shape.

#include <fmt/format.h>

#include "layers.hpp"

namespace ocellus::layers {
namespace {

class Add : public Layer {
 public:
  LayerPlan plan(const PlanRequest& request) const override {
    if (request.inputs.size() < 2)
      throw ShapeError(fmt::format("takes two inputs or more, {} given", request.inputs.size()));
    for (const Shape& s : request.inputs)
      if (s != request.inputs[0])
        throw ShapeError(fmt::format("inputs must have the same shape, not {} and {}",
                                     request.inputs[0].str(), s.str()));
    LayerPlan p = pointwise_plan(request, Pointwise::merge("x0 + x1", "(T)(1.0f)", "(T)(1.0f)"));
    p.window = Window::aligned();
    return p;
  }
};

}  // namespace

void register_add(Registrar& r) { r.add<Add>("Add", "sum of the inputs, element by element"); }

}  // namespace ocellus::layers
