#include "ocellus/opencl/random.hpp"

#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;
using opencl::RandomStream;

namespace {

/// What the header promises, computed on the host.
std::vector<float> uniform_reference(const RandomStream& s, int rows, int columns,
                                     const std::vector<int32_t>& samples = {}) {
  std::vector<float> values(size_t(rows) * columns);
  const uint32_t key[2] = {static_cast<uint32_t>(s.seed), static_cast<uint32_t>(s.seed >> 32)};
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c) {
      const uint32_t sample = samples.empty() ? r : samples[r];
      const uint32_t counter[4] = {static_cast<uint32_t>(c) / 4, sample, s.node, s.step};
      uint32_t words[4];
      opencl::philox4x32(counter, key, words);
      values[size_t(r) * columns + c] = static_cast<float>(words[c % 4] >> 8) * 0x1p-24f;
    }
  return values;
}

struct Case {
  int rows, columns;
  uint32_t gap, offset;
};
const Case cases[] = {{1, 1, 0, 0},  {3, 5, 0, 1},    {2, 16, 1, 0},
                      {7, 37, 3, 2}, {1, 5000, 0, 0}, {128, 84, 0, 0}};
const RandomStream stream{0x123456789abcdef0, 17, 3};

}  // namespace

/// kat_vectors of Random123 1.14, philox4x32 10 rounds.
BOOST_AUTO_TEST_CASE(published_vectors) {
  const struct {
    uint32_t counter[4], key[2], words[4];
  } vectors[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto& v : vectors) {
    uint32_t words[4];
    opencl::philox4x32(v.counter, v.key, words);
    BOOST_TEST(words == v.words, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(uniform_has_the_host_s_bits) {
  for (const auto& device : both_families())
    for (const Case& c : cases) {
      const GuardedMatrix y(*device, c.rows, c.columns, c.gap, c.offset);
      opencl::random_uniform(device->compute(), stream, y, c.rows, c.columns);
      BOOST_CHECK(same_bits(y.values(), uniform_reference(stream, c.rows, c.columns)));
      std::vector<int32_t> samples(c.rows);
      for (int r = 0; r < c.rows; ++r) samples[r] = 1000003 * r + 5;
      opencl::random_uniform(device->compute(), stream, y, c.rows, c.columns,
                             upload(*device, samples));
      BOOST_CHECK(same_bits(y.values(), uniform_reference(stream, c.rows, c.columns, samples)));
    }
}

BOOST_AUTO_TEST_CASE(normal_is_box_and_muller) {
  for (const auto& device : both_families())
    for (const Case& c : cases) {
      const GuardedMatrix y(*device, c.rows, c.columns, c.gap, c.offset);
      opencl::random_normal(device->compute(), stream, y, c.rows, c.columns);
      const int even = c.columns + c.columns % 2;
      const auto u = uniform_reference(stream, c.rows, even);
      std::vector<double> expected(size_t(c.rows) * c.columns);
      for (int r = 0; r < c.rows; ++r)
        for (int i = 0; i < c.columns; ++i) {
          const size_t pair = size_t(r) * even + i / 2 * 2;
          const double radius = std::sqrt(-2 * std::log(1.0 - u[pair])),
                       angle = 2 * M_PI * u[pair + 1];
          expected[size_t(r) * c.columns + i] =
              radius * (i % 2 ? std::sin(angle) : std::cos(angle));
        }
      check_close(y.values(), expected, 4, describe(*device) + " normal");
      if (expected.size() < 5000) continue;
      double mean = 0, square = 0;
      for (float v : y.values())
        mean += v / expected.size(), square += double(v) * v / expected.size();
      BOOST_CHECK_SMALL(mean, 4 / std::sqrt(expected.size()));
      BOOST_CHECK_SMALL(square - 1, 4 * std::sqrt(2.0 / expected.size()));
    }
}

BOOST_AUTO_TEST_CASE(dropout_forward_and_backward_share_the_mask) {
  const float rate = 0.3f;
  for (const auto& device : both_families())
    for (const Case& c : cases)
      for (bool accumulate : {false, true}) {
        const size_t n = size_t(c.rows) * c.columns;
        const auto x = noise(n, 1), before = noise(n, 2),
                   u = uniform_reference(stream, c.rows, c.columns);
        std::vector<double> expected(n);
        for (size_t i = 0; i < n; ++i)
          expected[i] = (u[i] >= rate ? x[i] / (1.0 - rate) : 0.0) + (accumulate ? before[i] : 0);
        const GuardedMatrix from(*device, c.rows, c.columns, c.gap, c.offset, x),
            to(*device, c.rows, c.columns, 2, 1, before);
        opencl::dropout(device->compute(), stream, rate, from, to, c.rows, c.columns, {},
                        accumulate);
        check_close(to.values(), expected, 1, describe(*device) + " dropout");
        if (accumulate) continue;
        opencl::dropout(device->compute(), stream, rate, from, from, c.rows, c.columns);
        check_close(from.values(), expected, 1, describe(*device) + " dropout in place");
      }
}

BOOST_AUTO_TEST_CASE(wrong_rates_are_refused) {
  const auto device = Device::open();
  const GuardedMatrix x(*device, 1, 1);
  BOOST_CHECK_THROW(opencl::dropout(device->compute(), stream, 1.0f, x, x, 1, 1), Error);
  BOOST_CHECK_THROW(opencl::dropout(device->compute(), stream, -0.1f, x, x, 1, 1), Error);
}
