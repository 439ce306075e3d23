#include "ocellus/opencl/random.hpp"

#include <fmt/format.h>

#include "matrix.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

/// Kernel and first arguments of a launch over rows x columns random numbers.
struct RandomLaunch {
  Kernel kernel;
  Range range;
  Arguments arguments;

  RandomLaunch(Device& device, const char* name, const RandomStream& stream, int rows, int columns,
               const Buffer& samples)
      : kernel(device.kernel(kernels::random_cl(), name, family_options(device))) {
    constexpr size_t cost = 8;
    MatrixSplit split = split_matrix(device, rows, columns, cost);
    if (device.family() == KernelFamily::tiled) {  // a work-item makes four
      split.chunk_columns = (split.columns + 3) / 4;
      split.range = Range::of(size_t(rows) * split.chunk_columns, group_size(device));
    }
    range = split.range;
    split.append(arguments);
    arguments.add(static_cast<uint32_t>(stream.seed)).add(static_cast<uint32_t>(stream.seed >> 32));
    arguments.add(stream.step).add(stream.node).add(samples);
  }
};

void fill(Queue& queue, const char* name, const RandomStream& stream, const Operand& y, int rows,
          int columns, const Buffer& samples) {
  RandomLaunch l(queue.device(), name, stream, rows, columns, samples);
  l.arguments.add(y.buffer).add(y.offset).add(y.stride);
  l.kernel.launch(queue, l.range, l.arguments);
}

}  // namespace

void random_uniform(Queue& queue, const RandomStream& stream, const Operand& y, int rows,
                    int columns, const Buffer& samples) {
  fill(queue, "random_uniform", stream, y, rows, columns, samples);
}

void random_normal(Queue& queue, const RandomStream& stream, const Operand& y, int rows,
                   int columns, const Buffer& samples) {
  fill(queue, "random_normal", stream, y, rows, columns, samples);
}

void dropout(Queue& queue, const RandomStream& stream, float rate, const Operand& x,
             const Operand& y, int rows, int columns, const Buffer& samples, bool accumulate) {
  if (!(rate >= 0 && rate < 1))
    throw Error(fmt::format("a dropout rate of {} is not in [0, 1)", rate));
  RandomLaunch l(queue.device(), "dropout", stream, rows, columns, samples);
  l.arguments.add(rate).add(x.buffer).add(x.offset).add(x.stride).add(y.buffer).add(y.offset).add(
      y.stride);
  l.arguments.add(int32_t{accumulate});
  l.kernel.launch(queue, l.range, l.arguments);
}

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3], k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * a, p1 = uint64_t{0xCD9E8D57} * c;
    a = static_cast<uint32_t>(p1 >> 32) ^ b ^ k0;
    b = static_cast<uint32_t>(p1);
    c = static_cast<uint32_t>(p0 >> 32) ^ d ^ k1;
    d = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

}  // namespace ocellus::opencl
