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

class RMSNormalization : public AxisNormalization {
 public:
  explicit RMSNormalization(const RMSNormalizationOptions& o)
      : AxisNormalization(o.axis), epsilon_(o.epsilon) {}

 private:
  std::vector<ParameterSpec> weights(const Shape& shape) const override {
    return {{"scale", shape, Role::gamma, "ones"}};
  }
  void complete(Normalizing& n) const override {
    n.centered = n.center = false;
    n.scale_of_sum = inverse_root(n.terms, epsilon_);
  }

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
