// ThresholdedReLU: y = x where x > theta, 0 elsewhere (Konda et al., 2014). Keras 2 only.

#include "layers.hpp"

namespace ocellus::layers {
namespace {

struct ThresholdedReLUOptions {
  double theta = 1;
};

class ThresholdedReLU : public Layer {
 public:
  explicit ThresholdedReLU(ThresholdedReLUOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const std::string theta = literal(options_.theta);
    return pointwise_plan(request,
                          Pointwise::map("x > " + theta + " ? x : (T)(0.0f)",
                                         "x > " + theta + " ? (T)(1.0f) : (T)(0.0f)"),
                          true);
  }

 private:
  ThresholdedReLUOptions options_;
};

}  // namespace

void register_thresholded_relu(Registrar& r) {
  Parameters<ThresholdedReLUOptions> p;
  p.add("theta", &ThresholdedReLUOptions::theta, "largest x that becomes 0").min(0);
  r.add<ThresholdedReLU>("ThresholdedReLU", "x where it is over a threshold", std::move(p));
}

}  // namespace ocellus::layers
