#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"

/// What the tests of the primitives share: both kernel families, strided operands between guard
/// words, float64 comparison.
namespace ocellus::test {

using opencl::Buffer;
using opencl::Device;
using opencl::Operand;
using opencl::Queue;

/// The default device in one kernel family, "vector" or "tiled".
inline std::shared_ptr<Device> open_family(const std::string& family) {
  return Device::open({.family = family});
}

/// The default device twice, once for each kernel family.
inline std::vector<std::shared_ptr<Device>> both_families() {
  return {open_family("vector"), open_family("tiled")};
}

/// both_families(), or the one of OCELLUS_TEST_FAMILY: compiling is most of what some tests do, and
/// two processes compile side by side.
inline std::vector<std::shared_ptr<Device>> tested_families() {
  const char* const one = std::getenv("OCELLUS_TEST_FAMILY");
  if (one) return {open_family(one)};
  return both_families();
}

/// Whether the algorithm's kernels are of the device's family or of none: what a device of the
/// other family would run are the same kernels.
inline bool is_own(const Device& device, const std::string& algorithm) {
  const bool tiled = device.family() == opencl::KernelFamily::tiled;
  return algorithm == "naive" || algorithm.ends_with("tiled") == tiled;
}

inline std::string describe(const Device& device) {
  return std::string(opencl::to_string(device.family())) + " family";
}

/// Distinct-looking numbers in [-1, 1), the same on every machine.
inline std::vector<float> noise(size_t n, uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(engine() >> 8) * 0x1p-23f - 1.0f;
  return values;
}

/// By a write: Oclgrind takes what clEnqueueFillBuffer filled for uninitialised ever after.
template <class T>
Buffer upload(Device& device, const std::vector<T>& values) {
  const Buffer b = device.allocate(std::max<size_t>(1, values.size()) * sizeof(T), "test");
  if (!values.empty()) device.compute().write(b, 0, values.data(), values.size() * sizeof(T));
  return b;
}

/// A matrix of 4-byte elements inside a larger buffer: `offset` words in front, `gap` words after
/// each row, some at the end. All of those hold a pattern.
class GuardedMatrix {
 public:
  static constexpr uint32_t kGuard = 0x7fc0dead;  // a NaN: whoever reads it shows it

  GuardedMatrix(Device& device, int rows, int columns, uint32_t gap = 0, uint32_t offset = 0,
                const std::vector<float>& values = {})
      : queue_(device.compute()), rows_(rows), columns_(columns) {
    operand_.offset = offset;
    operand_.stride = columns + gap;
    operand_.buffer = upload(device, words(values));
  }

  const Operand& operand() const { return operand_; }
  operator const Operand&() const { return operand_; }

  /// Writes rows * columns dense values, and the pattern around them.
  void set(const std::vector<float>& values) {
    const std::vector<uint32_t> all = words(values);
    queue_.write(operand_.buffer, 0, all.data(), all.size() * 4);
  }

  /// Throws when a word of the pattern was overwritten, which fails any test.
  std::vector<float> values() const {
    std::vector<uint32_t> words(operand_.buffer.bytes() / 4);
    queue_.read(operand_.buffer, 0, words.data(), words.size() * 4);
    std::vector<float> result(size_t(rows_) * columns_);
    for (int r = 0; r < rows_ && columns_ > 0; ++r) {
      uint32_t* const row = &words[operand_.offset + size_t(r) * operand_.stride];
      std::memcpy(&result[size_t(r) * columns_], row, columns_ * sizeof(float));
      std::fill_n(row, columns_, kGuard);
    }
    const auto intact = std::ranges::count(words, kGuard);
    if (intact != std::ssize(words))
      throw std::runtime_error(std::to_string(std::ssize(words) - intact) +
                               " guard words were overwritten");
    return result;
  }
  std::vector<int32_t> integers() const {
    const std::vector<float> raw = values();
    std::vector<int32_t> result(raw.size());
    std::memcpy(result.data(), raw.data(), raw.size() * 4);
    return result;
  }

 private:
  std::vector<uint32_t> words(const std::vector<float>& values) const {
    std::vector<uint32_t> all(operand_.offset + size_t(rows_) * operand_.stride + 64, kGuard);
    for (int r = 0; r < rows_ && !values.empty(); ++r)
      std::memcpy(&all[operand_.offset + size_t(r) * operand_.stride],
                  &values[size_t(r) * columns_], columns_ * sizeof(float));
    return all;
  }

  Queue& queue_;
  int rows_, columns_;
  Operand operand_;
};

/// max |a - b| / (1e-5 sqrt(terms) max |b|): at most 1 is good, the error bound of the whole
/// project, `terms` the number of summed terms. A NaN in `a` is infinitely bad.
inline double error_ratio(const std::vector<float>& a, const std::vector<double>& b, double terms) {
  if (a.size() != b.size()) throw std::logic_error("error_ratio: two sizes");
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
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace ocellus::test
