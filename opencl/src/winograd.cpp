#include "winograd.hpp"

#include <fmt/format.h>

#include "convolution_part.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl::winograd {

int Tiling::best_size(const Device& device, int batch, int height, int width, int k, int n) {
  const double units = device.info().compute_units;
  /// Cycles to read a plane's weights from memory, an element; and vector operations of the two
  /// transforms, a tile.
  constexpr double kRead = 0.37;
  struct Cost {
    int size;
    double input, output;
  };
  constexpr Cost kCosts[] = {{2, 32, 24}, {4, 156, 110}, {6, 400, 280}};
  int best = 4;
  double best_time = 1e300;
  for (const Cost& c : kCosts) {
    const Tiling t(c.size, batch, height, width);
    const double products = 1.0 * t.planes() * k * n * std::max(t.count / (16 * units), kRead);
    const double time =
        products + t.count / units * (c.input * vectors(k) + c.output * vectors(n)) / 16;
    // A larger tile has to earn its memory.
    if (time >= 0.9 * best_time) continue;
    best_time = time;
    best = c.size;
  }
  return best;
}

bool applies(const ConvolutionProblem& p) {
  const auto fits = [](const Axis& a) { return a.kernel == 3 && a.stride == 1 && a.dilation == 1; };
  return fits(p.h) && fits(p.w) && p.groups == 1;
}

int rank(const Device& device, const ConvolutionProblem& p, int h, int w, int tiles, int fewest) {
  if (!applies(p)) return 0;
  const bool good =
      p.in_channels >= 32 && p.out_channels >= 32 && h >= 4 && w >= 4 && tiles >= fewest;
  return (device.family() == KernelFamily::vector ? 20 : 10) + (good ? 2 : -2);
}

int Forward::rank(const Device& device, const ConvolutionProblem& p, ConvolutionPass pass,
                  int size) {
  if (pass == ConvolutionPass::backward_weights) return 0;
  const bool forward = pass == ConvolutionPass::forward;
  const int h = forward ? p.h.out : p.h.in, w = forward ? p.w.out : p.w.in;
  const int k = forward ? p.in_channels : p.out_channels,
            n = forward ? p.out_channels : p.in_channels;
  const int rank = winograd::rank(device, p, h, w, Tiling(size, p.batch, h, w).count, 16);
  return rank && size == Tiling::best_size(device, p.batch, h, w, k, n) ? rank + 1 : rank;
}

Forward::Forward(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass, int size)
    : p_(problem),
      forward_(pass == ConvolutionPass::forward),
      k_(forward_ ? p_.in_channels : p_.out_channels),
      n_(forward_ ? p_.out_channels : p_.in_channels),
      tiles_(size, p_.batch, forward_ ? p_.h.out : p_.h.in, forward_ ? p_.w.out : p_.w.in),
      tile_(VectorTile::of_sixteens(device, n_)),
      strips_((n_ + tile_.columns() - 1) / tile_.columns()) {
  const ConvolutionPart part = forward_ ? forward_part(p_) : backward_parts(p_).front();
  h_ = part.h.axis;
  w_ = part.w.axis;
  weights_ = device.kernel(source(), "winograd_kernel", size_option());
}

KernelSource Forward::source() const {
  return kernels::convolution_winograd_cl().with_preamble(generate(p_.epilogue));
}

std::string Forward::size_option() const { return fmt::format("-DTILE={}", tiles_.size); }

size_t Forward::packed_bytes() const { return sizeof(float) * tiles_.planes() * u_plane(); }

std::string Forward::packed_variant() const {
  return fmt::format("{} {}", tiles_.size, tile_.columns());
}

void Forward::pack(Queue& queue, const Operand& kernel, const Buffer& packed) const {
  const auto columns = static_cast<size_t>(strips_ * tile_.columns());
  weights_(queue, {{columns / 16, size_t(k_ + 15) / 16, 1}, {1, 1, 1}}, k_, n_, kernel.buffer,
           kernel.offset, forward_ ? 0 : 1, packed, u_plane(), tile_.columns());
}

}  // namespace ocellus::opencl::winograd
