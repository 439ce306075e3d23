#pragma once

#include <optional>

#include "layers.hpp"
#include "ocellus/opencl/resample.hpp"

namespace ocellus::layers {

/// An image of other extents; what UpSampling and Resizing have in common.
class ResamplingOp : public LayerOp {
 public:
  ResamplingOp(opencl::Device& device, const LayerPlan& plan, const opencl::ResampleAxis& h,
               const opencl::ResampleAxis& w, float fill = 0)
      : forward_(device, plan.outputs[0][0], plan.outputs[0].channels(), h, w, fill) {
    if (!plan.request.input_gradients) return;
    const opencl::ResampleAxis back_h = h.transposed(), back_w = w.transposed();
    backward_.emplace([&](bool accumulate) {
      return opencl::Resample(device, plan.outputs[0][0], plan.outputs[0].channels(), back_h,
                              back_w, 0, accumulate);
    });
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    forward_.run(queue, args.inputs[0].operand(), args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (args.input_gradients[0])
      (*backward_)(args.accumulate_inputs)
          .run(queue, args.output_gradients[0].operand(), args.input_gradients[0].operand());
  }

 private:
  // Without workspace: what Overwriting asks of an operation is not needed here.
  opencl::Resample forward_;
  std::optional<Overwriting<opencl::Resample>> backward_;
};

}  // namespace ocellus::layers
