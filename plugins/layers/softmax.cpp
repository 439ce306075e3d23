// Softmax: y = exp(x) / sum of exp(x) over the last axis. The activation `softmax` is the same
// layer.
//
// The largest x of a row is taken off before the exponential, so that none overflows.

#include "ocellus/opencl/softmax.hpp"

#include <fmt/format.h>

#include "layers.hpp"
#include "ocellus/core/activation.hpp"

namespace ocellus::layers {
namespace {

struct SoftmaxOptions {
  int axis = -1;
};

class SoftmaxOp : public LayerOp {
 public:
  SoftmaxOp(opencl::Device& device, const Shape& shape)
      : softmax_(device, shape.pixels(), shape.channels()) {}

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    softmax_.forward(queue, args.inputs[0].operand(), args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (args.input_gradients[0])
      softmax_.backward(queue, args.outputs[0].operand(), args.output_gradients[0].operand(),
                        args.input_gradients[0].operand(), args.accumulate_inputs);
  }

 private:
  opencl::Softmax softmax_;
};

class Softmax : public Layer {
 public:
  explicit Softmax(SoftmaxOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() < 2 || (options_.axis != -1 && options_.axis != x.rank() - 1))
      throw ShapeError(
          fmt::format("normalizes over the last axis (the channels) only, not axis {} of {}",
                      options_.axis, x.str()));
    LayerPlan p;
    p.request = request;
    p.outputs = {x};
    p.saves_outputs = request.input_gradients;
    p.strided_inputs = p.strided_outputs = true;
    p.window = Window::pointwise();
    p.probability = Probability::softmax;
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<SoftmaxOp>(device, plan.outputs[0]);
  }

 private:
  SoftmaxOptions options_;
};

class SoftmaxActivation : public Activation {
 public:
  std::shared_ptr<const Layer> layer() const override {
    return std::make_shared<Softmax>(SoftmaxOptions{});
  }
};

}  // namespace

void register_softmax(Registrar& r) {
  Parameters<SoftmaxOptions> p;
  p.add("axis", &SoftmaxOptions::axis, "axis that sums to 1; the last one only");
  r.add<Softmax>("Softmax", "probabilities from logits", std::move(p));
  r.add<SoftmaxActivation>("softmax", "probabilities from logits");
}

}  // namespace ocellus::layers
