#pragma once

#include <cstddef>
#include <cstdint>

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

}  // namespace ocellus::opencl::winograd
