#pragma once

#include <optional>
#include <vector>

#include "ocellus/core/network.hpp"
#include "ocellus/opencl/reduce.hpp"

namespace ocellus::training {

/// What the regularizers of a network's layers add to the loss, l1 sum |w| + l2 sum w^2, and its
/// gradient. As in Keras 3, frozen layers do not count. Reads the parameters where they lie: make
/// and measure it before an Execution gives memory of them back.
class Penalty {
 public:
  explicit Penalty(const Network& network);
  /// Whether there is none.
  bool empty() const { return terms_.empty(); }
  /// Computes the penalty of the present weights.
  void measure(opencl::Queue& queue);
  /// Adds what measure() found to each loss of a batch, f32 (batch).
  void add_to(opencl::Queue& queue, const Tensor& losses) const;
  /// gradients += l1 sign(w) + 2 l2 w
  void add_gradient(opencl::Queue& queue, const Arenas& gradients) const;

 private:
  struct Term {
    Tensor weights;
    int arena = 0;
    uint32_t offset = 0;  ///< of the gradient
    float l1 = 0, l2 = 0;
    uint32_t first_part = 0;
  };
  std::vector<Term> terms_;
  uint32_t length_ = 1;  ///< elements that a work-item adds up
  bool blocks_ = false;  ///< they are neighbours, as CPUs like it
  uint32_t parts_ = 0;
  opencl::Buffer part_sums_, penalty_, workspace_;
  std::optional<opencl::Reduce> sum_;
  opencl::Kernel measure_, add_, gradient_;
};

}  // namespace ocellus::training
