// BatchNormalization (Ioffe and Szegedy, ICML 2015), over all axes but `axis`, the last one as a
// rule; another one is computed as the normalizations of items are:
//
//   y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
//
//   parameters: gamma (C) if `scale`, beta (C) if `center`; states: moving_mean (C),
//   moving_variance (C); C is the extent of `axis`
//
// In training, when the layer is trainable, mean and (biased) variance are those of the batch, and
// moving = momentum * moving + (1 - momentum) * batch. Otherwise they are the moving ones: an
// affine map a channel, which fuses into the layer before. The moving variance takes the biased
// variance, as in Keras 3.
//
// Backward, with h = (x - mean) / sqrt(variance + epsilon), n pixels, batch statistics:
//   dbeta = sum dy,  dgamma = sum dy h,  dx = gamma / sqrt(variance + epsilon) * (dy - dbeta / n -
//   h dgamma / n)

#include <fmt/format.h>

#include "layers_kernels.hpp"
#include "normalizing.hpp"
#include "ocellus/opencl/movement.hpp"
#include "ocellus/opencl/pointwise.hpp"
#include "ocellus/opencl/reduce.hpp"

namespace ocellus::layers {
namespace {

struct BatchNormalizationOptions {
  int axis = -1;
  double momentum = 0.99, epsilon = 1e-3;
  bool center = true, scale = true;
  std::string beta_initializer = "zeros", gamma_initializer = "ones";
  std::string moving_mean_initializer = "zeros", moving_variance_initializer = "ones";
};

bool uses_batch(const PlanRequest& request) { return request.training && request.trainable; }

using Input = opencl::PointwiseProblem::Input;

/// Normalizes by the batch; or by the moving statistics where gamma and beta want gradients
/// nevertheless. The saved tensor (4, C) holds mean, variance, sum of dy, sum of dy * h.
class BatchNormalizationOp : public LayerOp {
 public:
  BatchNormalizationOp(opencl::Device& device, const LayerPlan& plan,
                       const BatchNormalizationOptions& o)
      : rows_(plan.outputs[0].pixels()),
        channels_(plan.outputs[0].channels()),
        block_rows_(std::max(64, (rows_ + 127) / 128)),
        batch_(uses_batch(plan.request)),
        gamma_(o.scale),
        epsilon_(static_cast<float>(o.epsilon)),
        moments_(device, opencl::Reduce::Op::moments, rows_, channels_),
        normalize_(device, normalize(o)),
        move_(device, move(o)),
        data_([&](bool accumulate) { return opencl::Pointwise(device, gradient(o, accumulate)); }),
        sums_(device.kernel(kernels::batch_normalization_cl(), "batch_sums")),
        join_(device.kernel(kernels::batch_normalization_cl(), "batch_sums_join")) {}

  size_t workspace_bytes() const override {
    return std::max(moments_.workspace_bytes(), size_t{2} * blocks() * channels_ * sizeof(float));
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    if (batch_) {
      moments_.run(queue, args.inputs[0].operand(), row(args.saved[0], 0), args.workspace);
      const opencl::Operand moving[] = {args.states[0].tensor.operand(),
                                        args.states[1].tensor.operand()};
      const opencl::Operand in[] = {moving[0], moving[1], row(args.saved[0], 0),
                                    row(args.saved[0], 1)};
      move_.run(queue, in, moving);
    }
    std::vector<opencl::Operand> in = {args.inputs[0].operand(), mean(args), variance(args)};
    for (const Parameter& p : args.parameters) in.push_back(p.tensor.operand());
    const opencl::Operand out[] = {args.outputs[0].operand()};
    normalize_.run(queue, in, out);
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    const opencl::Operand x = args.inputs[0].operand(), dy = args.output_gradients[0].operand();
    const opencl::Operand m = mean(args), v = variance(args), sums = row(args.saved[0], 2);
    sums_(queue,
          opencl::Range{{opencl::Range::round_up(channels_, 16), static_cast<size_t>(blocks()), 1},
                        {16, 1, 1}},
          x.buffer, x.offset, x.stride, dy.buffer, dy.offset, dy.stride, m.buffer, m.offset,
          v.buffer, v.offset, args.workspace, rows_, channels_, block_rows_, epsilon_);
    join_(queue, opencl::Range::of(channels_, 16), args.workspace, sums.buffer, sums.offset,
          blocks(), channels_);
    if (args.input_gradients[0]) {
      std::vector<opencl::Operand> in = {dy, m, v, x, sums, row(args.saved[0], 3)};
      if (gamma_) in.push_back(args.parameters[0].tensor.operand());
      const opencl::Operand out[] = {args.input_gradients[0].operand()};
      data_(args.accumulate_inputs).run(queue, in, out);
    }
    if (args.parameter_gradients.empty()) return;
    size_t next = 0;  // gamma, beta, as far as they exist
    if (gamma_)
      opencl::copy_matrix(queue, row(args.saved[0], 3), args.parameter_gradients[next++].operand(),
                          1, channels_, args.accumulate_parameters);
    if (next < args.parameter_gradients.size())
      opencl::copy_matrix(queue, sums, args.parameter_gradients[next].operand(), 1, channels_,
                          args.accumulate_parameters);
  }

