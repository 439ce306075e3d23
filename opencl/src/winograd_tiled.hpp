#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>

#include "winograd.hpp"

/// What Winograd's ways on GPUs share; docs/kernels.md argues the numbers.
namespace ocellus::opencl::winograd_tiled {

constexpr size_t kGroup = 64;  ///< work-items of a group of the transforms
/// Bytes that transformed tiles may take: those beyond go in rounds. As much as fills the largest
/// devices for a hundred microseconds, and no more than their second-level caches have.
constexpr size_t kMaxWorkspace = 64 << 20;

/// Tiles of a round, whose transforms have so many channels together: rounds of about the same
/// size, each of a row of the largest tile of the products at least.
inline int tiles_a_round(const Device& device, const winograd::Tiling& tiles, size_t channels) {
  const size_t bytes = std::min<size_t>(kMaxWorkspace, device.info().max_allocation / 4);
  const size_t tile = sizeof(float) * tiles.planes() * channels;
  const int most = std::max(128, static_cast<int>(bytes / tile));
  const int rounds = (tiles.count + most - 1) / most;
  return (tiles.count + rounds - 1) / rounds;
}

/// Multiply-adds that a GPU makes while it moves a byte: 6 to 20, from integrated GPUs to servers'.
constexpr double kBalance = 10;

/// Of convolution_winograd_tiled.cl and convolution_winograd_weights_tiled.cl.
inline std::string options(int size) { return fmt::format("-DTILE={} -DGROUP={}", size, kGroup); }

}  // namespace ocellus::opencl::winograd_tiled
