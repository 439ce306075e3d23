#include <fmt/format.h>

#include "image.hpp"
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

int checked_extent(int64_t pixels) {
  if (pixels > 1 << 28)
    throw ShapeError(fmt::format("an output of {} pixels is too large", pixels));
  return static_cast<int>(pixels);
}

void check_window_axis(int kernel, int stride, int dilation) {
  for (const int n : {kernel, stride, dilation})
    if (n > 1 << 15)
      throw ShapeError(fmt::format("a window of size {}, stride {} and dilation {} is too large",
                                   kernel, stride, dilation));
}

opencl::Axis window_axis_of(int in, int kernel, int stride, int dilation,
                            const std::string& padding, bool halo) {
  check_window_axis(kernel, stride, dilation);
  opencl::Axis a = padding == "valid" || halo ? opencl::Axis::valid(in, kernel, stride, dilation)
                                              : opencl::Axis::same(in, kernel, stride, dilation);
  if (padding == "causal" && !halo) a.pad_before = a.extent() - 1;
  if (a.out < 1)
    throw ShapeError(
        fmt::format("a window of {} pixels does not fit an input of {}; use padding "
                    "'same', a smaller window, or a larger input",
                    a.extent(), in));
  return a;
}

Border border_of(const char* parameter, const Json& value, int rank) {
  const auto pair = [](const Json& j, int& before, int& after) {
    before = j.is_list() ? j.at(size_t{0}).as_int() : j.as_int();
    after = j.is_list() ? j.at(size_t{1}).as_int() : before;
    if ((j.is_list() && j.size() != 2) || before < 0 || after < 0 || before > 1 << 20 ||
        after > 1 << 20)
      throw DataError("");
  };
  Border b;
  try {
    if (value.is_list() && value.size() != 2) throw DataError("");
    if (rank == 4) pair(value.is_list() ? value.at(size_t{0}) : value, b.top, b.bottom);
    pair(value.is_list() && rank == 4 ? value.at(size_t{1}) : value, b.left, b.right);
  } catch (const DataError&) {
    throw UsageError(fmt::format("parameter '{}': expected {}, found {}", parameter,
                                 rank == 3 ? "b or [before, after]"
                                           : "b, [vertical, horizontal] or [[top, bottom], "
                                             "[left, right]]",
                                 value.dump()));
  }
  return b;
}

void check_window(Size strides, Size dilation) {
  if ((strides.h > 1 || strides.w > 1) && (dilation.h > 1 || dilation.w > 1))
    throw ShapeError("strides over 1 and dilation_rate over 1 exclude each other");
}

ImageWindow image_window(const Shape& image, Size kernel, Size strides, Size dilation,
                         const std::string& padding, const PlanRequest& request) {
  check_window(strides, dilation);
  const auto axis = [&](int n, int before, int after, int k, int stride, int step) {
    opencl::Axis a = window_axis_of(n + before + after, k, stride, step, padding, request.halo);
    a.in = n;
    a.pad_before += before;
    return a;
  };
  const Border& b = request.border;
  return {axis(image[1], b.top, b.bottom, kernel.h, strides.h, dilation.h),
          axis(image[2], b.left, b.right, kernel.w, strides.w, dilation.w)};
}

opencl::Epilogue biased_epilogue(const LayerPlan& plan, size_t kernels) {
  opencl::Epilogue e;
  if (plan.parameters.size() > kernels) e.stages.push_back({opencl::Stage::Kind::bias, {}});
  const auto& offered = plan.request.epilogue.stages;
  e.stages.insert(e.stages.end(), offered.begin(), offered.end());
  return e;
}

std::vector<opencl::Operand> epilogue_operands(const ForwardArgs& args, size_t kernels) {
  std::vector<opencl::Operand> operands;
  if (args.parameters.size() > kernels)
    operands.push_back(args.parameters[kernels].tensor.operand());
  operands.insert(operands.end(), args.epilogue.begin(), args.epilogue.end());
  return operands;
}

namespace {
void register_types(Registrar& r) {
  register_activation(r);
  register_activity_regularization(r);
  register_batch_normalization(r);
  register_concatenate(r);
  register_constant_operation(r);
  register_conv2d(r);
  register_conv2d_transpose(r);
  register_cropping2d(r);
  register_dense(r);
  register_depthwise_conv2d(r);
  register_dot(r);
  register_dropout(r);
  register_elu(r);
  register_flatten(r);
  register_global_pooling2d(r);
  register_glu(r);
  register_group_normalization(r);
  register_input(r);
  register_layer_normalization(r);
  register_leaky_relu(r);
  register_local_response_normalization(r);
  register_merge(r);
  register_noise(r);
  register_normalization(r);
  register_permute(r);
  register_pooling2d(r);
  register_prelu(r);
  register_random_layers(r);
  register_reduction(r);
  register_relu(r);
  register_repeat_vector(r);
  register_rescaling(r);
  register_reshape(r);
  register_resizing(r);
  register_rms_normalization(r);
  register_separable_conv2d(r);
  register_slice(r);
  register_softmax(r);
  register_thresholded_relu(r);
  register_unary_operation(r);
  register_unit_normalization(r);
  register_up_sampling2d(r);
  register_zero_padding2d(r);
}
}  // namespace
}  // namespace ocellus::layers

OCELLUS_PLUGIN("layers", "Ocellus layers", OCELLUS_VERSION, "Apache-2.0",
               ocellus::layers::register_types)
