#pragma once

#include <string>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// The tile of a work-group in ocellus/local_tile.cl: bm x bn results, bk terms at a time, tm x tn
/// results a work-item.
struct Tile {
  int bm, bn, bk, tm, tn;

  int group() const { return bm / tm * (bn / tn); }
  size_t local_bytes() const { return sizeof(float) * bk * (bm + 1 + bn + 1); }
  /// "-DBM=64 -DBN=64 ... -DGROUP=256"
  std::string options() const;
  /// Work-groups that cover `batch` products of m x n.
  Range range(size_t m, size_t n, size_t batch = 1) const;
};

/// Whether the device can run any tile: work-groups of 64 and about 4 KiB of local memory.
bool fits_some_tile(const Device& device);
/// The tile by which `batch` products of m x n should be fastest on a device; it fits the device's
/// local memory and work-groups.
Tile choose_tile(const Device& device, size_t m, size_t n, size_t batch = 1);

}  // namespace ocellus::opencl
