// Every primitive in both kernel families on small problems, compared with the host: what runs
// under Oclgrind (`./dev kernels-check`), which finds reads and writes out of bounds, uninitialised
// reads and data races, but is too slow for the tests. It also takes another OpenCL implementation
// by name: `RUSTICL_ENABLE=llvmpipe kernels_check --device=llvmpipe`.
#include <fmt/format.h>

#include <functional>
#include <numeric>

#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/expanded_depthwise.hpp"
#include "ocellus/opencl/gemm.hpp"
#include "ocellus/opencl/movement.hpp"
#include "ocellus/opencl/pointwise.hpp"
#include "ocellus/opencl/pooling.hpp"
#include "ocellus/opencl/random.hpp"
#include "ocellus/opencl/reduce.hpp"
#include "ocellus/opencl/resample.hpp"
#include "ocellus/opencl/softmax.hpp"
#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::opencl;
using namespace ocellus::testing;

namespace {

using Doubles = std::vector<double>;

/// A device and the count of what went wrong on it.
class Checker {
 public:
  /// `own`: only algorithms that belong to the family, not all that run in it.
  Checker(Device& device, const std::string& family, bool own)
      : device_(device), family_(family), own_(own) {}

  int failures() const { return failures_; }
  const std::string& family() const { return family_; }
  bool skips(const std::string& algorithm) const {
    if (algorithm == "clblast") return true;  // not ours to check
    return own_ && algorithm.ends_with("tiled") != (family_ == "tiled");
  }
  void fail(const std::string& why) {
    fmt::print("{:6} FAILED: {}\n", family_, why);
    ++failures_;
  }
  Device& device() { return device_; }
  Queue& queue() { return device_.compute(); }

  /// Where matrices begin and how far apart their rows are: odd, or at vectors of four floats.
  bool at_fours = false;

  Guarded matrix(int rows, int columns) {
    return at_fours ? Guarded(device_, rows, columns, 8, 4) : Guarded(device_, rows, columns);
  }
  Guarded matrix(int rows, int columns, uint32_t seed) {
    return matrix(rows, columns, random_values(size_t(rows) * columns, seed));
  }
  Guarded matrix(int rows, int columns, const std::vector<float>& values) {
    Guarded m = matrix(rows, columns);
    m.set(values);
    return m;
  }
  Buffer integers(const std::vector<int32_t>& values) {
    const Buffer b = device_.allocate(values.size() * 4, "integers");
    queue().write(b, 0, values.data(), values.size() * 4);
    return b;
  }
  /// Full of NaNs: a kernel that reads what nobody wrote gives one.
  Buffer scratch(size_t bytes) {
    if (bytes == 0) return {};
    const Buffer b = device_.allocate(bytes, "scratch");
    const std::vector<uint32_t> guards(bytes / 4, Guarded::kGuard);
    queue().write(b, 0, guards.data(), guards.size() * 4);
    return b;
  }

  void check(const std::string& what, Guarded& actual, const Doubles& expected, double terms = 1) {
    const double error = error_ratio(actual.get(), expected, terms);
    const bool good = error <= 1 && actual.guards_intact();
    fmt::print("{:6} {:40} {}\n", family_, what,
               good ? "ok"
                    : fmt::format("FAILED: {:.3g} times the error bound{}", error,
                                  actual.guards_intact() ? "" : ", guard words overwritten"));
    std::fflush(stdout);  // a crash of the driver must not hide how far it came
    failures_ += !good;
  }

