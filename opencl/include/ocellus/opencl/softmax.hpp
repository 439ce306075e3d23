#pragma once

#include <memory>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// Softmax over the columns of a matrix of rows x columns, shifted by the row's maximum.
class OCELLUS_API Softmax {
 public:
  Softmax(Device& device, int rows, int columns);
  ~Softmax();
  Softmax(Softmax&&) noexcept;
  void forward(Queue& queue, const Operand& x, const Operand& y) const;
  /// y = x - log(sum(exp(x))), stable.
  void forward_log(Queue& queue, const Operand& x, const Operand& y) const;
  /// dx = y * (dy - sum(dy * y)), or added to dx.
  void backward(Queue& queue, const Operand& y, const Operand& dy, const Operand& dx,
                bool accumulate = false) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
