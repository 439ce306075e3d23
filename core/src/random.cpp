#include "ocellus/core/random.hpp"

#include <cmath>
#include <numbers>
#include <utility>

#include "ocellus/core/error.hpp"
#include "ocellus/opencl/random.hpp"

namespace ocellus {

Random::Random(uint64_t seed, uint64_t stream)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
      stream_{static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)} {}

uint32_t Random::bits() {
  if (used_ == 4) {
    const uint32_t counter[4] = {static_cast<uint32_t>(block_), static_cast<uint32_t>(block_ >> 32),
                                 stream_[0], stream_[1]};
    opencl::philox4x32(counter, key_, numbers_);
    ++block_;
    used_ = 0;
  }
  return numbers_[used_++];
}

double Random::uniform() { return (bits() >> 8) * 0x1p-24; }

double Random::uniform(double low, double high) { return low + (high - low) * uniform(); }

double Random::normal() {
  // Box-Muller; 1 - u keeps the logarithm away from 0.
  const double u = 1.0 - uniform(), v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

int64_t Random::below(int64_t n) {
  if (n < 1) throw Error("Random::below needs a positive bound");
  const uint64_t range = static_cast<uint64_t>(n);
  const uint64_t limit = UINT64_MAX - UINT64_MAX % range;
  while (true) {
    const uint64_t high = bits();
    const uint64_t value = high << 32 | bits();
    if (value < limit) return static_cast<int64_t>(value % range);
  }
}

std::vector<int64_t> Random::permutation(int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) order[i] = i;
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[below(i + 1)]);
  return order;
}

}  // namespace ocellus
