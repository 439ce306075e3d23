#pragma once

#include <string>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// The register tile of kernels/ocellus/tile.cl that suits a device: rows x columns sums.
struct VectorTile {
  int rows = 12, vectors = 2, lanes = 16;  ///< `vectors` of `lanes` floats side by side
  int most_rows = 0;                       ///< where registers allow more rows than that
  int columns() const { return lanes * vectors; }
  /// Panels of A that a work-item may copy before it multiplies them: PANELS of tile.cl.
  int panels() const { return kPanelRows / rows; }
  static constexpr int kPanelRows = 120;
  /// Narrows `rows`, or widens it as far as registers go, to what takes the least time for `n`
  /// rows.
  void split_rows(int n);
  /// The same where the last tile would leave more than a twelfth of all rows empty. Each height is
  /// a program of its own, so not every number of rows gets one.
  void avoid_waste(int n);
  std::string options() const;  ///< "-DROWS=12 -DNV=2 -DLANES=16"

  /// For results that are `columns` wide: 24 accumulators where there are 32 registers of 16
  /// floats, 12 where there are 16 of 8.
  static VectorTile of(const Device& device, int columns);
  /// The same with a multiple of 16 columns.
  static VectorTile of_sixteens(const Device& device, int columns);
};

/// How a grid of `rows` x `columns` tiles is cut into work-items of `height` x `width` tiles each.
struct VectorSplit {
  int height = 1, width = 1;

  /// The cut with the shortest makespan of `products` such grids on `units` cores, where a tile
  /// takes `tile` cycles, and the first touch of a row or column of tiles by a work-item `row` or
  /// `column` cycles. height is at most max_height.
  static VectorSplit best(int products, int rows, int columns, int units, int max_height,
                          double tile, double row, double column);
};

}  // namespace ocellus::opencl
