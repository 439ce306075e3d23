#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>

/// What Winograd's ways on GPUs share; docs/kernels.md argues the numbers.
namespace ocellus::opencl::winograd_tiled {

constexpr size_t kGroup = 64;  ///< work-items of a group of the transforms
/// Bytes that transformed tiles may take: those beyond go in rounds. As much as fills the largest
/// devices for a hundred microseconds, and no more than their second-level caches have.
constexpr size_t kMaxWorkspace = 64 << 20;
/// Multiply-adds that a GPU makes while it moves a byte: 6 to 20, from integrated GPUs to servers'.
constexpr double kBalance = 10;

/// Of convolution_winograd_tiled.cl and convolution_winograd_weights_tiled.cl.
inline std::string options(int size) { return fmt::format("-DTILE={} -DGROUP={}", size, kGroup); }

}  // namespace ocellus::opencl::winograd_tiled
