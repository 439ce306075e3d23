#include "gemm_algorithm.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "vector_tile.hpp"

namespace ocellus::opencl {
namespace {

/// From so many rows on, B is put into strips once instead of by each block of rows.
constexpr int kPackFrom = 8 * VectorTile::kPanelRows;

class GemmVector : public GemmAlgorithm {
 public:
  GemmVector(Device& device, const GemmProblem& problem)
      : p_(problem), tile_(VectorTile::of(device, problem.n)) {
    std::string options = tile_.options();
    if (p_.transpose_a) options += " -DTRANSPOSE_A";
    if (p_.transpose_b) options += " -DTRANSPOSE_B";
    if (!p_.transpose_a) options += " -DTURN_A";
    packs_ = p_.m >= kPackFrom && !p_.transpose_b;
    if (packs_) {
      options += " -DPACKED_B";
      pack_ = device.kernel(kernels::convolution_pack_cl(), "convolution_pack");
    }
    kernel_ = device.kernel(kernels::gemm_vector_cl().with_preamble(generate(p_.epilogue)),
                            "gemm_vector", options);
    rows_ = (p_.m + tile_.rows - 1) / tile_.rows;
    columns_ = (p_.n + tile_.columns() - 1) / tile_.columns();
    const int units = static_cast<int>(device.info().compute_units);
    split_ = VectorSplit::best(1, rows_, columns_, units, tile_.panels(),
                               p_.k * tile_.rows * tile_.vectors, p_.k * 6.0,
                               p_.k * (p_.transpose_b ? 20.0 : 8.0));
  }

  size_t workspace_bytes() const override {
    return packs_ ? sizeof(float) * p_.k * columns_ * tile_.columns() : 0;
  }

  void run(Queue& queue, const Call& c) const override {
    if (packs_)
      pack_(queue, {{size_t(columns_), 1, 1}, {1, 1, 1}}, p_.k, p_.n, static_cast<int>(c.b.stride),
            tile_.columns(), c.b.buffer, c.b.offset, c.workspace);
    const Operand b = packs_ ? Operand{c.workspace, 0, 0} : c.b;
    Arguments args;
    args.add(p_.m).add(p_.n).add(p_.k);
    for (const Operand& x : {c.a, b, c.c}) args.add(x.buffer).add(x.offset).add(x.stride).add(0u);
    args.add(p_.accumulate ? 1 : 0)
        .add(split_.height * tile_.rows)
        .add(split_.width * tile_.columns());
    append(args, p_.epilogue, c.epilogue);
    const auto items = [](int n, int each) { return static_cast<size_t>((n + each - 1) / each); };
    kernel_.launch(
        queue, {{items(columns_, split_.width), items(rows_, split_.height), 1}, {1, 1, 1}}, args);
  }

 private:
  GemmProblem p_;
  VectorTile tile_;
  int rows_, columns_;  ///< tiles
  VectorSplit split_;
  bool packs_;
  Kernel kernel_, pack_;
};

}  // namespace

const GemmEntry kGemmVector{
    "vector",
    [](const Device& device, const GemmProblem&) {
      return device.family() == KernelFamily::vector ? 20 : 10;
    },
    [](Device& device, const GemmProblem& problem) -> std::unique_ptr<GemmAlgorithm> {
      return std::make_unique<GemmVector>(device, problem);
    }};

}  // namespace ocellus::opencl
