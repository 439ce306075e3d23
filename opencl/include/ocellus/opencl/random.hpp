#pragma once

#include <cstdint>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// Where a random number comes from: Philox4x32-10 (Salmon et al., SC11) with key = seed and
/// counter = (element / 4, global sample index, node, step). The same place gives the same bits on
/// every device.
struct RandomStream {
  uint64_t seed = 0;
  uint32_t step = 0;
  uint32_t node = 0;
};

/// y (rows, columns) = uniform in [0, 1), row r drawn for sample `samples[r]` (int32; null: sample
/// r).
OCELLUS_API void random_uniform(Queue& queue, const RandomStream& stream, const Operand& y,
                                int rows, int columns, const Buffer& samples = {});
/// Normal with mean 0 and standard deviation 1 (Box-Muller).
OCELLUS_API void random_normal(Queue& queue, const RandomStream& stream, const Operand& y, int rows,
                               int columns, const Buffer& samples = {});

/// y = x * mask / (1 - rate), mask = uniform >= rate: inverted dropout. Backward is the same call
/// on gradients
/// (`accumulate` adds), since the mask is a function of the stream alone.
OCELLUS_API void dropout(Queue& queue, const RandomStream& stream, float rate, const Operand& x,
                         const Operand& y, int rows, int columns, const Buffer& samples = {},
                         bool accumulate = false);

/// The same generator on the host, bit for bit.
OCELLUS_API void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

}  // namespace ocellus::opencl
