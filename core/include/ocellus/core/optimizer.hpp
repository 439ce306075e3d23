#pragma once

#include <memory>
#include <span>

#include "ocellus/core/arena.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus {

struct OptimizerArgs {
  const Arenas& values;
  const Arenas& gradients;
  std::span<const Arenas> slots;  ///< in the order of Optimizer::slots(), zero at iteration 1
  int64_t iteration = 1;          ///< counts from 1
  float learning_rate = 0;        ///< after the schedule
};

class OCELLUS_API OptimizerOp {
 public:
  virtual ~OptimizerOp();
  /// One pass over the arenas.
  virtual void step(opencl::Queue& queue, const OptimizerArgs& args) = 0;
};

/// Turns gradients into new values.
class OCELLUS_API Optimizer {
 public:
  using Interface = Optimizer;
  static constexpr Kind kind = Kind::optimizer;
  virtual ~Optimizer();
  virtual double learning_rate() const = 0;
  /// Names of the per-parameter tensors it keeps, as Keras names them ("momentum", "velocity").
  virtual std::vector<std::string> slots() const = 0;
  virtual std::unique_ptr<OptimizerOp> prepare(opencl::Device& device,
                                               const ArenaLayout& layout) const = 0;
};

/// A factor on the learning rate over time. Pure: resuming needs no state.
class OCELLUS_API Schedule {
 public:
  using Interface = Schedule;
  static constexpr Kind kind = Kind::schedule;
  virtual ~Schedule();
  /// `step` counts optimizer steps from 0; `total` steps of the whole training.
  virtual double factor(int64_t step, int64_t steps_per_epoch, int64_t total) const = 0;
};

}  // namespace ocellus
