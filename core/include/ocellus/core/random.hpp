#pragma once

#include <cstdint>
#include <vector>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// Random numbers on the host: Philox4x32-10 (Salmon et al., SC11) with key = seed and one counter
/// a stream. The same (seed, stream) gives the same numbers on every machine; the distributions are
/// our own, since those of the standard library differ between libraries.
class OCELLUS_API Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0);
  uint32_t bits();
  double uniform();                         ///< in [0, 1), 24 random bits
  double uniform(double low, double high);  ///< in [low, high)
  double normal();                          ///< mean 0, standard deviation 1
  int64_t below(int64_t n);                 ///< in [0, n), unbiased
  std::vector<int64_t> permutation(int64_t n);

 private:
  uint32_t key_[2];
  uint32_t stream_[2];
  uint64_t block_ = 0;
  uint32_t numbers_[4];
  int used_ = 4;
};

}  // namespace ocellus
