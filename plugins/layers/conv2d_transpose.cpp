// Conv2DTranspose, Conv1DTranspose: the gradient of a convolution as a layer, which enlarges;
// Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), chapter 4.
//
//   y[n, i*stride_h - crop_top + a*dilation_h, j*stride_w - crop_left + b*dilation_w, f] +=
//                   x[n, i, j, c] * kernel[a, b, f, c]
//
//   input (N, H, W, C) -> output (N, H', W', filters)
//   weights: kernel (kernel_h, kernel_w, filters, C), bias (filters)
//
// Extents as Keras has them, K = (kernel - 1) * dilation + 1:
//   valid  H' = (H - 1) * stride + max(K, stride), or + K + output_padding; nothing is cropped
//   same   H' = H * stride, or (H - 1) * stride + K mod 2 + output_padding; cropped equally on both
//          sides, an odd pixel more below and to the right
// Conv1DTranspose is the same without height.

#include <fmt/format.h>

#include "convolution.hpp"
#include "image.hpp"
#include "ocellus/opencl/pointwise.hpp"

namespace ocellus::layers {
namespace {

template <class Extent>
struct TransposeOptions {
  int filters = 1;
  Extent kernel_size = each<Extent>(1), strides = each<Extent>(1), dilation_rate = each<Extent>(1);
  std::string padding = "valid";
  std::optional<Extent> output_padding;
  bool use_bias = true;
  std::string kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
};

/// The axis of the convolution whose gradient this is, on a halo: all outputs whose taps lie
/// inside.
opencl::Axis halo_axis(int in, int kernel, int dilation) {
  opencl::Axis a{0, in, kernel, 1, dilation, 0};
  a.pad_before = a.extent() - 1;
  a.in = in - a.pad_before;
  if (a.in < 1) throw ShapeError(fmt::format("a halo of {} pixels has an empty output", in));
  return a;
}

/// The axis of that convolution: from the layer's output to its input.
opencl::Axis transposed_axis(int in, int kernel, int stride, int dilation, bool same,
                             std::optional<int> output_padding) {
  check_window_axis(kernel, stride, dilation);
  checked_extent(int64_t{in} * stride);
  opencl::Axis a{0, in, kernel, stride, dilation, 0};
  const int extent = a.extent();
  if (output_padding && *output_padding >= stride)
    throw ShapeError(
        fmt::format("output_padding {} is not below the stride {}", *output_padding, stride));
  if (!same) {
    a.in =
        (in - 1) * stride + (output_padding ? extent + *output_padding : std::max(extent, stride));
  } else {
    a.in = output_padding ? (in - 1) * stride + extent % 2 + *output_padding : in * stride;
    a.pad_before = std::max(0, (in - 1) * stride + extent - a.in) / 2;
  }
  if (a.in < 1) throw ShapeError(fmt::format("an input of {} pixels has an empty output", in));
  return a;
}

/// The passes of that convolution in exchanged roles.
class TransposeOp : public LayerOp {
 public:
  TransposeOp(opencl::Device& device, const LayerPlan& plan,
              const opencl::ConvolutionProblem& problem)
      : forward_(device, problem, {}, true, plan.request.parameter_gradients), bias_(device, plan) {
    if (plan.parameters.size() > 1) {
      using In = opencl::PointwiseProblem::Input;
      opencl::PointwiseProblem add{plan.outputs[0].pixels(), plan.outputs[0].channels()};
      add.inputs = {In::matrix, In::per_column};
      add.outputs = {"x0 + x1"};
      add.name = "add_bias";
      add_bias_.emplace(device, add);
    }
    if (!plan.request.input_gradients) return;
    // A gradient that adds to what is there reads it in the store.
    add_.emplace(device, problem,
                 opencl::Epilogue{{opencl::Stage{opencl::Stage::Kind::merge, "x0 + x1"}}}, false,
                 false);
  }

  size_t workspace_bytes() const override {
    return std::max(
        {forward_.workspace_bytes(), add_ ? add_->workspace_bytes() : 0, bias_.workspace_bytes()});
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand y = args.outputs[0].operand();
    forward_.backward_data(queue, args.inputs[0].operand(), args.parameters[0], y, false,
                           args.workspace);
    if (!add_bias_) return;
    const opencl::Operand inputs[] = {y, args.parameters[1].tensor.operand()}, outputs[] = {y};
    add_bias_->run(queue, inputs, outputs);
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    const opencl::Operand dy = args.output_gradients[0].operand();
    if (args.input_gradients[0]) {
      const opencl::Operand dx = args.input_gradients[0].operand();
      if (args.accumulate_inputs)
        add_->forward(queue, dy, args.parameters[0], dx, std::span(&dx, 1), args.workspace);
      else
        forward_.forward(queue, dy, args.parameters[0], dx, {}, args.workspace);
    }
    if (args.parameter_gradients.empty()) return;
    forward_.backward_weights(queue, dy, args.inputs[0].operand(),
                              args.parameter_gradients[0].operand(), args.accumulate_parameters,
                              args.workspace);
    bias_.run(queue, args);
  }

