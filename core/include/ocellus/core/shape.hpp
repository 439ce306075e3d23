#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "ocellus/opencl/api.hpp"

namespace ocellus {

/// Extents of a tensor, rank 0 to 5, batch first and channels last: (N), (N, C), (N, L, C), (N, H,
/// W, C), (N, D, H, W, C). Parameters use it too: (KH, KW, Cin, Cout), (in, out). Every extent is
/// at least 0; a tensor has fewer than 2^31 elements.
class OCELLUS_API Shape {
 public:
  static constexpr int max_rank = 5;
  Shape() = default;
  /// Throws Error on a rank over 5, a negative extent, or 2^31 elements and more.
  Shape(std::initializer_list<int> extents);
  explicit Shape(std::span<const int> extents);

  int rank() const { return rank_; }
  /// Extent of an axis; negative counts from the end: shape[-1] is the number of channels. Throws
  /// Error out of range.
  int operator[](int axis) const;
  void set(int axis, int extent);
  int64_t elements() const;
  /// Channels (the last extent; 1 for rank 0) and everything else: the matrix that the primitives
  /// see.
  int channels() const { return rank_ ? extents_[rank_ - 1] : 1; }
  int pixels() const;
  std::span<const int> extents() const { return {extents_.data(), static_cast<size_t>(rank_)}; }
  /// Without the first axis / with another first extent.
  Shape without_batch() const;
  Shape with_batch(int n) const;
  /// One more axis in front.
  Shape batched(int n) const;
  bool operator==(const Shape&) const = default;
  /// "(32, 28, 28, 1)"
  std::string str() const;

 private:
  void check() const;
  std::array<int, max_rank> extents_{};
  int rank_ = 0;
};

}  // namespace ocellus
