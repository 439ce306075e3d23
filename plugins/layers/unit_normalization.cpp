// UnitNormalization: length 1 over `axis` in each item.
#include "normalizing.hpp"

namespace ocellus::layers {
namespace {

struct UnitNormalizationOptions {
  Json axis = -1;
};

class UnitNormalization : public Layer {
 public:
  explicit UnitNormalization(const UnitNormalizationOptions& o)
      : axes_(integers_of(o.axis, "axis")) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    LayerPlan p = normalizing_plan(request, normalizing(x));
    p.window = normalizing_window(x, axes_of(axes_, x));
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return normalizing_op(device, plan, normalizing(plan.outputs[0]));
  }

 private:
  Normalizing normalizing(const Shape& x) const {
    Normalizing n = over_axes(x, axes_of(axes_, x));
    n.centered = n.scale = n.center = false;
    n.terms = 1;
    n.scale_of_sum = "rsqrt(fmax(y, 1e-12f))";  // an item of zeros stays one
    return n;
  }

  std::vector<int> axes_;
};

}  // namespace

void register_unit_normalization(Registrar& r) {
  Parameters<UnitNormalizationOptions> unit;
  unit.add("axis", &UnitNormalizationOptions::axis,
           "axis, or list of axes (0 is the batch), along which the length becomes 1");
  r.add<UnitNormalization>("UnitNormalization", "length 1 in each item", std::move(unit));
}

}  // namespace ocellus::layers
