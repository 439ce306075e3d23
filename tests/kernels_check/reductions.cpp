#include <cmath>

#include "kernels_check/checks.hpp"
#include "ocellus/opencl/pooling.hpp"
#include "ocellus/opencl/reduce.hpp"
#include "ocellus/opencl/softmax.hpp"

namespace ocellus::test {

using namespace opencl;

void check_reduce(Checker& c, int rows, int columns) {
  using Op = Reduce::Op;
  const auto x = noise(size_t(rows) * columns, 1);
  Doubles sums(columns), row_sums(rows), moments(2 * columns), squares(1);
  for (size_t i = 0; i < x.size(); ++i) {
    sums[i % columns] += x[i], row_sums[i / columns] += x[i], squares[0] += double(x[i]) * x[i];
    moments[i % columns] += x[i] / double(rows);
  }
  for (size_t i = 0; i < x.size(); ++i)
    moments[columns + i % columns] += std::pow(x[i] - moments[i % columns], 2) / rows;
  const auto reduce = [&](const char* name, Op op, const Doubles& expected, double terms) {
    GuardedMatrix in = c.matrix(rows, columns, x),
                  out = c.matrix(1, static_cast<int>(expected.size()));
    const Reduce r(c.device(), op, rows, columns);
    r.run(c.queue(), in, out, c.scratch(r.workspace_bytes()));
    c.check(fmt::format("{} {}x{}", name, rows, columns), out, expected, terms);
  };
  reduce("sum_rows", Op::sum_rows, sums, rows);
  reduce("sum_columns", Op::sum_columns, row_sums, columns);
  reduce("moments", Op::moments, moments, rows);
  reduce("sum_squares", Op::sum_squares, squares, 1);
}

void check_segments(Checker& c) {
  const int segments = 2, segment = 5, columns = 19;
  const auto x = noise(segments * segment * columns, 1);
  Doubles mean(segments * columns), top(segments * columns, -1);
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t at = i / columns / segment * columns + i % columns;
    mean[at] += x[i] / double(segment), top[at] = std::max<double>(top[at], x[i]);
  }
  GuardedMatrix in = c.matrix(segments * segment, columns, x), out = c.matrix(segments, columns),
                where = c.matrix(segments, columns);
  Reduce(c.device(), Reduce::Op::mean_segments, segments * segment, columns, segment)
      .run(c.queue(), in, out);
  c.check("mean_segments", out, mean, segment);
  Reduce(c.device(), Reduce::Op::max_rows, segments * segment, columns, segment)
      .run(c.queue(), in, out, {}, where);
  c.check("max_rows", out, top);
}

void check_softmax(Checker& c) {
  const int rows = 3, columns = 19;
  const auto x = noise(rows * columns, 1), dy = noise(rows * columns, 2);
  Doubles y(rows * columns), log_y(rows * columns), dx(rows * columns);
  for (int r = 0; r < rows; ++r) {
    double sum = 0, dot = 0;
    for (int i = r * columns; i < (r + 1) * columns; ++i) sum += std::exp(x[i]);
    for (int i = r * columns; i < (r + 1) * columns; ++i) {
      y[i] = std::exp(x[i]) / sum, log_y[i] = std::log(y[i]);
      dot += y[i] * dy[i];
    }
    for (int i = r * columns; i < (r + 1) * columns; ++i) dx[i] = y[i] * (dy[i] - dot);
  }
  GuardedMatrix in = c.matrix(rows, columns, x), out = c.matrix(rows, columns),
                gradient = c.matrix(rows, columns, dy), to = c.matrix(rows, columns);
  const Softmax softmax(c.device(), rows, columns);
  softmax.forward_log(c.queue(), in, out);
  c.check("softmax log", out, log_y, columns);
  softmax.forward(c.queue(), in, out);
  c.check("softmax", out, y, columns);
  softmax.backward(c.queue(), out, gradient, to);
  c.check("softmax backward", to, dx, columns);
}

void check_pooling(Checker& c, PoolingProblem::Mode mode, int channels, int kernel, int stride) {
  const PoolingProblem p{mode, 2, channels, Axis::same(5, kernel, stride),
                         Axis::same(6, kernel, stride)};
  const bool max = mode == PoolingProblem::Mode::max;
  const int in = p.batch * p.h.in * p.w.in, out = p.batch * p.h.out * p.w.out;
  const auto x = noise(size_t(in) * channels, 1), dy = noise(size_t(out) * channels, 2);
  Doubles y(size_t(out) * channels), dx(size_t(in) * channels);
  for (int o = 0; o < out * channels; ++o) {
    const int ch = o % channels, ox = o / channels % p.w.out, oy = o / channels / p.w.out % p.h.out,
              b = o / channels / p.w.out / p.h.out;
    std::vector<int> taps;
    for (int i = oy * stride - p.h.pad_before; i < oy * stride - p.h.pad_before + kernel; ++i)
      for (int j = ox * stride - p.w.pad_before; j < ox * stride - p.w.pad_before + kernel; ++j)
        if (i >= 0 && i < p.h.in && j >= 0 && j < p.w.in)
          taps.push_back(((b * p.h.in + i) * p.w.in + j) * channels + ch);
    const int top =
        *std::max_element(taps.begin(), taps.end(), [&](int a, int d) { return x[a] < x[d]; });
    for (int t : taps) {
      if (!max) y[o] += x[t] / double(taps.size()), dx[t] += dy[o] / double(taps.size());
    }
    if (max) y[o] = x[top], dx[top] += dy[o];
  }
  GuardedMatrix input = c.matrix(in, channels, x), output = c.matrix(out, channels),
                gradient = c.matrix(out, channels, dy), to = c.matrix(in, channels);
  const Pooling pooling(c.device(), p);
  const std::string name = fmt::format("{} pooling {}x{}/{} of {}", max ? "max" : "average", kernel,
                                       kernel, stride, channels);
  pooling.forward(c.queue(), input, output);
  c.check(name, output, y, kernel * kernel);
  pooling.backward(c.queue(), input, output, gradient, to);
  c.check(name + ", backward", to, dx, kernel * kernel);
}

}  // namespace ocellus::test
