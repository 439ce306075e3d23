#include "gemm_algorithm.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

class GemmNaive : public GemmAlgorithm {
 public:
  GemmNaive(Device& device, const GemmProblem& problem)
      : p_(problem),
        kernel_(device.kernel(kernels::gemm_naive_cl().with_preamble(generate(problem.epilogue)),
                              "gemm_naive")) {}

  void run(Queue& queue, const Call& c) const override {
    Arguments args;
    args.add(p_.m).add(p_.n).add(p_.k);
    args.add(c.a.buffer).add(c.a.offset);
    args.add(p_.transpose_a ? 1u : c.a.stride).add(p_.transpose_a ? c.a.stride : 1u);
    args.add(c.b.buffer).add(c.b.offset);
    args.add(p_.transpose_b ? 1u : c.b.stride).add(p_.transpose_b ? c.b.stride : 1u);
    args.add(c.c.buffer).add(c.c.offset).add(c.c.stride).add(p_.accumulate ? 1 : 0);
    append(args, p_.epilogue, c.epilogue);
    kernel_.launch(queue, Range::of(size_t(p_.m) * p_.n, 64), args);
  }

 private:
  GemmProblem p_;
  Kernel kernel_;
};

}  // namespace

const GemmEntry kGemmNaive{
    "naive", [](const Device&, const GemmProblem&) { return 1; },
    [](Device& device, const GemmProblem& problem) -> std::unique_ptr<GemmAlgorithm> {
      return std::make_unique<GemmNaive>(device, problem);
    }};

}  // namespace ocellus::opencl
