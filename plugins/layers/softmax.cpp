// Softmax: y = exp(x) / sum of exp(x) over the last axis, or others. The activation `softmax` is
// the same layer; `log_softmax` is its logarithm.
//
// The largest x is taken off before the exponential, so that none overflows.

#include "ocellus/opencl/softmax.hpp"

#include "ocellus/core/activation.hpp"
#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

struct SoftmaxOptions {
  Json axis = -1;
};

class SoftmaxOp : public LayerOp {
 public:
  SoftmaxOp(opencl::Device& device, const Shape& shape)
      : softmax_(device, shape.pixels(), shape.channels()) {}

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    softmax_.forward(queue, args.inputs[0].operand(), args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (args.input_gradients[0])
      softmax_.backward(queue, args.outputs[0].operand(), args.output_gradients[0].operand(),
                        args.input_gradients[0].operand(), args.accumulate_inputs);
  }

 private:
  opencl::Softmax softmax_;
};

/// Over any axes. The workspace holds a maximum or a sum for each group of numbers that sums to 1.
class AxesSoftmaxOp : public LayerOp {
 public:
  AxesSoftmaxOp(opencl::Device& device, const Shape& x, const std::vector<int>& axes)
      : x_(x),
        group_(with_ones(x, axes)),
        max_(device, reduction({x_}, "x0", opencl::StridedProblem::Combine::max)),
        sum_(device, reduction({x_}, "x0", opencl::StridedProblem::Combine::sum)),
        product_(device, reduction({x_, x_}, "x0 * x1", opencl::StridedProblem::Combine::sum)),
        power_(device, map({x_, group_}, "exp(x0 - x1)", false)),
        share_(device, map({x_, group_}, "x0 / x1", false)),
        data_([&](bool accumulate) {
          return opencl::Strided(device, map({x_, x_, group_}, "x0 * (x1 - x2)", accumulate));
        }) {}

  size_t workspace_bytes() const override {
    return group_.elements() * sizeof(float) +
           std::max({max_.scratch_bytes(), sum_.scratch_bytes(), product_.scratch_bytes()});
  }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand group{args.workspace}, y = args.outputs[0].operand();
    run(max_, queue, {args.inputs[0].operand()}, group, args.workspace);
    run(power_, queue, {args.inputs[0].operand(), group}, y, args.workspace);
    run(sum_, queue, {y}, group, args.workspace);
    run(share_, queue, {y, group}, y, args.workspace);
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand group{args.workspace}, y = args.outputs[0].operand(),
                                                 dy = args.output_gradients[0].operand();
    run(product_, queue, {y, dy}, group, args.workspace);
    run(data_(args.accumulate_inputs), queue, {y, dy, group}, args.input_gradients[0].operand(),
        args.workspace);
  }

 private:
  void run(const opencl::Strided& kernel, opencl::Queue& queue,
           const std::vector<opencl::Operand>& in, const opencl::Operand& out,
           const opencl::Buffer& workspace) const {
    kernel.run(queue, in, out, {workspace, static_cast<uint32_t>(group_.elements())});
  }
  opencl::StridedProblem problem(const std::vector<Shape>& inputs, const Shape& out,
                                 const std::string& expression) const {
    opencl::StridedProblem p{extents_of(x_), {}, strides_of(out), expression};
    for (const Shape& s : inputs) p.inputs.push_back(strides_of(s));
    p.name = "softmax_axes";
    return p;
  }
  opencl::StridedProblem reduction(const std::vector<Shape>& inputs, const std::string& expression,
                                   opencl::StridedProblem::Combine combine) const {
    opencl::StridedProblem p = problem(inputs, group_, expression);
    p.combine = combine;
    return p;
  }
  opencl::StridedProblem map(const std::vector<Shape>& inputs, const std::string& expression,
                             bool accumulate) const {
    opencl::StridedProblem p = problem(inputs, x_, expression);
    p.accumulate = accumulate;
    return p;
  }

  Shape x_, group_;
  opencl::Strided max_, sum_, product_, power_, share_;
  Overwriting<opencl::Strided> data_;
};

