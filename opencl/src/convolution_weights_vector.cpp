#include <fmt/format.h>

#include "convolution_algorithm.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "vector_tile.hpp"

namespace ocellus::opencl {
namespace {

/// Private floats for sums, and for lines of x: together with the tile of dy they stay within a
/// second-level cache.
constexpr int kMaxSums = 16 << 10, kMaxLines = 32 << 10;
constexpr int kPixels = 128;  ///< that a tile of sums should see before it is saved again

struct Layout {
  VectorTile tile;
  int slots = 1;                    ///< channels of a work-item
  int pixels = 0;                   ///< of a line
  int block = 1;                    ///< output rows at a time
  int sums = 0, lines = 0, dy = 0;  ///< floats
};

Layout layout_of(const Device& device, const ConvolutionProblem& p) {
  const auto up = [](int a, int b) { return (a + b - 1) / b; };
  const int group_in = p.in_channels / p.groups, taps = p.h.kernel * p.w.kernel;
  Layout l;
  l.tile = VectorTile::of(device, p.out_channels / p.groups);
  l.pixels = (p.w.out - 1) * p.w.stride + p.w.extent();
  const int most = std::max(
      1, std::min(kMaxSums / (taps * l.tile.columns()), kMaxLines / (p.h.kernel * l.pixels)));
  l.slots = up(group_in, up(group_in, most));
  const int runs = p.w.dilation == 1 ? 1 : p.w.kernel;
  const int run = taps / p.h.kernel / runs * l.slots;
  l.tile.split_rows(run);
  l.sums = p.h.kernel * runs * up(run, l.tile.rows) * l.tile.rows * l.tile.columns();
  const int line = p.h.kernel * l.pixels * l.slots;
  l.block = std::clamp(std::min(kPixels / p.w.out, kMaxLines / line), 1, p.h.out);
  l.lines = l.block * line + l.tile.rows;
  l.dy = l.block * p.w.out * l.tile.columns();
  return l;
}

class ConvolutionWeightsVector : public ConvolutionAlgorithm {
 public:
  ConvolutionWeightsVector(Device& device, const ConvolutionProblem& problem)
      : p_(problem), l_(layout_of(device, problem)) {
    const KernelSource& source = kernels::convolution_weights_vector_cl();
    const std::string options = fmt::format(
        "{} -DSLOTS={} -DW_STRIDE={} -DW_DILATION={} -DLINES={} -DDY={} -DSUMS={} -DBLOCK={}",
        l_.tile.options(), l_.slots, p_.w.stride, p_.w.dilation, l_.lines, l_.dy, l_.sums,
        l_.block);
    kernel_ = device.kernel(source, "convolution_weights_vector", options);
    columns_ = (p_.out_channels / p_.groups + l_.tile.columns() - 1) / l_.tile.columns();
    slices_ = (p_.in_channels / p_.groups + l_.slots - 1) / l_.slots;

    // As many partial sums as it takes to occupy the cores, of equal length.
    const int blocks = p_.batch * ((p_.h.out + l_.block - 1) / l_.block);
    const int units = static_cast<int>(device.info().compute_units);
    const int wanted = std::clamp(4 * units / (columns_ * slices_ * p_.groups), 1, blocks);
    blocks_each_ = (blocks + wanted - 1) / wanted;
    runs_ = (blocks + blocks_each_ - 1) / blocks_each_;
    if (runs_ > 1) sum_ = device.kernel(source, "sum_partial", options);
  }

  size_t workspace_bytes() const override {
    return runs_ > 1 ? sizeof(float) * runs_ * weights() : 0;
  }

  void run(Queue& queue, const Call& c) const override {
    const bool partial = runs_ > 1;
    Arguments args;
    args.add(p_.batch);
    for (const Axis& a : {p_.h, p_.w})
      args.add(a.in).add(a.out).add(a.kernel).add(a.stride).add(a.dilation).add(a.pad_before);
    args.add(p_.in_channels / p_.groups).add(p_.out_channels / p_.groups).add(p_.groups);
    args.add(c.x.buffer).add(c.x.offset).add(c.x.stride);
    args.add(c.y.buffer).add(c.y.offset).add(c.y.stride);
    args.add(partial ? c.workspace : c.kernel.buffer).add(partial ? 0u : c.kernel.offset);
    args.add(static_cast<uint32_t>(weights()))
        .add(!partial && p_.accumulate ? 1 : 0)
        .add(blocks_each_)
        .add(l_.pixels);
    kernel_.launch(
        queue, {{size_t(columns_), size_t(slices_) * p_.groups, size_t(runs_)}, {1, 1, 1}}, args);
    if (partial)
      sum_(queue, Range::of((weights() + 255) / 256, 1), static_cast<int32_t>(weights()), runs_,
           c.workspace, c.kernel.buffer, c.kernel.offset, p_.accumulate ? 1 : 0);
  }

 private:
  size_t weights() const {
    return size_t(p_.h.kernel) * p_.w.kernel * (p_.in_channels / p_.groups) * p_.out_channels;
  }

  ConvolutionProblem p_;
  Layout l_;
  int columns_, slices_;    ///< tiles of columns, slices of channels
  int runs_, blocks_each_;  ///< partial sums, and blocks of output rows in each
  Kernel kernel_, sum_;
};

int rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass pass) {
  if (pass != ConvolutionPass::backward_weights) return 0;
  const Layout l = layout_of(device, p);
  if (l.sums > 4 * kMaxSums || l.lines > 4 * kMaxLines || l.dy > 4 * kMaxLines)
    return 0;  // even for one channel
  return device.family() == KernelFamily::vector ? 20 : 10;
}

}  // namespace

const ConvolutionEntry kConvolutionWeightsVector{
    "direct", rank,
    [](Device& device, const ConvolutionProblem& problem,
       ConvolutionPass) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionWeightsVector>(device, problem);
    }};

}  // namespace ocellus::opencl
