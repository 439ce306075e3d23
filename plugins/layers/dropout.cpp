// Dropout: in training, each element is set to 0 with probability `rate` and the others grow by 1 /
// (1 - rate) (Srivastava et al., JMLR 2014, in its inverted form); in inference, the identity.
//
// The mask is a function of (seed, step, node, sample, element): backward draws it again instead of
// keeping it.

#include "layers.hpp"
#include "ocellus/opencl/random.hpp"

namespace ocellus::layers {
namespace {

struct DropoutOptions {
  double rate = 0.5;
};

class DropoutOp : public LayerOp {
 public:
  DropoutOp(const Shape& shape, float rate)
      : rate_(rate),
        rows_(shape[0]),
        columns_(static_cast<int>(shape.without_batch().elements())) {}

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    opencl::dropout(queue, stream(args.run), rate_, args.inputs[0].matrix(columns_),
                    args.outputs[0].matrix(columns_), rows_, columns_, args.run.samples);
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (args.input_gradients[0])
      opencl::dropout(queue, stream(args.run), rate_, args.output_gradients[0].matrix(columns_),
                      args.input_gradients[0].matrix(columns_), rows_, columns_, args.run.samples,
                      args.accumulate_inputs);
  }

 private:
  static opencl::RandomStream stream(const RunContext& run) {
    return {run.seed, run.step, run.node};
  }

  float rate_;
  int rows_, columns_;
};

class Dropout : public Layer {
 public:
  explicit Dropout(DropoutOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    if (request.inputs[0].rank() == 0) throw ShapeError("takes an input with a batch axis");
    LayerPlan p = pointwise_plan(request, Pointwise::identity());
    if (!request.training || options_.rate == 0) return p;
    p.pointwise = {};
    p.strided_inputs = p.strided_outputs = false;
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device&, const LayerPlan& plan) const override {
    return std::make_unique<DropoutOp>(plan.outputs[0], static_cast<float>(options_.rate));
  }

 private:
  DropoutOptions options_;
};

}  // namespace

void register_dropout(Registrar& r) {
  Parameters<DropoutOptions> p;
  p.add("rate", &DropoutOptions::rate, "part of the elements that is dropped in training")
      .min(0)
      .max(0.999)
      .required();
  r.add<Dropout>("Dropout", "drops elements at random in training", std::move(p));
}

}  // namespace ocellus::layers
