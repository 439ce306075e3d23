#pragma once

#include <cstddef>
#include <cstdint>

#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl::winograd {

constexpr int kPlanes = 36;  ///< products a tile of 4 x 4 results: 6 x 6
constexpr int kPanels = 10;  ///< PANELS of gemm_vector.cl
/// Floats that transformed tiles may take at a time, so that they stay in cache between the steps.
constexpr int kMaxWorkspace = 2 << 20;

inline int tiles(int pixels) { return (pixels + 3) / 4; }
inline int vectors(int channels) { return (channels + 15) / 16 * 16; }

/// Distance of two planes in floats: odd in vectors, since planes that lie a power of two apart
/// would fall into the same few sets of the caches.
inline uint32_t plane(size_t rows, size_t columns) {
  return static_cast<uint32_t>(rows * columns + (rows * columns / 16 % 2 ? 0 : 16));
}

/// The rank of Winograd's way for results of `h` x `w` pixels; 0 where it cannot. Worth its
/// transforms from 32 channels on both sides, and those of the weights from `fewest` tiles on.
inline int rank(const Device& device, const ConvolutionProblem& p, int h, int w, int fewest) {
  const auto fits = [](const Axis& a) { return a.kernel == 3 && a.stride == 1 && a.dilation == 1; };
  if (!fits(p.h) || !fits(p.w) || p.groups != 1) return 0;
  const bool good = p.in_channels >= 32 && p.out_channels >= 32 && h >= 4 && w >= 4 &&
                    p.batch * tiles(h) * tiles(w) >= fewest;
  return (device.family() == KernelFamily::vector ? 20 : 10) + (good ? 2 : -2);
}

}  // namespace ocellus::opencl::winograd
