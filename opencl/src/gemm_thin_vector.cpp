#include <algorithm>

#include "gemm_algorithm.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

constexpr int kRows = 8;   // more of them, and arithmetic counts as much as reading B
constexpr int kDepth = 8;  // DEPTH of the kernel
constexpr int kItems =
    4;  // work-items a compute unit: the slowest core does not hold up the others

int divide_up(int n, int by) { return (n + by - 1) / by; }
int round_up(int n, int to) { return divide_up(n, to) * to; }

/// Few rows of C: dense layers of small batches.
class GemmThinVector : public GemmAlgorithm {
 public:
  GemmThinVector(Device& device, const GemmProblem& problem) : p_(problem) {
    const KernelSource source = kernels::gemm_thin_vector_cl().with_preamble(generate(p_.epilogue));
    const std::string rows = "-DM=" + std::to_string(p_.m);
    const int items = kItems * static_cast<int>(device.info().compute_units);
    width_ = round_up(divide_up(p_.n, items), 16);
    if (p_.transpose_b) {
      turned_ = device.kernel(source, "gemm_thin_turned", rows + " -DTURNED");
      return;
    }
    partial_ = device.kernel(source, "gemm_thin_partial", rows);
    finish_ = device.kernel(source, "gemm_thin_finish", rows);
    depth_ = round_up(divide_up(p_.k, items), kDepth);
    items_ = divide_up(p_.k, depth_);
  }

  size_t workspace_bytes() const override {
    return sizeof(float) * items_ * p_.m * static_cast<size_t>(round_up(p_.n, 16));
  }

  void run(Queue& queue, const Call& c) const override {
    Arguments product, finish;
    product.add(p_.n).add(p_.k);
    for (const Operand& x : {c.a, c.b}) product.add(x.buffer).add(x.offset).add(x.stride);
    Arguments& last = p_.transpose_b ? product : finish;
    if (!p_.transpose_b) {
      product.add(c.workspace).add(depth_);
      partial_.launch(queue, {{size_t(items_), 1, 1}, {1, 1, 1}}, product);
      finish.add(p_.n).add(items_).add(c.workspace);
    }
    last.add(c.c.buffer).add(c.c.offset).add(c.c.stride).add(p_.accumulate ? 1 : 0).add(width_);
    append(last, p_.epilogue, c.epilogue);
    (p_.transpose_b ? turned_ : finish_)
        .launch(queue, {{size_t(divide_up(p_.n, width_)), 1, 1}, {1, 1, 1}}, last);
  }

 private:
  GemmProblem p_;
  int width_ = 16, depth_ = 0, items_ = 0;
  Kernel partial_, finish_, turned_;
};

}  // namespace

const GemmEntry kGemmThinVector{
    "thin",
    [](const Device& device, const GemmProblem& p) {
      if (p.m > kRows || p.transpose_a) return 0;
      if (device.family() != KernelFamily::vector) return 9;
      // Below, one launch is cheaper than two.
      return p.transpose_b || 1.0 * p.k * p.n >= 1 << 16 ? 21 : 19;
    },
    [](Device& device, const GemmProblem& problem) -> std::unique_ptr<GemmAlgorithm> {
      return std::make_unique<GemmThinVector>(device, problem);
    }};

}  // namespace ocellus::opencl