 private:
  Device& device_;
  std::string family_;
  bool own_;
  int failures_ = 0;
};

void check_pointwise(Checker& c) {
  const int rows = 5, columns = 19;
  const auto a = random_values(rows * columns, 1), b = random_values(columns, 2);
  Guarded x = c.matrix(rows, columns, a), v = c.matrix(1, columns, b),
          y = c.matrix(rows, columns, 3);
  PointwiseProblem p{rows,
                     columns,
                     {PointwiseProblem::Input::matrix, PointwiseProblem::Input::per_column},
                     {"fmax(x * x1, p0)"}};
  p.scalars = 1;
  const Operand inputs[] = {x.operand(), v.operand()}, outputs[] = {y.operand()};
  const float scalars[] = {-0.1f};
  Pointwise(c.device(), p).run(c.queue(), inputs, outputs, scalars);
  Doubles expected(rows * columns);
  for (int i = 0; i < rows * columns; ++i)
    expected[i] = std::max(double(a[i]) * b[i % columns], -0.1);
  c.check("pointwise", y, expected);
}

void check_reduce(Checker& c, int rows, int columns) {
  using Op = Reduce::Op;
  const auto x = random_values(size_t(rows) * columns, 1);
  Doubles sums(columns), row_sums(rows), moments(2 * columns), squares(1);
  for (size_t i = 0; i < x.size(); ++i) {
    sums[i % columns] += x[i], row_sums[i / columns] += x[i], squares[0] += double(x[i]) * x[i];
    moments[i % columns] += x[i] / double(rows);
  }
  for (size_t i = 0; i < x.size(); ++i)
    moments[columns + i % columns] += std::pow(x[i] - moments[i % columns], 2) / rows;
  const auto reduce = [&](const char* name, Op op, const Doubles& expected, double terms) {
    Guarded in = c.matrix(rows, columns, x), out(c.device(), 1, static_cast<int>(expected.size()));
    const Reduce r(c.device(), op, rows, columns);
    r.run(c.queue(), in.operand(), out.operand(), c.scratch(r.workspace_bytes()));
    c.check(fmt::format("{} {}x{}", name, rows, columns), out, expected, terms);
  };
  reduce("sum_rows", Op::sum_rows, sums, rows);
  reduce("sum_columns", Op::sum_columns, row_sums, columns);
  reduce("moments", Op::moments, moments, rows);
  reduce("sum_squares", Op::sum_squares, squares, 1);
}

void check_segments(Checker& c) {
  const int segments = 2, segment = 5, columns = 19;
  const auto x = random_values(segments * segment * columns, 1);
  Doubles mean(segments * columns), top(segments * columns, -1);
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t at = i / columns / segment * columns + i % columns;
    mean[at] += x[i] / double(segment), top[at] = std::max<double>(top[at], x[i]);
  }
  Guarded in = c.matrix(segments * segment, columns, x), out(c.device(), segments, columns),
          where(c.device(), segments, columns);
  Reduce(c.device(), Reduce::Op::mean_segments, segments * segment, columns, segment)
      .run(c.queue(), in.operand(), out.operand());
  c.check("mean_segments", out, mean, segment);
  Reduce(c.device(), Reduce::Op::max_rows, segments * segment, columns, segment)
      .run(c.queue(), in.operand(), out.operand(), {}, where.operand());
  c.check("max_rows", out, top);
}

void check_softmax(Checker& c) {
  const int rows = 3, columns = 19;
  const auto x = random_values(rows * columns, 1), dy = random_values(rows * columns, 2);
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
  Guarded in = c.matrix(rows, columns, x), out(c.device(), rows, columns),
          gradient = c.matrix(rows, columns, dy), to(c.device(), rows, columns);
  const Softmax softmax(c.device(), rows, columns);
  softmax.forward_log(c.queue(), in.operand(), out.operand());
  c.check("softmax log", out, log_y, columns);
  softmax.forward(c.queue(), in.operand(), out.operand());
  c.check("softmax", out, y, columns);
  softmax.backward(c.queue(), out.operand(), gradient.operand(), to.operand());
  c.check("softmax backward", to, dx, columns);
}

void check_pooling(Checker& c, PoolingProblem::Mode mode, int channels, int kernel, int stride) {
  const PoolingProblem p{mode, 2, channels, Axis::same(5, kernel, stride),
                         Axis::same(6, kernel, stride)};
  const bool max = mode == PoolingProblem::Mode::max;
  const int in = p.batch * p.h.in * p.w.in, out = p.batch * p.h.out * p.w.out;
  const auto x = random_values(size_t(in) * channels, 1),
             dy = random_values(size_t(out) * channels, 2);
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
  Guarded input = c.matrix(in, channels, x), output(c.device(), out, channels),
          gradient = c.matrix(out, channels, dy), to(c.device(), in, channels);
  const Pooling pooling(c.device(), p);
  const std::string name = fmt::format("{} pooling {}x{}/{} of {}", max ? "max" : "average", kernel,
                                       kernel, stride, channels);
  pooling.forward(c.queue(), input.operand(), output.operand());
  c.check(name, output, y, kernel * kernel);
  pooling.backward(c.queue(), input.operand(), output.operand(), gradient.operand(), to.operand());
  c.check(name + ", backward", to, dx, kernel * kernel);
}

