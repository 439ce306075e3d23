#include "embedding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "ocellus/core/error.hpp"
#include "ocellus_embedding_kernels.hpp"

namespace ocellus::analyzers {
namespace {

using opencl::Range;

// Padding of the plane: q = 1 / (1 + 2e34) vanishes beside every sum, and its square times the
// distance is 0.
constexpr float far_away = 1e17f;

size_t floats(size_t n) { return n * sizeof(float); }

}  // namespace

Embedding::Embedding(opencl::Device& device, const Array& features, double perplexity)
    : device_(device),
      queue_(device.compute()),
      points_(features.shape()[0]),
      padded_(static_cast<int>(Range::round_up(points_, 16))) {
  if (points_ < 4) throw DataError(fmt::format("t-SNE needs 4 points at least, not {}", points_));
  const int dimensions = features.shape()[1];
  queue_.set_label("t-SNE");
  const auto kernel = [&](const char* name) { return device_.kernel(kernels::tsne_cl(), name); };
  p_ = device_.allocate(floats(static_cast<size_t>(points_) * padded_), "the affinities of t-SNE");
  y_ = device_.allocate(floats(2 * static_cast<size_t>(padded_)), "the points of t-SNE");
  forces_ = device_.allocate(floats(4 * static_cast<size_t>(points_)), "the forces of t-SNE");
  z_ = device_.allocate(floats(points_), "the sums of t-SNE");
  velocity_ = device_.allocate(floats(2 * static_cast<size_t>(points_)), "the velocities of t-SNE");
  gains_ = device_.allocate(floats(2 * static_cast<size_t>(points_)), "the gains of t-SNE");
  forces_kernel_ =
      kernel(device_.family() == opencl::KernelFamily::vector ? "forces_vector" : "forces_tiled");
  move_ = kernel("move");

  std::vector<float> transposed(static_cast<size_t>(dimensions) * padded_);
  for (int i = 0; i < points_; ++i)
    for (int d = 0; d < dimensions; ++d)
      transposed[static_cast<size_t>(d) * padded_ + i] =
          features.f32()[static_cast<size_t>(i) * dimensions + d];
  const opencl::Buffer x = device_.allocate(floats(transposed.size()), "the features of t-SNE");
  queue_.write(x, 0, transposed.data(), floats(transposed.size()));
  kernel("distances")(queue_, Range::of(padded_ / 16, (points_ + 3) / 4, 1, 1), x, p_, points_,
                      padded_, dimensions);
  kernel("affinities")(queue_, Range::of(points_, 1), p_, points_, padded_,
                       static_cast<float>(std::log(perplexity)));
  kernel("symmetrize")(queue_, Range::of(points_, points_, 16, 1), p_, points_, padded_);
}

void Embedding::start(const Array& points) {
  std::vector<float> plane(2 * static_cast<size_t>(padded_), far_away);
  for (int i = 0; i < points_; ++i)
    for (int a = 0; a < 2; ++a)
      plane[static_cast<size_t>(a) * padded_ + i] = points.f32()[2 * i + a];
  queue_.write(y_, 0, plane.data(), floats(plane.size()));
  queue_.fill(velocity_, 0, floats(2 * static_cast<size_t>(points_)));
  const float one = 1;
  queue_.fill(gains_, 0, floats(2 * static_cast<size_t>(points_)), std::bit_cast<uint32_t>(one));
}

void Embedding::enqueue_forces() {
  queue_.set_label("t-SNE");
  const size_t group = device_.family() == opencl::KernelFamily::vector ? 1 : 64;
  forces_kernel_(queue_, Range::of(points_, group), p_, y_, forces_, z_, points_, padded_);
}

double Embedding::normalizer() {
  std::vector<float> z(points_);
  queue_.read(z_, 0, z.data(), floats(z.size()));
  return std::accumulate(z.begin(), z.end(), 0.0);
}

void Embedding::step(const Step& s) {
  enqueue_forces();
  const float inverse_z = static_cast<float>(1 / normalizer());
  move_(queue_, Range::of(points_, 16), forces_, y_, velocity_, gains_, points_, padded_,
        static_cast<float>(s.exaggeration), inverse_z, static_cast<float>(s.rate),
        static_cast<float>(s.momentum));
}

Array Embedding::points() {
  std::vector<float> plane(2 * static_cast<size_t>(padded_));
  queue_.read(y_, 0, plane.data(), floats(plane.size()));
  Array out(Shape{points_, 2}, DType::f32);
  for (int a = 0; a < 2; ++a) {
    const float* axis = &plane[static_cast<size_t>(a) * padded_];
    const double mean = std::accumulate(axis, axis + points_, 0.0) / points_;
    for (int i = 0; i < points_; ++i) out.f32()[2 * i + a] = static_cast<float>(axis[i] - mean);
  }
  return out;
}

double Embedding::divergence() {
  enqueue_forces();
  const double z = normalizer();
  device_.kernel(kernels::tsne_cl(), "divergence")(queue_, Range::of(points_, 1), p_, y_, z_,
                                                   points_, padded_);
  // sum p (log p - log(q / Z)), and P sums to 1.
  return normalizer() + std::log(z);
}

Array Embedding::affinities() {
  Array out(Shape{points_, points_}, DType::f32);
  for (int i = 0; i < points_; ++i)
    queue_.read(p_, floats(static_cast<size_t>(i) * padded_),
                &out.f32()[static_cast<size_t>(i) * points_], floats(points_));
  return out;
}

Array Embedding::gradient() {
  enqueue_forces();
  const double z = normalizer();
  std::vector<float> f(4 * static_cast<size_t>(points_));
  queue_.read(forces_, 0, f.data(), floats(f.size()));
  Array out(Shape{points_, 2}, DType::f32);
  for (int i = 0; i < points_; ++i)
    for (int a = 0; a < 2; ++a)
      out.f32()[2 * i + a] = static_cast<float>(4 * (f[4 * i + a] - f[4 * i + 2 + a] / z));
  return out;
}

double neighbour_accuracy(const Array& points, const std::vector<int>& labels, int k) {
  const int n = points.shape()[0];
  k = std::min(k, n - 1);
  if (k < 1) return 0;
  const auto y = points.f32();
  std::vector<std::pair<float, int>> near(n);
  int right = 0;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j)
      near[j] = {std::hypot(y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]), j};
    near[i].first = INFINITY;
    std::partial_sort(near.begin(), near.begin() + k, near.end());
    std::map<int, int> votes;
    int best = labels[near[0].second];
    for (int j = 0; j < k; ++j) ++votes[labels[near[j].second]];
    // From near to far, so that of equal counts the nearest wins.
    for (int j = 0; j < k; ++j)
      if (votes[labels[near[j].second]] > votes[best]) best = labels[near[j].second];
    right += best == labels[i];
  }
  return static_cast<double>(right) / n;
}

}  // namespace ocellus::analyzers
