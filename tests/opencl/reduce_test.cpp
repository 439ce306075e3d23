#include "ocellus/opencl/reduce.hpp"

#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;
using opencl::Reduce;
using Op = Reduce::Op;

namespace {

struct Case {
  int rows, columns;
  uint32_t gap = 0, offset = 0;
};
const Case cases[] = {{1, 1},          {1, 17, 3, 1},    {256, 6},  {257, 6},  {4608, 6},
                      {4607, 6, 0, 2}, {4608, 6, 2},     {1000, 1}, {513, 20}, {320, 64, 16, 5},
                      {2048, 84},      {300, 257, 1, 3}, {2, 5000}, {17, 131}, {40000, 3}};

std::string name(const Device& d, const Case& c, const char* op) {
  return describe(d) + " " + op + " " + std::to_string(c.rows) + "x" + std::to_string(c.columns);
}

/// Runs twice and checks that the bits agree.
std::vector<float> run(Device& device, const Reduce& reduce, const GuardedMatrix& x,
                       const GuardedMatrix& out, bool repeat = true) {
  const Buffer workspace =
      reduce.workspace_bytes() ? device.allocate(reduce.workspace_bytes(), "test") : Buffer();
  reduce.run(device.compute(), x, out, workspace);
  const auto first = out.values();
  if (repeat) {
    reduce.run(device.compute(), x, out, workspace);
    BOOST_CHECK(same_bits(first, out.values()));
  }
  return first;
}

}  // namespace

BOOST_AUTO_TEST_CASE(sum_rows) {
  for (const auto& device : both_families())
    for (const Case& c : cases)
      for (bool accumulate : {false, true}) {
        const auto x = noise(size_t(c.rows) * c.columns, 1), before = noise(c.columns, 2);
        std::vector<double> expected(c.columns);
        for (int i = 0; i < c.columns; ++i) expected[i] = accumulate ? before[i] : 0;
        for (size_t i = 0; i < x.size(); ++i) expected[i % c.columns] += x[i];
        const GuardedMatrix in(*device, c.rows, c.columns, c.gap, c.offset, x),
            out(*device, 1, c.columns, 0, 3, before);
        const Reduce reduce(*device, Op::sum_rows, c.rows, c.columns, 0, accumulate);
        check_close(run(*device, reduce, in, out, !accumulate), expected, c.rows,
                    name(*device, c, "sum_rows"));
      }
}

BOOST_AUTO_TEST_CASE(sum_columns) {
  for (const auto& device : both_families())
    for (const Case& c : cases)
      for (bool accumulate : {false, true}) {
        const auto x = noise(size_t(c.rows) * c.columns, 1), before = noise(c.rows, 2);
        std::vector<double> expected(c.rows);
        for (int i = 0; i < c.rows; ++i) expected[i] = accumulate ? before[i] : 0;
        for (size_t i = 0; i < x.size(); ++i) expected[i / c.columns] += x[i];
        const GuardedMatrix in(*device, c.rows, c.columns, c.gap, c.offset, x),
            out(*device, 1, c.rows, 0, 1, before);
        const Reduce reduce(*device, Op::sum_columns, c.rows, c.columns, 0, accumulate);
        check_close(run(*device, reduce, in, out, !accumulate), expected, c.columns,
                    name(*device, c, "sum_columns"));
      }
}

/// A mean of 1000 and a deviation below 1: the difference of E[x^2] and E[x]^2 would keep no digit
/// of the variance.
BOOST_AUTO_TEST_CASE(moments_far_from_zero) {
  for (const auto& device : both_families())
    for (const Case& c : cases) {
      auto x = noise(size_t(c.rows) * c.columns, 1);
      for (size_t i = 0; i < x.size(); ++i) x[i] = 1000 + x[i] * (1 + i % c.columns % 3);
      std::vector<double> mean(c.columns), variance(c.columns);
      for (size_t i = 0; i < x.size(); ++i) mean[i % c.columns] += x[i] / double(c.rows);
      for (size_t i = 0; i < x.size(); ++i)
        variance[i % c.columns] += std::pow(x[i] - mean[i % c.columns], 2) / c.rows;
      const GuardedMatrix in(*device, c.rows, c.columns, c.gap, c.offset, x),
          out(*device, 1, 2 * c.columns, 0, 5);
      const auto result = run(*device, Reduce(*device, Op::moments, c.rows, c.columns), in, out);
      const std::vector<float> means(result.begin(), result.begin() + c.columns);
      const std::vector<float> variances(result.begin() + c.columns, result.end());
      check_close(means, mean, 1, name(*device, c, "mean"));
      check_close(variances, variance, c.rows == 1 ? 1 : 100, name(*device, c, "variance"));
    }
}

