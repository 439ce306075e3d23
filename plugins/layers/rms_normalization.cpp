// RMSNormalization: mean square 1 over `axis` in each item (Zhang and Sennrich, NeurIPS 2019).
//
//   parameters: scale of the shape of these axes
#include "normalizing.hpp"

namespace ocellus::layers {
namespace {

struct RMSNormalizationOptions {
  Json axis = -1;
  double epsilon = 1e-6;
};

class RMSNormalization : public Layer {
 public:
  explicit RMSNormalization(const RMSNormalizationOptions& o)
      : axes_(integers_of(o.axis, "axis")), epsilon_(o.epsilon) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    LayerPlan p = normalizing_plan(request, normalizing(x));
    p.parameters = {{"scale", of_axes(x, axes_of(axes_, x)), Role::gamma, "ones"}};
    p.window = normalizing_window(x, axes_of(axes_, x));
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return normalizing_op(device, plan, normalizing(plan.outputs[0]));
  }

 private:
  Normalizing normalizing(const Shape& x) const {
    Normalizing n = over_axes(x, axes_of(axes_, x));
    n.centered = n.center = false;
    n.scale_of_sum = inverse_root(n.terms, epsilon_);
    return n;
  }

  std::vector<int> axes_;
  double epsilon_;
};

}  // namespace

void register_rms_normalization(Registrar& r) {
  Parameters<RMSNormalizationOptions> rms;
  rms.add("axis", &RMSNormalizationOptions::axis,
          "axis, or list of axes (0 is the batch), whose numbers share a mean square");
  rms.add("epsilon", &RMSNormalizationOptions::epsilon, "added to the mean square").min(0);
  r.add<RMSNormalization>("RMSNormalization", "mean square 1 in each item", std::move(rms));
}

}  // namespace ocellus::layers
