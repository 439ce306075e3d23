// Conv2D: 2-D convolution (cross-correlation) of images, channels last.
//
//   y[n, i, j, f] = bias[f] + sum over a, b, c of
//                   x[n, i*stride_h - pad_top + a*dilation_h, j*stride_w - pad_left + b*dilation_w,
//                   c] * kernel[a, b, c, f]
//
//   input (N, H, W, C) -> output (N, H', W', filters)
//   weights: kernel (kernel_h, kernel_w, C / groups, filters), bias (filters)
//
// padding "valid" takes whole windows only; "same" gives ceil(H / stride) rows, an odd pixel of
// padding goes below and to the right. With groups, output channels of group g see the input
// channels of group g only.

#include <fmt/format.h>

#include <optional>

#include "layers.hpp"
#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/reduce.hpp"

namespace ocellus::layers {
namespace {

struct Conv2DOptions {
  int filters = 1;
  Size kernel_size, strides, dilation_rate;
  std::string padding = "valid";
  int groups = 1;
  bool use_bias = true;
  std::string kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
};

class Conv2DOp : public LayerOp {
 public:
  Conv2DOp(opencl::Device& device, const LayerPlan& plan, const opencl::ConvolutionProblem& problem)
      : forward_(device, with_epilogue(problem, plan)),
        packed_(forward_.packed_bytes(), forward_.packed_layout()) {
    const auto with = [&](bool accumulate) {
      opencl::ConvolutionProblem p = problem;
      p.accumulate = accumulate;
      return p;
    };
    if (plan.request.input_gradients) {
      data_.emplace([&](bool a) { return opencl::ConvolutionBackwardData(device, with(a)); });
      packed_backward_ = {(*data_)(false).packed_bytes(), (*data_)(false).packed_layout()};
    }
    if (!plan.request.parameter_gradients) return;
    weights_.emplace([&](bool a) { return opencl::ConvolutionBackwardWeights(device, with(a)); });
    if (plan.parameters.size() > 1)
      bias_.emplace([&](bool a) {
        return opencl::Reduce(device, opencl::Reduce::Op::sum_rows, plan.outputs[0].pixels(),
                              problem.out_channels, 0, a);
      });
  }

  size_t workspace_bytes() const override {
    size_t bytes = forward_.workspace_bytes();
    if (data_) bytes = std::max(bytes, data_->workspace_bytes());
    if (weights_) bytes = std::max(bytes, weights_->workspace_bytes());
    if (bias_) bytes = std::max(bytes, bias_->workspace_bytes());
    return bytes;
  }

  std::vector<int> unread_parameters() const override {
    const bool reads = !packed_ || (data_ && !packed_backward_);
    return reads ? std::vector<int>{} : std::vector<int>{0};
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const Parameter& kernel = args.parameters[0];
    const opencl::Buffer packed = packed_.of(
        queue, kernel,
        [&](const opencl::Operand& k, const opencl::Buffer& to) { forward_.pack(queue, k, to); });
    forward_.run(queue, args.inputs[0].operand(), kernel.tensor.operand(), packed,
                 args.outputs[0].operand(), epilogue_operands(args), args.workspace);
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    const opencl::Operand dy = args.output_gradients[0].operand();
    if (args.input_gradients[0]) {
      const Parameter& kernel = args.parameters[0];
      const auto& data = (*data_)(args.accumulate_inputs);
      const opencl::Buffer packed = packed_backward_.of(
          queue, kernel,
          [&](const opencl::Operand& k, const opencl::Buffer& to) { data.pack(queue, k, to); });
      data.run(queue, dy, kernel.tensor.operand(), packed, args.input_gradients[0].operand(),
               args.workspace);
    }
    if (args.parameter_gradients.empty()) return;
    (*weights_)(args.accumulate_parameters)
        .run(queue, args.inputs[0].operand(), dy, args.parameter_gradients[0].operand(),
             args.workspace);
    if (bias_)
      (*bias_)(args.accumulate_parameters)
          .run(queue, dy, args.parameter_gradients[1].operand(), args.workspace);
  }

