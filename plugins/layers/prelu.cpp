// PReLU: y = x where x > 0, alpha * x elsewhere, alpha learned (He et al., ICCV 2015).
//
//   parameter: alpha, of the shape of an item with extent 1 along `shared_axes`

#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

struct PReLUOptions {
  std::string alpha_initializer = "zeros";
  Json shared_axes;
};

class PReLUOp : public LayerOp {
 public:
  /// `alpha` with a batch axis of 1.
  PReLUOp(opencl::Device& device, const Shape& x, const Shape& alpha)
      : forward_(device, problem(x, alpha, x, 2, "x0 > 0.0f ? x0 : x1 * x0", false)),
        data_([&](bool add) {
          return opencl::Strided(device, problem(x, alpha, x, 3, "x0 > 0.0f ? x2 : x1 * x2", add));
        }),
        slope_([&](bool add) {
          return opencl::Strided(device, problem(x, alpha, alpha, 3, "fmin(x0, 0.0f) * x2", add));
        }) {}

  size_t workspace_bytes() const override {
    return std::max(slope_(false).scratch_bytes(), slope_(true).scratch_bytes());
  }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand in[] = {args.inputs[0].operand(), args.parameters[0].tensor.operand()};
    forward_.run(queue, in, args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    const opencl::Operand in[] = {args.inputs[0].operand(), args.parameters[0].tensor.operand(),
                                  args.output_gradients[0].operand()};
    if (args.input_gradients[0])
      data_(args.accumulate_inputs).run(queue, in, args.input_gradients[0].operand());
    if (!args.parameter_gradients.empty())
      slope_(args.accumulate_parameters)
          .run(queue, in, args.parameter_gradients[0].operand(), {args.workspace});
  }

 private:
  /// x0 is x, x1 alpha, x2 dy.
  static opencl::StridedProblem problem(const Shape& x, const Shape& alpha, const Shape& out,
                                        size_t inputs, const char* expression, bool accumulate) {
    opencl::StridedProblem p{extents_of(x),
                             {strides_of(x), strides_of(alpha), strides_of(x)},
                             strides_of(out),
                             expression};
    p.inputs.resize(inputs);
    p.accumulate = accumulate;
    p.name = "prelu";
    return p;
  }

  opencl::Strided forward_;
  Overwriting<opencl::Strided> data_, slope_;
};

class PReLU : public Layer {
 public:
  explicit PReLU(const PReLUOptions& o) : initializer_(o.alpha_initializer) {
    if (!o.shared_axes.is_null()) shared_ = integers_of(o.shared_axes, "shared_axes");
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() < 2) throw ShapeError("takes an input with a batch axis and channels");
    LayerPlan p = op_plan(request, x);
    p.parameters = {{"alpha", alpha(x).without_batch(), Role::other, initializer_}};
    p.saves_inputs = request.input_gradients || request.parameter_gradients;
    p.in_place = !p.saves_inputs;
    // A slope for every pixel knows its place.
    bool shares_pixels = true;
    for (int a = 1; a + 1 < x.rank(); ++a) shares_pixels = shares_pixels && alpha(x)[a] == 1;
    if (shares_pixels) p.window = Window::pointwise();
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<PReLUOp>(device, plan.outputs[0], alpha(plan.outputs[0]));
  }

 private:
  Shape alpha(const Shape& x) const { return with_ones(x, axes_of(shared_, x)).with_batch(1); }

  std::string initializer_;
  std::vector<int> shared_;
};

}  // namespace

void register_prelu(Registrar& r) {
  Parameters<PReLUOptions> p;
  p.add("alpha_initializer", &PReLUOptions::alpha_initializer, "first values of the slope");
  p.add("shared_axes", &PReLUOptions::shared_axes,
        "axes (0 is the batch) along which the slope is the same; null: none");
  r.add<PReLU>("PReLU", "rectifier with a learned slope below 0", std::move(p));
}

}  // namespace ocellus::layers
