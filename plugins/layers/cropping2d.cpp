// Cropping2D, Cropping1D: takes pixels off the borders, (N, top + H + bottom, left + W + right, C)
// -> (N, H, W, C), or (N, before + L + after, C) -> (N, L, C).
//
// cropping: c, [vertical, horizontal] or [[top, bottom], [left, right]]; 1D: c or [before, after].

#include <fmt/format.h>

#include "image.hpp"
#include "layers.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus::layers {
namespace {

template <int rank>
struct CroppingOptions {
  Json cropping = rank == 4 ? Json::List{Json::List{0, 0}, Json::List{0, 0}} : Json::List{1, 1};
};

class CroppingOp : public LayerOp {
 public:
  explicit CroppingOp(const opencl::PadProblem& problem) : problem_(problem) {}

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    opencl::crop(queue, problem_, args.inputs[0].operand(), args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (args.input_gradients[0])
      opencl::pad(queue, problem_, args.output_gradients[0].operand(),
                  args.input_gradients[0].operand(), args.accumulate_inputs);
  }

 private:
  opencl::PadProblem problem_;
};

template <int rank>
class Cropping : public Layer {
 public:
  explicit Cropping(const CroppingOptions<rank>& options)
      : border_(border_of("cropping", options.cropping, rank)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, rank);
    const opencl::PadProblem problem = problem_of(request);
    LayerPlan p;
    p.request = request;
    p.outputs = {from_image({problem.batch, problem.h, problem.w, problem.channels}, rank)};
    p.strided_inputs = p.strided_outputs = true;
    // Pixels that no output sees are padding below zero.
    p.window.kind = Window::Kind::local;
    p.window.h = {1, 1, 1, -problem.top, -problem.bottom, 1};
    p.window.w = {1, 1, 1, -problem.left, -problem.right, 1};
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device&, const LayerPlan& plan) const override {
    return std::make_unique<CroppingOp>(problem_of(plan.request));
  }

 private:
  opencl::PadProblem problem_of(const PlanRequest& request) const {
    const Shape x = as_image(request.inputs[0]);
    opencl::PadProblem p;
    if (!request.halo) {  // a halo is cropped already
      p.top = border_.top, p.bottom = border_.bottom;
      p.left = border_.left, p.right = border_.right;
    }
    p.batch = x[0];
    p.h = x[1] - p.top - p.bottom;
    p.w = x[2] - p.left - p.right;
    p.channels = x[3];
    if (p.h < 1 || p.w < 1)
      throw ShapeError(fmt::format("cropping leaves nothing of {}", request.inputs[0].str()));
    return p;
  }

  Border border_;
};

template <int rank>
Parameters<CroppingOptions<rank>> parameters(const char* help) {
  Parameters<CroppingOptions<rank>> p;
  p.add("cropping", &CroppingOptions<rank>::cropping, help);
  return p;
}

}  // namespace

void register_cropping2d(Registrar& r) {
  r.add<Cropping<4>>("Cropping2D", "an image without its borders",
                     parameters<4>("c, [vertical, horizontal] or [[top, bottom], [left, right]]"));
  r.add<Cropping<3>>("Cropping1D", "a sequence without its ends",
                     parameters<3>("c or [before, after]"));
}

}  // namespace ocellus::layers
