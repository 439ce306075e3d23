#include "ocellus/opencl/expanded_depthwise.hpp"

#include <fmt/format.h>

#include "ocellus/opencl/error.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "vector_tile.hpp"

namespace ocellus::opencl {
namespace {

constexpr int kMaxDepth = 256;                // KC of tile.cl
constexpr int kMaxLines = 32 << 10;           // floats of private memory
constexpr int kNarrowest = 16, kWidest = 48;  // columns of the tiles
constexpr int kPixels = 4;                    // PIXELS of the kernel

/// The widest tile whose columns divide the channels.
VectorTile tile_of(const Device& device, const ConvolutionProblem& p) {
  VectorTile tile = VectorTile::of(device, p.in_channels);
  if (tile.lanes == 16)
    for (const VectorTile wide : {VectorTile{8, 3, 16}, {12, 2, 16}, {12, 1, 16, 24}})
      if (p.in_channels % (tile = wide).columns() == 0) break;
  if (tile.lanes == 8) tile = {6, 2, 8};
  tile.split_rows(p.w.in);
  return tile;
}

int ceil_div(int a, int b) { return (a + b - 1) / b; }

/// Floats of a row of the wide tensor with its zeros, wide enough for the last PIXELS outputs.
int line(const ConvolutionProblem& p, int columns) {
  const int outputs = ceil_div(p.w.out, kPixels) * kPixels;
  return std::max((outputs - 1) * p.w.stride + p.w.extent(), p.w.pad_before + p.w.in) * columns;
}

/// Output rows of a work-item, where `strips` are independent anyway: rows that two neighbours see
/// are computed by both, so few and tall ones, but in numbers that keep all cores busy.
int best_height(const Axis& h, int strips, int units) {
  int best = h.out;
  int64_t best_time = INT64_MAX;
  for (int chunks = 1; chunks <= std::min(h.out, 8 * units); ++chunks) {
    const int height = ceil_div(h.out, chunks), items = strips * ceil_div(h.out, height);
    // In the end a core waits for half an item of a slower one.
    const int64_t time =
        (2 * int64_t{ceil_div(items, units)} + 1) * ((height - 1) * h.stride + h.extent());
    if (time >= best_time) continue;
    best_time = time;
    best = height;
  }
  return best;
}

}  // namespace

struct ExpandedDepthwise::State {
  ExpandedDepthwiseProblem problem;
  VectorTile tile;
  Kernel kernel, pack;
  int height = 1;  ///< output rows of a work-item

  int strips() const { return problem.depthwise.in_channels / tile.columns(); }
};

bool ExpandedDepthwise::supports(const ExpandedDepthwiseProblem& problem) {
  const ConvolutionProblem& p = problem.depthwise;
  return p.groups == p.in_channels && p.out_channels == p.in_channels &&
         p.in_channels % kNarrowest == 0 && problem.in_channels <= kMaxDepth &&
         p.h.extent() * line(p, kWidest) <= kMaxLines;
}

ExpandedDepthwise::ExpandedDepthwise(Device& device, const ExpandedDepthwiseProblem& problem)
    : state_(std::make_unique<State>()) {
  if (!supports(problem) || device.family() != KernelFamily::vector)
    throw Error("expanded depthwise convolution: this device cannot compute this problem");
  State& s = *state_;
  const ConvolutionProblem& p = problem.depthwise;
  s.problem = problem;
  s.tile = tile_of(device, p);
  const std::string text = generate(problem.expansion, "expansion") + generate(p.epilogue);
  s.kernel = device.kernel(
      kernels::convolution_expanded_vector_cl().with_preamble(text), "convolution_expanded_vector",
      fmt::format("{} -DKH={} -DKW={} -DH_DILATION={} -DW_DILATION={} -DW_STRIDE={} -DLINES={} "
                  "-DEXPANSION=expansion{}",
                  s.tile.options(), p.h.kernel, p.w.kernel, p.h.dilation, p.w.dilation, p.w.stride,
                  kMaxLines, s.tile.lanes));
  s.pack = device.kernel(kernels::convolution_pack_cl(), "convolution_pack");
  s.height = best_height(p.h, s.strips() * p.batch, static_cast<int>(device.info().compute_units));
}
ExpandedDepthwise::~ExpandedDepthwise() = default;
ExpandedDepthwise::ExpandedDepthwise(ExpandedDepthwise&&) noexcept = default;

size_t ExpandedDepthwise::packed_bytes() const {
  return sizeof(float) * state_->problem.in_channels * state_->strips() * state_->tile.columns();
}
std::string ExpandedDepthwise::packed_layout() const {
  return fmt::format("expansion in strips of {}", state_->tile.columns());
}
void ExpandedDepthwise::pack(Queue& queue, const Operand& kernel, const Buffer& packed) const {
  const int n = state_->problem.depthwise.in_channels;
  state_->pack(queue, {{size_t(state_->strips()), 1, 1}, {1, 1, 1}}, state_->problem.in_channels, n,
               n, state_->tile.columns(), kernel.buffer, kernel.offset, packed);
}

void ExpandedDepthwise::run(Queue& queue, const Operand& x, const Buffer& packed,
                            std::span<const Operand> expansion, const Operand& depthwise_kernel,
                            const Operand& y, std::span<const Operand> epilogue) const {
  const State& s = *state_;
  const ConvolutionProblem& p = s.problem.depthwise;
  Arguments args;
  args.add(p.h.in).add(p.h.out).add(p.h.stride).add(p.h.pad_before);
  args.add(p.w.in).add(p.w.out).add(p.w.pad_before).add(s.problem.in_channels).add(p.in_channels);
  args.add(x.buffer).add(x.offset).add(x.stride).add(packed);
  args.add(depthwise_kernel.buffer).add(depthwise_kernel.offset);
  args.add(y.buffer).add(y.offset).add(y.stride).add(s.height);
  args.add(line(p, s.tile.columns()));
  append(args, s.problem.expansion, expansion);
  append(args, p.epilogue, epilogue);
  s.kernel.launch(
      queue, {{size_t(s.strips()), size_t(p.batch) * ceil_div(p.h.out, s.height), 1}, {1, 1, 1}},
      args);
}

}  // namespace ocellus::opencl
