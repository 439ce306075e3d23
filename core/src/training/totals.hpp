#pragma once

#include <vector>

#include "ocellus/core/json.hpp"
#include "ocellus/core/tensor.hpp"

namespace ocellus::training {

/// Weighted sums over the items of an epoch, kept on the device: the host looks only now and then.
/// Value 0 is the loss.
class Totals {
 public:
  Totals(opencl::Device& device, int values, int batch);
  /// Where the values of a batch go: (batch), value v.
  Tensor values(int v) const;
  void clear(opencl::Queue& queue);
  /// Adds the first `count` items of values() and of the weights. `step` is what
  /// Sums::first_bad_step names.
  void add(opencl::Queue& queue, const Tensor& weights, int count, int64_t step);

  struct Sums {
    std::vector<double> means;    ///< a value; 0 while there are no items
    int64_t first_bad_step = -1;  ///< of the first loss that was not finite
  };
  Sums read(opencl::Queue& queue) const;  ///< waits
  /// All bits, for a checkpoint, and back.
  Json save(opencl::Queue& queue) const;
  void restore(opencl::Queue& queue, const Json& saved);

 private:
  std::vector<float> raw(opencl::Queue& queue) const;
  int rows_, batch_;
  opencl::Buffer values_, totals_;
  opencl::Kernel add_;
};

}  // namespace ocellus::training
