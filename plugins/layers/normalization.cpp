// Normalization: y = (x - mean) / max(sqrt(variance), 1e-7), a mean and a variance for each
// channel; inverted: y = mean + x * max(sqrt(variance), 1e-7).
//
//   states: mean (C), variance (C), count (): as Keras' adapt() left them, unless both are given as
//   parameters.

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "channel_affine.hpp"

namespace ocellus::layers {
namespace {

struct NormalizationOptions {
  int axis = -1;
  Json mean, variance;
  bool invert = false;
};

class Normalization : public Layer {
 public:
  explicit Normalization(const NormalizationOptions& o) : axis_(o.axis), invert_(o.invert) {
    if (o.mean.is_null() != o.variance.is_null())
      throw UsageError("mean and variance are given together or not at all");
    if (o.mean.is_null()) return;
    std::vector<double> scale, shift, mean = ChannelAffine::numbers(o.mean, "mean");
    const std::vector<double> variance = ChannelAffine::numbers(o.variance, "variance");
    if (mean.size() == 1) mean.resize(variance.size(), mean[0]);
    if (variance.size() != 1 && variance.size() != mean.size())
      throw UsageError(fmt::format("{} means and {} variances do not fit each other", mean.size(),
                                   variance.size()));
    for (size_t i = 0; i < mean.size(); ++i) {
      const double deviation = std::max(std::sqrt(variance[variance.size() == 1 ? 0 : i]), 1e-7);
      scale.push_back(invert_ ? deviation : 1 / deviation);
      shift.push_back(invert_ ? mean[i] : -mean[i] / deviation);
    }
    given_.emplace(std::move(scale), std::move(shift));
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() < 2 || (axis_ != -1 && axis_ != x.rank() - 1))
      throw ShapeError(fmt::format(
          "normalizes the last axis (the channels) only, not axis {} of {}", axis_, x.str()));
    if (given_) return given_->plan(request);
    const std::string deviation = "fmax(sqrt(p1), 1e-7f)";
    LayerPlan p = pointwise_plan(
        request, invert_ ? Pointwise::affine(deviation, "p0")
                         : Pointwise::affine("1.0f / " + deviation, "-p0 / " + deviation));
    p.states = {{"mean", {x[-1]}, Role::other, "zeros"},
                {"variance", {x[-1]}, Role::other, "ones"},
                {"count", {}, Role::other, "zeros"}};
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return given_->prepare(device, plan);
  }

 private:
  int axis_;
  bool invert_;
  std::optional<ChannelAffine> given_;
};

}  // namespace

void register_normalization(Registrar& r) {
  Parameters<NormalizationOptions> p;
  p.add("axis", &NormalizationOptions::axis,
        "axis that has statistics of its own; the last one only");
  p.add("mean", &NormalizationOptions::mean, "mean, or one a channel; null: a state of the model");
  p.add("variance", &NormalizationOptions::variance,
        "variance, or one a channel; null: a state of the model")
      .min(0);
  p.add("invert", &NormalizationOptions::invert, "undo the normalization");
  r.add<Normalization>("Normalization", "mean 0 and variance 1 by fixed statistics", std::move(p));
}

}  // namespace ocellus::layers
