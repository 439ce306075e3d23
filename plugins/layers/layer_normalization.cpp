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

class LayerNormalization : public AxisNormalization {
 public:
  explicit LayerNormalization(const LayerNormalizationOptions& o)
      : AxisNormalization(o.axis), options_(o) {
    if (o.rms_scaling)
      throw UsageError(
          "rms_scaling is not supported: Keras deprecated it; RMSNormalization is the layer that "
          "scales by the root of the mean square");
  }

 private:
  std::vector<ParameterSpec> weights(const Shape& shape) const override {
    std::vector<ParameterSpec> list;
    if (options_.scale) list.push_back({"gamma", shape, Role::gamma, options_.gamma_initializer});
    if (options_.center) list.push_back({"beta", shape, Role::beta, options_.beta_initializer});
    return list;
  }
  void complete(Normalizing& n) const override {
    n.scale = options_.scale;
    n.center = options_.center;
    n.scale_of_sum = inverse_root(n.terms, options_.epsilon);
  }

  LayerNormalizationOptions options_;
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
