#include "convolution.hpp"

#include "image.hpp"

namespace ocellus::layers {

namespace {

opencl::ConvolutionProblem with_epilogue(opencl::ConvolutionProblem problem,
                                         const opencl::Epilogue& epilogue) {
  problem.epilogue = epilogue;
  return problem;
}

}  // namespace

Convolution::Convolution(opencl::Device& device, const opencl::ConvolutionProblem& problem,
                         const opencl::Epilogue& epilogue, bool input_gradients,
                         bool parameter_gradients)
    : forward_(device, with_epilogue(problem, epilogue)),
      packed_(forward_.packed_bytes(), forward_.packed_layout()) {
  const auto with = [&](bool accumulate) {
    opencl::ConvolutionProblem p = problem;
    p.accumulate = accumulate;
    return p;
  };
  if (input_gradients) {
    data_.emplace([&](bool a) { return opencl::ConvolutionBackwardData(device, with(a)); });
    packed_backward_ = {(*data_)(false).packed_bytes(), (*data_)(false).packed_layout()};
  }
  if (parameter_gradients)
    weights_.emplace([&](bool a) { return opencl::ConvolutionBackwardWeights(device, with(a)); });
}

size_t Convolution::workspace_bytes() const {
  return std::max({forward_.workspace_bytes(), data_ ? data_->workspace_bytes() : 0,
                   weights_ ? weights_->workspace_bytes() : 0});
}

void Convolution::forward(opencl::Queue& queue, const opencl::Operand& x, const Parameter& kernel,
                          const opencl::Operand& y, std::span<const opencl::Operand> epilogue,
                          const opencl::Buffer& workspace) {
  const opencl::Buffer packed = packed_.of(
      queue, kernel,
      [&](const opencl::Operand& k, const opencl::Buffer& to) { forward_.pack(queue, k, to); });
  forward_.run(queue, x, kernel.tensor.operand(), packed, y, epilogue, workspace);
}

void Convolution::backward_data(opencl::Queue& queue, const opencl::Operand& dy,
                                const Parameter& kernel, const opencl::Operand& dx, bool accumulate,
                                const opencl::Buffer& workspace) {
  const auto& data = (*data_)(accumulate);
  const opencl::Buffer packed = packed_backward_.of(
      queue, kernel,
      [&](const opencl::Operand& k, const opencl::Buffer& to) { data.pack(queue, k, to); });
  data.run(queue, dy, kernel.tensor.operand(), packed, dx, workspace);
}

void Convolution::backward_weights(opencl::Queue& queue, const opencl::Operand& x,
                                   const opencl::Operand& dy, const opencl::Operand& dkernel,
                                   bool accumulate, const opencl::Buffer& workspace) const {
  (*weights_)(accumulate).run(queue, x, dy, dkernel, workspace);
}

BiasGradient::BiasGradient(opencl::Device& device, const LayerPlan& plan) {
  if (!plan.request.parameter_gradients || plan.parameters.back().role != Role::bias) return;
  sum_.emplace([&](bool a) {
    return opencl::Reduce(device, opencl::Reduce::Op::sum_rows, plan.outputs[0].pixels(),
                          plan.outputs[0].channels(), 0, a);
  });
}

void BiasGradient::run(opencl::Queue& queue, const BackwardArgs& args) const {
  if (sum_)
    (*sum_)(args.accumulate_parameters)
        .run(queue, args.output_gradients[0].operand(), args.parameter_gradients.back().operand(),
             args.workspace);
}

ConvolutionOp::ConvolutionOp(opencl::Device& device, const LayerPlan& plan,
                             const opencl::ConvolutionProblem& problem)
    : convolution_(device, problem, biased_epilogue(plan), plan.request.input_gradients,
                   plan.request.parameter_gradients),
      bias_(device, plan) {}

size_t ConvolutionOp::workspace_bytes() const {
  return std::max(convolution_.workspace_bytes(), bias_.workspace_bytes());
}

std::vector<int> ConvolutionOp::unread_parameters() const {
  return convolution_.reads_kernel() ? std::vector<int>{} : std::vector<int>{0};
}

void ConvolutionOp::forward(opencl::Queue& queue, const ForwardArgs& args) {
  convolution_.forward(queue, args.inputs[0].operand(), args.parameters[0],
                       args.outputs[0].operand(), epilogue_operands(args), args.workspace);
}

void ConvolutionOp::backward(opencl::Queue& queue, const BackwardArgs& args) {
  const opencl::Operand dy = args.output_gradients[0].operand();
  if (args.input_gradients[0])
    convolution_.backward_data(queue, dy, args.parameters[0], args.input_gradients[0].operand(),
                               args.accumulate_inputs, args.workspace);
  if (args.parameter_gradients.empty()) return;
  convolution_.backward_weights(queue, args.inputs[0].operand(), dy,
                                args.parameter_gradients[0].operand(), args.accumulate_parameters,
                                args.workspace);
  bias_.run(queue, args);
}

LayerPlan convolution_plan(const PlanRequest& request, const opencl::ConvolutionProblem& problem) {
  LayerPlan p;
  p.request = request;
  p.outputs = {from_image({problem.batch, problem.h.out, problem.w.out, problem.out_channels},
                          request.inputs[0].rank())};
  p.saves_inputs = request.parameter_gradients;
  p.multiply_adds = problem.multiply_adds();
  p.strided_inputs = p.strided_outputs = p.accepts_epilogue = p.accepts_border = true;
  p.window = Window::local(problem.h, problem.w);
  return p;
}

}  // namespace ocellus::layers
