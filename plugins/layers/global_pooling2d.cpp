// GlobalMaxPooling2D, GlobalAveragePooling2D and the same in 1D: the largest value, or the mean, of
// each channel of an image or a sequence.
//
//   input (N, H, W, C) -> output (N, C), or (N, 1, 1, C) with keepdims; 1D: (N, L, C) -> (N, C), or
//   (N, 1, C)
//
// They are the pooling of one window as large as the image.

#include "image.hpp"
#include "layers.hpp"
#include "pooling.hpp"

namespace ocellus::layers {
namespace {

struct GlobalPoolingOptions {
  bool keepdims = false;
};

template <opencl::PoolingProblem::Mode mode, int rank>
class GlobalPooling : public Layer {
 public:
  explicit GlobalPooling(GlobalPoolingOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank);
    const opencl::PoolingProblem problem = problem_of(request);
    LayerPlan p = pooling_plan(request, problem);
    if (options_.keepdims)
      p.outputs = {from_image({problem.batch, 1, 1, problem.channels}, rank)};
    else
      p.outputs = {{problem.batch, problem.channels}};
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<PoolingOp>(device, plan, problem_of(plan.request));
  }

 private:
  static opencl::PoolingProblem problem_of(const PlanRequest& request) {
    const Shape x = as_image(request.inputs[0]);
    opencl::PoolingProblem p;
    p.mode = mode;
    p.batch = x[0];
    p.channels = x[3];
    p.h = window_axis_of(x[1], x[1], 1, 1, "valid", false);
    p.w = window_axis_of(x[2], x[2], 1, 1, "valid", false);
    return p;
  }

  GlobalPoolingOptions options_;
};

Parameters<GlobalPoolingOptions> parameters() {
  Parameters<GlobalPoolingOptions> p;
  p.add("keepdims", &GlobalPoolingOptions::keepdims, "keep height and width, as 1");
  return p;
}

}  // namespace

void register_global_pooling2d(Registrar& r) {
  using Mode = opencl::PoolingProblem::Mode;
  const std::string largest = "largest value of each channel", mean = "mean of each channel";
  r.add<GlobalPooling<Mode::max, 4>>("GlobalMaxPooling2D", largest, parameters())
      .claims("GlobalMaxPool2D");
  r.add<GlobalPooling<Mode::average, 4>>("GlobalAveragePooling2D", mean, parameters())
      .claims("GlobalAvgPool2D");
  r.add<GlobalPooling<Mode::max, 3>>("GlobalMaxPooling1D", largest, parameters())
      .claims("GlobalMaxPool1D");
  r.add<GlobalPooling<Mode::average, 3>>("GlobalAveragePooling1D", mean, parameters())
      .claims("GlobalAvgPool1D");
}

}  // namespace ocellus::layers
