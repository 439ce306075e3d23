#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ocellus/core/arena.hpp"
#include "ocellus/core/layer.hpp"
#include "ocellus/core/model_document.hpp"

namespace ocellus {

/// Output `output` of node `node`.
struct NodeOutput {
  int node = -1;
  int output = 0;
  bool operator==(const NodeOutput&) const = default;
  auto operator<=>(const NodeOutput&) const = default;
};

/// A layer of a network: parameters. Layers that core made from an `activation` parameter have
/// record = -1.
struct NetworkLayer {
  std::string name, type;
  int record = -1;  ///< index into graph().layers
  std::shared_ptr<const Layer> layer;
  bool trainable = true;
  LayerPlan plan;             ///< for its first call, batch 1, inference
  std::vector<int> segments;  ///< of its parameters, in the arena layout
  std::vector<int> states;    ///< indices into states
};

/// One call of a layer. Its output tensor is named like the layer ("conv1"; the second call
/// "conv1:1"; further outputs "name#1"). Where a layer had an activation, "conv1" is the activated
/// output and "conv1/linear" what goes into it.
struct NetworkNode {
  std::string name;
  int layer = -1;  ///< -1: an input of the network
  std::vector<NodeOutput> inputs;
  std::vector<Shape> outputs;  ///< with batch 1
};

/// Where place() puts the parameters.
enum class Placement {
  arenas,  ///< few large buffers, which an optimizer passes over: for training
  apart,   ///< a buffer each. What only packed copies of it are read of, and can be read again from
           ///< the file it came from, leaves the device: for inference
};

/// A graph with its parameters and states. Built on the host; place() gives it a device. Nodes are
/// in topological order.
class OCELLUS_API Network {
 public:
  /// Checks everything: unknown layers (PluginError), misspelt parameters (UsageError), shapes
  /// (ShapeError), each naming the layer.
  Network(const Registry& registry, const GraphRecord& graph);
  /// Graph and weights; throws DataError when they do not fit, naming layer and both shapes.
  Network(const Registry& registry, const ModelDocument& document);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const GraphRecord& graph() const;
  const std::vector<NetworkLayer>& layers() const;
  const std::vector<NetworkNode>& nodes() const;
  const std::vector<NodeOutput>& inputs() const;
  const std::vector<NodeOutput>& outputs() const;
  /// Tensor by name; throws UsageError with the nearest known name.
  NodeOutput tensor(std::string_view name) const;
  std::string tensor_name(NodeOutput t) const;
  const Shape& shape(NodeOutput t) const;  ///< with batch 1
  /// Input of the final softmax or sigmoid, else the output itself; and which it was.
  NodeOutput logits(Probability* which = nullptr) const;
  int64_t parameter_count() const;  ///< parameters and states, as Keras counts
  double multiply_adds() const;     ///< of one item

  // Parameters live in arenas on the device once place() was called; before that, in host copies.
  const ArenaLayout& layout() const;
  /// Initializes what has no values yet from `seed`, and uploads all.
  /// A network that has been placed moves, with the values that it has.
  void place(std::shared_ptr<opencl::Device> device, uint64_t seed = 0,
             Placement placement = Placement::arenas);
  opencl::Device& device() const;  ///< throws Error before place()
  std::shared_ptr<opencl::Device> shared_device() const;
  const Arenas& values() const;
  /// Parameters, and states, of layer l as ops take them. A parameter whose memory was given back
  /// returns to the device, but not those of the indices `unread`, whose tensors have no memory.
  std::vector<Parameter> parameters(int layer, std::span<const int> unread = {}) const;
  std::vector<Parameter> states(int layer) const;
  /// Gives the memory of parameter `index` of a layer back, where that loses nothing
  /// (Placement::apart, values as the file has them) and tells whether it did.
  bool release(int layer, int index);
  /// Call after values, or states, were changed on the device: packed copies are redone.
  void touch();
  void touch_states();
  /// Grows with either.
  uint64_t version() const;

  /// Freezes or frees a layer by name; takes effect in Executions made later. Throws UsageError for
  /// an unknown name.
  void set_trainable(std::string_view layer, bool trainable);
  /// Host copies of all weights, in Keras' order, and back.
  std::vector<WeightsRecord> read_weights() const;
  void write_weights(const std::vector<WeightsRecord>& weights);

  // What travels with a model.
  std::vector<std::string> classes;
  std::optional<Preprocessing> preprocessing;
  std::vector<std::string> warnings;

  /// Everything back into a document (without optimizer and training state).
  ModelDocument document() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace ocellus
