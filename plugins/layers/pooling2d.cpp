// MaxPooling2D, AveragePooling2D: the largest value, or the mean, of each window of a channel.
//
//   input (N, H, W, C) -> output (N, H', W', C)
//
// strides default to pool_size. Padding "same" holds no values: it never is the maximum and does
// not count in the mean. The gradient of a maximum goes to the first of equal elements.

#include "layers.hpp"
#include "pooling.hpp"

namespace ocellus::layers {
namespace {

struct PoolingOptions {
  Size pool_size{2, 2};
  std::optional<Size> strides;
  std::string padding = "valid";
};

template <opencl::PoolingProblem::Mode mode>
class Pooling2D : public Layer {
 public:
  explicit Pooling2D(PoolingOptions options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, 4);
    const opencl::PoolingProblem problem = problem_of(request);
    LayerPlan p = pooling_plan(request, problem);
    p.outputs = {{problem.batch, problem.h.out, problem.w.out, problem.channels}};
    const bool padded = problem.h.pad_before + problem.h.pad_after() + problem.w.pad_before +
                            problem.w.pad_after() >
                        0;
    p.window = Window::local(problem.h, problem.w, fill(padded || request.halo));
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<PoolingOp>(device, plan, problem_of(plan.request));
  }

 private:
  static constexpr bool is_max = mode == opencl::PoolingProblem::Mode::max;

  /// Where nothing is padded any value will do, and the mean needs no origins.
  static Window::Fill fill(bool padded) {
    if (!padded) return Window::Fill::zero;
    return is_max ? Window::Fill::negative_infinity : Window::Fill::excluded;
  }

  opencl::PoolingProblem problem_of(const PlanRequest& request) const {
    const Shape& x = request.inputs[0];
    const Size strides = options_.strides.value_or(options_.pool_size);
    opencl::PoolingProblem p;
    p.mode = mode;
    p.batch = x[0];
    p.channels = x[3];
    p.h = window_axis_of(x[1], options_.pool_size.h, strides.h, 1, options_.padding, request.halo);
    p.w = window_axis_of(x[2], options_.pool_size.w, strides.w, 1, options_.padding, request.halo);
    if (request.halo && !is_max && options_.padding == "same") {
      p.full_h = request.full_h;
      p.full_w = request.full_w;
    }
    return p;
  }

  PoolingOptions options_;
};

Parameters<PoolingOptions> parameters() {
  Parameters<PoolingOptions> p;
  p.add("pool_size", &PoolingOptions::pool_size, "height and width of the window").min(1);
  p.add("strides", &PoolingOptions::strides, "step of the window; null: pool_size").min(1);
  p.add("padding", &PoolingOptions::padding, "whole windows only, or ceil(input / strides) outputs")
      .one_of({"valid", "same"});
  return p;
}

}  // namespace

void register_pooling2d(Registrar& r) {
  using Mode = opencl::PoolingProblem::Mode;
  r.add<Pooling2D<Mode::max>>("MaxPooling2D", "largest value of each window", parameters())
      .claims("MaxPool2D");
  r.add<Pooling2D<Mode::average>>("AveragePooling2D", "mean of each window", parameters())
      .claims("AvgPool2D");
}

}  // namespace ocellus::layers
