#pragma once

#include <optional>

#include "layers.hpp"
#include "ocellus/opencl/pooling.hpp"

namespace ocellus::layers {

/// Pooling by a problem; what the pooling layers, local and global, have in common.
class PoolingOp : public LayerOp {
 public:
  PoolingOp(opencl::Device& device, const LayerPlan& plan, const opencl::PoolingProblem& problem)
      : needs_origins_(problem.full_h != 0), forward_(device, problem) {
    if (!plan.request.input_gradients) return;
    overwrite_.emplace(device, problem);
    opencl::PoolingProblem adding = problem;
    adding.accumulate = true;
    add_.emplace(device, adding);
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    if (needs_origins_ && !args.origins)
      throw Error("average pooling of windows needs to know where in the image they lie");
    forward_.forward(queue, args.inputs[0].operand(), args.outputs[0].operand(),
                     needs_origins_ ? args.origins : opencl::Buffer());
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const auto operand = [](std::span<const Tensor> t) {
      return t.empty() ? opencl::Operand{} : t[0].operand();
    };
    (args.accumulate_inputs ? add_ : overwrite_)
        ->backward(queue, operand(args.inputs), operand(args.outputs),
                   args.output_gradients[0].operand(), args.input_gradients[0].operand());
  }

 private:
  bool needs_origins_;
  opencl::Pooling forward_;
  std::optional<opencl::Pooling> overwrite_, add_;
};

/// All of a pooling layer's plan but outputs and window.
inline LayerPlan pooling_plan(const PlanRequest& request, const opencl::PoolingProblem& problem) {
  LayerPlan p;
  p.request = request;
  p.saves_inputs = p.saves_outputs =
      request.input_gradients && problem.mode == opencl::PoolingProblem::Mode::max;
  p.strided_inputs = p.strided_outputs = true;
  return p;
}

}  // namespace ocellus::layers