void check_movement(Checker& c) {
  const int rows = 18, columns = 21;
  const auto x = random_values(rows * columns, 1);
  Guarded in = c.matrix(rows, columns, x), out(c.device(), rows, columns);
  const Doubles same(x.begin(), x.end());
  copy_matrix(c.queue(), in.operand(), out.operand(), rows, columns);
  c.check("copy_matrix", out, same);

  Doubles turned(rows * columns);
  for (int i = 0; i < rows * columns; ++i) turned[i % columns * rows + i / columns] = x[i];
  Guarded dense = c.matrix(1, rows * columns, x), transposed(c.device(), 1, rows * columns);
  const std::vector<int> shape = {rows, columns}, order = {1, 0};
  transpose(c.queue(), dense.operand(), transposed.operand(), shape, order);
  c.check("transpose", transposed, turned);

  Doubles gathered;
  const std::vector<int32_t> index = {17, 0, 3};
  for (int i : index) gathered.insert(gathered.end(), &x[i * columns], &x[i * columns] + columns);
  Guarded picked(c.device(), 3, columns);
  gather_rows(c.queue(), in.operand(), c.integers(index), picked.operand(), 3, columns);
  c.check("gather_rows", picked, gathered);

  // The matrix as an image of 3 x 6 pixels, and a window of 4 x 4 that hangs over its upper left
  // corner.
  Doubles window, padded;
  for (int i = -1; i < 3; ++i)
    for (int j = -2; j < 2; ++j)
      for (int ch = 0; ch < columns; ++ch)
        window.push_back(i < 0 || j < 0 ? 0.5 : x[(i * 6 + j) * columns + ch]);
  for (int i = -1; i < 3; ++i)
    for (int j = -2; j < 6; ++j)
      for (int ch = 0; ch < columns; ++ch)
        padded.push_back(i < 0 || j < 0 ? 0.5 : x[(i * 6 + j) * columns + ch]);
  Guarded cut(c.device(), 16, columns), large(c.device(), 32, columns);
  gather_windows(c.queue(), {1, 4, 4, columns, 3, 6, 0, 0, 0.5f}, in.operand(), {},
                 c.integers({-1, -2}), {}, {}, cut.operand());
  c.check("gather_windows", cut, window);
  const PadProblem p{1, 3, 6, columns, 1, 0, 2, 0, 0.5f};
  pad(c.queue(), p, in.operand(), large.operand());
  c.check("pad", large, padded);
  crop(c.queue(), p, large.operand(), out.operand());
  c.check("crop", out, same);

  Doubles larger;  // columns twice as many: 0, 1/4, 3/4, 1 1/4, ... of the way
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 12; ++j)
      for (int ch = 0; ch < columns; ++ch) {
        const double at = std::clamp(j / 2.0 - 0.25, 0.0, 5.0);
        const int low = static_cast<int>(at), high = std::min(low + 1, 5);
        larger.push_back((1 - at + low) * x[(i * 6 + low) * columns + ch] +
                         (at - low) * x[(i * 6 + high) * columns + ch]);
      }
  Guarded resampled(c.device(), 36, columns);
  Resample(c.device(), 1, columns, ResampleAxis::nearest(3, 3), ResampleAxis::linear(6, 12))
      .run(c.queue(), in.operand(), resampled.operand());
  c.check("resample", resampled, larger, 4);
}

void check_random(Checker& c) {
  const int rows = 3, columns = 37;
  const RandomStream stream{12345, 6, 7};
  const auto x = random_values(rows * columns, 1);
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
  Guarded in = c.matrix(rows, columns, x), out(c.device(), rows, columns);
  random_uniform(c.queue(), stream, out.operand(), rows, columns);
  c.check("random_uniform", out, uniform);
  dropout(c.queue(), stream, 0.25f, in.operand(), out.operand(), rows, columns);
  c.check("dropout", out, dropped);
  Doubles normal;  // of an even number of columns: whole pairs
  for (int r = 0; r < rows; ++r)
    for (int i = 0; i < columns - 1; ++i) {
      const double* pair = &uniform[r * columns + i / 2 * 2];
      const double angle = 2 * M_PI * pair[1];
      normal.push_back(std::sqrt(-2 * std::log(1 - pair[0])) *
                       (i % 2 ? std::sin(angle) : std::cos(angle)));
    }
  Guarded pairs(c.device(), rows, columns - 1);
  random_normal(c.queue(), stream, pairs.operand(), rows, columns - 1);
  c.check("random_normal", pairs, normal, 4);
}

