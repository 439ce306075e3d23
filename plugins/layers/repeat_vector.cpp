// RepeatVector: (N, D) becomes (N, n, D), n times the same.

#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

struct RepeatVectorOptions {
  int n = 1;
};

class RepeatVectorOp : public LayerOp {
 public:
  RepeatVectorOp(opencl::Device& device, const Shape& x, const Shape& y)
      : forward_(device, {extents_of(y), {strides_of(x)}, strides_of(y)}),
        backward_([&](bool accumulate) {
          opencl::StridedProblem p{extents_of(y), {strides_of(y)}, strides_of(x)};
          p.accumulate = accumulate;
          return opencl::Strided(device, p);
        }) {}

  size_t workspace_bytes() const override { return backward_(false).scratch_bytes(); }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand in[] = {args.inputs[0].operand()};
    forward_.run(queue, in, args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand in[] = {args.output_gradients[0].operand()};
    backward_(args.accumulate_inputs)
        .run(queue, in, args.input_gradients[0].operand(), {args.workspace});
  }

 private:
  opencl::Strided forward_;
  Overwriting<opencl::Strided> backward_;
};

class RepeatVector : public Layer {
 public:
  explicit RepeatVector(RepeatVectorOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, 2);
    const Shape& x = request.inputs[0];
    return op_plan(request, {x[0], options_.n, x[1]});
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    const Shape& x = plan.request.inputs[0];
    return std::make_unique<RepeatVectorOp>(device, Shape{x[0], 1, x[1]}, plan.outputs[0]);
  }

 private:
  RepeatVectorOptions options_;
};

}  // namespace

void register_repeat_vector(Registrar& r) {
  Parameters<RepeatVectorOptions> p;
  p.add("n", &RepeatVectorOptions::n, "number of repetitions").min(1).required();
  r.add<RepeatVector>("RepeatVector", "each item several times", std::move(p));
}

}  // namespace ocellus::layers