 private:
  static opencl::ConvolutionProblem with_epilogue(opencl::ConvolutionProblem problem,
                                                  const LayerPlan& plan) {
    problem.epilogue = biased_epilogue(plan);
    return problem;
  }

  opencl::ConvolutionForward forward_;
  std::optional<Overwriting<opencl::ConvolutionBackwardData>> data_;
  std::optional<Overwriting<opencl::ConvolutionBackwardWeights>> weights_;
  std::optional<Overwriting<opencl::Reduce>> bias_;
  Packed packed_, packed_backward_;
};

class Conv2D : public Layer {
 public:
  explicit Conv2D(Conv2DOptions options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, 4);
    const opencl::ConvolutionProblem problem = problem_of(request);
    LayerPlan p;
    p.request = request;
    p.outputs = {{problem.batch, problem.h.out, problem.w.out, problem.out_channels}};
    p.parameters = {{"kernel",
                     {problem.h.kernel, problem.w.kernel, problem.in_channels / problem.groups,
                      problem.out_channels},
                     Role::kernel,
                     options_.kernel_initializer}};
    if (options_.use_bias)
      p.parameters.push_back(
          {"bias", {problem.out_channels}, Role::bias, options_.bias_initializer});
    p.saves_inputs = request.parameter_gradients;
    p.multiply_adds = problem.multiply_adds();
    p.strided_inputs = p.strided_outputs = p.accepts_epilogue = true;
    p.window = Window::local(problem.h, problem.w);
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<Conv2DOp>(device, plan, problem_of(plan.request));
  }

 private:
  opencl::ConvolutionProblem problem_of(const PlanRequest& request) const {
    const Conv2DOptions& o = options_;
    const Shape& x = request.inputs[0];
    if (x[-1] % o.groups || o.filters % o.groups)
      throw ShapeError(
          fmt::format("{} input channels and {} filters are not both divisible by {} groups", x[-1],
                      o.filters, o.groups));
    if ((o.strides.h > 1 || o.strides.w > 1) && (o.dilation_rate.h > 1 || o.dilation_rate.w > 1))
      throw ShapeError("strides over 1 and dilation_rate over 1 exclude each other");
    opencl::ConvolutionProblem p;
    p.batch = x[0];
    p.h = window_axis_of(x[1], o.kernel_size.h, o.strides.h, o.dilation_rate.h, o.padding,
                         request.halo);
    p.w = window_axis_of(x[2], o.kernel_size.w, o.strides.w, o.dilation_rate.w, o.padding,
                         request.halo);
    p.in_channels = x[3];
    p.out_channels = o.filters;
    p.groups = o.groups;
    return p;
  }

  Conv2DOptions options_;
};

}  // namespace

void register_conv2d(Registrar& r) {
  Parameters<Conv2DOptions> p;
  p.add("filters", &Conv2DOptions::filters, "number of output channels").min(1).required();
  p.add("kernel_size", &Conv2DOptions::kernel_size, "height and width of the window")
      .min(1)
      .required();
  p.add("strides", &Conv2DOptions::strides, "step of the window").min(1);
  p.add("padding", &Conv2DOptions::padding,
        "zeros round the input: none, or as many as keep its size")
      .one_of({"valid", "same"});
  p.add("dilation_rate", &Conv2DOptions::dilation_rate, "distance between the taps of the window")
      .min(1);
  p.add("groups", &Conv2DOptions::groups, "channel groups that do not see each other").min(1);
  p.add("use_bias", &Conv2DOptions::use_bias, "add a number per output channel");
  p.add("kernel_initializer", &Conv2DOptions::kernel_initializer, "first values of the kernel");
  p.add("bias_initializer", &Conv2DOptions::bias_initializer, "first values of the bias");
  r.add<Conv2D>("Conv2D", "2-D convolution", std::move(p))
      .with_activation()
      .claims("Convolution2D");
}

}  // namespace ocellus::layers
