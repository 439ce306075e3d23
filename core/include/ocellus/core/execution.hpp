#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/core/network.hpp"

namespace ocellus {

/// Replaces the backward rule of pointwise nodes: "guided backpropagation" and "deconvnet" are
/// rules on ReLU nodes. An expression over dy, y and x, valid for float and floatN: "dy > 0.0f && y
/// > 0.0f ? dy : (T)(0.0f)" is written with select-free products: "fmax(dy, 0.0f) * (y > 0.0f ?
/// (T)(1.0f) : (T)(0.0f))".
struct BackwardOverride {
  std::string expression;
  bool needs_x = false, needs_y = false;
};

struct ExecutionOptions {
  int batch = 1;
  std::vector<std::string> feeds;    ///< tensor names; empty: the network's inputs
  std::vector<Shape> feed_shapes;    ///< without batch, one a feed; empty: as the network was built
  std::vector<std::string> fetches;  ///< tensor names; empty: the network's outputs
  bool training = false;             ///< training mode: dropout drops, batch norm uses the batch
  bool parameter_gradients = false;
  std::vector<std::string> gradients;  ///< tensors whose gradient is wanted
  std::vector<std::string>
      seeds;  ///< tensors that gradients start from (must be fetched or fed); empty: all fetches
  std::map<std::string, BackwardOverride> overrides;  ///< by node name
  bool fuse = true;
  /// Processors may compute two halves of a batch side by side, where only values are wanted.
  bool halves = true;
};

namespace execution {
class Halves;
}

/// A network compiled for one set of feeds, fetches, shapes and mode: memory plan, fusion, kernels.
/// Any tensor may be fed or fetched; a fetched tensor survives fusion and the reuse of buffers.
/// Inference mode with gradients is legal.
///     Execution run(network, {.batch = 8, .fetches = {"conv5"}});
///     upload(queue, images, run.feed());
///     run.forward();
///     Array a = download(queue, run.fetch("conv5"));
/// Work is enqueued on the device's compute queue; nothing waits.
class OCELLUS_API Execution {
 public:
  Execution(Network& network, ExecutionOptions options);
  ~Execution();
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  const ExecutionOptions& options() const;
  /// Tensors that the caller fills before forward(); they keep their contents.
  Tensor feed(size_t index = 0) const;
  Tensor feed(std::string_view name) const;
  Tensor fetch(size_t index = 0) const;
  Tensor fetch(std::string_view name) const;
  void forward(const RunContext& run = {});

  /// Gradient of a seed tensor, to be filled before backward(); all zeros at first.
  Tensor seed(size_t index = 0) const;
  /// Runs all the way back. Parameter gradients go to `parameter_gradients` (the network's arena
  /// layout; overwritten).
  void backward(const Arenas* parameter_gradients = nullptr);
  /// Result of backward() for one of options.gradients.
  Tensor gradient(size_t index = 0) const;
  Tensor gradient(std::string_view name) const;

  /// Device memory that this execution holds by itself, bytes.
  size_t memory() const;
  /// What runs, a line a step: "conv1 + bn1 + relu1: Conv2D forward, winograd4", for headers and
  /// tests.
  std::vector<std::string> steps() const;

 private:
  friend class execution::Halves;
  struct State;

  size_t feed_count() const;
  size_t fetch_count() const;
  size_t feed_index(std::string_view name) const;
  size_t fetch_index(std::string_view name) const;
  void forward(opencl::Queue& queue, const RunContext& run);
  State& with_gradients() const;

  std::unique_ptr<State> state_;  ///< null where halves_ do the work
  std::unique_ptr<execution::Halves> halves_;
};

}  // namespace ocellus
