#define CL_TARGET_OPENCL_VERSION 120  // clblast.h includes CL/cl.h before our headers do
#include <clblast.h>
#include <fmt/format.h>

#include <algorithm>

#include "gemm_algorithm.hpp"
#include "local_tile.hpp"
#include "matrix.hpp"
#include "ocellus/opencl/profiler.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

void check_clblast(clblast::StatusCode status, const char* what) {
  if (status != clblast::StatusCode::kSuccess)
    throw DeviceError(
        fmt::format("CLBlast: {} failed with status {}", what, static_cast<int>(status)));
}

clblast::Transpose transposed(bool yes) {
  return yes ? clblast::Transpose::kYes : clblast::Transpose::kNo;
}

/// CLBlast's product, with our epilogue as a launch of its own behind it.
class GemmClblast : public GemmAlgorithm {
 public:
  GemmClblast(Device& device, const GemmProblem& problem)
      : p_(problem),
        group_(group_size(device)),
        launches_(launches_for(device, 1.0 * problem.m * problem.n * problem.k)) {
    // Row distances and offsets come with each call; these make CLBlast count a padded copy of
    // every matrix.
    cl_command_queue queue = device.compute().handle();
    check_clblast(
        clblast::GemmTempBufferSize<float>(
            clblast::Layout::kRowMajor, transposed(p_.transpose_a), transposed(p_.transpose_b),
            p_.m, p_.n, p_.k, 1, (p_.transpose_a ? p_.m : p_.k) + 1, 1,
            (p_.transpose_b ? p_.k : p_.n) + 1, 1, p_.n + 1, &queue, workspace_),
        "GemmTempBufferSize");
    if (!p_.epilogue.empty())
      epilogue_ = device.kernel(kernels::gemm_epilogue_cl().with_preamble(generate(p_.epilogue)),
                                "gemm_epilogue", fmt::format("-DGROUP={}", group_));
  }

  size_t workspace_bytes() const override { return workspace_; }

  void run(Queue& queue, const Call& c) const override {
    for (const Buffer* b : {&c.a.buffer, &c.b.buffer, &c.c.buffer}) queue.touch(*b);
    if (c.workspace) queue.touch(c.workspace);
    const int rows = std::max(1, p_.m / static_cast<int>(std::min<size_t>(launches_, p_.m)));
    for (int row = 0; row < p_.m; row += rows) multiply(queue, c, row, std::min(rows, p_.m - row));
    if (p_.epilogue.empty()) return;
    Arguments args;
    args.add(p_.m).add(p_.n).add(c.c.buffer).add(c.c.offset).add(c.c.stride);
    append(args, p_.epilogue, c.epilogue);
    epilogue_.launch(queue, Range::of(size_t(p_.m) * p_.n, group_), args);
  }

 private:
  /// Rows [row, row + rows) of C.
  void multiply(Queue& queue, const Call& c, int row, int rows) const {
    cl_command_queue handle = queue.handle();
    cl_event event = nullptr;
    const bool profile = queue.device().profiler().enabled();
    check_clblast(
        clblast::Gemm(clblast::Layout::kRowMajor, transposed(p_.transpose_a),
                      transposed(p_.transpose_b), rows, p_.n, p_.k, 1.0f, c.a.buffer.handle(),
                      c.a.offset + size_t(row) * (p_.transpose_a ? 1 : c.a.stride), c.a.stride,
                      c.b.buffer.handle(), c.b.offset, c.b.stride, p_.accumulate ? 1.0f : 0.0f,
                      c.c.buffer.handle(), c.c.offset + size_t(row) * c.c.stride, c.c.stride,
                      &handle, profile ? &event : nullptr,
                      workspace_ ? c.workspace.handle() : nullptr),
        "Gemm");
    if (event) queue.device().profiler().record(queue.label(), "gemm", "clblast", event);
  }

  GemmProblem p_;
  size_t group_, launches_;
  size_t workspace_ = 0;
  Kernel epilogue_;
};

}  // namespace

const GemmEntry kGemmClblast{
    "clblast",
    [](const Device& device, const GemmProblem&) {
      return device.family() == KernelFamily::tiled ? 25 : 11;
    },
    [](Device& device, const GemmProblem& problem) -> std::unique_ptr<GemmAlgorithm> {
      return std::make_unique<GemmClblast>(device, problem);
    }};

}  // namespace ocellus::opencl
