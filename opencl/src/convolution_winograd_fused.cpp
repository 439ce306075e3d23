#include <fmt/format.h>

#include "ocellus_opencl_kernels.hpp"
#include "winograd.hpp"

namespace ocellus::opencl {
namespace {

/// Floats of a work-item's transformed tiles and products: they should stay in a core's second
/// level of cache.
constexpr int kMaxPrivate = 160 << 10;
/// With fewer tiles a core, `winograd` balances the cores better, since its products are more.
constexpr int kMinTiles = 48;

class ConvolutionWinogradFused : public winograd::Forward {
 public:
  ConvolutionWinogradFused(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass,
                           int size)
      : Forward(device, problem, pass, size) {
    // As many tiles at a time as leave the cores least idle; a row of a tile costs its products, a
    // pass over the strips about two more.
    const int panels = (12 + tile_.rows - 1) / tile_.rows;
    const int units = static_cast<int>(device.info().compute_units), most = tile_.rows;
    const auto up = [](int a, int b) { return (a + b - 1) / b; };
    const auto time = [&](int rows) {
      return up(up(tiles_.count, rows * panels), units) * panels * (rows + 2);
    };
    for (int rows = most - 1; rows >= most * 2 / 3; --rows)
      if (time(rows) < time(tile_.rows)) tile_.rows = rows;
    at_once_ = tile_.rows * panels;
    kernel_ =
        device.kernel(kernels::convolution_winograd_fused_cl().with_preamble(generate(p_.epilogue)),
                      "winograd_fused",
                      fmt::format("{} {} -DTILES={} -DCHANNELS={}", tile_.options(), size_option(),
                                  at_once_, winograd::vectors(k_)));
  }

  void run(Queue& queue, const Call& c) const override {
    Arguments args;
    args.add(tiles_.count).add(tiles_.h).add(tiles_.w).add(h_.in).add(w_.in);
    args.add(h_.pad_before).add(w_.pad_before).add(h_.out).add(w_.out).add(k_).add(n_);
    args.add(from(c).buffer).add(from(c).offset).add(from(c).stride).add(c.packed).add(u_plane());
    args.add(to(c).buffer).add(to(c).offset).add(to(c).stride).add(accumulate());
    append(args, p_.epilogue, c.epilogue);
    kernel_.launch(queue, {{size_t(tiles_.count + at_once_ - 1) / at_once_, 1, 1}, {1, 1, 1}},
                   args);
  }

 private:
  int at_once_;  ///< tiles of a work-item
  Kernel kernel_;
};

template <int size>
int rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass pass) {
  const bool forward = pass == ConvolutionPass::forward;
  const winograd::Tiling tiles(size, p.batch, forward ? p.h.out : p.h.in,
                               forward ? p.w.out : p.w.in);
  const int channels = winograd::vectors(forward ? p.in_channels : p.out_channels);
  const int floats = tiles.planes() * 12 * (channels + 48);
  if (floats > 2 * kMaxPrivate) return 0;
  const int rank = winograd::Forward::rank(device, p, pass, size);
  const int enough = kMinTiles * static_cast<int>(device.info().compute_units);
  return rank && floats <= kMaxPrivate && tiles.count >= enough ? rank + 1 : rank;
}

template <int size>
std::unique_ptr<ConvolutionAlgorithm> make(Device& device, const ConvolutionProblem& problem,
                                           ConvolutionPass pass) {
  return std::make_unique<ConvolutionWinogradFused>(device, problem, pass, size);
}

}  // namespace

const ConvolutionEntry kConvolutionWinograd4Fused{"winograd4_fused", rank<4>, make<4>};
const ConvolutionEntry kConvolutionWinograd6Fused{"winograd6_fused", rank<6>, make<6>};

}  // namespace ocellus::opencl
