#include <optional>

#include "local_tile.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "winograd_tiled.hpp"

namespace ocellus::opencl {
namespace {

using namespace winograd_tiled;

constexpr int kSize = 4;  ///< tiles of 4 x 4 gradients; larger ones lose too many digits here
constexpr int kPlanes = (kSize + 2) * (kSize + 2);
constexpr size_t kMinTerms = 64;  ///< tiles of a part: it writes and reads its sums once

winograd::Tiling tiling(const ConvolutionProblem& p) { return {kSize, p.batch, p.h.out, p.w.out}; }

/// Sums over tiles, cut into parts that are summed side by side where the weights alone would leave
/// the device empty.
class ConvolutionWinogradWeightsTiled : public ConvolutionAlgorithm {
 public:
  ConvolutionWinogradWeightsTiled(Device& device, const ConvolutionProblem& problem,
                                  std::optional<Tile> tile = {})
      : p_(problem), k_(p_.in_channels), n_(p_.out_channels), tiles_(tiling(p_)) {
    const int round = tiles_a_round(device, tiles_, size_t(k_) + n_);
    const size_t most_parts =
        std::max<size_t>(1, kMaxWorkspace / (sizeof(float) * kPlanes * k_ * n_));
    parts_ = std::min(most_parts, split_terms(device, k_, n_, kPlanes, round, kMinTerms).parts);
    part_ = (round + parts_ - 1) / parts_;
    tile_ = tile ? *tile : choose_tile(device, k_, n_, kPlanes * parts_);
    launches_ = launches_for(device, 1.0 * kPlanes * parts_ * part_ * k_ * n_);
    input_ = device.kernel(kernels::convolution_winograd_tiled_cl(), "winograd_input_tiled",
                           options(kSize));
    const KernelSource& source = kernels::convolution_winograd_weights_tiled_cl();
    gradient_ = device.kernel(source, "winograd_gradient_tiled", options(kSize));
    weights_ = device.kernel(source, "winograd_weights_tiled", options(kSize));
    product_ = device.kernel(kernels::gemm_tiled_cl().with_preamble(generate({})), "gemm_tiled",
                             tile_.options());
  }

  size_t workspace_bytes() const override {
    return sizeof(float) * (m_offset() + size_t(kPlanes) * parts_ * k_ * n_);
  }

  void run(Queue& queue, const Call& c) const override {
    for (int first = 0; first < tiles_.count; first += round()) add_tiles(queue, c, first);
    const uint32_t size = k_ * n_;
    weights_(queue, Range::of(size, kGroup), size, parts_, c.workspace, m_offset(), c.kernel.buffer,
             c.kernel.offset, p_.accumulate ? 1 : 0);
  }

 private:
  int round() const { return static_cast<int>(parts_ * part_); }
  /// The workspace: v, d, m.
  uint32_t d_offset() const { return kPlanes * round() * k_; }
  uint32_t m_offset() const { return d_offset() + kPlanes * round() * n_; }

  /// The last round ends in tiles of zeros.
  void add_tiles(Queue& queue, const Call& c, int first) const {
    const uint32_t k = k_, n = n_;
    input_(queue, Range::of(size_t(round()) * k, kGroup), first, round(), tiles_.count, tiles_.h,
           tiles_.w, p_.h.in, p_.w.in, p_.h.pad_before, p_.w.pad_before, k, c.x.buffer, c.x.offset,
           c.x.stride, c.workspace, round() * k);
    gradient_(queue, Range::of(size_t(round()) * n, kGroup), first, round(), tiles_.count, tiles_.h,
              tiles_.w, p_.h.out, p_.w.out, n, c.y.buffer, c.y.offset, c.y.stride, c.workspace,
              d_offset(), round() * n);
    Arguments product;  // a plane's parts follow each other: kPlanes * parts_ planes of part_ tiles
    product.add(k).add(n).add(part_);
    product.add(c.workspace).add(0u).add(1u).add(k).add(part_ * k);
    product.add(c.workspace).add(d_offset()).add(n).add(1u).add(part_ * n);
    product.add(c.workspace).add(m_offset()).add(n).add(k * n).add(first > 0 ? 1 : 0);
    launch_tiles(product_, queue, tile_.range(k, n, kPlanes * parts_), product, launches_);
  }

  ConvolutionProblem p_;
  int k_, n_;  ///< channels of x and of dy
  winograd::Tiling tiles_;
  uint32_t parts_, part_;  ///< of a round; tiles of a part
  Tile tile_;
  size_t launches_;  ///< of a round's products
  Kernel input_, gradient_, product_, weights_;
};

int rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass pass) {
  if (pass != ConvolutionPass::backward_weights || !winograd::applies(p) || !fits_some_tile(device))
    return 0;
  if (device.family() != KernelFamily::tiled) return 9;
  const size_t k = p.in_channels, n = p.out_channels, pixels = size_t(p.batch) * p.h.out * p.w.out,
               tiles = tiling(p).count;
  // x and dy are read once, v and d written and read; m likewise, before it becomes the gradient.
  const double elements = 1.0 * (k + n) * (pixels + 2.0 * kPlanes * tiles) + 2.0 * kPlanes * k * n;
  const double own = split_terms(device, k, n, kPlanes, tiles, kMinTerms).time +
                     sizeof(float) * elements * kBalance / device.info().compute_units;
  return own < split_terms(device, 9 * k, n, 1, pixels, 256).time ? 22 : 18;
}

}  // namespace

const ConvolutionEntry kConvolutionWinogradWeightsTiled{
    "winograd_tiled", rank,
    [](Device& device, const ConvolutionProblem& problem,
       ConvolutionPass) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionWinogradWeightsTiled>(device, problem);
    },
    [](Device& device, const ConvolutionProblem& problem, ConvolutionPass,
       const Tile& tile) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionWinogradWeightsTiled>(device, problem, tile);
    }};

}  // namespace ocellus::opencl
