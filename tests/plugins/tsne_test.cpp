// Exact t-SNE against a float64 host version and against differences of its own divergence; guards;
// the same bits twice.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <numeric>

#include "embedding.hpp"
#include "ocellus/core/random.hpp"

using namespace ocellus;
using analyzers::Embedding;

namespace {

opencl::Device& device(const std::string& family) {
  static std::map<std::string, std::shared_ptr<opencl::Device>> devices;
  auto& d = devices[family];
  if (!d) d = opencl::Device::open({.family = family});
  return *d;
}

Array noise(int rows, int columns, uint64_t seed, double scale = 1) {
  Random random(seed);
  Array a(Shape{rows, columns}, DType::f32);
  for (float& v : a.f32()) v = static_cast<float>(scale * random.normal());
  return a;
}

// `clusters` far apart, points dealt to them in turn.
Array clustered(int n, int dimensions, int clusters, std::vector<int>& labels) {
  Array a = noise(n, dimensions, 5);
  for (int i = 0; i < n; ++i) {
    labels.push_back(i % clusters);
    a.f32()[static_cast<size_t>(i) * dimensions + i % clusters] += 12;
  }
  return a;
}

std::vector<double> host_affinities(const Array& x, double perplexity) {
  const int n = x.shape()[0], d = x.shape()[1];
  std::vector<double> p(static_cast<size_t>(n) * n);
  for (int i = 0; i < n; ++i) {
    std::vector<double> distance(n);
    for (int j = 0; j < n; ++j)
      for (int k = 0; k < d; ++k)
        distance[j] += std::pow(double{x.f32()[i * d + k]} - x.f32()[j * d + k], 2);
    double low = 0, high = 1e6, sum = 0;
    for (int step = 0; step < 200; ++step) {
      const double beta = (low + high) / 2;
      double moment = 0;
      sum = 0;
      double least = INFINITY;
      for (int j = 0; j < n; ++j)
        if (j != i) least = std::min(least, distance[j]);
      for (int j = 0; j < n; ++j) {
        p[i * n + j] = j == i ? 0 : std::exp(-beta * (distance[j] - least));
        sum += p[i * n + j];
        moment += p[i * n + j] * (distance[j] - least);
      }
      if (std::log(sum) + beta * moment / sum > std::log(perplexity))
        low = beta;
      else
        high = beta;
    }
    for (int j = 0; j < n; ++j) p[i * n + j] /= sum;
  }
  std::vector<double> joint(p.size());
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) joint[i * n + j] = (p[i * n + j] + p[j * n + i]) / (2 * n);
  return joint;
}

double host_divergence(const std::vector<double>& p, const std::vector<double>& y) {
  const int n = static_cast<int>(y.size() / 2);
  double z = 0, sum = 0;
  const auto q = [&](int i, int j) {
    return 1 / (1 + std::pow(y[2 * i] - y[2 * j], 2) + std::pow(y[2 * i + 1] - y[2 * j + 1], 2));
  };
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      if (i != j) z += q(i, j);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      if (i != j && p[i * n + j] > 0) sum += p[i * n + j] * std::log(p[i * n + j] / (q(i, j) / z));
  return sum;
}

double largest(std::span<const double> v) {
  double m = 0;
  for (double x : v) m = std::max(m, std::abs(x));
  return m;
}

Array run(opencl::Device& d, const Array& features, double perplexity, int steps) {
  Embedding e(d, features, perplexity);
  e.start(noise(features.shape()[0], 2, 9, 1e-4));
  for (int i = 0; i < steps; ++i)
    e.step({i < steps / 3 ? 12.0 : 1.0, 200, i < steps / 3 ? 0.5 : 0.8});
  return e.points();
}

}  // namespace

// Numbers of points that are no multiple of a tile, and features of every width.
BOOST_AUTO_TEST_CASE(affinities_divergence_and_gradient) {
  for (const char* family : {"vector", "tiled"})
    for (const auto& [n, d] : {std::pair{4, 1}, {17, 2}, {31, 7}, {48, 50}, {67, 3}}) {
      BOOST_TEST_CONTEXT(family << " " << n << " x " << d) {
        const Array x = noise(n, d, 1);
        const double perplexity = std::min(8.0, (n - 1) / 3.0);
        Embedding e(device(family), x, perplexity);
        const std::vector<double> p = host_affinities(x, perplexity);
        const Array ours = e.affinities();
        double error = 0, sum = 0;
        for (size_t i = 0; i < p.size(); ++i) {
          error = std::max(error, std::abs(ours.f32()[i] - p[i]));
          sum += ours.f32()[i];
        }
        BOOST_TEST(error <= 1e-4 * largest(p));  // the entropy is settled to 1e-5
        BOOST_TEST(sum == 1, boost::test_tools::tolerance(1e-5));

        const Array y = noise(n, 2, 2);
        e.start(y);
        std::vector<double> plane(y.f32().begin(), y.f32().end()), gradient(plane.size());
        const std::vector<double> same_p(ours.f32().begin(), ours.f32().end());
        for (size_t i = 0; i < plane.size(); ++i) {
          const double old = plane[i], h = 1e-5;
          plane[i] = old + h;
          gradient[i] = host_divergence(same_p, plane);
          plane[i] = old - h;
          gradient[i] = (gradient[i] - host_divergence(same_p, plane)) / (2 * h);
          plane[i] = old;
        }
        const Array g = e.gradient();
        error = 0;
        for (size_t i = 0; i < gradient.size(); ++i)
          error = std::max(error, std::abs(g.f32()[i] - gradient[i]));
        BOOST_TEST(error <= 1e-4 * largest(gradient));
        BOOST_TEST(e.divergence() == host_divergence(same_p, plane),
                   boost::test_tools::tolerance(1e-4));
      }
    }
}

