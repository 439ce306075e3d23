// Reshape: the same elements under another shape. target_shape is without batch; one extent may be
// -1: what is left.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "layers.hpp"

namespace ocellus::layers {
namespace {

struct ReshapeOptions {
  std::vector<int> target_shape;
};

class Reshape : public Layer {
 public:
  explicit Reshape(ReshapeOptions options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() == 0) throw ShapeError("takes an input with a batch axis");
    LayerPlan p = pointwise_plan(request, Pointwise::identity());
    p.outputs = {target(x.without_batch()).batched(x[0])};
    p.strided_inputs = p.strided_outputs = false;
    p.window = {};
    return p;
  }

 private:
  Shape target(const Shape& item) const {
    std::vector<int> extents = options_.target_shape;
    int64_t known = 1;
    int* open = nullptr;
    for (int& e : extents) {
      if (e == -1 && !open)
        open = &e;
      else
        known *= e;
    }
    if (open && known > 0 && item.elements() % known == 0)
      *open = static_cast<int>(item.elements() / known);
    if (known <= 0 || (open && *open < 0) || (open ? known * *open : known) != item.elements())
      throw ShapeError(fmt::format("an item of shape {} has {} elements and cannot become ({})",
                                   item.str(), item.elements(),
                                   fmt::join(options_.target_shape, ", ")));
    return Shape(extents);
  }

  ReshapeOptions options_;
};

}  // namespace

void register_reshape(Registrar& r) {
  Parameters<ReshapeOptions> p;
  p.add("target_shape", &ReshapeOptions::target_shape, "shape of one item; one extent may be -1")
      .min(-1)
      .required();
  r.add<Reshape>("Reshape", "the same elements under another shape", std::move(p));
}

}  // namespace ocellus::layers
