#include <optional>

#include "convolution_part.hpp"
#include "local_tile.hpp"
#include "ocellus_opencl_kernels.hpp"
#include "winograd_tiled.hpp"

namespace ocellus::opencl {
namespace {

using namespace winograd_tiled;

/// What the pass reads and writes.
struct Shape {
  int k, n, h, w;  ///< channels read and written, pixels written

  static Shape of(const ConvolutionProblem& p, ConvolutionPass pass) {
    if (pass == ConvolutionPass::forward) return {p.in_channels, p.out_channels, p.h.out, p.w.out};
    return {p.out_channels, p.in_channels, p.h.in, p.w.in};
  }
};

/// Floats between two planes: a multiple of a cache line, so that rows begin at vectors, and an odd
/// one, since planes that lie a power of two apart would fall into the same channel of memory.
uint32_t plane(size_t rows, size_t columns) {
  constexpr size_t kLine = 32;
  const size_t lines = (rows * columns + kLine - 1) / kLine;
  return static_cast<uint32_t>((lines | 1) * kLine);
}

/// Three launches a round: input transform, a product for each plane, output transform.
class ConvolutionWinogradTiled : public ConvolutionAlgorithm {
 public:
  ConvolutionWinogradTiled(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass,
                           int size, std::optional<Tile> tile = {})
      : p_(problem),
        forward_(pass == ConvolutionPass::forward),
        s_(Shape::of(problem, pass)),
        tiles_(size, p_.batch, s_.h, s_.w),
        round_(tiles_a_round(device, tiles_, size_t(s_.k) + s_.n)),
        tile_(tile ? *tile : choose_tile(device, round_, s_.n, tiles_.planes())),
        launches_(launches_for(device, 1.0 * tiles_.planes() * round_ * s_.k * s_.n)) {
    const ConvolutionPart part = forward_ ? forward_part(p_) : backward_parts(p_).front();
    h_ = part.h.axis;
    w_ = part.w.axis;
    const KernelSource& source = kernels::convolution_winograd_tiled_cl();
    weights_ = device.kernel(source, "winograd_kernel_tiled", options(size));
    input_ = device.kernel(source, "winograd_input_tiled", options(size));
    product_ = device.kernel(kernels::gemm_tiled_cl().with_preamble(generate({})), "gemm_tiled",
                             tile_.options() + " -DA_ALONG_K");
    output_ = device.kernel(source.with_preamble(generate(p_.epilogue)), "winograd_output_tiled",
                            options(size));
  }

  size_t workspace_bytes() const override {
    return sizeof(float) * tiles_.planes() * (size_t(v_plane(round_)) + m_plane(round_));
  }
  size_t packed_bytes() const override { return sizeof(float) * tiles_.planes() * u_plane(); }
  std::string packed_variant() const override { return std::to_string(tiles_.size); }

  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const override {
    const uint32_t k = s_.k, n = s_.n;
    weights_(queue, Range::of(size_t(k) * n, kGroup), k, n, kernel.buffer, kernel.offset,
             forward_ ? 0 : 1, packed, u_plane());
  }

  void run(Queue& queue, const Call& c) const override {
    for (int first = 0; first < tiles_.count; first += round_)
      run_round(queue, c, first, std::min(round_, tiles_.count - first));
  }

 private:
  uint32_t u_plane() const { return plane(s_.k, s_.n); }
  uint32_t v_plane(int tiles) const { return plane(tiles, s_.k); }
  uint32_t m_plane(int tiles) const { return plane(tiles, s_.n); }

  void run_round(Queue& queue, const Call& c, int first, int tiles) const {
    const Operand &x = forward_ ? c.x : c.y, &y = forward_ ? c.y : c.x;
    const uint32_t k = s_.k, n = s_.n, m_offset = tiles_.planes() * v_plane(tiles);
    input_(queue, Range::of(size_t(tiles) * k, kGroup), first, tiles, tiles_.count, tiles_.h,
           tiles_.w, h_.in, w_.in, h_.pad_before, w_.pad_before, k, x.buffer, x.offset, x.stride,
           c.workspace, v_plane(tiles));

    Arguments product;
    product.add(tiles).add(n).add(k);
    product.add(c.workspace).add(0u).add(k).add(1u).add(v_plane(tiles));
    product.add(c.packed).add(0u).add(n).add(1u).add(u_plane());
    product.add(c.workspace).add(m_offset).add(n).add(m_plane(tiles)).add(0);
    launch_tiles(product_, queue, tile_.range(tiles, n, tiles_.planes()), product, launches_);

    Arguments output;
    output.add(first).add(tiles).add(tiles_.h).add(tiles_.w).add(s_.h).add(s_.w).add(n);
    output.add(c.workspace).add(m_offset).add(m_plane(tiles));
    output.add(y.buffer).add(y.offset).add(y.stride).add(p_.accumulate && !forward_ ? 1 : 0);
    append(output, p_.epilogue, c.epilogue);
    output_.launch(queue, Range::of(size_t(tiles) * n, kGroup), output);
  }

  ConvolutionProblem p_;
  bool forward_;
  Shape s_;
  winograd::Tiling tiles_;
  int round_;  ///< tiles at a time
  Tile tile_;
  size_t launches_;  ///< of a round's products
  Axis h_, w_;
  Kernel weights_, input_, product_, output_;
};

/// In the unit of product_time(): the products, and the bytes of both transforms.
double time(const Device& device, const ConvolutionProblem& p, const Shape& s, int size) {
  const winograd::Tiling tiles(size, p.batch, s.h, s.w);
  const double pixels = 1.0 * p.batch * s.h * s.w, planes = 1.0 * tiles.planes() * tiles.count;
  const double bytes = sizeof(float) * (s.k + s.n) * (pixels + 2 * planes);
  return product_time(device, tiles.count, s.n, tiles.planes()) * s.k +
         bytes * kBalance / device.info().compute_units;
}

template <int size>
int rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass pass) {
  if (pass == ConvolutionPass::backward_weights || !winograd::applies(p) || !fits_some_tile(device))
    return 0;
  if (device.family() != KernelFamily::tiled) return 9;
  const Shape s = Shape::of(p, pass);
  const double own = time(device, p, s, size), other = time(device, p, s, 6 - size);
  const double direct = product_time(device, size_t(p.batch) * s.h * s.w, s.n) * 9 * s.k;
  return (own < direct ? 22 : 18) + (own < other || (own == other && size == 4) ? 1 : 0);
}

template <int size>
std::unique_ptr<ConvolutionAlgorithm> make(Device& device, const ConvolutionProblem& problem,
                                           ConvolutionPass pass) {
  return std::make_unique<ConvolutionWinogradTiled>(device, problem, pass, size);
}

template <int size>
std::unique_ptr<ConvolutionAlgorithm> make_with_tile(Device& device,
                                                     const ConvolutionProblem& problem,
                                                     ConvolutionPass pass, const Tile& tile) {
  return std::make_unique<ConvolutionWinogradTiled>(device, problem, pass, size, tile);
}

}  // namespace

const ConvolutionEntry kConvolutionWinograd2Tiled{"winograd2_tiled", rank<2>, make<2>,
                                                  make_with_tile<2>};
const ConvolutionEntry kConvolutionWinograd4Tiled{"winograd4_tiled", rank<4>, make<4>,
                                                  make_with_tile<4>};

}  // namespace ocellus::opencl
