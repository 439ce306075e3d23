// ZeroPadding2D: zeros round an image, (N, H, W, C) -> (N, top + H + bottom, left + W + right, C).
//
// padding: p, [vertical, horizontal] or [[top, bottom], [left, right]].

#include <fmt/format.h>

#include "layers.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus::layers {
namespace {

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

class ZeroPadding2D : public Layer {
 public:
  explicit ZeroPadding2D(const ZeroPaddingOptions& options) {
    const Json& p = options.padding;
    const auto pair = [&](const Json& j, int& before, int& after) {
      before = j.is_list() ? j.at(size_t{0}).as_int() : j.as_int();
      after = j.is_list() ? j.at(size_t{1}).as_int() : before;
      if ((j.is_list() && j.size() != 2) || before < 0 || after < 0) throw DataError("");
    };
    try {
      if (p.is_list() && p.size() != 2) throw DataError("");
      pair(p.is_list() ? p.at(size_t{0}) : p, padding_.top, padding_.bottom);
      pair(p.is_list() ? p.at(size_t{1}) : p, padding_.left, padding_.right);
    } catch (const DataError&) {
      throw UsageError(
          fmt::format("parameter 'padding': expected p, [vertical, horizontal] or [[top, bottom], "
                      "[left, right]], found {}",
                      p.dump()));
    }
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, 4);
    const opencl::PadProblem problem = problem_of(request);
    const int h = problem.top + problem.h + problem.bottom,
              w = problem.left + problem.w + problem.right;
    LayerPlan p;
    p.request = request;
    p.outputs = {{problem.batch, h, w, problem.channels}};
    p.strided_inputs = p.strided_outputs = true;
    p.window =
        Window::local({problem.h, h, 1, 1, 1, problem.top}, {problem.w, w, 1, 1, 1, problem.left});
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device&, const LayerPlan& plan) const override {
    return std::make_unique<ZeroPaddingOp>(problem_of(plan.request));
  }

 private:
  opencl::PadProblem problem_of(const PlanRequest& request) const {
    const Shape& x = request.inputs[0];
    opencl::PadProblem p = request.halo ? opencl::PadProblem{} : padding_;
    p.batch = x[0];
    p.h = x[1];
    p.w = x[2];
    p.channels = x[3];
    return p;
  }

  opencl::PadProblem padding_;
};

}  // namespace

void register_zero_padding2d(Registrar& r) {
  Parameters<ZeroPaddingOptions> p;
  p.add("padding", &ZeroPaddingOptions::padding,
        "p, [vertical, horizontal] or [[top, bottom], [left, right]]");
  r.add<ZeroPadding2D>("ZeroPadding2D", "zeros round an image", std::move(p));
}

}  // namespace ocellus::layers