BOOST_AUTO_TEST_CASE(sum_squares) {
  for (const auto& device : both_families())
    for (const Case& c : cases) {
      const auto x = noise(size_t(c.rows) * c.columns, 1);
      std::vector<double> expected(1);
      for (float v : x) expected[0] += double(v) * v;
      const GuardedMatrix in(*device, c.rows, c.columns, c.gap, c.offset, x),
          out(*device, 1, 1, 0, 2);
      check_close(run(*device, Reduce(*device, Op::sum_squares, c.rows, c.columns), in, out),
                  expected, 1, name(*device, c, "sum_squares"));
    }
}

BOOST_AUTO_TEST_CASE(argmax_takes_the_first_of_equals) {
  for (const auto& device : both_families())
    for (const Case& c : cases) {
      auto x = noise(size_t(c.rows) * c.columns, 1);
      for (float& v : x) v = std::round(4 * v);  // many ties
      const GuardedMatrix in(*device, c.rows, c.columns, c.gap, c.offset, x),
          out(*device, 1, c.rows, 0, 2);
      Reduce(*device, Op::argmax_columns, c.rows, c.columns).run(device->compute(), in, out);
      const auto result = out.integers();
      int wrong = 0;
      for (int r = 0; r < c.rows; ++r)
        wrong += result[r] != std::max_element(&x[size_t(r) * c.columns],
                                               &x[size_t(r) * c.columns] + c.columns) -
                                  &x[size_t(r) * c.columns];
      BOOST_CHECK_MESSAGE(wrong == 0, name(*device, c, "argmax") << ": " << wrong << " rows wrong");
    }
}

BOOST_AUTO_TEST_CASE(segments) {
  struct Segments {
    int segments, segment, columns;
  };
  for (const auto& device : both_families())
    for (const Segments& s :
         {Segments{1, 1, 1}, {3, 49, 6}, {2, 5, 16}, {5, 7, 33}, {1, 196, 64}}) {
      const int rows = s.segments * s.segment;
      auto x = noise(size_t(rows) * s.columns, 1);
      for (float& v : x) v = std::round(8 * v);
      std::vector<double> mean(size_t(s.segments) * s.columns), top(mean.size(), -1e9);
      std::vector<int32_t> place(mean.size());
      for (int r = 0; r < rows; ++r)
        for (int c = 0; c < s.columns; ++c) {
          const size_t at = size_t(r / s.segment) * s.columns + c;
          const float v = x[size_t(r) * s.columns + c];
          mean[at] += v / double(s.segment);
          if (v > top[at]) top[at] = v, place[at] = r % s.segment;
        }
      const Case c{rows, s.columns};
      const GuardedMatrix in(*device, rows, s.columns, 2, 1, x),
          out(*device, s.segments, s.columns, 1, 4), where(*device, s.segments, s.columns, 3, 2);
      Reduce(*device, Op::mean_segments, rows, s.columns, s.segment)
          .run(device->compute(), in, out);
      check_close(out.values(), mean, s.segment, name(*device, c, "mean_segments"));
      Reduce(*device, Op::max_rows, rows, s.columns, s.segment)
          .run(device->compute(), in, out, {}, where);
      check_close(out.values(), top, 1, name(*device, c, "max_rows"));
      BOOST_TEST(where.integers() == place, boost::test_tools::per_element());
      Reduce(*device, Op::max_rows, rows, s.columns, s.segment)
          .run(device->compute(), in, out);  // without places
      check_close(out.values(), top, 1, name(*device, c, "max_rows alone"));
    }
}

BOOST_AUTO_TEST_CASE(wrong_problems_are_refused) {
  const auto device = Device::open();
  BOOST_CHECK_THROW(Reduce(*device, Op::mean_segments, 10, 2, 3), Error);
  BOOST_CHECK_THROW(Reduce(*device, Op::sum_rows, 0, 2), Error);
  BOOST_CHECK_THROW(Reduce(*device, Op::moments, 2, 2, 0, true), Error);
  const GuardedMatrix x(*device, 1000, 2), out(*device, 1, 2);
  BOOST_CHECK_THROW(Reduce(*device, Op::sum_rows, 1000, 2).run(device->compute(), x, out), Error);
}
