#include "ocellus/opencl/pointwise.hpp"

#include <cmath>

#include "kernels_check/checks.hpp"
#include "ocellus/opencl/random.hpp"

namespace ocellus::test {

using namespace opencl;

void check_pointwise(Checker& c) {
  const int rows = 5, columns = 19;
  const auto a = noise(rows * columns, 1), b = noise(columns, 2);
  GuardedMatrix x = c.matrix(rows, columns, a), v = c.matrix(1, columns, b),
                y = c.matrix(rows, columns);
  PointwiseProblem p{rows,
                     columns,
                     {PointwiseProblem::Input::matrix, PointwiseProblem::Input::per_column},
                     {"fmax(x * x1, p0)"}};
  p.scalars = 1;
  const Operand inputs[] = {x, v}, outputs[] = {y};
  const float scalars[] = {-0.1f};
  Pointwise(c.device(), p).run(c.queue(), inputs, outputs, scalars);
  Doubles expected(rows * columns);
  for (int i = 0; i < rows * columns; ++i)
    expected[i] = std::max(double(a[i]) * b[i % columns], -0.1);
  c.check("pointwise", y, expected);
}

void check_random(Checker& c) {
  const int rows = 3, columns = 37;
  const RandomStream stream{12345, 6, 7};
  const auto x = noise(rows * columns, 1);
  Doubles uniform(rows * columns), dropped(rows * columns);
  for (int i = 0; i < rows * columns; ++i) {
    const uint32_t element = i % columns,
                   counter[4] = {element / 4, static_cast<uint32_t>(i / columns), stream.node,
                                 stream.step};
    const uint32_t key[2] = {12345, 0};
    uint32_t words[4];
    philox4x32(counter, key, words);
    uniform[i] = (words[element % 4] >> 8) * 0x1p-24;
    dropped[i] = uniform[i] < 0.25 ? 0 : x[i] / 0.75;
  }
  GuardedMatrix in = c.matrix(rows, columns, x), out = c.matrix(rows, columns);
  random_uniform(c.queue(), stream, out, rows, columns);
  c.check("random_uniform", out, uniform);
  dropout(c.queue(), stream, 0.25f, in, out, rows, columns);
  c.check("dropout", out, dropped);
  Doubles normal;  // of an even number of columns: whole pairs
  for (int r = 0; r < rows; ++r)
    for (int i = 0; i < columns - 1; ++i) {
      const double* pair = &uniform[r * columns + i / 2 * 2];
      const double angle = 2 * M_PI * pair[1];
      normal.push_back(std::sqrt(-2 * std::log(1 - pair[0])) *
                       (i % 2 ? std::sin(angle) : std::cos(angle)));
    }
  GuardedMatrix pairs = c.matrix(rows, columns - 1);
  random_normal(c.queue(), stream, pairs, rows, columns - 1);
  c.check("random_normal", pairs, normal, 4);
}

}  // namespace ocellus::test