void check_gemm(Checker& c, int rows, int columns, int terms, bool transpose_a, bool transpose_b) {
  GemmProblem p{rows,
                columns,
                terms,
                transpose_a,
                transpose_b,
                false,
                {{{Stage::Kind::bias, ""}, {Stage::Kind::expression, "fmax(x, 0.0f)"}}}};
  const auto a = random_values(p.m * p.k, 1), b = random_values(p.k * p.n, 2),
             bias = random_values(p.n, 3);
  Doubles expected(p.m * p.n);
  for (int i = 0; i < p.m; ++i)
    for (int j = 0; j < p.n; ++j) {
      double sum = bias[j];
      for (int l = 0; l < p.k; ++l)
        sum += double(a[transpose_a ? l * p.m + i : i * p.k + l]) *
               b[transpose_b ? j * p.k + l : l * p.n + j];
      expected[i * p.n + j] = std::max(0.0, sum);
    }
  Guarded da = c.matrix(transpose_a ? p.k : p.m, transpose_a ? p.m : p.k, a);
  Guarded db = c.matrix(transpose_b ? p.n : p.k, transpose_b ? p.k : p.n, b),
          dbias = c.matrix(1, p.n, bias);
  for (const std::string& algorithm : Gemm::algorithms(c.device(), p)) {
    if (c.skips(algorithm)) continue;
    Guarded out = c.matrix(p.m, p.n);
    const Gemm gemm(c.device(), p, algorithm);
    const Operand epilogue[] = {dbias.operand()};
    gemm.run(c.queue(), da.operand(), db.operand(), out.operand(), epilogue,
             c.scratch(gemm.workspace_bytes()));
    c.check(fmt::format("gemm {} {}{}{}", algorithm, rows, transpose_a ? " A^T" : "",
                        transpose_b ? " B^T" : ""),
            out, expected, p.k);
  }
}

// With as many groups as channels where `depthwise`.
void check_convolution(Checker& c, int channels, int filters, int stride, bool depthwise = false) {
  ConvolutionProblem p;
  p.batch = 2, p.in_channels = channels, p.out_channels = filters;
  if (depthwise) p.groups = channels;
  const int group_in = channels / p.groups, group_out = filters / p.groups;
  p.h = Axis::same(6, 3, stride), p.w = Axis::same(7, 3, stride);
  const int in = p.batch * p.h.in * p.w.in, out = p.batch * p.h.out * p.w.out,
            weights = 9 * group_in * filters;
  const auto x = random_values(in * channels, 1), w = random_values(weights, 2),
             dy = random_values(out * filters, 3);
  Doubles y(out * filters), dx(in * channels), dw(weights);
  for (int o = 0; o < out; ++o)
    for (int tap = 0; tap < 9; ++tap) {
      const int i = o / p.w.out % p.h.out * stride - p.h.pad_before + tap / 3,
                j = o % p.w.out * stride - p.w.pad_before + tap % 3;
      if (i < 0 || i >= p.h.in || j < 0 || j >= p.w.in) continue;
      const int pixel = (o / p.w.out / p.h.out * p.h.in + i) * p.w.in + j;
      for (int ci = 0; ci < channels; ++ci)
        for (int co = 0; co < filters; ++co) {
          if (ci / group_in != co / group_out) continue;
          const int at = (tap * group_in + ci % group_in) * filters + co;
          y[o * filters + co] += double(x[pixel * channels + ci]) * w[at];
          dx[pixel * channels + ci] += double(dy[o * filters + co]) * w[at];
          dw[at] += double(x[pixel * channels + ci]) * dy[o * filters + co];
        }
    }
  Guarded dev_x = c.matrix(in, channels, x), dev_w = c.matrix(1, weights, w),
          dev_dy = c.matrix(out, filters, dy);
  const auto name = [&](const char* pass, const std::string& algorithm) {
    return fmt::format("{} {} {} {} to {}/{}", depthwise ? "depthwise" : "convolution", pass,
                       algorithm, channels, filters, stride);
  };
  for (const std::string& algorithm : ConvolutionForward::algorithms(c.device(), p)) {
    if (c.skips(algorithm)) continue;
    Guarded result = c.matrix(out, filters);
    const ConvolutionForward plan(c.device(), p, algorithm);
    const Buffer packed = c.scratch(plan.packed_bytes());
    plan.pack(c.queue(), dev_w.operand(), packed);
    plan.run(c.queue(), dev_x.operand(), dev_w.operand(), packed, result.operand(), {},
             c.scratch(plan.workspace_bytes()));
    c.check(name("forward", algorithm), result, y, 9 * channels);
  }
  for (const std::string& algorithm : ConvolutionBackwardData::algorithms(c.device(), p)) {
    if (c.skips(algorithm)) continue;
    Guarded result = c.matrix(in, channels);
    const ConvolutionBackwardData plan(c.device(), p, algorithm);
    const Buffer packed = c.scratch(plan.packed_bytes());
    plan.pack(c.queue(), dev_w.operand(), packed);
    plan.run(c.queue(), dev_dy.operand(), dev_w.operand(), packed, result.operand(),
             c.scratch(plan.workspace_bytes()));
    c.check(name("data", algorithm), result, dx, 9 * filters);
  }
  for (const std::string& algorithm : ConvolutionBackwardWeights::algorithms(c.device(), p)) {
    if (c.skips(algorithm)) continue;
    Guarded result = c.matrix(1, weights);
    const ConvolutionBackwardWeights plan(c.device(), p, algorithm);
    plan.run(c.queue(), dev_x.operand(), dev_dy.operand(), result.operand(),
             c.scratch(plan.workspace_bytes()));
    c.check(name("weights", algorithm), result, dw, out);
  }
}

