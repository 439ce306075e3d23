#include "matrix.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ocellus::opencl {

MatrixSplit split_matrix(const Device& device, size_t rows, size_t columns, size_t cost) {
  const size_t elements = rows * columns;
  if (elements >= size_t{1} << 31)
    throw Error(fmt::format("a matrix of {} x {} has 2^31 elements or more", rows, columns));
  MatrixSplit s;
  s.rows = static_cast<uint32_t>(rows);
  s.columns = static_cast<uint32_t>(columns);
  if (elements == 0) {
    s.range.global = {0, 0, 0};
    return s;
  }
  if (device.family() == KernelFamily::tiled) {
    s.range = Range::of(elements, group_size(device));
    return s;
  }
  const size_t blocks = 4 * device.info().compute_units;
  const size_t block =
      std::clamp<size_t>(elements / blocks, std::max<size_t>(1024 / cost, 16), 16384);
  s.chunk_columns = static_cast<uint32_t>(Range::round_up(std::min(columns, block), 16));
  s.chunk_rows = static_cast<uint32_t>(
      std::max<size_t>(1, block / std::min<size_t>(columns, s.chunk_columns)));
  s.range.global = {(columns + s.chunk_columns - 1) / s.chunk_columns,
                    (rows + s.chunk_rows - 1) / s.chunk_rows, 1};
  return s;
}

size_t group_size(const Device& device, size_t wanted) {
  size_t size = 1;
  while (size * 2 <= std::min(wanted, device.info().max_work_group)) size *= 2;
  return size;
}

std::string family_options(const Device& device) {
  if (device.family() == KernelFamily::vector) return {};
  return fmt::format("-DTILED -DGROUP={}", group_size(device));
}

}  // namespace ocellus::opencl
