// GlobalMaxPooling2D, GlobalAveragePooling2D: the largest value, or the mean, of each channel of an
// image.
//
//   input (N, H, W, C) -> output (N, C), or (N, 1, 1, C) with keepdims
//
// They are the pooling of one window as large as the image.

#include "layers.hpp"
#include "pooling.hpp"

namespace ocellus::layers {
namespace {

struct GlobalPoolingOptions {
  bool keepdims = false;
};

template <opencl::PoolingProblem::Mode mode>
class GlobalPooling2D : public Layer {
 public:
  explicit GlobalPooling2D(GlobalPoolingOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, 4);
    const opencl::PoolingProblem problem = problem_of(request);
    LayerPlan p = pooling_plan(request, problem);
    if (options_.keepdims)
      p.outputs = {{problem.batch, 1, 1, problem.channels}};
    else
      p.outputs = {{problem.batch, problem.channels}};
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<PoolingOp>(device, plan, problem_of(plan.request));
  }

 private:
  static opencl::PoolingProblem problem_of(const PlanRequest& request) {
    const Shape& x = request.inputs[0];
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
  r.add<GlobalPooling2D<Mode::max>>("GlobalMaxPooling2D", "largest value of each channel",
                                    parameters())
      .claims("GlobalMaxPool2D");
  r.add<GlobalPooling2D<Mode::average>>("GlobalAveragePooling2D", "mean of each channel",
                                        parameters())
      .claims("GlobalAvgPool2D");
}

}  // namespace ocellus::layers
