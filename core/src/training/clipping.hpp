#pragma once

#include <vector>

#include "ocellus/core/arena.hpp"
#include "ocellus/opencl/reduce.hpp"

namespace ocellus::training {

/// Scales all gradients down so that their common norm is at most `norm` (Pascanu, Mikolov, Bengio,
/// ICML 2013).
class Clipping {
 public:
  Clipping(opencl::Device& device, const ArenaLayout& layout, double norm);
  void run(opencl::Queue& queue, const Arenas& gradients);

 private:
  float norm_;
  std::vector<uint32_t> elements_;
  std::vector<opencl::Reduce> squares_;  ///< an arena
  opencl::Buffer sums_, workspace_;
  opencl::Kernel clip_;
};

}  // namespace ocellus::training
