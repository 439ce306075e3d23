#include "convolution_algorithm.hpp"
#include "convolution_part.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "vector_tile.hpp"
#include "winograd.hpp"

namespace ocellus::opencl {
namespace {

using winograd::kMaxWorkspace, winograd::kPanels, winograd::kPlanes, winograd::plane,
    winograd::vectors;

/// Never so few tiles at a time that the transformed weights, which each round reads anew, cost
/// more than the products.
constexpr int kMinTiles = 240;

/// Forward, and backward by data as the same with turned weights.
class ConvolutionWinogradVector : public ConvolutionAlgorithm {
 public:
  ConvolutionWinogradVector(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass)
      : p_(problem), forward_(pass == ConvolutionPass::forward) {
    const ConvolutionPart part = forward_ ? forward_part(p_) : backward_parts(p_).front();
    h_ = part.h.axis;
    w_ = part.w.axis;
    k_ = forward_ ? p_.in_channels : p_.out_channels;
    n_ = forward_ ? p_.out_channels : p_.in_channels;
    h_tiles_ = winograd::tiles(h_.out);
    w_tiles_ = winograd::tiles(w_.out);
    tiles_ = p_.batch * h_tiles_ * w_tiles_;
    v_stride_ = vectors(k_);
    m_stride_ = vectors(n_);
    round_ =
        std::min(tiles_, std::max(kMinTiles, kMaxWorkspace / (kPlanes * (v_stride_ + m_stride_))));

    const KernelSource source =
        kernels::convolution_winograd_cl().with_preamble(generate(p_.epilogue));
    weights_ = device.kernel(source, "winograd_kernel");
    input_ = device.kernel(source, "winograd_input");
    output_ = device.kernel(source, "winograd_output");
    tile_ = VectorTile::of(device, std::max(n_, 32));  // strips of whole 16 columns
    if (round_ < kPanels * tile_.rows) tile_.split_rows(round_);
    u_columns_ = (n_ + tile_.columns() - 1) / tile_.columns() * tile_.columns();
    product_ =
        device.kernel(kernels::gemm_vector_cl(), "gemm_vector", tile_.options() + " -DPACKED_B");
    const int units = std::max(1, static_cast<int>(device.info().compute_units) / kPlanes);
    split_ = VectorSplit::best((round_ + tile_.rows - 1) / tile_.rows,
                               (n_ + tile_.columns() - 1) / tile_.columns(), units, kPanels,
                               k_ * tile_.rows * tile_.vectors, k_ * 2.0, k_ * 4.0);
  }

  size_t packed_bytes() const override { return sizeof(float) * kPlanes * plane(k_, u_columns_); }

  std::string packed_variant() const override { return std::to_string(tile_.columns()); }

  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const override {
    weights_(queue, {{size_t(u_columns_) / 16, size_t(k_ + 15) / 16, 1}, {1, 1, 1}}, k_, n_,
             kernel.buffer, kernel.offset, forward_ ? 0 : 1, packed, plane(k_, u_columns_),
             tile_.columns());
  }

  size_t workspace_bytes() const override {
    return sizeof(float) * kPlanes * (plane(round_, v_stride_) + plane(round_, m_stride_));
  }

  void run(Queue& queue, const Call& c) const override {
    for (int first = 0; first < tiles_; first += round_)
      run_round(queue, c, first, std::min(round_, tiles_ - first));
  }

 private:
  void run_round(Queue& queue, const Call& c, int first, int tiles) const {
    const Operand& from = forward_ ? c.x : c.y;
    const Operand& to = forward_ ? c.y : c.x;
    const uint32_t v_plane = plane(tiles, v_stride_), m_plane = plane(tiles, m_stride_),
                   m_offset = kPlanes * v_plane;
    const Range each_tile{{size_t(tiles), 1, 1}, {1, 1, 1}};
    input_(queue, each_tile, first, h_tiles_, w_tiles_, h_.in, w_.in, h_.pad_before, w_.pad_before,
           k_, from.buffer, from.offset, from.stride, c.workspace, static_cast<uint32_t>(v_stride_),
           v_plane);

    const int height = split_.height * tile_.rows, width = split_.width * tile_.columns();
    const auto items = [](int n, int each) { return static_cast<size_t>((n + each - 1) / each); };
    product_(queue, {{items(n_, width), items(tiles, height), kPlanes}, {1, 1, 1}}, tiles, n_, k_,
             c.workspace, 0u, static_cast<uint32_t>(v_stride_), v_plane, c.packed, 0u, 0u,
             plane(k_, u_columns_), c.workspace, m_offset, static_cast<uint32_t>(m_stride_),
             m_plane, 0, height, width);

    Arguments args;
    args.add(first).add(h_tiles_).add(w_tiles_).add(h_.out).add(w_.out).add(n_);
    args.add(c.workspace).add(m_offset).add(static_cast<uint32_t>(m_stride_)).add(m_plane);
    args.add(to.buffer).add(to.offset).add(to.stride).add(p_.accumulate && !forward_ ? 1 : 0);
    append(args, p_.epilogue, c.epilogue);
    output_.launch(queue, each_tile, args);
  }

  ConvolutionProblem p_;
  bool forward_;
  Axis h_, w_;
  int k_, n_;                              ///< channels read and written
  int h_tiles_, w_tiles_, tiles_, round_;  ///< tiles an image, in all, and in one round
  int v_stride_, m_stride_, u_columns_;
  VectorTile tile_;
  VectorSplit split_;
  Kernel weights_, input_, product_, output_;
};

int rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass pass) {
  if (pass == ConvolutionPass::backward_weights) return 0;
  const bool forward = pass == ConvolutionPass::forward;
  return winograd::rank(device, p, forward ? p.h.out : p.h.in, forward ? p.w.out : p.w.in, 16);
}

}  // namespace

const ConvolutionEntry kConvolutionWinogradVector{
    "winograd", rank,
    [](Device& device, const ConvolutionProblem& problem,
       ConvolutionPass pass) -> std::unique_ptr<ConvolutionAlgorithm> {
      return std::make_unique<ConvolutionWinogradVector>(device, problem, pass);
    }};

}  // namespace ocellus::opencl
