// ReLU: y = max_value            where x >= max_value (null: no limit)
//       y = x                    where threshold <= x < max_value
//       y = negative_slope * (x - threshold)  below
// The gradient at a kink is that of its left side, 0 for the plain ReLU.

#include <optional>

#include "layers.hpp"

namespace ocellus::layers {
namespace {

struct ReLUOptions {
  std::optional<double> max_value;
  double negative_slope = 0, threshold = 0;
};

class ReLU : public Layer {
 public:
  explicit ReLU(ReLUOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const ReLUOptions& o = options_;
    if (o.threshold == 0 && o.negative_slope == 0) {
      // y tells both kinks, so x need not be kept, and the layer before may be overwritten.
      if (!o.max_value)
        return pointwise_plan(request,
                              Pointwise::map("fmax(x, 0.0f)", "y > 0.0f ? (T)(1.0f) : (T)(0.0f)"),
                              false, true);
      const std::string top = literal(*o.max_value);
      return pointwise_plan(request,
                            Pointwise::map("fmin(fmax(x, 0.0f), " + top + ")",
                                           "(y > 0.0f ? (T)(1.0f) : (T)(0.0f)) * (y < " + top +
                                               " ? (T)(1.0f) : (T)(0.0f))"),
                            false, true);
    }
    const std::string threshold = literal(o.threshold), slope = literal(o.negative_slope);
    std::string f = "x >= " + threshold + " ? x : " + slope + " * (x - " + threshold + ")";
    std::string df = "(x > " + threshold + " ? (T)(1.0f) : (T)(" + slope + "))";
    if (o.max_value) {
      const std::string top = literal(*o.max_value);
      f = "x >= " + top + " ? (T)(" + top + ") : (" + f + ")";
      df = "x >= " + top + " ? (T)(0.0f) : " + df;
    }
    return pointwise_plan(request, Pointwise::map(f, df), true, false);
  }

 private:
  ReLUOptions options_;
};

}  // namespace

void register_relu(Registrar& r) {
  Parameters<ReLUOptions> p;
  p.add("max_value", &ReLUOptions::max_value, "largest output; null: no limit").min(0);
  p.add("negative_slope", &ReLUOptions::negative_slope, "slope below the threshold").min(0);
  p.add("threshold", &ReLUOptions::threshold, "inputs below it are damped").min(0);
  r.add<ReLU>("ReLU", "rectified linear unit", std::move(p));
}

}  // namespace ocellus::layers
