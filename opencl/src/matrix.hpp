#pragma once

#include <cstdint>
#include <string>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// How a kernel written with ocellus/matrix.cl covers a matrix: its MATRIX_PARAMETERS and its
/// range.
struct MatrixSplit {
  uint32_t rows = 0, columns = 0;
  uint32_t chunk_rows = 0, chunk_columns = 0;
  Range range;

  void append(Arguments& arguments) const {
    arguments.add(rows).add(columns).add(chunk_rows).add(chunk_columns);
  }
};

/// Vector family: blocks of some thousand elements, a few for every compute unit. Tiled: one
/// element a work-item. `cost` is the work of an element, 1 for a copy: costly elements make
/// smaller blocks. Throws Error when the matrix has 2^31 elements or more.
MatrixSplit split_matrix(const Device& device, size_t rows, size_t columns, size_t cost = 1);

/// Work-items of a tiled work-group: the largest power of two up to `wanted` that the device
/// allows.
size_t group_size(const Device& device, size_t wanted = 128);

/// "-DTILED -DGROUP=128" or nothing: what ocellus/matrix.cl reads.
std::string family_options(const Device& device);

}  // namespace ocellus::opencl
