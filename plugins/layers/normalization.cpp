// Normalization: y = (x - mean) / max(sqrt(variance), 1e-7), a mean and a variance for each place
// along `axis`; inverted: y = mean + x * max(sqrt(variance), 1e-7).
//
//   states: mean and variance of the shape of these axes, count (): as Keras' adapt() left them,
//   unless both are given as parameters.
//
// Statistics of the channels are an affine map a channel, which fuses; others take an op.

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "channel_affine.hpp"
#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

struct NormalizationOptions {
  Json axis = -1;
  Json mean, variance;
  bool invert = false;
};

/// Statistics of any axes. x0: x, x1: mean, x2: variance.
class AxesNormalizationOp : public LayerOp {
 public:
  AxesNormalizationOp(opencl::Device& device, const Shape& x, const Shape& statistics, bool invert)
      : forward_(device, problem(x, statistics,
                                 invert ? "x1 + x0 * deviation" : "(x0 - x1) / deviation", false)),
        backward_([&](bool accumulate) {
          return opencl::Strided(
              device,
              problem(x, statistics, invert ? "x0 * deviation" : "x0 / deviation", accumulate));
        }) {}

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    run(forward_, queue, args.inputs[0], args.states, args.outputs[0]);
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (args.input_gradients[0])
      run(backward_(args.accumulate_inputs), queue, args.output_gradients[0], args.states,
          args.input_gradients[0]);
  }

 private:
  static void run(const opencl::Strided& kernel, opencl::Queue& queue, const Tensor& x,
                  std::span<const Parameter> states, const Tensor& y) {
    const opencl::Operand in[] = {x.operand(), states[0].tensor.operand(),
                                  states[1].tensor.operand()};
    kernel.run(queue, in, y.operand());
  }
  static opencl::StridedProblem problem(const Shape& x, const Shape& statistics,
                                        const char* expression, bool accumulate) {
    const Strides s = strides_of(statistics);
    opencl::StridedProblem p{extents_of(x), {strides_of(x), s, s}, strides_of(x), expression};
    p.prologue = "const T deviation = fmax(sqrt(x2), 1e-7f);";
    p.accumulate = accumulate;
    p.name = "axes_normalization";
    return p;
  }

  opencl::Strided forward_;
  Overwriting<opencl::Strided> backward_;
};

class Normalization : public Layer {
 public:
  explicit Normalization(const NormalizationOptions& o) : invert_(o.invert) {
    if (!o.axis.is_null()) axes_ = integers_of(o.axis, "axis");
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
    const std::vector<int> axes = axes_of(axes_, x);
    const bool channels = axes == std::vector<int>{x.rank() - 1};
    if (given_) {
      if (!channels && !(axes.empty() && given_->is_number()))
        throw ShapeError("takes a given mean and variance for the last axis (the channels) only");
      return given_->plan(request);
    }
    LayerPlan p = op_plan(request, x);
    if (channels) {
      const std::string deviation = "fmax(sqrt(p1), 1e-7f)";
      p = pointwise_plan(request,
                         invert_ ? Pointwise::affine(deviation, "p0")
                                 : Pointwise::affine("1.0f / " + deviation, "-p0 / " + deviation));
    }
    std::vector<int> extents;
    for (int a : axes) extents.push_back(x[a]);
    p.states = {{"mean", Shape(extents), Role::other, "zeros"},
                {"variance", Shape(extents), Role::other, "ones"},
                {"count", {}, Role::other, "zeros"}};
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    if (given_) return given_->prepare(device, plan);
    const Shape& x = plan.outputs[0];
    Shape statistics(std::vector<int>(x.rank(), 1));
    for (int a : axes_of(axes_, x)) statistics.set(a, x[a]);
    return std::make_unique<AxesNormalizationOp>(device, x, statistics, invert_);
  }

 private:
  std::vector<int> axes_;  ///< that have statistics of their own; none: one mean for all
  bool invert_;
  std::optional<ChannelAffine> given_;
};

}  // namespace

void register_normalization(Registrar& r) {
  Parameters<NormalizationOptions> p;
  p.add("axis", &NormalizationOptions::axis,
        "axis, or list of axes (0 is the batch), with statistics of their own; null: none");
  p.add("mean", &NormalizationOptions::mean, "mean, or one a channel; null: a state of the model");
  p.add("variance", &NormalizationOptions::variance,
        "variance, or one a channel; null: a state of the model")
      .min(0);
  p.add("invert", &NormalizationOptions::invert, "undo the normalization");
  r.add<Normalization>("Normalization", "mean 0 and variance 1 by fixed statistics", std::move(p));
}

}  // namespace ocellus::layers
