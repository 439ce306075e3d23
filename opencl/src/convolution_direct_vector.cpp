#include <fmt/format.h>

#include <optional>

#include "convolution_algorithm.hpp"
#include "convolution_part.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "vector_tile.hpp"

namespace ocellus::opencl {
namespace {

/// Private memory that a work-item may fill: together they stay within a second-level cache.
constexpr size_t kMaxWeights = 32 << 10, kMaxLines = 64 << 10;  // floats

/// The shape of the work for one part.
struct Layout {
  VectorTile tile;
  int pixels = 0;      ///< of a line
  size_t lines = 0;    ///< floats
  int width = 1;       ///< column tiles of a work-item
  int height = 1;      ///< output rows of a work-item
  size_t weights = 0;  ///< floats for `width` column tiles
};

Layout layout_of(const Device& device, const ConvolutionProblem& p, const ConvolutionPart& part,
                 int channels, int columns) {
  const Axis& w = part.w.axis;
  Layout l;
  l.tile = VectorTile::of(device, columns);
  l.tile.split_rows(w.out);
  const int tiles = (w.out + l.tile.rows - 1) / l.tile.rows;
  l.pixels = (tiles * l.tile.rows - 1) * w.stride + std::max(1, w.extent());
  l.lines = std::max<size_t>(1, size_t(part.h.axis.kernel) * l.pixels * channels);
  const size_t each = std::max<size_t>(1, size_t(part.taps()) * channels * l.tile.columns());
  const int all = (columns + l.tile.columns() - 1) / l.tile.columns();
  const int most = std::max<int>(1, static_cast<int>(kMaxWeights / each));
  l.width = std::min(all, most);
  l.weights = each * l.width;

  // Enough work-items to keep all cores busy, each with enough rows to be worth the copy of its
  // weights.
  const int units = static_cast<int>(device.info().compute_units);
  const int wanted = std::max(1, 8 * units * l.width / (all * p.batch * p.groups));
  l.height = std::max(1, part.h.axis.out / std::min(part.h.axis.out, wanted));
  return l;
}

bool fits(const ConvolutionPart& part, const Layout& l) {
  return l.lines <= kMaxLines && l.weights <= kMaxWeights && part.h.axis.out > 0 &&
         part.w.axis.out > 0;
}

std::vector<ConvolutionPart> parts_of(const ConvolutionProblem& p, ConvolutionPass pass) {
  if (pass == ConvolutionPass::forward) return {forward_part(p)};
  return backward_parts(p);
}

/// Forward, and backward by data as forward passes with turned weights.
class ConvolutionDirectVector : public ConvolutionAlgorithm {
 public:
  ConvolutionDirectVector(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass)
      : p_(problem), forward_(pass == ConvolutionPass::forward), parts_(parts_of(problem, pass)) {
    channels_ = (forward_ ? p_.in_channels : p_.out_channels) / p_.groups;
    columns_ = (forward_ ? p_.out_channels : p_.in_channels) / p_.groups;
    if (!forward_) turned_.emplace(device, p_, parts_);
    const KernelSource source =
        kernels::convolution_direct_vector_cl().with_preamble(generate(p_.epilogue));
    for (const ConvolutionPart& part : parts_) {
      const Layout l = layout_of(device, p_, part, channels_, columns_);
      layouts_.push_back(l);
      kernels_.push_back(device.kernel(
          source, "convolution_direct_vector",
          fmt::format("{} -DSLOTS={} -DW_STRIDE={} -DW_DILATION={} -DLINES={} -DWEIGHTS={}",
                      l.tile.options(), channels_, part.w.axis.stride, part.w.axis.dilation,
                      l.lines, l.weights)));
    }
  }

  size_t packed_bytes() const override { return turned_ ? turned_->bytes() : 0; }
  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const override {
    turned_->pack(queue, kernel, packed);
  }

  void run(Queue& queue, const Call& c) const override {
    for (size_t i = 0; i < parts_.size(); ++i) {
      const ConvolutionPart& part = parts_[i];
      const Layout& l = layouts_[i];
      if (part.taps() == 0 && p_.accumulate && !forward_) continue;
      const Operand& from = forward_ ? c.x : c.y;
      const Operand& to = forward_ ? c.y : c.x;
      Arguments args;
      for (const PartAxis& a : {part.h, part.w}) {
        args.add(a.axis.in)
            .add(a.axis.out)
            .add(a.axis.kernel)
            .add(a.axis.stride)
            .add(a.axis.dilation);
        args.add(a.axis.pad_before).add(a.origin).add(a.step).add(a.size);
      }
      args.add(columns_).add(columns_ * p_.groups);
      args.add(from.buffer).add(from.offset).add(from.stride);
      if (forward_)
        args.add(c.kernel.buffer).add(c.kernel.offset);
      else
        args.add(c.packed).add(static_cast<uint32_t>(part.weights_offset));
      args.add(to.buffer).add(to.offset).add(to.stride);
      args.add(p_.accumulate && !forward_ ? 1 : 0)
          .add(l.height)
          .add(l.width * l.tile.columns())
          .add(l.pixels);
      append(args, p_.epilogue, c.epilogue);
      const auto items = [](int n, int each) { return static_cast<size_t>((n + each - 1) / each); };
      kernels_[i].launch(queue,
                         {{items(columns_, l.width * l.tile.columns()),
                           size_t(p_.batch) * items(part.h.axis.out, l.height), size_t(p_.groups)},
                          {1, 1, 1}},
                         args);
    }
  }

 private:
  ConvolutionProblem p_;
  bool forward_;
  std::vector<ConvolutionPart> parts_;
  int channels_, columns_;
  std::vector<Layout> layouts_;
  std::vector<Kernel> kernels_;
  std::optional<TurnedWeights> turned_;
};

/// The gemm algorithm copies each window apart, which few channels make dear; with many, or where
/// windows do not overlap anyway, the copy is cheap and larger blocks win.
int rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass pass) {
  if (pass == ConvolutionPass::backward_weights) return 0;
  const bool forward = pass == ConvolutionPass::forward;
  const int channels = (forward ? p.in_channels : p.out_channels) / p.groups;
  const int columns = (forward ? p.out_channels : p.in_channels) / p.groups;
  for (const ConvolutionPart& part : parts_of(p, pass))
    if (!fits(part, layout_of(device, p, part, channels, columns))) return 0;
  const int base = device.family() == KernelFamily::vector ? 20 : 10;
  const bool overlap = p.h.kernel > 1 || p.w.kernel > 1;
  return base + (channels <= 32 && p.w.out >= 5 && (overlap || !forward) ? 1 : -1);
}

}  // namespace

const ConvolutionEntry kConvolutionDirectVector{
    "direct", rank,
    [](Device& device, const ConvolutionProblem& problem,
       ConvolutionPass pass) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionDirectVector>(device, problem, pass);
    }};

}  // namespace ocellus::opencl
