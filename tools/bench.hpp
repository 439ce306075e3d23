#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ocellus/core/tensor.hpp"
#include "ocellus/opencl/peaks.hpp"
#include "tool.hpp"

namespace ocellus::tools {

struct BenchOptions {
  std::string what, model, algorithm, layers = "common";
  std::vector<int> sizes;
  int batch = 0, repeat = 15;
};

double median(std::vector<double> v);

/// Median milliseconds of `enqueue` and the device's work behind it. The first runs compile and
/// warm up. Work that takes less than `fill` milliseconds is queued as often as fills them before
/// the device is waited for, as a network's layers are, and the time is that of one.
double time_of(opencl::Queue& queue, int repeat, const std::function<void()>& enqueue,
               double fill = 0);

/// Uniform in [-1, 1), the same numbers every time.
Tensor random_tensor(opencl::Device& device, const Shape& shape);

/// What was measured of some work: "gflops", "gb_per_s", and their shares of the device's peaks in
/// percent. Both count what the work needs by definition, whatever an algorithm spends: Winograd
/// may exceed 100 % of the arithmetic, and what stays in a cache 100 % of the memory.
void add_rates(Json& row, const opencl::Peaks& peaks, double multiply_adds, double bytes,
               double ms);

/// Names of the lists of convolutions: "common", "vgg16", "resnet50", "mobilenet_v2", "odd", "all".
const std::vector<std::string>& convolution_lists();

Json bench_peaks(Tool& tool);
Json bench_gemm(Tool& tool, const BenchOptions& o);
/// Dense layers of VGG16, ResNet-50, MobileNetV2 and LeNet-5, for 1 and 8 images or `--batch`.
Json bench_dense(Tool& tool, const BenchOptions& o);
Json bench_convolution(Tool& tool, const BenchOptions& o);

}  // namespace ocellus::tools
