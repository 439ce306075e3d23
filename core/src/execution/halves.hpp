#pragma once

#include "ocellus/core/execution.hpp"

namespace ocellus::execution {

/// One inference as two of half the batch, side by side on two queues. On a processor a launch ends
/// when its slowest core does, and the next one begins when the others have woken; with two
/// independent chains the cores that wait have the other half's work.
class Halves {
 public:
  /// Whether that is how to run these options: batches of four and more of forward passes alone.
  static bool suit(Network& network, const ExecutionOptions& options);

  Halves(Network& network, const ExecutionOptions& options);

  /// The whole batch's tensors, and what they are called in either half.
  const std::vector<Tensor>& feeds() const { return feeds_; }
  const std::vector<Tensor>& fetches() const { return fetches_; }
  const Execution& first() const { return *first_; }
  const ExecutionOptions& options() const { return options_; }

  /// As seen from the compute queue: after what was enqueued there, before what will be.
  void forward(const RunContext& run);
  size_t memory() const;

 private:
  enum class Direction { in, out };
  void copy(Direction direction) const;

  Network& network_;
  ExecutionOptions options_;
  std::unique_ptr<Execution> first_, second_;
  std::vector<Tensor> feeds_, fetches_;
  size_t memory_ = 0;     ///< of feeds_ and fetches_
  uint64_t settled_ = 0;  ///< the version of the weights that both halves have run with
};

}  // namespace ocellus::execution