 private:
  int blocks() const { return (rows_ + block_rows_ - 1) / block_rows_; }
  opencl::Operand row(const Tensor& saved, int i) const {
    return {saved.buffer, saved.offset + static_cast<uint32_t>(i * channels_),
            static_cast<uint32_t>(channels_)};
  }
  template <class Args>
  opencl::Operand mean(const Args& args) const {
    return batch_ ? row(args.saved[0], 0) : args.states[0].tensor.operand();
  }
  template <class Args>
  opencl::Operand variance(const Args& args) const {
    return batch_ ? row(args.saved[0], 1) : args.states[1].tensor.operand();
  }

  // x0: x, x1: mean, x2: variance, then gamma and beta as far as they exist.
  opencl::PointwiseProblem normalize(const BatchNormalizationOptions& o) const {
    std::vector<Input> inputs(3 + o.scale + o.center, Input::per_column);
    inputs[0] = Input::matrix;
    std::string y = "(x0 - x1) * rsqrt(x2 + " + literal(o.epsilon) + ")";
    if (o.scale) y += " * x3";
    if (o.center) y += o.scale ? " + x4" : " + x3";
    return {rows_, channels_, inputs, {y}, {}, {}, 0, "batch_normalize"};
  }

  // x0, x1: moving mean and variance; x2, x3: those of the batch.
  opencl::PointwiseProblem move(const BatchNormalizationOptions& o) const {
    const std::string keep = literal(o.momentum), take = literal(1 - o.momentum);
    return {1,
            channels_,
            std::vector<Input>(4, Input::matrix),
            {"x0 * " + keep + " + x2 * " + take, "x1 * " + keep + " + x3 * " + take},
            {},
            {},
            0,
            "batch_moving"};
  }

  // x0: dy, x1: mean, x2: variance, x3: x, x4: sum of dy, x5: sum of dy * h, x6: gamma.
  opencl::PointwiseProblem gradient(const BatchNormalizationOptions& o, bool accumulate) const {
    std::vector<Input> inputs(6 + o.scale, Input::per_column);
    inputs[0] = inputs[3] = Input::matrix;
    const std::string one_nth = literal(1.0 / rows_);
    std::string dx = batch_ ? "(x0 - (x4 + (x3 - x1) * inverse * x5) * " + one_nth + ") * inverse"
                            : "x0 * inverse";
    if (o.scale) dx += " * x6";
    return {rows_, channels_,       inputs,
            {dx},  {accumulate},    "const T inverse = rsqrt(x2 + " + literal(o.epsilon) + ");",
            0,     "batch_gradient"};
  }

