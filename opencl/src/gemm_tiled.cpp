#include "gemm_algorithm.hpp"
#include "local_tile.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

/// Tiles in local and private memory, the epilogue in the store; any size, no workspace.
class GemmTiled : public GemmAlgorithm {
 public:
  GemmTiled(Device& device, const GemmProblem& problem, const Tile& tile)
      : p_(problem),
        tile_(tile),
        launches_(launches_for(device, 1.0 * problem.m * problem.n * problem.k)) {
    std::string options = tile_.options();
    if (!p_.transpose_a) options += " -DA_ALONG_K";
    if (p_.transpose_b) options += " -DB_ALONG_K";
    kernel_ = device.kernel(kernels::gemm_tiled_cl().with_preamble(generate(p_.epilogue)),
                            "gemm_tiled", options);
  }

  void run(Queue& queue, const Call& c) const override {
    Arguments args;
    args.add(p_.m).add(p_.n).add(p_.k);
    args.add(c.a.buffer).add(c.a.offset);
    args.add(p_.transpose_a ? 1u : c.a.stride).add(p_.transpose_a ? c.a.stride : 1u).add(0u);
    args.add(c.b.buffer).add(c.b.offset);
    args.add(p_.transpose_b ? 1u : c.b.stride).add(p_.transpose_b ? c.b.stride : 1u).add(0u);
    args.add(c.c.buffer).add(c.c.offset).add(c.c.stride).add(0u).add(p_.accumulate ? 1 : 0);
    append(args, p_.epilogue, c.epilogue);
    launch_tiles(kernel_, queue, tile_.range(p_.m, p_.n), args, launches_);
  }

 private:
  GemmProblem p_;
  Tile tile_;
  size_t launches_;
  Kernel kernel_;
};

std::unique_ptr<GemmAlgorithm> make_with_tile(Device& device, const GemmProblem& problem,
                                              const Tile& tile) {
  return std::make_unique<GemmTiled>(device, problem, tile);
}

std::unique_ptr<GemmAlgorithm> make(Device& device, const GemmProblem& problem) {
  return make_with_tile(device, problem, choose_tile(device, problem.m, problem.n));
}

}  // namespace

const GemmEntry kGemmTiled{"tiled",
                           [](const Device& device, const GemmProblem&) {
                             if (!fits_some_tile(device)) return 0;
                             return device.family() == KernelFamily::tiled ? 24 : 12;
                           },
                           make, make_with_tile};

}  // namespace ocellus::opencl
