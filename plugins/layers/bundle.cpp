#include <fmt/format.h>

#include "layers.hpp"
#include "ocellus/core/plugin.hpp"

namespace ocellus::layers {

LayerPlan pointwise_plan(const PlanRequest& request, Pointwise f, bool saves_inputs,
                         bool saves_outputs) {
  LayerPlan p;
  p.request = request;
  p.outputs = {request.inputs.at(0)};
  p.saves_inputs = saves_inputs;
  p.saves_outputs = saves_outputs;
  p.in_place = p.strided_inputs = p.strided_outputs = true;
  p.pointwise = std::move(f);
  p.window = Window::pointwise();
  return p;
}

std::string literal(double value) {
  // "{:#}" keeps the point that the suffix f needs: 1.0f, not 1f.
  const std::string text = fmt::format("{:#.9g}", static_cast<float>(value));
  return value < 0 ? "(" + text + "f)" : text + "f";
}

opencl::Axis window_axis_of(int in, int kernel, int stride, int dilation,
                            const std::string& padding, bool halo) {
  const opencl::Axis a = padding == "same" && !halo
                             ? opencl::Axis::same(in, kernel, stride, dilation)
                             : opencl::Axis::valid(in, kernel, stride, dilation);
  if (a.out < 1)
    throw ShapeError(
        fmt::format("a window of {} pixels does not fit an input of {}; use padding "
                    "'same', a smaller window, or a larger input",
                    a.extent(), in));
  return a;
}

opencl::Epilogue biased_epilogue(const LayerPlan& plan) {
  opencl::Epilogue e;
  if (plan.parameters.size() > 1) e.stages.push_back({opencl::Stage::Kind::bias, {}});
  const auto& offered = plan.request.epilogue.stages;
  e.stages.insert(e.stages.end(), offered.begin(), offered.end());
  return e;
}

std::vector<opencl::Operand> epilogue_operands(const ForwardArgs& args) {
  std::vector<opencl::Operand> operands;
  if (args.parameters.size() > 1) operands.push_back(args.parameters[1].tensor.operand());
  operands.insert(operands.end(), args.epilogue.begin(), args.epilogue.end());
  return operands;
}

namespace {
void register_types(Registrar& r) {
  register_activation(r);
  register_add(r);
  register_batch_normalization(r);
  register_concatenate(r);
  register_conv2d(r);
  register_dense(r);
  register_dropout(r);
  register_elu(r);
  register_flatten(r);
  register_global_pooling2d(r);
  register_input(r);
  register_leaky_relu(r);
  register_normalization(r);
  register_pooling2d(r);
  register_relu(r);
  register_rescaling(r);
  register_reshape(r);
  register_softmax(r);
  register_zero_padding2d(r);
}
}  // namespace
}  // namespace ocellus::layers

OCELLUS_PLUGIN("layers", "Ocellus layers", OCELLUS_VERSION, "Apache-2.0",
               ocellus::layers::register_types)
