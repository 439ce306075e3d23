// LocalResponseNormalization: each value by the energy of its neighbours among the channels
// (Krizhevsky et al., NIPS 2012, section 3.3), as tf.nn.local_response_normalization:
//
//   s[c] = sum over |k| <= depth_radius of x[c + k]^2,  y[c] = x[c] / (bias + alpha * s[c])^beta
//
// Caffe's alpha is divided by the window, 2 * depth_radius + 1.
//
// Backward, with b = bias + alpha * s:
//   dx[c] = dy[c] b[c]^-beta - 2 alpha beta x[c] * sum over |k| <= depth_radius of
//           (dy x b^(-beta - 1))[c + k]

#include <fmt/format.h>

#include <optional>

#include "layers.hpp"
#include "layers_kernels.hpp"
#include "ocellus/opencl/pointwise.hpp"

namespace ocellus::layers {
namespace {

struct LocalResponseOptions {
  int depth_radius = 5;
  double bias = 1, alpha = 1, beta = 0.5;
};

class LocalResponseOp : public LayerOp {
 public:
  LocalResponseOp(opencl::Device& device, const LayerPlan& plan, const LocalResponseOptions& o)
      : pixels_(plan.outputs[0].pixels()),
        channels_(plan.outputs[0].channels()),
        radius_(o.depth_radius),
        squares_(device.kernel(kernels::local_response_normalization_cl(), "channel_window_sum",
                               "-DSQUARE")),
        sums_(device.kernel(kernels::local_response_normalization_cl(), "channel_window_sum")),
        scale_(device, pointwise(o, 2, "x0 * a", "lrn_scale")) {
    if (!plan.request.input_gradients) return;
    inner_.emplace(device, pointwise(o, 3, "x0 * x2 * a / b", "lrn_inner"));
    outer_.emplace([&](bool accumulate) {
      opencl::PointwiseProblem p = pointwise(
          o, 4, "x2 * a - " + literal(2 * o.alpha * o.beta) + " * x0 * x3", "lrn_gradient");
      p.accumulate = {accumulate};
      return opencl::Pointwise(device, p);
    });
  }

  size_t workspace_bytes() const override {
    return size_t{outer_ ? 2u : 1u} * pixels_ * channels_ * sizeof(float);
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand x = args.inputs[0].operand(),
                          s = args.saved.empty() ? part(args, 0) : args.saved[0].operand();
    window_sum(queue, squares_, x, s);
    const opencl::Operand in[] = {x, s}, out[] = {args.outputs[0].operand()};
    scale_.run(queue, in, out);
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand x = args.inputs[0].operand(), s = args.saved[0].operand(),
                          dy = args.output_gradients[0].operand(), product = part(args, 0),
                          sum = part(args, 1);
    const opencl::Operand inner[] = {x, s, dy}, outer[] = {x, s, dy, sum},
                          dx[] = {args.input_gradients[0].operand()};
    inner_->run(queue, inner, std::span(&product, 1));
    window_sum(queue, sums_, product, sum);
    (*outer_)(args.accumulate_inputs).run(queue, outer, dx);
  }

 private:
  /// One of the matrices in the workspace.
  template <class Args>
  opencl::Operand part(const Args& args, uint32_t i) const {
    const auto columns = static_cast<uint32_t>(channels_);
    return {args.workspace, i * static_cast<uint32_t>(pixels_) * columns, columns};
  }

  void window_sum(opencl::Queue& queue, const opencl::Kernel& kernel, const opencl::Operand& in,
                  const opencl::Operand& out) const {
    constexpr int block = 8;
    kernel(queue,
           opencl::Range::of(static_cast<size_t>(channels_),
                             static_cast<size_t>((pixels_ + block - 1) / block), 16, 1),
           in.buffer, in.offset, in.stride, out.buffer, out.offset, out.stride, pixels_, channels_,
           radius_, block);
  }

  /// Over x0 = x, x1 = s: b = bias + alpha * s and a = b^-beta. Powers that are roots are taken as
  /// such: several times as fast.
  opencl::PointwiseProblem pointwise(const LocalResponseOptions& o, size_t inputs,
                                     const std::string& expression, const std::string& name) const {
    const std::string power = o.beta == 0.5    ? "rsqrt(b)"
                              : o.beta == 0.75 ? "rsqrt(b * sqrt(b))"
                              : o.beta == 1    ? "1.0f / b"
                                               : "exp(" + literal(-o.beta) + " * log(b))";
    opencl::PointwiseProblem p{pixels_, channels_};
    p.inputs.assign(inputs, opencl::PointwiseProblem::Input::matrix);
    p.prologue = fmt::format("const T b = {} + {} * x1;\nconst T a = {};\n", literal(o.bias),
                             literal(o.alpha), power);
    p.outputs = {expression};
    p.name = name;
    return p;
  }

  int pixels_, channels_, radius_;
  opencl::Kernel squares_, sums_;
  opencl::Pointwise scale_;
  std::optional<opencl::Pointwise> inner_;
  std::optional<Overwriting<opencl::Pointwise>> outer_;
};

class LocalResponseNormalization : public Layer {
 public:
  explicit LocalResponseNormalization(const LocalResponseOptions& options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() < 2) throw ShapeError("takes an input with channels, not " + x.str());
    LayerPlan p;
    p.request = request;
    p.outputs = {x};
    if (request.input_gradients) {
      p.saves_inputs = true;
      p.saved = {x};
    }
    p.strided_inputs = p.strided_outputs = true;
    p.window = Window::pointwise();
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<LocalResponseOp>(device, plan, options_);
  }

 private:
  LocalResponseOptions options_;
};

}  // namespace

void register_local_response_normalization(Registrar& r) {
  using Options = LocalResponseOptions;
  Parameters<Options> p;
  p.add("depth_radius", &Options::depth_radius, "channels on either side").min(0);
  p.add("bias", &Options::bias, "added to the energy; keeps it from zero").min(1e-6);
  p.add("alpha", &Options::alpha, "factor of the energy").min(0);
  p.add("beta", &Options::beta, "exponent").min(0);
  r.add<LocalResponseNormalization>("LocalResponseNormalization",
                                    "each value by the energy of its neighbours among the channels",
                                    std::move(p));
}

}  // namespace ocellus::layers
