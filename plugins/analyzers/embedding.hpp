#pragma once

#include <vector>

#include "ocellus/core/array.hpp"
#include "ocellus/opencl/device.hpp"

namespace ocellus::analyzers {

/// Exact t-SNE on a device: L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR
/// 2008. All pairs count, in P and in the forces; time and memory grow with the square of the
/// number of points (400 MB for 10,000). Sums have a fixed order.
class Embedding {
 public:
  /// P from features f32 (N, D), N >= 4, at the given perplexity (at most (N - 1) / 3).
  Embedding(opencl::Device& device, const Array& features, double perplexity);

  struct Step {
    double exaggeration = 1, rate = 200, momentum = 0.8;
  };
  /// Where the points start: f32 (N, 2). Velocities become 0 and gains 1.
  void start(const Array& points);
  void step(const Step& s);

  Array points();       ///< f32 (N, 2), mean 0
  double divergence();  ///< Kullback-Leibler divergence of P from Q in nats, without exaggeration
  Array affinities();   ///< P, f32 (N, N), symmetric, sum 1
  Array gradient();     ///< of the divergence by the points, f32 (N, 2)

 private:
  void enqueue_forces();
  double normalizer();  ///< Z: waits for the forces

  opencl::Device& device_;
  opencl::Queue& queue_;
  int points_ = 0, padded_ = 0;
  opencl::Buffer p_, y_, forces_, z_, velocity_, gains_;
  opencl::Kernel forces_kernel_, move_;
};

/// Scores (N, k) of centred features f32 (N, D) on their k <= D first principal axes, largest
/// variance first, by subspace iteration (Halko, Martinsson and Tropp, SIAM Review 2011). The sign
/// of an axis makes its largest score positive.
Array principal_components(opencl::Device& device, const Array& features, int k, uint64_t seed);

/// Share of points whose label is that of most of their `k` nearest neighbours in the plane (ties:
/// the label of the nearest).
double neighbour_accuracy(const Array& points, const std::vector<int>& labels, int k);

}  // namespace ocellus::analyzers
