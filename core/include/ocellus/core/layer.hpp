#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ocellus/core/error.hpp"
#include "ocellus/core/registry.hpp"
#include "ocellus/core/tensor.hpp"
#include "ocellus/core/traits.hpp"
#include "ocellus/opencl/epilogue.hpp"

namespace ocellus {

class PackedCopies;

/// What a parameter is for: initializers, weight decay, files and analyzers go by it.
enum class Role { kernel, bias, gamma, beta, moving_mean, moving_variance, other };

/// A tensor that a layer needs and core owns.
struct ParameterSpec {
  std::string name;  ///< as Keras: "kernel", "bias", "gamma", ...
  Shape shape;
  Role role = Role::other;
  std::string initializer = "zeros";  ///< name in core's table: "glorot_uniform", "ones", ...
};

/// The question that plan() answers.
struct PlanRequest {
  std::vector<Shape> inputs;  ///< with batch
  bool training = false;      ///< training mode of the Execution (Dropout decides by this alone)
  bool trainable = true;  ///< the layer's own flag (BatchNormalization trains only if both are set)
  bool parameter_gradients = false;
  bool input_gradients = false;
  /// The inputs are already padded by Window::pad_*: do not pad again. Then, for Fill::excluded,
  /// `full` holds height and width of the whole unpadded input and args.origins the place of each
  /// item in it.
  bool halo = false;
  int full_h = 0, full_w = 0;
  /// Zeros round input 0 that its tensor does not hold: the layer in between that would add them
  /// does not run. Only layers that set accepts_border are asked.
  Border border;
  /// Input 0 is what the 1x1 convolution before makes of `input`, and never comes to exist: the
  /// layer computes it on the way. Only layers that set accepts_expansion are asked, in inference.
  struct Expansion {
    Shape input;
    opencl::Epilogue epilogue;  ///< of the 1x1 convolution, its bias included
  };
  std::optional<Expansion> expansion;
  /// Stages that core would like to run in the layer's store; a layer that takes them sets
  /// accepts_epilogue.
  opencl::Epilogue epilogue;
};

/// The answer. A plan is data: no device is needed to make one.
struct LayerPlan {
  PlanRequest request;
  std::vector<Shape> outputs;
  std::vector<ParameterSpec> parameters;  ///< trainable, in Keras' order
  std::vector<ParameterSpec> states;      ///< not trained, in Keras' order (moving statistics)
  bool saves_inputs = false, saves_outputs = false;  ///< backward() reads them
  std::vector<Shape> saved;  ///< tensors of the layer's own that forward() writes for backward()
  double multiply_adds = 0;  ///< of forward
  bool in_place = false;     ///< output 0 may lie where input 0 lay
  bool strided_inputs = false,
       strided_outputs = false;  ///< pixel strides over the channels are understood
  bool accepts_epilogue = false;
  bool pads = false;  ///< output 0 is input 0 with zeros round it, as `window` says, and no more
  bool accepts_border = false;  ///< PlanRequest::border is understood
  bool expands = false;  ///< a convolution of single pixels without groups: output 0 is input 0
                         ///< times parameter 0, (1, 1, in, out), plus parameter 1 if there is one
  bool accepts_expansion = false;  ///< PlanRequest::expansion is understood
  bool concatenates = false;   ///< output 0 is the inputs side by side along the channels: core may
                               ///< let their producers write it
  bool differentiable = true;  ///< backward() exists
  Pointwise pointwise;
  Window window;
  Probability probability = Probability::none;
};

/// Where in a run a call stands; all randomness and nothing else comes from here.
struct RunContext {
  uint64_t seed = 0;
  uint32_t step = 0;
  uint32_t node = 0;       ///< set by core
  opencl::Buffer samples;  ///< int32 an item: global sample index; null: item i is sample i
};

/// A parameter or state, with a counter that grows when its values change: packed copies are redone
/// then.
struct Parameter {
  Tensor tensor;
  uint64_t version = 0;
  PackedCopies* copies = nullptr;  ///< of a parameter; null for states
};

struct ForwardArgs {
  std::span<const Tensor> inputs;
  std::span<const Tensor> outputs;
  std::span<const Parameter> parameters, states;
  std::span<const Tensor> saved;
  opencl::Buffer workspace;
  std::span<const opencl::Operand> epilogue;  ///< operands of the accepted stages
  /// Of an accepted expansion: its kernel, whose packed copies alone may be read, and the operands
  /// of its epilogue. inputs[0] is the expansion's.
  const Parameter* expansion_kernel = nullptr;
  std::span<const opencl::Operand> expansion_epilogue;
  opencl::Buffer origins;  ///< halo with Fill::excluded: int2 (y, x) an item
  RunContext run;
};

struct BackwardArgs {
  std::span<const Tensor> inputs, outputs;  ///< those that the plan saves; others are empty
  std::span<const Tensor> output_gradients;
  std::span<const Tensor> input_gradients;  ///< an empty tensor where none is wanted
  bool accumulate_inputs = false;           ///< add to input_gradients
  std::span<const Parameter> parameters, states;
  std::span<const Tensor> parameter_gradients;  ///< empty when none are wanted
  bool accumulate_parameters = false;
  std::span<const Tensor> saved;
  opencl::Buffer workspace;
  RunContext run;
};

/// A planned layer on a device, one per node and Execution. Both calls only enqueue; they never
/// wait and never allocate.
class OCELLUS_API LayerOp {
 public:
  virtual ~LayerOp();
  /// Scratch that one call needs; core shares one buffer among all nodes.
  virtual size_t workspace_bytes() const { return 0; }
  /// Parameters that the calls read packed copies of only (core/packed.hpp). Executions for
  /// inference give the parameter's own memory back, so its tensor may be empty.
  virtual std::vector<int> unread_parameters() const { return {}; }
  /// Names of the algorithms that were chosen, for headers and tests; empty where there is no
  /// choice.
  virtual std::string forward_algorithm() const { return {}; }
  virtual std::string backward_algorithm() const { return {}; }
  virtual void forward(opencl::Queue& queue, const ForwardArgs& args) = 0;
  /// Default: throws Error "has no backward pass"; a plan with differentiable = false never gets
  /// here.
  virtual void backward(opencl::Queue& queue, const BackwardArgs& args);
};

/// A layer type with its parameters: immutable, without a device, may stand at several nodes of a
/// graph.
class OCELLUS_API Layer {
 public:
  using Interface = Layer;
  static constexpr Kind kind = Kind::layer;
  virtual ~Layer();
  /// Pure. Throws ShapeError when the inputs do not fit. A layer that stands for an input of the
  /// network is planned without inputs and gives its output shape with batch 1.
  virtual LayerPlan plan(const PlanRequest& request) const = 0;
  /// Compiles the plan. Never called for plans with a pointwise trait; default throws Error.
  virtual std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const;
};

/// Throws ShapeError unless there are `count` inputs, the first of rank `rank` (0: any).
OCELLUS_API void expect_inputs(const PlanRequest& request, size_t count, int rank = 0);

}  // namespace ocellus
