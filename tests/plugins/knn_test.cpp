// k nearest neighbours against brute force in double precision.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "ocellus/core/classifier.hpp"
#include "ocellus/core/random.hpp"

using namespace ocellus;

namespace {

struct World {
  Registry registry;
  std::shared_ptr<opencl::Device> device;
  World() {
    registry.load_default();
    device = opencl::Device::open();
  }
};
World& world() {
  static World w;
  return w;
}

std::unique_ptr<ClassifierModel> fitted(const Array& x, const std::vector<int>& labels, int classes,
                                        Json::Object parameters = {}) {
  return world()
      .registry.create<Classifier>("knn", Json(std::move(parameters)), "test")
      ->fit(world().device, x, labels, classes);
}

Array noise(int rows, int columns, uint64_t seed) {
  Random random(seed);
  Array a(Shape{rows, columns}, DType::f32);
  // Columns of very different size: what standardising is for.
  for (size_t i = 0; i < a.f32().size(); ++i)
    a.f32()[i] =
        static_cast<float>(random.normal() * std::pow(10.0, static_cast<double>(i % columns % 4)));
  return a;
}

std::vector<double> brute_force(const Array& x, const std::vector<int>& labels, int classes,
                                const Array& queries, int k, bool standardize) {
  const int n = x.shape()[0], d = x.shape()[1], q = queries.shape()[0];
  std::vector<double> mean(d), deviation(d, 1);
  for (int c = 0; c < d; ++c) {
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) sum += x.f32()[i * d + c];
    mean[c] = sum / n;
    for (int i = 0; i < n; ++i) squares += std::pow(x.f32()[i * d + c] - mean[c], 2);
    if (standardize && squares > 0) deviation[c] = std::sqrt(squares / n);
  }
  std::vector<double> scores(static_cast<size_t>(q) * classes);
  for (int i = 0; i < q; ++i) {
    std::vector<std::pair<double, int>> near;
    for (int j = 0; j < n; ++j) {
      double distance = 0;
      for (int c = 0; c < d; ++c)
        distance += std::pow((queries.f32()[i * d + c] - x.f32()[j * d + c]) / deviation[c], 2);
      near.emplace_back(distance, j);
    }
    std::sort(near.begin(), near.end());
    for (int j = 0; j < std::min(k, n); ++j)
      scores[i * classes + labels[near[j].second]] += 1.0 / std::min(k, n);
  }
  return scores;
}

}  // namespace

// Samples around the block of 256 queries, one feature, fewer samples than k.
BOOST_AUTO_TEST_CASE(as_brute_force) {
  struct Case {
    int samples, features, queries, k;
    bool standardize;
  };
  for (const Case& c : {Case{101, 7, 257, 5, true}, Case{37, 1, 256, 3, true},
                        Case{3, 4, 1, 5, true}, Case{64, 31, 40, 1, false}}) {
    BOOST_TEST_CONTEXT(c.samples << " samples, " << c.features << " features, " << c.queries
                                 << " queries, k " << c.k) {
      const Array x = noise(c.samples, c.features, 1), q = noise(c.queries, c.features, 2);
      std::vector<int> labels;
      Random random(3);
      for (int i = 0; i < c.samples; ++i) labels.push_back(static_cast<int>(random.below(4)));
      const auto model = fitted(x, labels, 4, {{"k", c.k}, {"standardize", c.standardize}});
      const Array ours = model->scores(q);
      const std::vector<double> wanted = brute_force(x, labels, 4, q, c.k, c.standardize);
      int wrong = 0;
      for (size_t i = 0; i < wanted.size(); ++i)
        wrong += std::abs(ours.f32()[i] - wanted[i]) > 1e-5;
      BOOST_TEST(wrong == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(ties_go_to_the_earlier_sample) {
  // Two samples at the same place with different labels, k = 1: the first wins, in either order.
  const Array x(Shape{3, 1}, std::vector<float>{1, 1, 5});
  BOOST_TEST(fitted(x, {2, 0, 1}, 3, {{"k", 1}})
                 ->scores(Array(Shape{1, 1}, std::vector<float>{1}))
                 .f32()[2] == 1.0f);
  BOOST_TEST(fitted(x, {0, 2, 1}, 3, {{"k", 1}})
                 ->scores(Array(Shape{1, 1}, std::vector<float>{1}))
                 .f32()[0] == 1.0f);
}

BOOST_AUTO_TEST_CASE(a_constant_feature_does_no_harm) {
  const Array x(Shape{4, 2}, std::vector<float>{0, 7, 1, 7, 10, 7, 11, 7});
  const Array scores = fitted(x, {0, 0, 1, 1}, 2, {{"k", 2}})
                           ->scores(Array(Shape{2, 2}, std::vector<float>{0.5f, 7, 10.4f, 7}));
  BOOST_TEST(scores.f32()[0] == 1.0f);
  BOOST_TEST(scores.f32()[3] == 1.0f);
}

BOOST_AUTO_TEST_CASE(bad_input_is_refused) {
  Array x = noise(4, 2, 1);
  BOOST_CHECK_THROW(fitted(x, {0, 1, 2}, 3), DataError);
  BOOST_CHECK_THROW(fitted(x, {0, 1, 2, 3}, 3), DataError);
  BOOST_CHECK_THROW(fitted(Array(Shape{0, 2}, DType::f32), {}, 3), DataError);
  const auto model = fitted(x, {0, 1, 2, 0}, 3);
  BOOST_CHECK_THROW(model->scores(noise(4, 3, 1)), DataError);
  x.f32()[3] = NAN;
  BOOST_CHECK_THROW(fitted(x, {0, 1, 2, 0}, 3), DataError);
  BOOST_CHECK_THROW(model->scores(x), DataError);
}