/// Products by every tile of the tiled family that fits the device: the table of
/// opencl/src/local_tile.cpp, and a tile of no class. More than one of each tile, none of them
/// whole.
void check_tiles(Checker& c, int m, int n, int k) {
  const auto a = random_values(m * k, 1), b = random_values(k * n, 2);
  Doubles expected(m * n);
  for (int i = 0; i < m * n; ++i)
    for (int l = 0; l < k; ++l) expected[i] += double(a[i / n * k + l]) * b[l * n + i % n];
  Guarded da = c.matrix(m, k, a), db = c.matrix(k, n, b);
  int tried = 0;
  for (const char* tile : {"128,128,8,8,8", "64,64,8,8,8", "64,64,16,4,4", "64,32,8,8,4",
                           "128,16,8,8,2", "32,32,8,4,4", "64,8,8,4,2", "16,48,4,2,6"}) {
    setenv("OCELLUS_TILE", tile, 1);
    try {
      Guarded out = c.matrix(m, n);
      Gemm(c.device(), {m, n, k}, "tiled")
          .run(c.queue(), da.operand(), db.operand(), out.operand());
      c.check(fmt::format("gemm tiled {} by {}", n, tile), out, expected, k);
      ++tried;
    } catch (const DeviceError& e) {
      fmt::print("{:6} gemm tiled by {:26} does not fit: {}\n", c.family(), tile, e.what());
    }
  }
  unsetenv("OCELLUS_TILE");
  if (tried < 4) c.fail("at least 4 tiles must fit");
}

