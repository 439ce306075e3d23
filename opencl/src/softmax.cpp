#include "ocellus/opencl/softmax.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "matrix.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {

struct Softmax::State {
  int rows, columns;
  uint32_t chunk_rows = 1;
  Range range = {};
  Kernel forward = {}, forward_log = {}, backward = {};

  Arguments arguments(const Operand& x, const Operand& y) const {
    Arguments a;
    a.add(int32_t{rows}).add(int32_t{columns}).add(chunk_rows);
    return a.add(x.buffer).add(x.offset).add(x.stride).add(y.buffer).add(y.offset).add(y.stride);
  }
};

Softmax::Softmax(Device& device, int rows, int columns) : state_(new State{rows, columns}) {
  if (rows < 0 || columns < 1)
    throw Error(fmt::format("no softmax over a matrix of {} x {}", rows, columns));
  State& s = *state_;
  if (device.family() == KernelFamily::vector) {
    s.chunk_rows = std::max(1, std::min(512 / columns, rows / 8));
    s.range.global[0] = (rows + s.chunk_rows - 1) / s.chunk_rows;
  } else {
    s.range.local[0] = group_size(device);
    s.range.global[0] = rows * s.range.local[0];
  }
  // A kernel is compiled when it is first launched, so the two that a plan never uses cost nothing.
  s.forward = device.kernel(kernels::softmax_cl(), "softmax_forward", family_options(device));
  s.forward_log =
      device.kernel(kernels::softmax_cl(), "softmax_forward_log", family_options(device));
  s.backward = device.kernel(kernels::softmax_cl(), "softmax_backward", family_options(device));
}
Softmax::~Softmax() = default;
Softmax::Softmax(Softmax&&) noexcept = default;

void Softmax::forward(Queue& queue, const Operand& x, const Operand& y) const {
  state_->forward.launch(queue, state_->range, state_->arguments(x, y));
}

void Softmax::forward_log(Queue& queue, const Operand& x, const Operand& y) const {
  state_->forward_log.launch(queue, state_->range, state_->arguments(x, y));
}

void Softmax::backward(Queue& queue, const Operand& y, const Operand& dy, const Operand& dx,
                       bool accumulate) const {
  Arguments a = state_->arguments(y, dx);
  a.add(dy.buffer).add(dy.offset).add(dy.stride).add(int32_t{accumulate});
  state_->backward.launch(queue, state_->range, a);
}

}  // namespace ocellus::opencl
