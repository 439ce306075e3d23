// MaxPooling2D, AveragePooling2D and the same in 1D: the largest value, or the mean, of each window
// of a channel.
//
//   input (N, H, W, C) -> output (N, H', W', C); 1D: (N, L, C) -> (N, L', C)
//
// strides default to pool_size. Padding "same" holds no values: it never is the maximum and does
// not count in the mean. The gradient of a maximum goes to the first of equal elements.

#include "image.hpp"
#include "layers.hpp"
#include "pooling.hpp"

namespace ocellus::layers {
namespace {

template <class Extent>
struct PoolingOptions {
  Extent pool_size = each<Extent>(2);
  std::optional<Extent> strides;
  std::string padding = "valid";
};

template <opencl::PoolingProblem::Mode mode, class Extent>
class LocalPooling : public Layer {
 public:
  explicit LocalPooling(PoolingOptions<Extent> options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank_of<Extent>);
    const opencl::PoolingProblem problem = problem_of(request);
    LayerPlan p = pooling_plan(request, problem);
    p.outputs = {from_image({problem.batch, problem.h.out, problem.w.out, problem.channels},
                            rank_of<Extent>)};
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
    const Shape x = as_image(request.inputs[0]);
    const ImageWindow window =
        image_window(x, image_size(options_.pool_size),
                     image_size(options_.strides.value_or(options_.pool_size)), {1, 1},
                     options_.padding, request);
    opencl::PoolingProblem p;
    p.mode = mode;
    p.batch = x[0];
    p.channels = x[3];
    p.h = window.h;
    p.w = window.w;
    if (request.halo && !is_max && options_.padding == "same") {
      p.full_h = request.full_h;
      p.full_w = request.full_w;
    }
    return p;
  }

  PoolingOptions<Extent> options_;
};

template <class Extent>
Parameters<PoolingOptions<Extent>> parameters() {
  using Options = PoolingOptions<Extent>;
  Parameters<Options> p;
  p.add("pool_size", &Options::pool_size, "size of the window").min(1);
  p.add("strides", &Options::strides, "step of the window; null: pool_size").min(1);
  p.add("padding", &Options::padding, "whole windows only, or ceil(input / strides) outputs")
      .one_of({"valid", "same"});
  return p;
}

}  // namespace

void register_pooling2d(Registrar& r) {
  using Mode = opencl::PoolingProblem::Mode;
  const std::string largest = "largest value of each window", mean = "mean of each window";
  r.add<LocalPooling<Mode::max, Size>>("MaxPooling2D", largest, parameters<Size>())
      .claims("MaxPool2D");
  r.add<LocalPooling<Mode::average, Size>>("AveragePooling2D", mean, parameters<Size>())
      .claims("AvgPool2D");
  r.add<LocalPooling<Mode::max, int>>("MaxPooling1D", largest, parameters<int>())
      .claims("MaxPool1D");
  r.add<LocalPooling<Mode::average, int>>("AveragePooling1D", mean, parameters<int>())
      .claims("AvgPool1D");
}

}  // namespace ocellus::layers
