// SeparableConv2D, SeparableConv1D: each channel is convolved by itself (depthwise), then a 1x1
// convolution mixes the channels (pointwise); Chollet, Xception (2017).
//
//   input (N, H, W, C) -> output (N, H', W', filters)
//   weights: depthwise_kernel (kernel_h, kernel_w, C, M), pointwise_kernel (1, 1, C * M, filters),
//            bias (filters); M = depth_multiplier
//
// SeparableConv1D is the same without height.

#include "convolution.hpp"
#include "image.hpp"

namespace ocellus::layers {
namespace {

template <class Extent>
struct SeparableOptions {
  int filters = 1;
  Extent kernel_size = each<Extent>(1), strides = each<Extent>(1), dilation_rate = each<Extent>(1);
  std::string padding = "valid";
  int depth_multiplier = 1;
  bool use_bias = true;
  std::string depthwise_initializer = "glorot_uniform", pointwise_initializer = "glorot_uniform",
              bias_initializer = "zeros";
};

struct SeparableProblem {
  opencl::ConvolutionProblem depthwise, pointwise;
};

/// What stands between the two is kept for the pointwise kernel's gradient; where none is wanted it
/// lies in the workspace, as its own gradient always does: behind the scratch of the convolutions.
class SeparableOp : public LayerOp {
 public:
  SeparableOp(opencl::Device& device, const LayerPlan& plan, const SeparableProblem& problem)
      : depthwise_(device, problem.depthwise, {}, plan.request.input_gradients,
                   plan.request.parameter_gradients),
        pointwise_(device, problem.pointwise, biased_epilogue(plan, 2),
                   plan.request.input_gradients || plan.request.parameter_gradients,
                   plan.request.parameter_gradients),
        bias_(device, plan),
        channels_(static_cast<uint32_t>(problem.depthwise.out_channels)),
        middle_bytes_(size_t(plan.outputs[0].pixels()) * channels_ * sizeof(float)) {}

  size_t workspace_bytes() const override { return scratch_bytes() + middle_bytes_; }

  std::vector<int> unread_parameters() const override {
    std::vector<int> unread;
    if (!depthwise_.reads_kernel()) unread.push_back(0);
    if (!pointwise_.reads_kernel()) unread.push_back(1);
    return unread;
  }

  std::string forward_algorithm() const override {
    return depthwise_.forward_algorithm() + ", " + pointwise_.forward_algorithm();
  }
  std::string backward_algorithm() const override {
    const std::string both[] = {depthwise_.backward_algorithm(), pointwise_.backward_algorithm()};
    return both[0].empty() || both[1].empty() ? both[0] + both[1] : both[0] + ", " + both[1];
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand middle =
        args.saved.empty() ? in_workspace(args.workspace) : args.saved[0].operand();
    depthwise_.forward(queue, args.inputs[0].operand(), args.parameters[0], middle, {},
                       args.workspace);
    pointwise_.forward(queue, middle, args.parameters[1], args.outputs[0].operand(),
                       epilogue_operands(args, 2), args.workspace);
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    const opencl::Operand dy = args.output_gradients[0].operand(),
                          middle_gradient = in_workspace(args.workspace);
    const bool weights = !args.parameter_gradients.empty(), accumulate = args.accumulate_parameters;
    if (args.input_gradients[0] || weights)
      pointwise_.backward_data(queue, dy, args.parameters[1], middle_gradient, false,
                               args.workspace);
    if (args.input_gradients[0])
      depthwise_.backward_data(queue, middle_gradient, args.parameters[0],
                               args.input_gradients[0].operand(), args.accumulate_inputs,
                               args.workspace);
    if (!weights) return;
    depthwise_.backward_weights(queue, args.inputs[0].operand(), middle_gradient,
                                args.parameter_gradients[0].operand(), accumulate, args.workspace);
    pointwise_.backward_weights(queue, args.saved[0].operand(), dy,
                                args.parameter_gradients[1].operand(), accumulate, args.workspace);
    bias_.run(queue, args);
  }

 private:
  size_t scratch_bytes() const {
    const size_t bytes = std::max(
        {depthwise_.workspace_bytes(), pointwise_.workspace_bytes(), bias_.workspace_bytes()});
    return (bytes + sizeof(float) - 1) / sizeof(float) * sizeof(float);
  }
  opencl::Operand in_workspace(const opencl::Buffer& workspace) const {
    return {workspace, static_cast<uint32_t>(scratch_bytes() / sizeof(float)), channels_};
  }

