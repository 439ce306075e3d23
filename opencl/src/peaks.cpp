#include "ocellus/opencl/peaks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <vector>

#include "matrix.hpp"
#include "ocellus_opencl_kernels.hpp"

namespace ocellus::opencl {
namespace {

constexpr int kChains = 10;
constexpr int kRuns = 30;

/// Vectors of the device's own width for CPUs; single floats in groups for GPUs.
struct Shape {
  int lanes = 1;
  size_t group = 1, items = 1;

  explicit Shape(const Device& device) {
    const size_t units = device.info().compute_units;
    if (device.family() == KernelFamily::tiled) {
      group = group_size(device);
      items = units * 16 * group;
      return;
    }
    cl_uint width = 0;
    clGetDeviceInfo(device.id(), CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof width, &width,
                    nullptr);
    lanes = width < 16 ? 8 : 16;
    items = units * 64;  // so that handing them out costs little
  }
  std::string options() const {
    return fmt::format("-DLANES={} -DGROUP={} -DCHAINS={}", lanes, group, kChains);
  }
};

/// Seconds of the fastest of so many runs, or of as many as half a second allows.
double fastest(Queue& queue, const std::function<void()>& enqueue) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30, total = 0;
  for (int i = 0; i < kRuns + 1 && total < 0.5; ++i) {
    const auto begin = Clock::now();
    enqueue();
    queue.finish();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (i == 0) continue;  // compiles
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

double measure_multiply_add(Device& device, const Shape& shape) {
  Queue& queue = device.compute();
  const Kernel kernel = device.kernel(kernels::peaks_cl(), "peak_multiply_add", shape.options());
  const size_t numbers = shape.items * static_cast<size_t>(shape.lanes);
  const Buffer result = device.allocate(numbers * sizeof(float), "results of the benchmark");
  queue.fill(result, 0, numbers * sizeof(float));
  // Few enough for the watchdog of a slow GPU and for llvmpipe, which leaves a loop after 65,535
  // turns; as many launches as it takes for 5 ms, which a busy machine may still give in one piece.
  constexpr int steps = 10000;
  int launches = 1;
  double seconds = 0;
  for (;;) {
    seconds = fastest(queue, [&] {
      for (int i = 0; i < launches; ++i)
        kernel(queue, Range::of(shape.items, shape.group), steps, 0.5f, 1.0f, result);
    });
    if (seconds > 0.0025 || launches >= 10000) break;
    launches = std::min(10000, 1 + static_cast<int>(launches * 0.005 / seconds));
  }
  std::vector<float> values(numbers);
  queue.read(result, 0, values.data(), numbers * sizeof(float));
  for (const float v : values)
    if (!(std::abs(v - 2.0f * kChains) < 1e-3f))
      throw DeviceError(fmt::format("'{}' computes wrong numbers: {} where {} is right",
                                    device.info().name, v, 2 * kChains));
  return 2.0 * kChains * steps * launches * static_cast<double>(numbers) / seconds / 1e9;
}

double measure_copy(Device& device, const Shape& shape) {
  Queue& queue = device.compute();
  const Kernel kernel = device.kernel(kernels::peaks_cl(), "peak_copy", shape.options());
  const size_t vector = static_cast<size_t>(shape.lanes) * sizeof(float);
  // More than the caches of today's CPUs and GPUs hold, less than small devices have.
  const size_t wanted = std::min<uint64_t>(
      {uint64_t{256} << 20, device.info().max_allocation, device.memory_ceiling() / 4});
  const int each = static_cast<int>(std::max<size_t>(1, wanted / vector / shape.items));
  const size_t bytes = static_cast<size_t>(each) * shape.items * vector;
  const Buffer from = device.allocate(bytes, "the source of the benchmark"),
               to = device.allocate(bytes, "the target of the benchmark");
  queue.fill(from, 0, bytes);
  const float last = 3;
  queue.write(from, bytes - sizeof last, &last, sizeof last);
  const double seconds =
      fastest(queue, [&] { kernel(queue, Range::of(shape.items, shape.group), each, from, to); });
  float copied = 0;
  queue.read(to, bytes - sizeof copied, &copied, sizeof copied);
  if (copied != last) throw DeviceError(fmt::format("'{}' copies wrongly", device.info().name));
  return 2.0 * static_cast<double>(bytes) / seconds / 1e9;
}

}  // namespace

Peaks measure_peaks(Device& device) {
  const Shape shape(device);
  return {measure_multiply_add(device, shape), measure_copy(device, shape)};
}

}  // namespace ocellus::opencl
