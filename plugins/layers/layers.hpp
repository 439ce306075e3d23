#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/layer.hpp"
#include "ocellus/core/packed.hpp"
#include "ocellus/core/registry.hpp"

/// The bundle "layers": each X.cpp is one type (a pair where they differ in a word) and registers
/// itself here.
namespace ocellus::layers {

void register_activation(Registrar& r);
void register_activity_regularization(Registrar& r);
void register_batch_normalization(Registrar& r);
void register_concatenate(Registrar& r);
void register_constant_operation(Registrar& r);
void register_conv2d(Registrar& r);
void register_conv2d_transpose(Registrar& r);
void register_cropping2d(Registrar& r);
void register_dense(Registrar& r);
void register_depthwise_conv2d(Registrar& r);
void register_dot(Registrar& r);
void register_dropout(Registrar& r);
void register_elu(Registrar& r);
void register_flatten(Registrar& r);
void register_global_pooling2d(Registrar& r);
void register_glu(Registrar& r);
void register_group_normalization(Registrar& r);
void register_input(Registrar& r);
void register_layer_normalization(Registrar& r);
void register_leaky_relu(Registrar& r);
void register_local_response_normalization(Registrar& r);
void register_merge(Registrar& r);
void register_noise(Registrar& r);
void register_normalization(Registrar& r);
void register_permute(Registrar& r);
void register_pooling2d(Registrar& r);
void register_prelu(Registrar& r);
void register_random_layers(Registrar& r);
void register_reduction(Registrar& r);
void register_relu(Registrar& r);
void register_repeat_vector(Registrar& r);
void register_rescaling(Registrar& r);
void register_reshape(Registrar& r);
void register_resizing(Registrar& r);
void register_rms_normalization(Registrar& r);
void register_separable_conv2d(Registrar& r);
void register_slice(Registrar& r);
void register_softmax(Registrar& r);
void register_thresholded_relu(Registrar& r);
void register_unary_operation(Registrar& r);
void register_unit_normalization(Registrar& r);
void register_up_sampling2d(Registrar& r);
void register_zero_padding2d(Registrar& r);

/// Answer of a layer that maps each element by itself, or hands its elements on under another
/// shape.
LayerPlan pointwise_plan(const PlanRequest& request, Pointwise f, bool saves_inputs = false,
                         bool saves_outputs = false);

/// A float as OpenCL C writes it: "0.3f", "1.0f". Digits enough to come back as the same float.
std::string literal(double value);

/// An extent that a plan came to; throws ShapeError where it is above 2^28.
int checked_extent(int64_t pixels);
/// Throws ShapeError where one of them is above 32,768: then no sum of extents overflows.
void check_window_axis(int kernel, int stride, int dilation);

/// `padding` "valid", "same" or "causal" of a window along one axis; with `halo` the input holds
/// the padding already. Throws ShapeError when the window is larger than the input.
opencl::Axis window_axis_of(int in, int kernel, int stride, int dilation,
                            const std::string& padding, bool halo);

/// Stages of the store of a layer with weights: its own bias, if it has one (behind `kernels` other
/// parameters), then what core offered; and their operands.
opencl::Epilogue biased_epilogue(const LayerPlan& plan, size_t kernels = 1);
std::vector<opencl::Operand> epilogue_operands(const ForwardArgs& args, size_t kernels = 1);

/// An operation that exists twice, for gradients that overwrite and for those that add.
template <class Op>
class Overwriting {
 public:
  template <class Make>
  explicit Overwriting(const Make& make) : overwrite_(make(false)), add_(make(true)) {}
  const Op& operator()(bool accumulate) const { return accumulate ? add_ : overwrite_; }
  size_t workspace_bytes() const {
    return std::max(overwrite_.workspace_bytes(), add_.workspace_bytes());
  }

 private:
  Op overwrite_, add_;
};

/// What a layer with two passes back tells of them: "data gemm, weights direct", or one of these.
template <class Data, class Weights>
std::string algorithms_of(const std::optional<Data>& data, const std::optional<Weights>& weights) {
  std::string text;
  if (data) text = "data " + (*data)(false).algorithm();
  if (weights) text += (text.empty() ? "weights " : ", weights ") + (*weights)(false).algorithm();
  return text;
}

/// The packed copy of its weights that an op works with; shared with other ops of the network.
class Packed {
 public:
  /// `bytes` = 0: there is none. Ops that pack differently name different layouts.
  Packed(size_t bytes = 0, std::string layout = {}) : bytes_(bytes), layout_(std::move(layout)) {}
  explicit operator bool() const { return bytes_ != 0; }
  /// `pack(original, buffer)` enqueues the packing; called only if the weights have changed.
  template <class Pack>
  opencl::Buffer of(opencl::Queue& queue, const Parameter& weights, const Pack& pack) const {
    return bytes_ ? weights.copies->get(queue.device(), layout_, bytes_, weights.version, pack)
                  : opencl::Buffer();
  }

 private:
  size_t bytes_;
  std::string layout_;
};

}  // namespace ocellus::layers