  Convolution depthwise_, pointwise_;
  BiasGradient bias_;
  uint32_t channels_;
  size_t middle_bytes_;
};

template <class Extent>
class SeparableConv : public Layer {
 public:
  explicit SeparableConv(SeparableOptions<Extent> options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank_of<Extent>);
    const auto& [depthwise, pointwise] = problem_of(request);
    LayerPlan p = convolution_plan(request, pointwise);
    const int c = depthwise.in_channels, m = options_.depth_multiplier;
    const bool image = rank_of<Extent> == 4;
    p.parameters = {
        {"depthwise_kernel",
         image ? Shape{depthwise.h.kernel, depthwise.w.kernel, c, m}
               : Shape{depthwise.w.kernel, c, m},
         Role::kernel, options_.depthwise_initializer},
        {"pointwise_kernel",
         image ? Shape{1, 1, c * m, options_.filters} : Shape{1, c * m, options_.filters},
         Role::kernel, options_.pointwise_initializer}};
    if (options_.use_bias)
      p.parameters.push_back({"bias", {options_.filters}, Role::bias, options_.bias_initializer});
    if (request.parameter_gradients)
      p.saved = {{depthwise.batch, depthwise.h.out, depthwise.w.out, c * m}};
    p.multiply_adds += depthwise.multiply_adds();
    p.window = Window::local(depthwise.h, depthwise.w);
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<SeparableOp>(device, plan, problem_of(plan.request));
  }

 private:
  SeparableProblem problem_of(const PlanRequest& request) const {
    const SeparableOptions<Extent>& o = options_;
    const Shape x = as_image(request.inputs[0]);
    const ImageWindow window = image_window(x, image_size(o.kernel_size), image_size(o.strides),
                                            image_size(o.dilation_rate), o.padding, request);
    SeparableProblem p;
    p.depthwise.batch = p.pointwise.batch = x[0];
    p.depthwise.h = window.h;
    p.depthwise.w = window.w;
    p.depthwise.in_channels = p.depthwise.groups = x[3];
    p.depthwise.out_channels = p.pointwise.in_channels = x[3] * o.depth_multiplier;
    p.pointwise.h = opencl::Axis::valid(window.h.out, 1);
    p.pointwise.w = opencl::Axis::valid(window.w.out, 1);
    p.pointwise.out_channels = o.filters;
    return p;
  }

  SeparableOptions<Extent> options_;
};

template <class Extent>
Parameters<SeparableOptions<Extent>> parameters() {
  using Options = SeparableOptions<Extent>;
  Parameters<Options> p;
  p.add("filters", &Options::filters, "number of output channels").min(1).required();
  p.add("kernel_size", &Options::kernel_size, "size of the window").min(1).required();
  p.add("strides", &Options::strides, "step of the window").min(1);
  ParameterInfo& padding = p.add("padding", &Options::padding,
                                 "zeros round the input: none, or as many as keep its size")
                               .one_of({"valid", "same"});
  if (rank_of<Extent> == 3) padding.one_of({"valid", "same", "causal"});
  p.add("dilation_rate", &Options::dilation_rate, "distance between the taps of the window").min(1);
  p.add("depth_multiplier", &Options::depth_multiplier,
        "channels between the two steps, for each input channel")
      .min(1);
  p.add("use_bias", &Options::use_bias, "add a number per output channel");
  p.add("depthwise_initializer", &Options::depthwise_initializer,
        "first values of the depthwise kernel");
  p.add("pointwise_initializer", &Options::pointwise_initializer,
        "first values of the pointwise kernel");
  p.add("bias_initializer", &Options::bias_initializer, "first values of the bias");
  return p;
}

}  // namespace

void register_separable_conv2d(Registrar& r) {
  r.add<SeparableConv<Size>>("SeparableConv2D", "depthwise, then pointwise 2-D convolution",
                             parameters<Size>())
      .with_activation()
      .claims("SeparableConvolution2D");
  r.add<SeparableConv<int>>("SeparableConv1D", "depthwise, then pointwise 1-D convolution",
                            parameters<int>())
      .with_activation()
      .claims("SeparableConvolution1D");
}

}  // namespace ocellus::layers
