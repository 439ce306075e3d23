// LeakyReLU: y = x where x > 0, negative_slope * x elsewhere.

#include "layers.hpp"

namespace ocellus::layers {
namespace {

struct LeakyReLUOptions {
  double negative_slope = 0.3;
};

class LeakyReLU : public Layer {
 public:
  explicit LeakyReLU(LeakyReLUOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const std::string slope = literal(options_.negative_slope);
    // The sign of y is that of x, so the input need not be kept.
    return pointwise_plan(request,
                          Pointwise::map("x > 0.0f ? x : " + slope + " * x",
                                         "y > 0.0f ? (T)(1.0f) : (T)(" + slope + ")"),
                          false, true);
  }

 private:
  LeakyReLUOptions options_;
};

}  // namespace

void register_leaky_relu(Registrar& r) {
  Parameters<LeakyReLUOptions> p;
  p.add("negative_slope", &LeakyReLUOptions::negative_slope, "slope below 0").min(0);
  r.add<LeakyReLU>("LeakyReLU", "rectifier with a slope below 0", std::move(p));
}

}  // namespace ocellus::layers
