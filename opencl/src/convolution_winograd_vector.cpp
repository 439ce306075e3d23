#include "ocellus_opencl_kernels.hpp"
#include "winograd.hpp"

namespace ocellus::opencl {
namespace {

using winograd::kMaxWorkspace, winograd::plane, winograd::vectors;

/// Never so few tiles at a time that the transformed weights, which each round reads anew, cost
/// more than the products.
constexpr int kMinTiles = 240;

class ConvolutionWinogradVector : public winograd::Forward {
 public:
  ConvolutionWinogradVector(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass,
                            int size)
      : Forward(device, problem, pass, size), v_stride_(vectors(k_)), m_stride_(vectors(n_)) {
    const int planes = tiles_.planes();
    round_ = std::min(tiles_.count,
                      std::max(kMinTiles, kMaxWorkspace / (planes * (v_stride_ + m_stride_))));
    input_ = device.kernel(source(), "winograd_input", size_option());
    output_ = device.kernel(source(), "winograd_output", size_option());
    if (round_ < VectorTile::kPanelRows) tile_.split_rows(round_);
    product_ =
        device.kernel(kernels::gemm_vector_cl(), "gemm_vector", tile_.options() + " -DPACKED_B");
    const int units = static_cast<int>(device.info().compute_units);
    split_ = VectorSplit::best(planes, (round_ + tile_.rows - 1) / tile_.rows, strips_, units,
                               tile_.panels(), k_ * tile_.rows * tile_.vectors, k_ * 2.0, k_ * 8.0);
  }

  size_t workspace_bytes() const override {
    return sizeof(float) * tiles_.planes() * (plane(round_, v_stride_) + plane(round_, m_stride_));
  }

  void run(Queue& queue, const Call& c) const override {
    for (int first = 0; first < tiles_.count; first += round_)
      run_round(queue, c, first, std::min(round_, tiles_.count - first));
  }

 private:
  void run_round(Queue& queue, const Call& c, int first, int tiles) const {
    const Operand &x = from(c), &y = to(c);
    const uint32_t v_stride = v_stride_, v_plane = plane(tiles, v_stride_);
    const uint32_t m_stride = m_stride_, m_plane = plane(tiles, m_stride_);
    const uint32_t m_offset = tiles_.planes() * v_plane;
    const Range each_tile{{size_t(tiles), 1, 1}, {1, 1, 1}};
    input_(queue, each_tile, first, tiles_.h, tiles_.w, h_.in, w_.in, h_.pad_before, w_.pad_before,
           k_, x.buffer, x.offset, x.stride, c.workspace, v_stride, v_plane);

    const int height = split_.height * tile_.rows, width = split_.width * tile_.columns();
    const auto items = [](int n, int each) { return static_cast<size_t>((n + each - 1) / each); };
    product_(queue, {{items(n_, width), items(tiles, height), size_t(tiles_.planes())}, {1, 1, 1}},
             tiles, n_, k_, c.workspace, 0u, v_stride, v_plane, c.packed, 0u, 0u, u_plane(),
             c.workspace, m_offset, m_stride, m_plane, 0, height, width);

    Arguments args;
    args.add(first).add(tiles_.h).add(tiles_.w).add(h_.out).add(w_.out).add(n_);
    args.add(c.workspace).add(m_offset).add(m_stride).add(m_plane);
    args.add(y.buffer).add(y.offset).add(y.stride).add(accumulate());
    append(args, p_.epilogue, c.epilogue);
    output_.launch(queue, each_tile, args);
  }

  int v_stride_, m_stride_;  ///< floats a tile
  int round_;                ///< tiles at a time
  VectorSplit split_;
  Kernel input_, product_, output_;
};

template <int size>
int rank(const Device& device, const ConvolutionProblem& problem, ConvolutionPass pass) {
  return winograd::Forward::rank(device, problem, pass, size);
}

template <int size>
std::unique_ptr<ConvolutionAlgorithm> make(Device& device, const ConvolutionProblem& problem,
                                           ConvolutionPass pass) {
  return std::make_unique<ConvolutionWinogradVector>(device, problem, pass, size);
}

}  // namespace

const ConvolutionEntry kConvolutionWinograd2{"winograd2", rank<2>, make<2>};
const ConvolutionEntry kConvolutionWinograd4{"winograd4", rank<4>, make<4>};
const ConvolutionEntry kConvolutionWinograd6{"winograd6", rank<6>, make<6>};

}  // namespace ocellus::opencl
