#pragma once

#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// The tile of a work-group in ocellus/local_tile.cl: bm x bn results, bk terms at a time, tm x tn
/// results a work-item.
struct Tile {
  int bm, bn, bk, tm, tn;

  int group() const { return bm / tm * (bn / tn); }
  bool operator==(const Tile&) const = default;
  size_t local_bytes() const { return sizeof(float) * bk * (bm + 4 + bn + 4); }
  /// "-DBM=64 -DBN=64 ... -DGROUP=256"
  std::string options() const;
  /// Work-groups that cover `batch` products of m x n.
  Range range(size_t m, size_t n, size_t batch = 1) const;

  /// "64,32,8,8,4": bm, bn, bk, tm, tn. Throws Error that calls it `what`.
  static Tile parse(const std::string& text, const std::string& what);
  std::string text() const;
};

/// Throws DeviceError, which calls the tile `what`, where the device cannot run it.
void require_fit(const Device& device, const Tile& tile, const std::string& what);
/// All tiles of the table that fit the device.
std::vector<Tile> fitting_tiles(const Device& device);

/// Whether the device can run any tile: work-groups of 64 and 2.5 KiB of local memory.
bool fits_some_tile(const Device& device);
/// The tile by which `batch` products of m x n should be fastest on a device of its class
/// (docs/kernels.md argues the table); it fits the device's local memory and work-groups.
Tile choose_tile(const Device& device, size_t m, size_t n, size_t batch = 1);
/// What these products take by that tile for each term of their sums, estimated, in multiply-adds
/// that a compute unit makes meanwhile at its best. Only fit to compare with one another.
double product_time(const Device& device, size_t m, size_t n, size_t batch = 1);
/// Sums of `terms` terms cut into parts that are made side by side, none shorter than `fewest`: as
/// many as take least, where results are few and terms are many; and that time, of all terms.
struct TermSplit {
  size_t parts;
  double time;
};
TermSplit split_terms(const Device& device, size_t m, size_t n, size_t batch, size_t terms,
                      size_t fewest);

/// Into how many launches work of so many multiply-adds is to be cut, so that none blocks a GPU's
/// display or meets its watchdog: 200 ms each on GPUs, at a rate that slow ones reach; one on other
/// devices. `OCELLUS_LAUNCH_LIMIT=MS` sets another limit, on any device; 0: never cut.
size_t launches_for(const Device& device, double multiply_adds);

/// Launches a kernel that includes ocellus/local_tile.cl in about so many pieces; results do not
/// depend on it. `arguments` are followed by the kernel's last two, FIRST_TILES.
void launch_tiles(const Kernel& kernel, Queue& queue, const Range& range,
                  const Arguments& arguments, size_t launches);

}  // namespace ocellus::opencl