class Softmax : public Layer {
 public:
  explicit Softmax(const SoftmaxOptions& o) : axes_(integers_of(o.axis, "axis")) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    LayerPlan p = op_plan(request, x);
    p.saves_outputs = request.input_gradients;
    if (over_channels(x)) {
      p.strided_inputs = p.strided_outputs = true;
      p.window = Window::pointwise();
      p.probability = Probability::softmax;
    }
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    const Shape& x = plan.outputs[0];
    if (over_channels(x)) return std::make_unique<SoftmaxOp>(device, x);
    return std::make_unique<AxesSoftmaxOp>(device, x, axes_of(axes_, x));
  }

 private:
  bool over_channels(const Shape& x) const {
    return axes_of(axes_, x) == std::vector<int>{x.rank() - 1};
  }

  std::vector<int> axes_;
};

/// log(softmax(x)) over the channels; dx = dy - softmax(x) sum dy.
class LogSoftmaxOp : public LayerOp {
 public:
  LogSoftmaxOp(opencl::Device& device, const Shape& shape)
      : softmax_(device, shape.pixels(), shape.channels()),
        sum_(device, sum_problem(shape)),
        data_([&](bool accumulate) {
          const Strides x = strides_of(shape),
                        row = strides_of(with_ones(shape, {shape.rank() - 1}));
          opencl::StridedProblem p{extents_of(shape), {x, x, row}, x, "x1 - exp(x0) * x2"};
          p.accumulate = accumulate;
          p.name = "log_softmax_backward";
          return opencl::Strided(device, p);
        }),
        rows_(static_cast<uint32_t>(shape.pixels())) {}

  size_t workspace_bytes() const override { return rows_ * sizeof(float) + sum_.scratch_bytes(); }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    softmax_.forward_log(queue, args.inputs[0].operand(), args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand dy = args.output_gradients[0].operand(), sum{args.workspace};
    const opencl::Operand gradients[] = {dy};
    sum_.run(queue, gradients, sum, {args.workspace, rows_});
    const opencl::Operand in[] = {args.outputs[0].operand(), dy, sum};
    data_(args.accumulate_inputs).run(queue, in, args.input_gradients[0].operand());
  }

 private:
  static opencl::StridedProblem sum_problem(const Shape& shape) {
    opencl::StridedProblem p{
        extents_of(shape), {strides_of(shape)}, strides_of(with_ones(shape, {shape.rank() - 1}))};
    p.name = "log_softmax_sum";
    return p;
  }

  opencl::Softmax softmax_;
  opencl::Strided sum_;
  Overwriting<opencl::Strided> data_;
  uint32_t rows_;
};

class LogSoftmax : public Layer {
 public:
  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    if (request.inputs[0].rank() < 2) throw ShapeError("takes an input with a batch axis");
    LayerPlan p = op_plan(request, request.inputs[0]);
    p.saves_outputs = request.input_gradients;
    p.window = Window::pointwise();
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<LogSoftmaxOp>(device, plan.outputs[0]);
  }
};

class SoftmaxActivation : public Activation {
 public:
  std::shared_ptr<const Layer> layer() const override {
    return std::make_shared<Softmax>(SoftmaxOptions{});
  }
};

class LogSoftmaxActivation : public Activation {
 public:
  std::shared_ptr<const Layer> layer() const override { return std::make_shared<LogSoftmax>(); }
};

}  // namespace

void register_softmax(Registrar& r) {
  Parameters<SoftmaxOptions> p;
  p.add("axis", &SoftmaxOptions::axis,
        "axis, or list of axes (0 is the batch), along which the sum is 1");
  r.add<Softmax>("Softmax", "probabilities from logits", std::move(p));
  r.add<SoftmaxActivation>("softmax", "probabilities from logits");
  r.add<LogSoftmaxActivation>("log_softmax", "logarithms of the probabilities");
}

}  // namespace ocellus::layers
