#include "ocellus/opencl/pooling.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "matrix.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

void check(const char* name, const Axis& a) {
  if (a.in < 1 || a.out < 1 || a.kernel < 1 || a.stride < 1 || a.dilation < 1 || a.pad_before < 0)
    throw Error(fmt::format(
        "pooling cannot take {} = (in {}, out {}, kernel {}, stride {}, dilation {}, padding {})",
        name, a.in, a.out, a.kernel, a.stride, a.dilation, a.pad_before));
}

/// Each input pixel lies in exactly one window.
bool exact(const Axis& a) {
  return a.kernel == a.stride && a.dilation == 1 && a.pad_before == 0 && a.out * a.stride == a.in;
}

}  // namespace

struct Pooling::State {
  PoolingProblem problem;
  std::string options = {};
  Kernel forward = {}, backward = {};  ///< the latter compiled when somebody goes back
};

Pooling::Pooling(Device& device, const PoolingProblem& problem) : state_(new State{problem}) {
  const Axis &h = problem.h, &w = problem.w;
  check("h", h);
  check("w", w);
  if (problem.batch < 0 || problem.channels < 1)
    throw Error(fmt::format("pooling cannot take a batch of {} with {} channels", problem.batch,
                            problem.channels));
  std::string& options = state_->options;
  options = family_options(device);
  options +=
      fmt::format(" -DKH={} -DKW={} -DSH={} -DSW={} -DDH={} -DDW={} -DPH={} -DPW={}", h.kernel,
                  w.kernel, h.stride, w.stride, h.dilation, w.dilation, h.pad_before, w.pad_before);
  if (problem.mode == PoolingProblem::Mode::max) options += " -DMAX";
  if (exact(h) && exact(w)) options += " -DEXACT";
  state_->forward = device.kernel(kernels::pooling_cl(), "pool_forward", options);
}
Pooling::~Pooling() = default;
Pooling::Pooling(Pooling&&) noexcept = default;

void Pooling::forward(Queue& queue, const Operand& x, const Operand& y,
                      const Buffer& origins) const {
  const PoolingProblem& p = state_->problem;
  if (origins && (p.full_h == 0 || p.full_w == 0))
    throw Error("pooling of windows needs full_h and full_w");
  const MatrixSplit s = split_matrix(queue.device(), size_t(p.batch) * p.h.out * p.w.out,
                                     p.channels, size_t(p.h.kernel) * p.w.kernel);
  Arguments a;
  s.append(a);
  a.add(x.buffer).add(x.offset).add(x.stride).add(y.buffer).add(y.offset).add(y.stride);
  a.add(p.h.in).add(p.w.in).add(p.h.out).add(p.w.out).add(origins).add(p.full_h).add(p.full_w);
  state_->forward.launch(queue, s.range, a);
}

void Pooling::backward(Queue& queue, const Operand& x, const Operand& y, const Operand& dy,
                       const Operand& dx) const {
  const PoolingProblem& p = state_->problem;
  Arguments a;
  Range range;
  if (queue.device().family() == KernelFamily::vector) {
    // Rows of windows that share no input row are split up, otherwise channels: two work-items
    // never touch one pixel.
    const bool rows_apart = p.h.stride >= p.h.extent();
    const uint32_t block_y = rows_apart ? 1 : p.h.out, block_c = rows_apart ? p.channels : 32;
    range.global = {(p.channels + block_c - 1) / block_c, (p.h.out + block_y - 1) / block_y,
                    static_cast<size_t>(p.batch)};
    a.add(p.channels).add(block_y).add(block_c);
  } else {
    const MatrixSplit s =
        split_matrix(queue.device(), size_t(p.batch) * p.h.in * p.w.in, p.channels);
    range = s.range;
    s.append(a);
  }
  for (const Operand* o : {&x, &y, &dy, &dx}) a.add(o->buffer).add(o->offset).add(o->stride);
  a.add(p.h.in).add(p.w.in).add(p.h.out).add(p.w.out).add(int32_t{p.accumulate});
  if (!state_->backward)
    state_->backward = queue.device().kernel(kernels::pooling_cl(), "pool_backward",
                                             state_->options + " -DBACKWARD");
  state_->backward.launch(queue, range, a);
}

}  // namespace ocellus::opencl
