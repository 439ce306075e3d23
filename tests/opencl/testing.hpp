#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"

/// What the tests of the primitives share: matrices on the device with guard words around and
/// between their rows, and the error bound of the whole project.
namespace ocellus::testing {

/// Uniform in [-1, 1), the same on every machine.
inline std::vector<float> random_values(size_t n, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(generator()) * 0x1p-31f - 1.0f;
  return values;
}

/// rows x columns somewhere in a larger buffer whose other words hold a pattern that no kernel
/// writes.
class Guarded {
 public:
  static constexpr uint32_t kGuard =
      0x7fc0dead;  // a NaN: whoever reads it into a result is found out

  Guarded(opencl::Device& device, int rows, int columns, int offset = 7, int gap = 3)
      : device_(device),
        rows_(rows),
        columns_(columns),
        offset_(offset),
        stride_(columns + gap),
        image_(offset + size_t(rows - 1) * stride_ + columns, guard()) {
    buffer_ = device.allocate((image_.size() + kTail) * 4, "a test's matrix");
    fill_guards();
  }

  opencl::Operand operand() const { return {buffer_, uint32_t(offset_), uint32_t(stride_)}; }

  /// Writes rows * columns dense values.
  void set(const std::vector<float>& dense) {
    for (int r = 0; r < rows_; ++r)
      std::copy_n(&dense[size_t(r) * columns_], columns_, &image_[offset_ + size_t(r) * stride_]);
    device_.compute().write(buffer_, 0, image_.data(), image_.size() * 4);
  }
  /// Reads them back; guards_intact() then tells about the words around them.
  std::vector<float> get() {
    std::vector<float> now(image_.size() + kTail);
    device_.compute().read(buffer_, 0, now.data(), now.size() * 4);
    std::vector<float> dense(size_t(rows_) * columns_);
    for (int r = 0; r < rows_; ++r) {
      float* const row = &now[offset_ + size_t(r) * stride_];
      std::copy_n(row, columns_, &dense[size_t(r) * columns_]);
      std::fill_n(row, columns_, guard());
    }
    intact_ = std::all_of(now.begin(), now.end(), [](float v) {
      uint32_t bits;
      std::memcpy(&bits, &v, 4);
      return bits == kGuard;
    });
    return dense;
  }
  bool guards_intact() const { return intact_; }

 private:
  static constexpr size_t kTail = 37;
  static float guard() {
    float f;
    std::memcpy(&f, &kGuard, 4);
    return f;
  }
  /// By a write: Oclgrind takes what clEnqueueFillBuffer filled for uninitialised ever after.
  void fill_guards() {
    const std::vector<float> guards(buffer_.bytes() / 4, guard());
    device_.compute().write(buffer_, 0, guards.data(), guards.size() * 4);
  }

  opencl::Device& device_;
  int rows_, columns_, offset_, stride_;
  std::vector<float> image_;
  opencl::Buffer buffer_;
  bool intact_ = false;
};

/// max|a - b| / (1e-5 sqrt(terms) max|b|): at most 1 is good. A NaN in `a` is infinitely bad.
inline double error_ratio(const std::vector<float>& a, const std::vector<double>& b, double terms) {
  double difference = 0, largest = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    if (!std::isfinite(a[i])) return INFINITY;
    difference = std::max(difference, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return difference / (1e-5 * std::sqrt(terms) * std::max(largest, 1e-30));
}

/// Equal bit by bit.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

inline const char* const kFamilies[] = {"vector", "tiled"};

inline std::shared_ptr<opencl::Device> open_family(const std::string& family) {
  opencl::DeviceOptions options;
  options.family = family;
  return opencl::Device::open(options);
}

}  // namespace ocellus::testing
