// Random numbers and initializers against published vectors, moments and definitions.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <numeric>

#include "ocellus/core/error.hpp"
#include "ocellus/core/initializers.hpp"
#include "ocellus/core/random.hpp"
#include "ocellus/opencl/random.hpp"
#include "temporary.hpp"

using namespace ocellus;
using test::says;

BOOST_AUTO_TEST_CASE(philox_gives_the_published_numbers) {
  // Known-answer vectors of the authors' Random123 library, philox4x32 with 10 rounds.
  const uint32_t zero[4] = {}, ones[4] = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
  const uint32_t pi[4] = {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                 key[2] = {0xa4093822, 0x299f31d0};
  const uint32_t expected[3][4] = {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
                                   {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
                                   {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
  uint32_t out[4];
  opencl::philox4x32(zero, zero, out);
  BOOST_TEST(out == expected[0], boost::test_tools::per_element());
  opencl::philox4x32(ones, ones, out);
  BOOST_TEST(out == expected[1], boost::test_tools::per_element());
  opencl::philox4x32(pi, key, out);
  BOOST_TEST(out == expected[2], boost::test_tools::per_element());
  Random r(0);
  for (uint32_t e : expected[0]) BOOST_TEST(r.bits() == e);
}

BOOST_AUTO_TEST_CASE(streams_are_reproducible_and_apart) {
  Random a(5, 1), b(5, 1), c(5, 2), d(6, 1);
  int same_c = 0, same_d = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint32_t v = a.bits();
    BOOST_REQUIRE(v == b.bits());
    same_c += v == c.bits();
    same_d += v == d.bits();
  }
  BOOST_TEST(same_c + same_d <= 1);
}

BOOST_AUTO_TEST_CASE(moments_are_right) {
  Random r(1);
  const int n = 200000;
  double sum = 0, squares = 0, fourth = 0, u_sum = 0;
  for (int i = 0; i < n; ++i) {
    const double z = r.normal(), u = r.uniform();
    BOOST_REQUIRE((u >= 0 && u < 1));
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
    u_sum += u;
  }
  // Bounds are five standard errors.
  BOOST_TEST(std::abs(sum / n) < 5 / std::sqrt(n));
  BOOST_TEST(std::abs(squares / n - 1) < 5 * std::sqrt(2.0 / n));
  BOOST_TEST(std::abs(fourth / n - 3) < 5 * std::sqrt(96.0 / n));
  BOOST_TEST(std::abs(u_sum / n - 0.5) < 5 * std::sqrt(1 / 12.0 / n));
}

BOOST_AUTO_TEST_CASE(integers_and_permutations_are_fair) {
  Random r(2);
  std::vector<int> counts(7), first(5);
  for (int i = 0; i < 70000; ++i) ++counts[static_cast<size_t>(r.below(7))];
  for (int c : counts) BOOST_TEST(std::abs(c - 10000) < 5 * std::sqrt(10000 * 6 / 7.0));
  BOOST_TEST(r.below(1) == 0);
  BOOST_CHECK_THROW(r.below(0), Error);
  for (int i = 0; i < 20000; ++i) {
    auto order = r.permutation(5);
    ++first[static_cast<size_t>(order[0])];
    std::sort(order.begin(), order.end());
    for (int k = 0; k < 5; ++k) BOOST_REQUIRE(order[static_cast<size_t>(k)] == k);
  }
  for (int c : first) BOOST_TEST(std::abs(c - 4000) < 5 * std::sqrt(4000 * 0.8));
  BOOST_TEST(r.permutation(0).empty());
}

namespace {

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments(const std::string& name, const Shape& shape) {
  std::vector<float> v(static_cast<size_t>(shape.elements()));
  Random r(3);
  initialize(name, shape, r, v);
  Moments m;
  for (float x : v)
    m.mean += x / static_cast<double>(v.size()),
        m.largest = std::max(m.largest, std::abs(double(x)));
  for (float x : v) m.deviation += (x - m.mean) * (x - m.mean) / static_cast<double>(v.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

}  // namespace

BOOST_AUTO_TEST_CASE(initializers_have_keras_variance) {
  const Shape conv({3, 5, 16, 64});
  const double in = 3 * 5 * 16, out = 3 * 5 * 64;
  const struct {
    const char* name;
    Shape shape;
    double deviation, cut;  // cut: how many untruncated deviations (normal) or deviations (uniform)
                            // the largest may have
  } cases[] = {
      {"glorot_uniform", conv, std::sqrt(2 / (in + out)), std::sqrt(3)},
      {"glorot_normal", conv, std::sqrt(2 / (in + out)), 2 / 0.8796},
      {"he_uniform", conv, std::sqrt(2 / in), std::sqrt(3)},
      {"he_normal", conv, std::sqrt(2 / in), 2 / 0.8796},
      {"lecun_uniform", conv, std::sqrt(1 / in), std::sqrt(3)},
      {"lecun_normal", conv, std::sqrt(1 / in), 2 / 0.8796},
      {"glorot_uniform", Shape({300, 200}), std::sqrt(2 / 500.0), std::sqrt(3)},
      {"random_uniform", conv, 0.05 / std::sqrt(3), std::sqrt(3)},
      {"random_normal", conv, 0.05, 10},
      {"truncated_normal", conv, 0.05 * 0.8796, 2 / 0.8796},
  };
  for (const auto& c : cases) {
    const Moments m = moments(c.name, c.shape);
    const double n = static_cast<double>(c.shape.elements());
    BOOST_TEST(std::abs(m.mean) < 5 * c.deviation / std::sqrt(n), c.name);
    BOOST_TEST(std::abs(m.deviation / c.deviation - 1) < 5 / std::sqrt(2 * n), c.name);
    BOOST_TEST(m.largest <= c.cut * c.deviation * 1.0001, c.name);
    // The ends are reached: a uniform of half the width would pass a looser test.
    BOOST_TEST(m.largest >= 0.95 * std::min(c.cut, 3.0) * c.deviation, c.name);
  }
  BOOST_TEST(moments("zeros", Shape({7})).largest == 0);
  BOOST_TEST(moments("ones", Shape({7})).mean == 1, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(unknown_initializers_are_named) {
  Random r(1);
  std::vector<float> v(4);
  BOOST_CHECK_EXCEPTION(initialize("glorot_unifrom", Shape({4}), r, v), UsageError,
                        says("did you mean 'glorot_uniform'"));
}
