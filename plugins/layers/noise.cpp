// GaussianNoise, GaussianDropout, AlphaDropout, SpatialDropout1D and 2D: the identity in inference,
// random numbers in training.
//
//   GaussianNoise     y = x + stddev z
//   GaussianDropout   y = x (1 + sqrt(rate / (1 - rate)) z)      (Srivastava et al., JMLR 2014)
//   AlphaDropout      y = a (x, or -scale alpha where dropped) + b, which keeps mean 0 and variance
//                     1 (Klambauer et al., NIPS 2017)
//   SpatialDropout    whole channels of an item are dropped (Tompson et al., CVPR 2015)
//
// z is normal, u uniform in [0, 1), dropped is u < rate. All are functions of (seed, step, node,
// sample, element): backward draws them again.

#include <fmt/format.h>

#include <cmath>

#include "ocellus/opencl/random.hpp"
#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

/// y = f(x0, x1), x1 the random number; dy/dx is a function of x1 alone.
struct Noise {
  bool normal = false;  ///< else uniform
  std::string f, derivative;
};

class NoiseOp : public LayerOp {
 public:
  /// `noise` is the shape of the random numbers, repeated to that of x.
  NoiseOp(opencl::Device& device, const Shape& x, const Shape& noise, const Noise& n)
      : normal_(n.normal),
        rows_(noise[0]),
        columns_(static_cast<int>(noise.without_batch().elements())),
        forward_(device, problem(x, noise, n.f, false)),
        backward_([&](bool accumulate) {
          return opencl::Strided(device,
                                 problem(x, noise, "x0 * (" + n.derivative + ")", accumulate));
        }) {}

  size_t workspace_bytes() const override { return sizeof(float) * rows_ * columns_; }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    draw(queue, args.run, args.workspace);
    const opencl::Operand in[] = {args.inputs[0].operand(), {args.workspace}};
    forward_.run(queue, in, args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    draw(queue, args.run, args.workspace);
    const opencl::Operand in[] = {args.output_gradients[0].operand(), {args.workspace}};
    backward_(args.accumulate_inputs).run(queue, in, args.input_gradients[0].operand());
  }

 private:
  void draw(opencl::Queue& queue, const RunContext& run, const opencl::Buffer& to) const {
    const opencl::Operand y{to, 0, static_cast<uint32_t>(columns_)};
    (normal_ ? opencl::random_normal : opencl::random_uniform)(
        queue, {run.seed, run.step, run.node}, y, rows_, columns_, run.samples);
  }
  static opencl::StridedProblem problem(const Shape& x, const Shape& noise,
                                        const std::string& expression, bool accumulate) {
    opencl::StridedProblem p{
        extents_of(x), {strides_of(x), strides_of(noise)}, strides_of(x), expression};
    p.accumulate = accumulate;
    p.name = "noise";
    return p;
  }

  bool normal_;
  int rows_, columns_;
  opencl::Strided forward_;
  Overwriting<opencl::Strided> backward_;
};

/// What the layers of this page have in common.
class NoiseLayer : public Layer {
 public:
  /// `strength` 0 makes the layer the identity; `rank`: of the inputs, 0: any.
  NoiseLayer(double strength, Noise noise, int rank = 0)
      : strength_(strength), noise_(std::move(noise)), rank_(rank) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank_);
    if (request.inputs[0].rank() == 0) throw ShapeError("takes an input with a batch axis");
    if (!request.training || strength_ == 0) return pointwise_plan(request, Pointwise::identity());
    LayerPlan p = op_plan(request, request.inputs[0]);
    p.in_place = true;
    p.window = Window::pointwise();
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    const Shape& x = plan.outputs[0];
    Shape noise = x;
    for (int a = 1; rank_ > 0 && a < rank_ - 1; ++a) noise.set(a, 1);
    return std::make_unique<NoiseOp>(device, x, noise, noise_);
  }

 private:
  double strength_;
  Noise noise_;
  int rank_;
};

struct StddevOptions {
  double stddev = 1;
};
struct RateOptions {
  double rate = 0.5;
};

class GaussianNoise : public NoiseLayer {
 public:
  explicit GaussianNoise(const StddevOptions& o)
      : NoiseLayer(o.stddev, {true, "x0 + " + literal(o.stddev) + " * x1", "1.0f"}) {}
};

class GaussianDropout : public NoiseLayer {
 public:
  explicit GaussianDropout(const RateOptions& o) : NoiseLayer(o.rate, noise(o.rate)) {}

 private:
  static Noise noise(double rate) {
    const std::string factor = "(1.0f + " + literal(std::sqrt(rate / (1 - rate))) + " * x1)";
    return {true, "x0 * " + factor, factor};
  }
};

class AlphaDropout : public NoiseLayer {
 public:
  explicit AlphaDropout(const RateOptions& o) : NoiseLayer(o.rate, noise(o.rate)) {}

 private:
  static Noise noise(double rate) {
    // -scale alpha of selu, its limit below.
    constexpr double low = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946;
    const double a = 1 / std::sqrt((1 - rate) * (1 + rate * low * low)), b = -a * low * rate;
    const std::string dropped = "x1 < " + literal(rate);
    return {
        false,
        dropped + " ? (T)(" + literal(a * low + b) + ") : " + literal(a) + " * x0 + " + literal(b),
        dropped + " ? (T)(0.0f) : (T)(" + literal(a) + ")"};
  }
};

template <int rank>
class SpatialDropout : public NoiseLayer {
 public:
  explicit SpatialDropout(const RateOptions& o) : NoiseLayer(o.rate, noise(o.rate), rank) {}

 private:
  static Noise noise(double rate) {
    const std::string dropped = "x1 < " + literal(rate), scale = literal(1 / (1 - rate));
    return {false, dropped + " ? (T)(0.0f) : x0 * " + scale,
            dropped + " ? (T)(0.0f) : (T)(" + scale + ")"};
  }
};

template <class T>
void add(Registrar& r, const char* name, const char* help) {
  Parameters<RateOptions> p;
  p.add("rate", &RateOptions::rate, "part that is dropped in training")
      .min(0)
      .max(0.999)
      .required();
  r.add<T>(name, help, std::move(p));
}

}  // namespace

void register_noise(Registrar& r) {
  Parameters<StddevOptions> p;
  p.add("stddev", &StddevOptions::stddev, "standard deviation of the noise").min(0).required();
  r.add<GaussianNoise>("GaussianNoise", "adds normal noise in training", std::move(p));
  add<GaussianDropout>(r, "GaussianDropout", "multiplies by normal noise round 1 in training");
  add<AlphaDropout>(r, "AlphaDropout", "dropout that keeps mean and variance, for selu");
  add<SpatialDropout<3>>(r, "SpatialDropout1D", "drops whole channels at random in training");
  add<SpatialDropout<4>>(r, "SpatialDropout2D", "drops whole channels at random in training");
}

}  // namespace ocellus::layers
