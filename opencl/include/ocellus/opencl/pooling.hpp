#pragma once

#include <memory>

#include "ocellus/opencl/axis.hpp"
#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// Pooling over windows, channel by channel; x (batch, h.in, w.in, channels), y (batch, h.out,
/// w.out, channels). max: padding is -infinity. average: padding is left out of sum and count, as
/// Keras and TensorFlow do.
struct PoolingProblem {
  enum class Mode { max, average };
  Mode mode = Mode::max;
  int batch = 1, channels = 1;
  Axis h, w;
  bool accumulate = false;  ///< backward
  /// When not 0: the items are windows of a larger image of full_h x full_w pixels, whose origin
  /// (y, x) of input pixel (0, 0) of each item comes in `origins` (int2 an item); input pixels
  /// outside the full image count as padding (average) .
  int full_h = 0, full_w = 0;
};

class OCELLUS_API Pooling {
 public:
  Pooling(Device& device, const PoolingProblem& problem);
  ~Pooling();
  Pooling(Pooling&&) noexcept;
  void forward(Queue& queue, const Operand& x, const Operand& y, const Buffer& origins = {}) const;
  /// The gradient of a maximum goes to the first of equal elements. x and y are needed for max
  /// only.
  void backward(Queue& queue, const Operand& x, const Operand& y, const Operand& dy,
                const Operand& dx) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
