// Flatten: each item's elements as one row, (N, ...) -> (N, elements of an item). Channels run
// fastest.

#include <fmt/format.h>

#include "layers.hpp"

namespace ocellus::layers {
namespace {

class Flatten : public Layer {
 public:
  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() == 0) throw ShapeError("takes an input with a batch axis");
    LayerPlan p = pointwise_plan(request, Pointwise::identity());
    p.outputs = {{x[0], static_cast<int>(x.without_batch().elements())}};
    p.strided_inputs = p.strided_outputs = x.rank() == 2;
    if (x.rank() > 2) p.window = {};
    return p;
  }
};

}  // namespace

void register_flatten(Registrar& r) { r.add<Flatten>("Flatten", "each item as one row"); }

}  // namespace ocellus::layers
