// LayerNormalization: mean 0 and variance 1 over `axis` in each item (Ba et al., 2016).
//
//   parameters: gamma, beta of the shape of these axes
#include "normalizing.hpp"

namespace ocellus::layers {
namespace {

struct LayerNormalizationOptions {
  Json axis = -1;
  double epsilon = 1e-3;
  bool center = true, scale = true, rms_scaling = false;
  std::string beta_initializer = "zeros", gamma_initializer = "ones";
};

class LayerNormalization : public Layer {
 public:
  explicit LayerNormalization(const LayerNormalizationOptions& o)
      : options_(o), axes_(integers_of(o.axis, "axis")) {
    if (o.rms_scaling)
      throw UsageError(
          "rms_scaling is not supported: Keras deprecated it; RMSNormalization is the layer that "
          "scales by the root of the mean square");
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    const std::vector<int> axes = axes_of(axes_, x);
    LayerPlan p = normalizing_plan(request, normalizing(x));
    const Shape weights = of_axes(x, axes);
    if (options_.scale)
      p.parameters.push_back({"gamma", weights, Role::gamma, options_.gamma_initializer});
    if (options_.center)
      p.parameters.push_back({"beta", weights, Role::beta, options_.beta_initializer});
    p.window = normalizing_window(x, axes);
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return normalizing_op(device, plan, normalizing(plan.outputs[0]));
  }

 private:
  Normalizing normalizing(const Shape& x) const {
    Normalizing n = over_axes(x, axes_of(axes_, x));
    n.scale = options_.scale;
    n.center = options_.center;
    n.scale_of_sum = inverse_root(n.terms, options_.epsilon);
    return n;
  }

  LayerNormalizationOptions options_;
  std::vector<int> axes_;
};

}  // namespace

void register_layer_normalization(Registrar& r) {
  Parameters<LayerNormalizationOptions> layer;
  layer.add("axis", &LayerNormalizationOptions::axis,
            "axis, or list of axes (0 is the batch), whose numbers share a mean");
  add_weights(layer);
  layer.add("rms_scaling", &LayerNormalizationOptions::rms_scaling, "must be false");
  r.add<LayerNormalization>("LayerNormalization", "mean 0 and variance 1 in each item",
                            std::move(layer));
}

}  // namespace ocellus::layers
