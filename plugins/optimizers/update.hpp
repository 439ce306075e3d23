#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/core/optimizer.hpp"

namespace ocellus::optimizers {

/// An optimizer that is one kernel of optimizers.cl, launched once a run of the arenas.
struct Update {
  std::string kernel;
  std::string options;            ///< -D of the kernel
  std::vector<double> constants;  ///< its last arguments
  double weight_decay =
      0;  ///< share of a decaying value taken away a step, times the learning rate
  std::function<double(int64_t iteration)> correction;  ///< factor on the learning rate; empty: 1
};
std::unique_ptr<OptimizerOp> make_update(opencl::Device& device, const ArenaLayout& layout,
                                         Update update);

// Each file registers the types that it holds.
void register_sgd(Registrar& r);
void register_adam(Registrar& r);
void register_rmsprop(Registrar& r);
void register_schedules(Registrar& r);

}  // namespace ocellus::optimizers
