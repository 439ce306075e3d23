#include <algorithm>
#include <cmath>
#include <numeric>

#include "embedding.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/random.hpp"
#include "ocellus/core/tensor.hpp"
#include "ocellus/opencl/gemm.hpp"

namespace ocellus::analyzers {
namespace {

// A square or tall matrix on the host, row-major, double.
struct HostMatrix {
  int rows = 0, columns = 0;
  std::vector<double> values;
  HostMatrix(int r, int c) : rows(r), columns(c), values(static_cast<size_t>(r) * c) {}
  double& at(int r, int c) { return values[static_cast<size_t>(r) * columns + c]; }
};

/// Columns orthonormal by Gram-Schmidt, twice over, which is enough. A column that depends on the
/// others becomes 0.
void orthonormalize(HostMatrix& m) {
  const auto dot = [&](int a, int b) {
    double sum = 0;
    for (int r = 0; r < m.rows; ++r) sum += m.at(r, a) * m.at(r, b);
    return sum;
  };
  for (int c = 0; c < m.columns; ++c) {
    const double before = std::sqrt(dot(c, c));
    for (int pass = 0; pass < 2; ++pass)
      for (int b = 0; b < c; ++b) {
        const double overlap = dot(b, c);
        for (int r = 0; r < m.rows; ++r) m.at(r, c) -= overlap * m.at(r, b);
      }
    const double after = std::sqrt(dot(c, c));
    const double scale = after > 1e-10 * before && after > 0 ? 1 / after : 0;
    for (int r = 0; r < m.rows; ++r) m.at(r, c) *= scale;
  }
}

/// Eigenvectors of a symmetric matrix as columns, by cyclic Jacobi rotations; `m` becomes diagonal.
HostMatrix eigenvectors(HostMatrix& m) {
  const int n = m.rows;
  HostMatrix v(n, n);
  for (int i = 0; i < n; ++i) v.at(i, i) = 1;
  for (int sweep = 0; sweep < 50; ++sweep) {
    double off = 0, diagonal = 0;
    for (int p = 0; p < n; ++p) {
      diagonal += m.at(p, p) * m.at(p, p);
      for (int q = 0; q < p; ++q) off += m.at(p, q) * m.at(p, q);
    }
    if (off <= 1e-24 * diagonal) break;
    for (int p = 0; p < n; ++p)
      for (int q = p + 1; q < n; ++q) {
        if (m.at(p, q) == 0) continue;
        const double theta = (m.at(q, q) - m.at(p, p)) / (2 * m.at(p, q));
        const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        const auto rotate = [&](double& a, double& b) {
          const double old = a;
          a = c * old - s * b;
          b = s * old + c * b;
        };
        for (int k = 0; k < n; ++k) rotate(m.at(k, p), m.at(k, q));
        for (int k = 0; k < n; ++k) rotate(m.at(p, k), m.at(q, k));
        for (int k = 0; k < n; ++k) rotate(v.at(k, p), v.at(k, q));
      }
  }
  return v;
}

/// The two products of subspace iteration, on the device.
class Projector {
 public:
  Projector(opencl::Device& device, const Array& x, int columns)
      : queue_(device.compute()),
        x_(Tensor::make(device, x.shape(), "features")),
        q_(Tensor::make(device, Shape{x.shape()[1], columns}, "axes")),
        scores_(Tensor::make(device, Shape{x.shape()[0], columns}, "scores")),
        project_(device, {.m = x.shape()[0], .n = columns, .k = x.shape()[1]}),
        back_(device, {.m = x.shape()[1], .n = columns, .k = x.shape()[0], .transpose_a = true}) {
    upload(queue_, x, x_);
    const size_t bytes = std::max(project_.workspace_bytes(), back_.workspace_bytes());
    if (bytes) workspace_ = device.allocate(bytes, "workspace of principal components");
  }
  /// X Q.
  HostMatrix project(const HostMatrix& q) {
    upload(queue_, Array(q_.shape, std::vector<float>(q.values.begin(), q.values.end())), q_);
    project_.run(queue_, x_.operand(), q_.operand(), scores_.operand(), {}, workspace_);
    return read(scores_);
  }
  /// X^T X Q.
  HostMatrix iterate(const HostMatrix& q) {
    project(q);
    back_.run(queue_, x_.operand(), scores_.operand(), q_.operand(), {}, workspace_);
    return read(q_);
  }

 private:
  HostMatrix read(const Tensor& t) {
    HostMatrix m(t.shape[0], t.shape[1]);
    const Array values = download(queue_, t);
    std::copy(values.f32().begin(), values.f32().end(), m.values.begin());
    return m;
  }
  opencl::Queue& queue_;
  Tensor x_, q_, scores_;
  opencl::Gemm project_, back_;
  opencl::Buffer workspace_;
};

}  // namespace

Array principal_components(opencl::Device& device, const Array& features, int k, uint64_t seed) {
  constexpr int spare = 10, iterations = 12;
  const int n = features.shape()[0], dimensions = features.shape()[1];
  if (k < 1 || k > dimensions)
    throw Error("the number of principal components must lie between 1 and that of the features");
  const int columns = std::min(dimensions, k + spare);
  Projector projector(device, features, columns);
  HostMatrix q(dimensions, columns);
  Random random(seed);
  for (double& v : q.values) v = random.normal();
  orthonormalize(q);
  // With all dimensions kept, any basis spans them.
  for (int i = 0; i < iterations && columns < dimensions; ++i) {
    q = projector.iterate(q);
    orthonormalize(q);
  }
  HostMatrix scores = projector.project(q), covariance(columns, columns);
  for (int r = 0; r < n; ++r)
    for (int a = 0; a < columns; ++a)
      for (int b = 0; b < columns; ++b) covariance.at(a, b) += scores.at(r, a) * scores.at(r, b);
  HostMatrix axes = eigenvectors(covariance);
  std::vector<int> order(columns);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return covariance.at(a, a) > covariance.at(b, b); });

  Array out(Shape{n, k}, DType::f32);
  for (int c = 0; c < k; ++c) {
    std::vector<double> along(n);
    double extreme = 0;
    for (int r = 0; r < n; ++r) {
      for (int a = 0; a < columns; ++a) along[r] += scores.at(r, a) * axes.at(a, order[c]);
      if (std::abs(along[r]) > std::abs(extreme)) extreme = along[r];
    }
    for (int r = 0; r < n; ++r)
      out.f32()[static_cast<size_t>(r) * k + c] =
          static_cast<float>(extreme < 0 ? -along[r] : along[r]);
  }
  return out;
}

}  // namespace ocellus::analyzers
