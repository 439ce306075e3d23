#include "ocellus/opencl/pointwise.hpp"

#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;
using opencl::Pointwise;
using opencl::PointwiseProblem;
using Input = PointwiseProblem::Input;

namespace {

struct Case {
  int rows, columns;
  uint32_t gap, offset;
};
const Case cases[] = {{1, 1, 0, 0},   {7, 1, 0, 3},     {3, 15, 0, 0},   {5, 16, 1, 2},
                      {4, 17, 0, 1},  {13, 6, 5, 0},    {1, 4099, 0, 0}, {211, 37, 0, 0},
                      {64, 64, 3, 7}, {2, 20000, 0, 5}, {1000, 10, 0, 0}};

std::string name(const Device& d, const Case& c) {
  return describe(d) + " " + std::to_string(c.rows) + "x" + std::to_string(c.columns);
}

}  // namespace

BOOST_AUTO_TEST_CASE(all_kinds_of_inputs) {
  for (const auto& device : both_families())
    for (const Case& c : cases) {
      PointwiseProblem p{
          c.rows, c.columns, {Input::matrix, Input::per_column, Input::per_row, Input::scalar}};
      p.outputs = {"t * x1 + x2", "y0 > 0.0f ? y0 : p0 * y0 + x3"};
      p.accumulate = {false, true};
      p.prologue = "const T t = x * x0 + 1.0f;";
      p.scalars = 1;
      const Pointwise f(*device, p);
      const size_t n = size_t(c.rows) * c.columns;
      const auto a = noise(n, 1), b = noise(c.columns, 2), d = noise(c.rows, 3), e = noise(1, 4),
                 before = noise(n, 5);
      const GuardedMatrix x(*device, c.rows, c.columns, c.gap, c.offset, a),
          y0(*device, c.rows, c.columns, 0, 1),
          y1(*device, c.rows, c.columns, c.gap + 2, c.offset, before);
      const GuardedMatrix x1(*device, 1, c.columns, 0, 3, b), x2(*device, 1, c.rows, 0, 2, d),
          x3(*device, 1, 1, 0, 1, e);
      const Operand inputs[] = {x, x1, x2, x3}, outputs[] = {y0, y1};
      const float scalars[] = {0.25f};
      f.run(device->compute(), inputs, outputs, scalars);
      std::vector<double> expected0(n), expected1(n);
      for (size_t i = 0; i < n; ++i) {
        const double v = (double(a[i]) * a[i] + 1) * b[i % c.columns] + d[i / c.columns];
        expected0[i] = v;
        expected1[i] = before[i] + (v > 0 ? v : 0.25 * v + e[0]);
      }
      check_close(y0.values(), expected0, 1, name(*device, c) + " first output");
      check_close(y1.values(), expected1, 1, name(*device, c) + " second output");
    }
}

BOOST_AUTO_TEST_CASE(in_place_momentum) {
  for (const auto& device : both_families())
    for (const Case& c : cases) {
      PointwiseProblem p{c.rows, c.columns, {Input::matrix, Input::matrix, Input::matrix}};
      p.outputs = {"0.9f * x1 + x2", "x0 - p0 * y0"};
      p.scalars = 1;
      p.name = "momentum";
      const Pointwise f(*device, p);
      const size_t n = size_t(c.rows) * c.columns;
      const auto w0 = noise(n, 1), m0 = noise(n, 2), g0 = noise(n, 3);
      const GuardedMatrix w(*device, c.rows, c.columns, c.gap, c.offset, w0),
          m(*device, c.rows, c.columns, 0, 0, m0), g(*device, c.rows, c.columns, 0, 0, g0);
      const Operand inputs[] = {w, m, g}, outputs[] = {m, w};
      const float scalars[] = {0.1f};
      f.run(device->compute(), inputs, outputs, scalars);
      std::vector<double> momentum(n), weights(n);
      for (size_t i = 0; i < n; ++i) {
        momentum[i] = 0.9 * m0[i] + g0[i];
        weights[i] = w0[i] - 0.1 * momentum[i];
      }
      check_close(m.values(), momentum, 1, name(*device, c) + " momentum");
      check_close(w.values(), weights, 1, name(*device, c) + " weights");
    }
}

BOOST_AUTO_TEST_CASE(wrong_number_of_operands_is_refused) {
  const auto device = Device::open();
  const Pointwise f(*device, {2, 2, {Input::matrix}, {"x"}});
  const GuardedMatrix x(*device, 2, 2);
  const Operand one[] = {x};
  BOOST_CHECK_THROW(f.run(device->compute(), {}, one), Error);
}
