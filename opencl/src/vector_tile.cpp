#include "vector_tile.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ocellus::opencl {

std::string VectorTile::options() const {
  return fmt::format("-DROWS={} -DNV={} -DLANES={}", rows, vectors, lanes);
}

void VectorTile::split_rows(int n) {
  constexpr double kTile = 1;   // a tile's beginning and end take as long as a row of it
  constexpr int kInFlight = 8;  // sums that hide the latency of multiply-adds, two a cycle
  const int most = std::min(std::max(rows, most_rows), std::max(n, 1));
  const int least = std::min(most, (kInFlight + vectors - 1) / vectors);
  double best = 1e300;
  for (int r = most; r >= least; --r) {
    const double time = (std::max(n, 1) + r - 1) / r * (r + kTile);
    if (time >= best) continue;
    best = time;
    rows = r;
  }
}

void VectorTile::avoid_waste(int n) {
  const int padded = (n + rows - 1) / rows * rows;
  if ((padded - n) * 12 > padded) split_rows(n);
}

VectorTile VectorTile::of(const Device& device, int columns) {
  cl_uint width = 0;
  clGetDeviceInfo(device.id(), CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof width, &width, nullptr);
  const auto padded = [&](int tile) { return (columns + tile - 1) / tile * tile; };
  if (width < 16) {
    if (columns <= 8) return {12, 1, 8};
    return padded(24) < padded(16) ? VectorTile{4, 3, 8} : VectorTile{6, 2, 8};
  }
  if (columns <= 8) return {12, 1, 8, 24};
  if (columns <= 16) return {12, 1, 16, 24};
  if (columns <= 24) return {8, 3, 8};
  return padded(48) < padded(32) ? VectorTile{8, 3, 16} : VectorTile{12, 2, 16};
}

VectorTile VectorTile::of_sixteens(const Device& device, int columns) {
  const VectorTile tile = of(device, std::max(columns, 32));
  return tile.columns() % 16 ? VectorTile{6, 2, 8} : tile;
}

VectorSplit VectorSplit::best(int products, int rows, int columns, int units, int max_height,
                              double tile, double row, double column) {
  constexpr double kItem = 2000;  // cycles to hand one work-item to a core
  constexpr double kSkew = 0.25;  // of an item, that a core waits in the end for a slower one
  const auto up = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  VectorSplit best;
  double best_time = 1e300;
  for (int height = 1; height <= std::min(rows, max_height); ++height) {
    // Only widths that make a difference: columns / 1, / 2, ...
    for (int parts = 1; parts <= std::min(columns, 8 * units); ++parts) {
      const int width = static_cast<int>(up(columns, parts));
      const double item = kItem + height * row + width * (column + height * tile);
      const double time =
          (up(products * up(rows, height) * up(columns, width), units) + kSkew) * item;
      if (time >= best_time) continue;
      best_time = time;
      best = {height, width};
    }
  }
  return best;
}

}  // namespace ocellus::opencl
