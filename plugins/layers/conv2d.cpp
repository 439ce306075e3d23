// Conv2D, Conv1D: convolution (cross-correlation) of images or sequences, channels last.
//
//   y[n, i, j, f] = bias[f] + sum over a, b, c of
//                   x[n, i*stride_h - pad_top + a*dilation_h, j*stride_w - pad_left + b*dilation_w,
//                   c] * kernel[a, b, c, f]
//
//   input (N, H, W, C) -> output (N, H', W', filters)
//   weights: kernel (kernel_h, kernel_w, C / groups, filters), bias (filters)
//
// Conv1D is the same without height. padding "valid" takes whole windows only; "same" gives ceil(H
// / stride) rows, an odd pixel of padding goes below and to the right; "causal" (Conv1D) pads in
// front alone, so that no output sees a later input. With groups, output channels of group g see
// the input channels of group g only.

#include <fmt/format.h>

#include "convolution.hpp"
#include "image.hpp"

namespace ocellus::layers {
namespace {

template <class Extent>
struct ConvOptions {
  int filters = 1;
  Extent kernel_size = each<Extent>(1), strides = each<Extent>(1), dilation_rate = each<Extent>(1);
  std::string padding = "valid";
  int groups = 1;
  bool use_bias = true;
  std::string kernel_initializer = "glorot_uniform", bias_initializer = "zeros";
};

template <class Extent>
class Conv : public Layer {
 public:
  explicit Conv(ConvOptions<Extent> options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank_of<Extent>);
    const opencl::ConvolutionProblem problem = problem_of(request);
    LayerPlan p = convolution_plan(request, problem);
    const int in = problem.in_channels / problem.groups, out = problem.out_channels;
    const Shape kernel = rank_of<Extent> == 4 ? Shape{problem.h.kernel, problem.w.kernel, in, out}
                                              : Shape{problem.w.kernel, in, out};
    p.parameters = {{"kernel", kernel, Role::kernel, options_.kernel_initializer}};
    if (options_.use_bias)
      p.parameters.push_back({"bias", {out}, Role::bias, options_.bias_initializer});
    const auto single = [](const opencl::Axis& a) { return a.kernel == 1 && a.in == a.out; };
    p.expands = single(problem.h) && single(problem.w) && problem.groups == 1;
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<ConvolutionOp>(device, plan, problem_of(plan.request));
  }

 private:
  opencl::ConvolutionProblem problem_of(const PlanRequest& request) const {
    const ConvOptions<Extent>& o = options_;
    const Shape x = as_image(request.inputs[0]);
    if (x[-1] % o.groups || o.filters % o.groups)
      throw ShapeError(
          fmt::format("{} input channels and {} filters are not both divisible by {} groups", x[-1],
                      o.filters, o.groups));
    const ImageWindow window = image_window(x, image_size(o.kernel_size), image_size(o.strides),
                                            image_size(o.dilation_rate), o.padding, request);
    opencl::ConvolutionProblem p;
    p.batch = x[0];
    p.h = window.h;
    p.w = window.w;
    p.in_channels = x[3];
    p.out_channels = o.filters;
    p.groups = o.groups;
    return p;
  }

  ConvOptions<Extent> options_;
};

template <class Extent>
Parameters<ConvOptions<Extent>> parameters() {
  using Options = ConvOptions<Extent>;
  Parameters<Options> p;
  p.add("filters", &Options::filters, "number of output channels").min(1).required();
  p.add("kernel_size", &Options::kernel_size, "size of the window").min(1).required();
  p.add("strides", &Options::strides, "step of the window").min(1);
  ParameterInfo& padding = p.add("padding", &Options::padding,
                                 "zeros round the input: none, or as many as keep its size")
                               .one_of({"valid", "same"});
  if (rank_of<Extent> == 3) padding.one_of({"valid", "same", "causal"});
  p.add("dilation_rate", &Options::dilation_rate, "distance between the taps of the window").min(1);
  p.add("groups", &Options::groups, "channel groups that do not see each other").min(1);
  p.add("use_bias", &Options::use_bias, "add a number per output channel");
  p.add("kernel_initializer", &Options::kernel_initializer, "first values of the kernel");
  p.add("bias_initializer", &Options::bias_initializer, "first values of the bias");
  return p;
}

}  // namespace

void register_conv2d(Registrar& r) {
  r.add<Conv<Size>>("Conv2D", "2-D convolution", parameters<Size>())
      .with_activation()
      .claims("Convolution2D");
  r.add<Conv<int>>("Conv1D", "1-D convolution", parameters<int>())
      .with_activation()
      .claims("Convolution1D");
}

}  // namespace ocellus::layers