 private:
  Convolution forward_;
  std::optional<Convolution> add_;
  std::optional<opencl::Pointwise> add_bias_;
  BiasGradient bias_;
};

template <class Extent>
class ConvTranspose : public Layer {
 public:
  explicit ConvTranspose(TransposeOptions<Extent> options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank_of<Extent>);
    const opencl::ConvolutionProblem problem = problem_of(request);
    const int out = problem.in_channels, in = problem.out_channels;
    LayerPlan p;
    p.request = request;
    p.outputs = {from_image({problem.batch, problem.h.in, problem.w.in, out}, rank_of<Extent>)};
    p.parameters = {{"kernel",
                     rank_of<Extent> == 4 ? Shape{problem.h.kernel, problem.w.kernel, out, in}
                                          : Shape{problem.w.kernel, out, in},
                     Role::kernel, options_.kernel_initializer}};
    if (options_.use_bias)
      p.parameters.push_back({"bias", {out}, Role::bias, options_.bias_initializer});
    p.saves_inputs = request.parameter_gradients;
    p.multiply_adds = problem.multiply_adds();
    p.strided_inputs = p.strided_outputs = true;
    p.window.kind = Window::Kind::local;
    p.window.h = enlarging(problem.h);
    p.window.w = enlarging(problem.w);
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<TransposeOp>(device, plan, problem_of(plan.request));
  }

 private:
  /// Input pixel i stands at i * stride of a grid on which output o sees the taps before it.
  static WindowAxis enlarging(const opencl::Axis& a) {
    const int before = a.extent() - 1 - a.pad_before;
    return {a.kernel, 1, a.dilation, before, a.in - 1 - (a.out - 1) * a.stride + a.pad_before,
            a.stride};
  }

  opencl::ConvolutionProblem problem_of(const PlanRequest& request) const {
    const TransposeOptions<Extent>& o = options_;
    const Shape x = as_image(request.inputs[0]);
    const Size kernel = image_size(o.kernel_size), strides = image_size(o.strides),
               dilation = image_size(o.dilation_rate);
    check_window(strides, dilation);
    std::optional<int> extra_h, extra_w;
    if (o.output_padding) {
      const Size extra = image_size(*o.output_padding);
      if (rank_of<Extent> == 4) extra_h = extra.h;
      extra_w = extra.w;
    }
    const bool same = o.padding == "same";
    opencl::ConvolutionProblem p;
    p.batch = x[0];
    if (request.halo && strides == Size{1, 1}) {  // others are not asked: see Window::upsample
      p.h = halo_axis(x[1], kernel.h, dilation.h);
      p.w = halo_axis(x[2], kernel.w, dilation.w);
    } else {
      p.h = transposed_axis(x[1], kernel.h, strides.h, dilation.h, same, extra_h);
      p.w = transposed_axis(x[2], kernel.w, strides.w, dilation.w, same, extra_w);
    }
    p.in_channels = o.filters;
    p.out_channels = x[3];
    return p;
  }

  TransposeOptions<Extent> options_;
};

template <class Extent>
Parameters<TransposeOptions<Extent>> parameters() {
  using Options = TransposeOptions<Extent>;
  Parameters<Options> p;
  p.add("filters", &Options::filters, "number of output channels").min(1).required();
  p.add("kernel_size", &Options::kernel_size, "size of the window").min(1).required();
  p.add("strides", &Options::strides, "output pixels an input pixel").min(1);
  p.add("padding", &Options::padding, "what is cropped: nothing, or all but input * strides pixels")
      .one_of({"valid", "same"});
  p.add("output_padding", &Options::output_padding,
        "further output pixels below and to the right; null: as many as padding says")
      .min(0);
  p.add("dilation_rate", &Options::dilation_rate, "distance between the taps of the window").min(1);
  p.add("use_bias", &Options::use_bias, "add a number per output channel");
  p.add("kernel_initializer", &Options::kernel_initializer, "first values of the kernel");
  p.add("bias_initializer", &Options::bias_initializer, "first values of the bias");
  return p;
}

}  // namespace

void register_conv2d_transpose(Registrar& r) {
  r.add<ConvTranspose<Size>>("Conv2DTranspose", "transposed 2-D convolution, which enlarges",
                             parameters<Size>())
      .with_activation()
      .claims("Convolution2DTranspose")
      .claims("Deconvolution2D");
  r.add<ConvTranspose<int>>("Conv1DTranspose", "transposed 1-D convolution, which enlarges",
                            parameters<int>())
      .with_activation()
      .claims("Convolution1DTranspose");
}

}  // namespace ocellus::layers