/// Of 5 channels to 32, and of these each by itself.
void check_expanded_depthwise(Checker& c, int stride) {
  const int k = 5, n = 32;
  ConvolutionProblem p;
  p.batch = 2, p.in_channels = p.out_channels = p.groups = n;
  p.h = Axis::same(6, 3, stride), p.w = Axis::same(7, 3, stride);
  const int in = p.batch * p.h.in * p.w.in, out = p.batch * p.h.out * p.w.out;
  const auto x = random_values(in * k, 1), w = random_values(k * n, 2),
             taps = random_values(9 * n, 3);
  Doubles wide(in * n), y(out * n);
  for (int i = 0; i < in * n; ++i) {
    for (int l = 0; l < k; ++l) wide[i] += double(x[i / n * k + l]) * w[l * n + i % n];
    wide[i] = std::max(wide[i], 0.0);
  }
  for (int o = 0; o < out; ++o)
    for (int tap = 0; tap < 9; ++tap) {
      const int i = o / p.w.out % p.h.out * stride - p.h.pad_before + tap / 3,
                j = o % p.w.out * stride - p.w.pad_before + tap % 3;
      if (i < 0 || i >= p.h.in || j < 0 || j >= p.w.in) continue;
      const int pixel = (o / p.w.out / p.h.out * p.h.in + i) * p.w.in + j;
      for (int ch = 0; ch < n; ++ch) y[o * n + ch] += wide[pixel * n + ch] * taps[tap * n + ch];
    }
  Guarded dev_x = c.matrix(in, k, x), dev_w = c.matrix(1, k * n, w),
          dev_taps = c.matrix(1, 9 * n, taps), result(c.device(), out, n);
  const ExpandedDepthwise plan(c.device(), {p, k, {{{Stage::Kind::expression, "fmax(x, 0.0f)"}}}});
  const Buffer packed = c.scratch(plan.packed_bytes());
  plan.pack(c.queue(), dev_w.operand(), packed);
  plan.run(c.queue(), dev_x.operand(), packed, {}, dev_taps.operand(), result.operand(), {});
  c.check(fmt::format("expanded depthwise {} to {}/{}", k, n, stride), result, y, 9 * k);
}

int check_family(const std::string& selector, const std::string& family, bool own) {
  const auto device = Device::open({.selector = selector, .family = family});
  Checker c(*device, family, own);
  check_pointwise(c);
  for (const auto& [rows, columns] : {std::pair{300, 6}, {70, 19}}) check_reduce(c, rows, columns);
  check_segments(c);
  check_softmax(c);
  for (auto mode : {PoolingProblem::Mode::max, PoolingProblem::Mode::average}) {
    check_pooling(c, mode, 19, 3, 2);
    check_pooling(c, mode, 6, 2, 2);
  }
  check_movement(c);
  check_random(c);
  for (int flags = 0; flags < 4; ++flags) check_gemm(c, 19, 21, 37, flags & 1, flags & 2);
  if (family == "vector")  // "thin", a vector kernel
    for (const bool turned : {false, true}) check_gemm(c, 5, 21, 37, false, turned);
  if (family == "tiled") {
    check_tiles(c, 131, 67, 19);
    // Tiled kernels load and store four floats at a time where memory allows it.
    c.at_fours = true;
    check_tiles(c, 132, 68, 20);
    for (int flags = 0; flags < 4; ++flags) check_gemm(c, 20, 24, 36, flags & 1, flags & 2);
    check_convolution(c, 8, 20, 1);
    check_convolution(c, 8, 20, 2);
    c.at_fours = false;
  }
  check_convolution(c, 5, 19, 1);  // two strips of packed weights
  check_convolution(c, 17, 18, 2);
  check_convolution(c, 17, 17, 1, true);
  check_convolution(c, 8, 16, 2, true);
  if (family == "vector")
    for (const int stride : {1, 2}) check_expanded_depthwise(c, stride);
  return c.failures();
}

}  // namespace

int main(int argc, char** argv) try {
  std::string selector, only;
  bool optional = false, own = false;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option.starts_with("--device=")) {
      selector = option.substr(9);
    } else if (option.starts_with("--family=")) {
      only = option.substr(9);
    } else if (option == "--own") {
      own = true;
    } else if (option == "--optional") {
      optional = true;
    } else {
      fmt::print(
          stderr,
          "usage: kernels_check [--device=NAME] [--optional] [--family=vector|tiled] [--own]\n");
      return 2;
    }
  }
  std::shared_ptr<Device> device;
  try {
    device = Device::open({.selector = selector});
  } catch (const DeviceError& e) {
    if (!optional) throw;
    fmt::print("SKIPPED: {}\n", e.what());
    return 77;  // CTest's word for it: see tests/CMakeLists.txt
  }
  fmt::print("{}\n", device->info().name);
  int failures = 0;
  for (const char* family : kFamilies)
    if (only.empty() || only == family) failures += check_family(selector, family, own);
  fmt::print("{} checks failed\n", failures);
  return failures == 0 ? 0 : 1;
} catch (const Error& e) {
  fmt::print(stderr, "kernels_check: {}\n{}\n", e.what(), e.detail());
  return static_cast<int>(e.exit_code());
}