BOOST_AUTO_TEST_CASE(clusters_come_apart_and_the_same_bits_come_twice) {
  std::vector<int> labels;
  const Array x = clustered(150, 8, 3, labels);
  for (const char* family : {"vector", "tiled"}) {
    BOOST_TEST_CONTEXT(family) {
      const Array a = run(device(family), x, 15, 300), b = run(device(family), x, 15, 300);
      BOOST_TEST(std::memcmp(a.f32().data(), b.f32().data(), a.f32().size_bytes()) == 0);
      BOOST_TEST(analyzers::neighbour_accuracy(a, labels, 10) >=
                 0.98);  // from a random start a point may be left behind
      Embedding e(device(family), x, 15);
      e.start(noise(150, 2, 9, 1e-4));
      const double before = e.divergence();
      e.start(a);
      BOOST_TEST(e.divergence() < 0.5 * before);
    }
  }
}

BOOST_AUTO_TEST_CASE(duplicates_give_finite_points) {
  Array x = noise(40, 5, 3);
  for (int i = 1; i < 30; ++i)
    std::copy_n(x.f32().begin(), 5,
                x.f32().begin() + 5 * i);  // 30 times the same, more than the perplexity
  const Array y = run(device("vector"), x, 10, 200);
  for (float v : y.f32()) BOOST_TEST(std::isfinite(v));
}

BOOST_AUTO_TEST_CASE(principal_components_find_the_axes) {
  // Three directions of deviations 10, 5 and 2 in 40 dimensions, under noise of 0.01.
  const int n = 203, d = 40;
  Array x = noise(n, d, 4, 0.01), truth = noise(n, 3, 6);
  const double scale[] = {10, 5, 2};
  std::vector<double> mean(3);
  for (int i = 0; i < n; ++i)
    for (int a = 0; a < 3; ++a) mean[a] += truth.f32()[3 * i + a] / n;
  for (int i = 0; i < n; ++i)
    for (int a = 0; a < 3; ++a)
      x.f32()[i * d + 7 * a] += static_cast<float>(scale[a] * (truth.f32()[3 * i + a] - mean[a]));
  const Array scores = analyzers::principal_components(device("vector"), x, 3, 1);
  // The truth's columns are drawn, hence a little correlated: compare what does not depend on the
  // basis, the distances.
  double error = 0, size = 0;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < i; ++j) {
      double ours = 0, wanted = 0;
      for (int a = 0; a < 3; ++a) {
        ours += std::pow(scores.f32()[3 * i + a] - scores.f32()[3 * j + a], 2);
        wanted += std::pow(x.f32()[i * d + 7 * a] - x.f32()[j * d + 7 * a], 2);
      }
      error = std::max(error, std::abs(std::sqrt(ours) - std::sqrt(wanted)));
      size = std::max(size, std::sqrt(wanted));
    }
  BOOST_TEST(error < 0.01 * size);
  // Uncorrelated, by falling variance, and all dimensions kept keeps all distances.
  double cross = 0, first = 0, second = 0;
  for (int i = 0; i < n; ++i) {
    cross += scores.f32()[3 * i] * scores.f32()[3 * i + 1];
    first += std::pow(scores.f32()[3 * i], 2);
    second += std::pow(scores.f32()[3 * i + 1], 2);
  }
  BOOST_TEST(std::abs(cross) < 1e-4 * first);
  BOOST_TEST(first > second);
  const Array small = noise(30, 4, 8),
              all = analyzers::principal_components(device("vector"), small, 4, 1);
  for (int i = 1; i < 30; ++i) {
    double ours = 0, wanted = 0;
    for (int a = 0; a < 4; ++a) {
      ours += std::pow(all.f32()[4 * i + a] - all.f32()[a], 2);
      wanted += std::pow(small.f32()[4 * i + a] - small.f32()[a], 2);
    }
    BOOST_TEST(ours == wanted, boost::test_tools::tolerance(1e-4));
  }
}

BOOST_AUTO_TEST_CASE(neighbour_accuracy_counts) {
  // Two pairs and a point of another label among the first: it errs, and its neighbours' vote is
  // settled by the nearest.
  const Array y(Shape{5, 2}, std::vector<float>{0, 0, 0.1f, 0, 10, 0, 10.1f, 0, 0.05f, 0.01f});
  BOOST_TEST(analyzers::neighbour_accuracy(y, {0, 0, 1, 1, 1}, 1) ==
             0.4);  // 0 and 1 are nearest to 4
  BOOST_TEST(analyzers::neighbour_accuracy(y, {0, 0, 1, 1, 0}, 2) == 1.0);
}
