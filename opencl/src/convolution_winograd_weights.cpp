#include "ocellus_opencl_kernels.hpp"
#include "winograd.hpp"

namespace ocellus::opencl {
namespace {

using winograd::kMaxWorkspace, winograd::plane, winograd::vectors;

constexpr int kSize = 4;  ///< tiles of 4 x 4 gradients; larger ones lose too many digits here
constexpr int kPlanes = (kSize + 2) * (kSize + 2);

class ConvolutionWinogradWeights : public ConvolutionAlgorithm {
 public:
  ConvolutionWinogradWeights(Device& device, const ConvolutionProblem& problem)
      : p_(problem),
        k_(p_.in_channels),
        n_(p_.out_channels),
        tiles_(kSize, p_.batch, p_.h.out, p_.w.out),
        v_stride_(vectors(k_)),
        m_stride_(vectors(n_)),
        tile_(VectorTile::of_sixteens(device, n_)) {
    tile_.split_rows(std::min(k_, VectorTile::kPanelRows));
    strips_ = (n_ + tile_.columns() - 1) / tile_.columns();
    round_ = std::clamp(kMaxWorkspace / (kPlanes * (v_stride_ + m_stride_)), 1, tiles_.count);
    input_ = device.kernel(kernels::convolution_winograd_cl().with_preamble(generate({})),
                           "winograd_input");
    gradient_ = device.kernel(kernels::convolution_winograd_weights_cl(), "winograd_gradient");
    weights_ = device.kernel(kernels::convolution_winograd_weights_cl(), "winograd_weights");
    product_ = device.kernel(kernels::gemm_vector_cl().with_preamble(generate({})), "gemm_vector",
                             tile_.options() + " -DTRANSPOSE_A -DPACKED_B");
    const int units = static_cast<int>(device.info().compute_units);
    split_ = VectorSplit::best(kPlanes, (k_ + tile_.rows - 1) / tile_.rows, strips_, units,
                               tile_.panels(), round_ * tile_.rows * tile_.vectors, round_ * 6.0,
                               round_ * 8.0);
  }

  size_t workspace_bytes() const override {
    return sizeof(float) * (m_offset(round_) + size_t(kPlanes) * m_plane());
  }

  void run(Queue& queue, const Call& c) const override {
    for (int first = 0; first < tiles_.count; first += round_)
      add_tiles(queue, c, first, std::min(round_, tiles_.count - first));
    weights_(queue, {{size_t(k_), 1, 1}, {1, 1, 1}}, k_, n_, c.workspace, m_offset(round_),
             static_cast<uint32_t>(m_stride_), m_plane(), c.kernel.buffer, c.kernel.offset,
             p_.accumulate ? 1 : 0);
  }

 private:
  uint32_t v_plane(int tiles) const { return plane(tiles, v_stride_); }
  uint32_t d_plane(int tiles) const { return plane(tiles, strips_ * tile_.columns()); }
  uint32_t m_plane() const { return plane(k_, m_stride_); }
  /// The workspace: v, d, m.
  uint32_t m_offset(int tiles) const { return kPlanes * (v_plane(tiles) + d_plane(tiles)); }

  void add_tiles(Queue& queue, const Call& c, int first, int tiles) const {
    const Range each_tile{{size_t(tiles), 1, 1}, {1, 1, 1}};
    const uint32_t v_stride = v_stride_, d_offset = kPlanes * v_plane(tiles);
    input_(queue, each_tile, first, tiles_.h, tiles_.w, p_.h.in, p_.w.in, p_.h.pad_before,
           p_.w.pad_before, k_, c.x.buffer, c.x.offset, c.x.stride, c.workspace, v_stride,
           v_plane(tiles));
    gradient_(queue, each_tile, first, tiles, tiles_.h, tiles_.w, p_.h.out, p_.w.out, n_,
              c.y.buffer, c.y.offset, c.y.stride, c.workspace, d_offset, d_plane(tiles),
              tile_.columns());
    const int height = split_.height * tile_.rows, width = split_.width * tile_.columns();
    const auto items = [](int n, int each) { return static_cast<size_t>((n + each - 1) / each); };
    product_(queue, {{items(n_, width), items(k_, height), kPlanes}, {1, 1, 1}}, k_, n_, tiles,
             c.workspace, 0u, v_stride, v_plane(tiles), c.workspace, d_offset, 0u, d_plane(tiles),
             c.workspace, m_offset(round_), static_cast<uint32_t>(m_stride_), m_plane(),
             first > 0 ? 1 : 0, height, width);
  }

  ConvolutionProblem p_;
  int k_, n_;  ///< channels of x and of dy
  winograd::Tiling tiles_;
  int round_;  ///< tiles at a time
  int v_stride_, m_stride_, strips_;
  VectorTile tile_;
  VectorSplit split_;
  Kernel input_, gradient_, product_, weights_;
};

int rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass pass) {
  if (pass != ConvolutionPass::backward_weights) return 0;
  const winograd::Tiling tiles(kSize, p.batch, p.h.out, p.w.out);
  return winograd::rank(device, p, p.h.out, p.w.out, tiles.count, 32);
}

}  // namespace

const ConvolutionEntry kConvolutionWinogradWeights{
    "winograd", rank,
    [](Device& device, const ConvolutionProblem& problem,
       ConvolutionPass) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionWinogradWeights>(device, problem);
    }};

}  // namespace ocellus::opencl
