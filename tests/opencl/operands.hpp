#pragma once

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
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

/// The default device twice, once for each kernel family.
inline std::vector<std::shared_ptr<Device>> both_families() {
  return {Device::open({.family = "vector"}), Device::open({.family = "tiled"})};
}

inline std::string describe(const Device& device) {
  return std::string(opencl::to_string(device.family())) + " family";
}

/// Distinct-looking numbers in [-1, 1).
inline std::vector<float> noise(size_t n, uint32_t seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(engine() >> 8) * 0x1p-23f - 1.0f;
  return values;
}

template <class T>
Buffer upload(Device& device, const std::vector<T>& values) {
  const Buffer b = device.allocate(std::max<size_t>(1, values.size()) * sizeof(T), "test");
  if (!values.empty()) device.compute().write(b, 0, values.data(), values.size() * sizeof(T));
  return b;
}

/// A matrix of 4-byte elements inside a larger buffer: `offset` words in front, `gap` words after
/// each row, some at the end. All of those hold a pattern, and values() fails the test when one of
/// them was overwritten.
class GuardedMatrix {
 public:
  GuardedMatrix(Device& device, int rows, int columns, uint32_t gap = 0, uint32_t offset = 0,
                const std::vector<float>& values = {})
      : queue_(device.compute()), rows_(rows), columns_(columns) {
    operand_.offset = offset;
    operand_.stride = columns + gap;
    std::vector<uint32_t> words(offset + size_t(rows) * operand_.stride + 64, guard);
    for (int r = 0; r < rows && !values.empty(); ++r)
      std::memcpy(&words[offset + r * operand_.stride], &values[size_t(r) * columns],
                  columns * sizeof(float));
    operand_.buffer = upload(device, words);
  }

  const Operand& operand() const { return operand_; }
  operator const Operand&() const { return operand_; }

  std::vector<float> values() const {
    std::vector<uint32_t> words(operand_.buffer.bytes() / 4);
    queue_.read(operand_.buffer, 0, words.data(), words.size() * 4);
    std::vector<float> result(size_t(rows_) * columns_);
    std::vector<bool> inside(words.size());
    for (int r = 0; r < rows_; ++r)
      for (int c = 0; c < columns_; ++c) {
        const size_t at = operand_.offset + size_t(r) * operand_.stride + c;
        inside[at] = true;
        std::memcpy(&result[size_t(r) * columns_ + c], &words[at], 4);
      }
    size_t damaged = 0;
    for (size_t i = 0; i < words.size(); ++i) damaged += !inside[i] && words[i] != guard;
    BOOST_CHECK_MESSAGE(damaged == 0, damaged << " guard words overwritten");
    return result;
  }
  std::vector<int32_t> integers() const {
    const std::vector<float> raw = values();
    std::vector<int32_t> result(raw.size());
    std::memcpy(result.data(), raw.data(), raw.size() * 4);
    return result;
  }

 private:
  static constexpr uint32_t guard = 0x7fc0dead;  // a NaN: whoever reads it shows it
  Queue& queue_;
  int rows_, columns_;
  Operand operand_;
};

/// max |a - b| <= 1e-5 sqrt(terms) max |b|, `terms` the number of summed terms.
inline void check_close(const std::vector<float>& actual, const std::vector<double>& expected,
                        double terms, const std::string& what) {
  BOOST_REQUIRE_EQUAL(actual.size(), expected.size());
  double error = 0, scale = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double d = std::abs(actual[i] - expected[i]);
    error = std::isnan(d) ? HUGE_VAL : std::max(error, d);
    scale = std::max(scale, std::abs(expected[i]));
  }
  BOOST_CHECK_MESSAGE(error <= 1e-5 * std::sqrt(terms) * scale,
                      what << ": error " << error << ", largest value " << scale);
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace ocellus::test
