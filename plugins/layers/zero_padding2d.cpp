// ZeroPadding2D, ZeroPadding1D: zeros round an image, (N, H, W, C) -> (N, top + H + bottom, left +
// W
// + right, C), or a sequence, (N, L, C) -> (N, before + L + after, C).
//
// padding: p, [vertical, horizontal] or [[top, bottom], [left, right]]; 1D: p or [before, after].

#include "image.hpp"
#include "layers.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus::layers {
namespace {

template <int rank>
struct ZeroPaddingOptions {
  Json padding = Json::List{1, 1};
};

class ZeroPaddingOp : public LayerOp {
 public:
  explicit ZeroPaddingOp(const opencl::PadProblem& problem) : problem_(problem) {}

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    opencl::pad(queue, problem_, args.inputs[0].operand(), args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (args.input_gradients[0])
      opencl::crop(queue, problem_, args.output_gradients[0].operand(),
                   args.input_gradients[0].operand(), args.accumulate_inputs);
  }

 private:
  opencl::PadProblem problem_;
};

template <int rank>
class ZeroPadding : public Layer {
 public:
  explicit ZeroPadding(const ZeroPaddingOptions<rank>& options)
      : border_(border_of("padding", options.padding, rank)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank);
    const opencl::PadProblem problem = problem_of(request);
    const int h = problem.top + problem.h + problem.bottom,
              w = problem.left + problem.w + problem.right;
    LayerPlan p;
    p.request = request;
    p.outputs = {from_image({problem.batch, h, w, problem.channels}, rank)};
    p.strided_inputs = p.strided_outputs = p.pads = true;
    p.window =
        Window::local({problem.h, h, 1, 1, 1, problem.top}, {problem.w, w, 1, 1, 1, problem.left});
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device&, const LayerPlan& plan) const override {
    return std::make_unique<ZeroPaddingOp>(problem_of(plan.request));
  }

 private:
  opencl::PadProblem problem_of(const PlanRequest& request) const {
    const Shape x = as_image(request.inputs[0]);
    opencl::PadProblem p;
    if (!request.halo) {
      p.top = border_.top, p.bottom = border_.bottom;
      p.left = border_.left, p.right = border_.right;
    }
    p.batch = x[0];
    p.h = x[1];
    p.w = x[2];
    p.channels = x[3];
    return p;
  }

  Border border_;
};

template <int rank>
Parameters<ZeroPaddingOptions<rank>> parameters(const char* help) {
  Parameters<ZeroPaddingOptions<rank>> p;
  p.add("padding", &ZeroPaddingOptions<rank>::padding, help);
  return p;
}

}  // namespace

void register_zero_padding2d(Registrar& r) {
  r.add<ZeroPadding<4>>(
      "ZeroPadding2D", "zeros round an image",
      parameters<4>("p, [vertical, horizontal] or [[top, bottom], [left, right]]"));
  r.add<ZeroPadding<3>>("ZeroPadding1D", "zeros before and behind a sequence",
                        parameters<3>("p or [before, after]"));
}

}  // namespace ocellus::layers
