// DepthwiseConv2D, DepthwiseConv1D: each channel is convolved by itself, with depth_multiplier
// kernels of its own.
//
//   y[n, i, j, c*M + m] = bias[c*M + m] + sum over a, b of
//                         x[n, i*stride_h - pad_top + a*dilation_h, j*stride_w - pad_left +
//                         b*dilation_w, c] * depthwise_kernel[a, b, c, m]
//
//   input (N, H, W, C) -> output (N, H', W', C * M), M = depth_multiplier
//   weights: depthwise_kernel (kernel_h, kernel_w, C, M), bias (C * M)
//
// DepthwiseConv1D is the same without height. This is a convolution of C groups: the kernel's
// elements lie in memory as (kernel_h, kernel_w, 1, C * M) too.

#include "convolution.hpp"
#include "image.hpp"
#include "ocellus/opencl/expanded_depthwise.hpp"

namespace ocellus::layers {
namespace {

template <class Extent>
struct DepthwiseOptions {
  Extent kernel_size = each<Extent>(1), strides = each<Extent>(1), dilation_rate = each<Extent>(1);
  std::string padding = "valid";
  int depth_multiplier = 1;
  bool use_bias = true;
  std::string depthwise_initializer = "glorot_uniform", bias_initializer = "zeros";
};

opencl::ExpandedDepthwiseProblem expanded_problem(const PlanRequest& request,
                                                  opencl::ConvolutionProblem depthwise,
                                                  opencl::Epilogue epilogue) {
  depthwise.epilogue = std::move(epilogue);
  return {depthwise, request.expansion->input.channels(), request.expansion->epilogue};
}

/// With the 1x1 convolution before it.
class ExpandedOp : public LayerOp {
 public:
  ExpandedOp(opencl::Device& device, const opencl::ExpandedDepthwiseProblem& problem)
      : both_(device, problem), packed_(both_.packed_bytes(), both_.packed_layout()) {}

  std::string forward_algorithm() const override { return "expanded depthwise"; }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Buffer packed = packed_.of(
        queue, *args.expansion_kernel,
        [&](const opencl::Operand& k, const opencl::Buffer& to) { both_.pack(queue, k, to); });
    both_.run(queue, args.inputs[0].operand(), packed, args.expansion_epilogue,
              args.parameters[0].tensor.operand(), args.outputs[0].operand(),
              epilogue_operands(args));
  }

 private:
  opencl::ExpandedDepthwise both_;
  Packed packed_;
};

template <class Extent>
class DepthwiseConv : public Layer {
 public:
  explicit DepthwiseConv(DepthwiseOptions<Extent> options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank_of<Extent>);
    const opencl::ConvolutionProblem problem = problem_of(request);
    LayerPlan p = convolution_plan(request, problem);
    p.accepts_expansion = !request.expansion || opencl::ExpandedDepthwise::supports(
                                                    expanded_problem(request, problem, {}));
    const int in = problem.in_channels, m = options_.depth_multiplier;
    const Shape kernel = rank_of<Extent> == 4 ? Shape{problem.h.kernel, problem.w.kernel, in, m}
                                              : Shape{problem.w.kernel, in, m};
    p.parameters = {{"depthwise_kernel", kernel, Role::kernel, options_.depthwise_initializer}};
    if (options_.use_bias)
      p.parameters.push_back({"bias", {in * m}, Role::bias, options_.bias_initializer});
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    const opencl::ConvolutionProblem problem = problem_of(plan.request);
    if (plan.request.expansion) {
      const auto expanded = expanded_problem(plan.request, problem, biased_epilogue(plan));
      return std::make_unique<ExpandedOp>(device, expanded);
    }
    return std::make_unique<ConvolutionOp>(device, plan, problem);
  }

 private:
  opencl::ConvolutionProblem problem_of(const PlanRequest& request) const {
    const DepthwiseOptions<Extent>& o = options_;
    const Shape x = as_image(request.inputs[0]);
    const ImageWindow window = image_window(x, image_size(o.kernel_size), image_size(o.strides),
                                            image_size(o.dilation_rate), o.padding, request);
    opencl::ConvolutionProblem p;
    p.batch = x[0];
    p.h = window.h;
    p.w = window.w;
    p.in_channels = p.groups = x[3];
    p.out_channels = x[3] * o.depth_multiplier;
    return p;
  }

  DepthwiseOptions<Extent> options_;
};

template <class Extent>
Parameters<DepthwiseOptions<Extent>> parameters() {
  using Options = DepthwiseOptions<Extent>;
  Parameters<Options> p;
  p.add("kernel_size", &Options::kernel_size, "size of the window").min(1).required();
  p.add("strides", &Options::strides, "step of the window").min(1);
  p.add("padding", &Options::padding, "zeros round the input: none, or as many as keep its size")
      .one_of({"valid", "same"});
  p.add("depth_multiplier", &Options::depth_multiplier, "output channels an input channel").min(1);
  p.add("dilation_rate", &Options::dilation_rate, "distance between the taps of the window").min(1);
  p.add("use_bias", &Options::use_bias, "add a number per output channel");
  p.add("depthwise_initializer", &Options::depthwise_initializer, "first values of the kernel");
  p.add("bias_initializer", &Options::bias_initializer, "first values of the bias");
  return p;
}

}  // namespace

void register_depthwise_conv2d(Registrar& r) {
  r.add<DepthwiseConv<Size>>("DepthwiseConv2D", "2-D convolution of each channel by itself",
                             parameters<Size>())
      .with_activation();
  r.add<DepthwiseConv<int>>("DepthwiseConv1D", "1-D convolution of each channel by itself",
                            parameters<int>())
      .with_activation();
}

}  // namespace ocellus::layers