  int rows_, channels_, block_rows_;
  bool batch_, gamma_;
  float epsilon_;
  opencl::Reduce moments_;
  opencl::Pointwise normalize_, move_;
  Overwriting<opencl::Pointwise> data_;
  opencl::Kernel sums_, join_;
};

class BatchNormalization : public Layer {
 public:
  explicit BatchNormalization(BatchNormalizationOptions options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const BatchNormalizationOptions& o = options_;
    const Shape& x = request.inputs[0];
    const int axis = axes_of({o.axis}, x)[0];
    LayerPlan p = is_last(axis, x) ? pointwise_plan(request, affine())
                                   : normalizing_plan(request, along(axis, request));
    const Shape channels{x[axis]};
    if (o.scale) p.parameters.push_back({"gamma", channels, Role::gamma, o.gamma_initializer});
    if (o.center) p.parameters.push_back({"beta", channels, Role::beta, o.beta_initializer});
    p.states = {
        {"moving_mean", channels, Role::moving_mean, o.moving_mean_initializer},
        {"moving_variance", channels, Role::moving_variance, o.moving_variance_initializer}};
    if (!is_last(axis, x)) return p;
    const bool wants_gradients =
        request.trainable && request.parameter_gradients && !p.parameters.empty();
    if (!uses_batch(request) && !wants_gradients) return p;
    p.pointwise = {};
    if (uses_batch(request)) p.window = {};
    p.saves_inputs = request.input_gradients || request.parameter_gradients;
    p.in_place = !p.saves_inputs;
    p.saved = {{4, x[-1]}};
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    const Shape& x = plan.outputs[0];
    const int axis = axes_of({options_.axis}, x)[0];
    if (!is_last(axis, x)) return normalizing_op(device, plan, along(axis, plan.request));
    return std::make_unique<BatchNormalizationOp>(device, plan, options_);
  }

 private:
  static bool is_last(int axis, const Shape& x) { return axis == x.rank() - 1; }

  /// Any axis but the last.
  Normalizing along(int axis, const PlanRequest& request) const {
    using Moving = Normalizing::Moving;
    const Shape& x = request.inputs[0];
    Normalizing n{x, Shape(std::vector<int>(x.rank(), 1)), {}};
    n.statistics.set(axis, x[axis]);
    n.weights = n.statistics;
    n.scale = options_.scale;
    n.center = options_.center;
    n.terms = static_cast<double>(x.elements()) / x[axis];
    n.momentum = options_.momentum;
    n.epsilon = options_.epsilon;
    n.scale_of_sum = inverse_root(n.terms, n.epsilon);
    n.moving = uses_batch(request) ? Moving::updated : Moving::used;
    return n;
  }

  /// The map of inference, over gamma, beta, moving mean and moving variance as far as they exist.
  Pointwise affine() const {
    int next = options_.scale + options_.center;
    const std::string mean = fmt::format("p{}", next++), variance = fmt::format("p{}", next);
    std::string scale = "rsqrt(" + variance + " + " + literal(options_.epsilon) + ")";
    if (options_.scale) scale += " * p0";
    std::string shift = "-" + mean + " * " + scale;
    if (options_.center) shift += options_.scale ? " + p1" : " + p0";
    return Pointwise::affine(scale, shift);
  }

  BatchNormalizationOptions options_;
};

}  // namespace

void register_batch_normalization(Registrar& r) {
  using O = BatchNormalizationOptions;
  Parameters<O> p;
  p.add("axis", &O::axis, "axis whose places have statistics of their own (0 is the batch)");
  p.add("momentum", &O::momentum, "part of the moving statistics that each step keeps")
      .min(0)
      .max(1);
  p.add("epsilon", &O::epsilon, "added to the variance").min(0);
  p.add("center", &O::center, "has beta");
  p.add("scale", &O::scale, "has gamma");
  p.add("beta_initializer", &O::beta_initializer, "first values of beta");
  p.add("gamma_initializer", &O::gamma_initializer, "first values of gamma");
  p.add("moving_mean_initializer", &O::moving_mean_initializer, "first values of the moving mean");
  p.add("moving_variance_initializer", &O::moving_variance_initializer,
        "first values of the moving variance");
  r.add<BatchNormalization>("BatchNormalization",
                            "mean 0 and variance 1 in each channel, then scale and shift",
                            std::move(p));
}

}  // namespace ocellus::layers
