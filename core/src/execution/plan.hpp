#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ocellus/core/execution.hpp"

namespace ocellus::execution {

/// Memory that tensors of a plan lie in, between the first step that writes it and the last that
/// reads it.
struct Storage {
  int64_t elements = 0;
  int first = -1, last = -1;  ///< steps, forward then backward; -1: never touched
  bool pinned = false;        ///< the caller's: feeds, fetches, seeds, wanted gradients
  int shares = -1;            ///< lies where that storage lies (in place)
};

/// Where a tensor lies. `storage` -1: it never comes to exist (fused away).
struct Place {
  int storage = -1;
  uint32_t offset = 0, pixel_stride = 0;
};

struct PlanTensor {
  NodeOutput source;
  Shape shape;  ///< with the execution's batch
  Place place;
  bool fed = false, fetched = false;
  bool saved = false;                          ///< a backward step reads it
  std::vector<std::pair<int, int>> consumers;  ///< (node, input index)
  bool has_gradient = false;
  Place gradient;
  int seed = -1;  ///< storage that the caller fills; -1: not a seed
};

/// A pointwise node that runs inside another's launch.
struct ChainStage {
  int node = -1;
  opencl::Stage stage;
  int operand = -1;  ///< tensor, for a merge
};

/// A 1x1 convolution that runs inside the launch of the layer behind it.
struct Expansion {
  int node = -1;
  std::vector<ChainStage> stages;
};

/// One launch of the forward pass: a layer's op with the stages it took, or a generated kernel for
/// a pointwise chain.
struct ForwardStep {
  int node = -1;  ///< head
  int last_node = -1;
  bool generated = false;
  std::vector<ChainStage> stages;
  std::optional<Expansion> expansion;
  std::vector<int> inputs;   ///< tensors of the head, or of the expansion
  std::vector<int> outputs;  ///< tensors: the head's, or the chain's last
  std::vector<int> saved;    ///< storages of the layer's own tensors
  LayerPlan plan;            ///< of the head
};

/// One launch on the way back.
struct BackwardStep {
  enum class Kind {
    seed,       ///< copies the caller's seed into the gradient of outputs[0]
    view,       ///< copies the gradient through an identity (where it could not be a view)
    pointwise,  ///< generated from the derivative, or from an override
    affine,     ///< dx = dy * scale
    op,
  };
  Kind kind = Kind::op;
  int node = -1;
  std::vector<int> inputs;  ///< tensor of each input whose gradient is wanted, else -1
  std::vector<int> outputs;
  std::vector<int> zero_first;   ///< tensors whose gradient is cleared before the launch
  std::vector<bool> accumulate;  ///< an input; for an op all are alike
  bool parameter_gradients = false, accumulate_parameters = false;
};

/// What an Execution does, worked out on the host without a device.
struct Plan {
  std::vector<int> nodes;  ///< that run, in order
  std::vector<PlanTensor> tensors;
  std::vector<std::vector<int>>
      outputs_of;              ///< network node -> tensors; empty: not part of this execution
  std::vector<bool> absorbed;  ///< network node -> its reader adds the zeros that it would add
  std::vector<LayerPlan> node_plans;  ///< by network node
  std::vector<Storage> storages;
  std::vector<ForwardStep> forward;
  std::vector<BackwardStep> backward;
  std::vector<int> feeds, fetches, seeds, gradients;  ///< tensors

  int input(const Network& network, int node, size_t index) const;
};

/// Throws UsageError for unknown tensors, ShapeError where feeds do not fit, Error where gradients
/// are wanted through a layer that has no backward pass (naming it). Incremental evaluation wants
/// concatenations and paddings as steps of their own.
Plan make_plan(const Network& network, const ExecutionOptions& options, bool absorb = true);

/// A place for each storage in as few bytes as a greedy fit, largest first, finds.
struct MemoryPlan {
  std::vector<int> slot;  ///< storage -> slot; -1: none
  std::vector<int64_t> slot_elements;
};
MemoryPlan plan_memory(const std::vector<Storage>& storages);

}  // namespace ocellus::execution
