#pragma once

#include <cstddef>
#include <cstdint>

#include "convolution_algorithm.hpp"
#include "vector_tile.hpp"

namespace ocellus::opencl::winograd {

/// Floats that transformed tiles may take at a time, so that they stay in cache between the steps.
constexpr int kMaxWorkspace = 2 << 20;

inline int vectors(int channels) { return (channels + 15) / 16 * 16; }

/// Distance of two planes in floats: odd in vectors, since planes that lie a power of two apart
/// would fall into the same few sets of the caches.
inline uint32_t plane(size_t rows, size_t columns) {
  return static_cast<uint32_t>(rows * columns + (rows * columns / 16 % 2 ? 0 : 16));
}

/// Tiles of `size` x `size` results that cover a batch of images.
struct Tiling {
  int size = 4;
  int h = 0, w = 0;  ///< tiles of an image
  int count = 0;     ///< of the batch

  Tiling(int tile_size, int batch, int height, int width)
      : size(tile_size),
        h((height + size - 1) / size),
        w((width + size - 1) / size),
        count(batch * h * w) {}
  int planes() const { return (size + 2) * (size + 2); }  ///< products a tile

  /// 2, 4 or 6, whichever takes least time for `k` channels to `n`: large tiles multiply less,
  /// small ones waste less at the border, have fewer transformed weights to read, and cheaper
  /// transforms.
  static int best_size(const Device& device, int batch, int height, int width, int k, int n);
};

/// Whether it is a convolution that Winograd's way can do.
bool applies(const ConvolutionProblem& problem);

/// The rank of Winograd's way for results of `h` x `w` pixels in so many tiles; 0 where it cannot.
/// Worth its transforms from 32 channels on both sides, and those of the weights from `fewest`
/// tiles on.
int rank(const Device& device, const ConvolutionProblem& problem, int h, int w, int tiles,
         int fewest);

/// What is common to the ways forward, and backward by data, which is the same with turned weights.
class Forward : public ConvolutionAlgorithm {
 public:
  size_t packed_bytes() const override;
  std::string packed_variant() const override;
  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const override;

  static int rank(const Device& device, const ConvolutionProblem& problem, ConvolutionPass pass,
                  int size);

 protected:
  Forward(Device& device, const ConvolutionProblem& problem, ConvolutionPass pass, int size);
  KernelSource source() const;      ///< convolution_winograd.cl with the epilogue
  std::string size_option() const;  ///< "-DTILE=4"
  uint32_t u_plane() const { return plane(k_, strips_ * tile_.columns()); }
  const Operand& from(const Call& c) const { return forward_ ? c.x : c.y; }
  const Operand& to(const Call& c) const { return forward_ ? c.y : c.x; }
  int accumulate() const { return p_.accumulate && !forward_ ? 1 : 0; }

  ConvolutionProblem p_;
  bool forward_;
  int k_, n_;  ///< channels read and written
  Tiling tiles_;
  VectorTile tile_;  ///< of the products
  int strips_;       ///< of u, tile_.columns() wide
  Axis h_, w_;

 private:
  Kernel weights_;
};

}  // namespace ocellus::opencl::winograd
