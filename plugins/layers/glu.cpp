// The activation `glu` (Dauphin et al., ICML 2017): the channels are two halves, a and b;
// y = a sigmoid(b) has half of them.

#include <fmt/format.h>

#include <optional>

#include "ocellus/core/activation.hpp"
#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

constexpr const char* sigmoid = "const T s = 1.0f / (1.0f + exp(-x1));\n";

class GluOp : public LayerOp {
 public:
  GluOp(opencl::Device& device, const LayerPlan& plan)
      : half_(static_cast<uint32_t>(plan.outputs[0].channels())) {
    const Shape& x = plan.request.inputs[0];
    const Shape& y = plan.outputs[0];
    Strides halves = strides_of(x);
    if (half_ == 1) halves.back() = 0;
    const auto problem = [&](size_t inputs, const Strides& out, const char* expression) {
      opencl::StridedProblem p{extents_of(y), {halves, halves}, out, expression};
      if (inputs > 2) p.inputs.push_back(strides_of(y));
      p.prologue = sigmoid;
      p.name = "glu";
      return p;
    };
    forward_.emplace(device, problem(2, strides_of(y), "x0 * s"));
    if (!plan.request.input_gradients) return;
    for (const char* derivative : {"x2 * s", "x2 * x0 * s * (1.0f - s)"})
      gradients_.emplace_back([&](bool accumulate) {
        opencl::StridedProblem p = problem(3, halves, derivative);
        p.accumulate = accumulate;
        return opencl::Strided(device, p);
      });
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand x = args.inputs[0].operand(), in[] = {x, behind(x)};
    forward_->run(queue, in, args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand x = args.inputs[0].operand(), dx = args.input_gradients[0].operand(),
                          in[] = {x, behind(x), args.output_gradients[0].operand()};
    gradients_[0](args.accumulate_inputs).run(queue, in, dx);
    gradients_[1](args.accumulate_inputs).run(queue, in, behind(dx));
  }

 private:
  /// Where the second half begins.
  opencl::Operand behind(opencl::Operand x) const {
    x.offset += half_;
    return x;
  }

  uint32_t half_;
  std::optional<opencl::Strided> forward_;
  std::vector<Overwriting<opencl::Strided>> gradients_;
};

class Glu : public Layer {
 public:
  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() < 2 || x.channels() % 2 != 0)
      throw ShapeError(
          fmt::format("glu halves the channels: it takes an even number of them, not {}", x.str()));
    Shape y = x;
    y.set(-1, x.channels() / 2);
    LayerPlan p = op_plan(request, y);
    p.saves_inputs = request.input_gradients;
    p.window = Window::pointwise();
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<GluOp>(device, plan);
  }
};

class GluActivation : public Activation {
 public:
  std::shared_ptr<const Layer> layer() const override { return std::make_shared<Glu>(); }
};

}  // namespace

void register_glu(Registrar& r) {
  r.add<GluActivation>("glu", "one half of the channels times the sigmoid of the other");
}

}  // namespace ocellus::layers
