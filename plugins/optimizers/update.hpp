#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/core/optimizer.hpp"
#include "ocellus/core/registry.hpp"

namespace ocellus::optimizers {

/// Decoupled weight decay (Loshchilov and Hutter, ICLR 2019): v -= weight_decay * learning rate *
/// v. Keras' rule is the default: all that is trained decays, biases and scales too.
struct Decay {
  double weight_decay = 0;
  bool decay_kernels_only = false;
};
template <class P>
void add_decay(Parameters<P>& p) {
  p.add("weight_decay", static_cast<double P::*>(&P::weight_decay),
        "part of each trained weight, times the learning rate, that a step takes away")
      .min(0);
  p.add("decay_kernels_only", static_cast<bool P::*>(&P::decay_kernels_only),
        "weight_decay spares biases and scales, which it takes from too in Keras");
}

/// An optimizer that is one kernel of optimizers.cl, launched once a run of the arenas.
struct Update {
  std::string kernel;
  std::string options;            ///< -D of the kernel
  std::vector<double> constants;  ///< its last arguments
  Decay decay;
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
