#include "reference/candidate.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include "ocellus/core/random.hpp"

namespace ocellus::reference {
namespace {

using opencl::Axis;
using opencl::Buffer;
using opencl::ConvolutionProblem;
using opencl::GemmProblem;
using opencl::Operand;
using opencl::TuningProblem;
using Pass = TuningProblem::Pass;

constexpr double kHostWork = 3e7;   ///< multiply-adds that the host may spend on a problem
constexpr size_t kNumbers = 65537;  ///< prime: no row or tile meets the same numbers again

/// Element i of a random operand. Nothing is stored: operands may be as large as the device holds.
class Numbers {
 public:
  explicit Numbers(uint64_t stream) : values_(kNumbers) {
    Random random(17, stream);
    for (float& v : values_) v = static_cast<float>(random.uniform(-1, 1));
  }
  double operator[](size_t i) const { return static_cast<double>(values_[i % kNumbers]); }
  void write(opencl::Queue& queue, const Buffer& buffer, size_t count) const {
    queue.write_with(buffer, 0, count * sizeof(float), [&](size_t first, std::span<std::byte> to) {
      for (size_t at = 0; at < to.size();) {
        const size_t from = (first + at) % (kNumbers * sizeof(float)),
                     n = std::min(to.size() - at, kNumbers * sizeof(float) - from);
        std::memcpy(&to[at], reinterpret_cast<const std::byte*>(values_.data()) + from, n);
        at += n;
      }
    });
  }

 private:
  std::vector<float> values_;
};

/// A problem as a map from two operands to results, all dense; element (row, column) of a result
/// with `columns` columns.
struct Definition {
  size_t first = 0, second = 0;  ///< elements of the operands
  size_t rows = 0, columns = 0;  ///< of the result
  double terms = 1;              ///< summed in each element
  std::function<double(const Numbers&, const Numbers&, size_t row, size_t column)> value;
};

/// C (m, n) = op(A) op(B).
Definition define(const GemmProblem& p) {
  const size_t m = static_cast<size_t>(p.m), n = static_cast<size_t>(p.n),
               k = static_cast<size_t>(p.k);
  return {m * k,
          k * n,
          m,
          n,
          static_cast<double>(k),
          [=](const Numbers& a, const Numbers& b, size_t i, size_t j) {
            double sum = 0;
            for (size_t l = 0; l < k; ++l)
              sum += a[p.transpose_a ? l * m + i : i * k + l] *
                     b[p.transpose_b ? j * k + l : l * n + j];
            return sum;
          }};
}

/// Calls f(other, tap) for the taps that tie a pixel to pixels of the other side along an axis.
template <class F>
void for_taps(const Axis& a, int pixel, bool from_output, const F& f) {
  for (int tap = 0; tap < a.kernel; ++tap) {
    if (from_output) {
      const int in = pixel * a.stride - a.pad_before + tap * a.dilation;
      if (in >= 0 && in < a.in) f(in, tap);
    } else {
      const int scaled = pixel + a.pad_before - tap * a.dilation;
      if (scaled >= 0 && scaled % a.stride == 0 && scaled / a.stride < a.out)
        f(scaled / a.stride, tap);
    }
  }
}

class Geometry {
 public:
  explicit Geometry(const ConvolutionProblem& p)
      : p_(p), in_(p.in_channels / p.groups), out_(p.out_channels / p.groups) {}

  size_t x_size() const { return count(p_.batch, p_.h.in, p_.w.in, p_.in_channels); }
  size_t y_size() const { return count(p_.batch, p_.h.out, p_.w.out, p_.out_channels); }
  size_t kernel_size() const { return count(p_.h.kernel, p_.w.kernel, in_, p_.out_channels); }

  double output(const Numbers& x, const Numbers& k, size_t pixel, int filter) const {
    const auto [n, row, column] = place(pixel, p_.h.out, p_.w.out);
    const int first = filter / out_ * in_;
    double sum = 0;
    for_taps(p_.h, row, true, [&](int y, int i) {
      for_taps(p_.w, column, true, [&](int z, int j) {
        for (int c = 0; c < in_; ++c) sum += x[x_at(n, y, z, first + c)] * k[k_at(i, j, c, filter)];
      });
    });
    return sum;
  }
  double input_gradient(const Numbers& dy, const Numbers& k, size_t pixel, int channel) const {
    const auto [n, row, column] = place(pixel, p_.h.in, p_.w.in);
    const int first = channel / in_ * out_;
    double sum = 0;
    for_taps(p_.h, row, false, [&](int y, int i) {
      for_taps(p_.w, column, false, [&](int z, int j) {
        for (int f = first; f < first + out_; ++f)
          sum += dy[y_at(n, y, z, f)] * k[k_at(i, j, channel % in_, f)];
      });
    });
    return sum;
  }
  double kernel_gradient(const Numbers& x, const Numbers& dy, size_t weight, int filter) const {
    const int c = static_cast<int>(weight) % in_, tap = static_cast<int>(weight) / in_,
              i = tap / p_.w.kernel, j = tap % p_.w.kernel, channel = filter / out_ * in_ + c;
    double sum = 0;
    for (int n = 0; n < p_.batch; ++n)
      for (int row = 0; row < p_.h.out; ++row)
        for (int column = 0; column < p_.w.out; ++column) {
          const int y = row * p_.h.stride - p_.h.pad_before + i * p_.h.dilation,
                    z = column * p_.w.stride - p_.w.pad_before + j * p_.w.dilation;
          if (y >= 0 && y < p_.h.in && z >= 0 && z < p_.w.in)
            sum += x[x_at(n, y, z, channel)] * dy[y_at(n, row, column, filter)];
        }
    return sum;
  }

 private:
  struct Place {
    int n, row, column;
  };
  static size_t count(int a, int b, int c, int d) {
    return static_cast<size_t>(a) * static_cast<size_t>(b) * static_cast<size_t>(c) *
           static_cast<size_t>(d);
  }
  static size_t at(int n, int rows, int row, int columns, int column, int channels, int channel) {
    return ((static_cast<size_t>(n) * rows + row) * columns + column) * channels + channel;
  }
  static Place place(size_t pixel, int rows, int columns) {
    const size_t line = pixel / columns;
    return {static_cast<int>(line / rows), static_cast<int>(line % rows),
            static_cast<int>(pixel % columns)};
  }
  size_t x_at(int n, int y, int x, int c) const {
    return at(n, p_.h.in, y, p_.w.in, x, p_.in_channels, c);
  }
  size_t y_at(int n, int y, int x, int f) const {
    return at(n, p_.h.out, y, p_.w.out, x, p_.out_channels, f);
  }
  size_t k_at(int i, int j, int c, int f) const {
    return at(i, p_.w.kernel, j, in_, c, p_.out_channels, f);
  }

  ConvolutionProblem p_;
  int in_, out_;
};

Definition define(Pass pass, const ConvolutionProblem& p) {
  const Geometry g(p);
  const size_t in = static_cast<size_t>(p.in_channels), out = static_cast<size_t>(p.out_channels);
  const double taps = 1.0 * p.h.kernel * p.w.kernel;
  switch (pass) {
    case Pass::forward:
      return {g.x_size(),
              g.kernel_size(),
              g.y_size() / out,
              out,
              taps * p.in_channels / p.groups,
              [g](const Numbers& x, const Numbers& k, size_t r, size_t c) {
                return g.output(x, k, r, static_cast<int>(c));
              }};
    case Pass::backward_data:
      return {g.y_size(),
              g.kernel_size(),
              g.x_size() / in,
              in,
              taps * p.out_channels / p.groups,
              [g](const Numbers& dy, const Numbers& k, size_t r, size_t c) {
                return g.input_gradient(dy, k, r, static_cast<int>(c));
              }};
    default:
      return {g.x_size(),
              g.y_size(),
              g.kernel_size() / out,
              out,
              1.0 * p.batch * p.h.out * p.w.out,
              [g](const Numbers& x, const Numbers& dy, size_t r, size_t c) {
                return g.kernel_gradient(x, dy, r, static_cast<int>(c));
              }};
  }
}

/// Elements of the result that are compared: all, or corners and random ones.
std::vector<size_t> chosen_elements(const Definition& d) {
  const size_t all = d.rows * d.columns;
  const auto affordable = static_cast<size_t>(std::max(24.0, kHostWork / d.terms));
  std::vector<size_t> chosen;
  if (all <= affordable) {
    for (size_t i = 0; i < all; ++i) chosen.push_back(i);
    return chosen;
  }
  Random random(19);
  const auto one_of = [&](size_t n) {
    const int64_t r = random.below(static_cast<int64_t>(n) + 2);  // the last as often as two others
    return std::min(static_cast<size_t>(r), n - 1);
  };
  for (const size_t row : {size_t{0}, d.rows - 1})
    for (const size_t column : {size_t{0}, d.columns - 1})
      chosen.push_back(row * d.columns + column);
  while (chosen.size() < affordable)
    chosen.push_back(one_of(d.rows) * d.columns + one_of(d.columns));
  return chosen;
}

}  // namespace

struct Candidates::State {
  opencl::Device& device;
  TuningProblem problem;
  Definition definition;
  Numbers first_numbers{1}, second_numbers{2};
  std::vector<size_t> elements;
  std::vector<double> expected;
  Buffer first, second, result;

  State(opencl::Device& d, const TuningProblem& p)
      : device(d),
        problem(p),
        definition(p.pass() == Pass::gemm ? define(p.gemm()) : define(p.pass(), p.convolution())),
        elements(chosen_elements(definition)) {
    for (const size_t e : elements)
      expected.push_back(definition.value(first_numbers, second_numbers, e / definition.columns,
                                          e % definition.columns));
    first = operand(first_numbers, definition.first);
    second = operand(second_numbers, definition.second);
    result = device.allocate(results() * sizeof(float), "result");
  }

  size_t results() const { return definition.rows * definition.columns; }

  Buffer operand(const Numbers& numbers, size_t count) {
    const Buffer b = device.allocate(count * sizeof(float), "operand");
    numbers.write(device.compute(), b, count);
    return b;
  }
  Buffer scratch(size_t bytes) {
    return bytes ? device.allocate(bytes, "a candidate's workspace") : Buffer();
  }

  std::vector<float> read() {
    std::vector<float> values(results());
    device.compute().read(result, 0, values.data(), values.size() * sizeof(float));
    return values;
  }

  /// One run of the algorithm, enqueued: what it needs is made here.
  std::function<void()> prepare(const std::string& algorithm);
  void judge(const std::vector<float>& found, Measurement& m) const;
};

std::function<void()> Candidates::State::prepare(const std::string& algorithm) {
  opencl::Queue& queue = device.compute();
  if (problem.pass() == Pass::gemm) {
    const GemmProblem& p = problem.gemm();
    const auto op = std::make_shared<opencl::Gemm>(device, p, algorithm);
    const auto stride = [](int n) { return static_cast<uint32_t>(n); };
    const Operand a{first, 0, stride(p.transpose_a ? p.m : p.k)},
        b{second, 0, stride(p.transpose_b ? p.k : p.n)}, c{result, 0, stride(p.n)};
    const Buffer workspace = scratch(op->workspace_bytes());
    // Matrices that stand as they are multiply by weights, which are packed once.
    if (op->packed_bytes() == 0 || p.transpose_a || p.transpose_b)
      return [=, &queue] { op->run(queue, a, b, c, {}, workspace); };
    const Buffer packed = scratch(op->packed_bytes());
    op->pack(queue, b, packed);
    return [=, &queue] { op->run_packed(queue, a, packed, c, {}, workspace); };
  }
  const ConvolutionProblem& p = problem.convolution();
  const auto channels = [](const Buffer& b, int n) {
    return Operand{b, 0, static_cast<uint32_t>(n)};
  };
  if (problem.pass() == Pass::forward) {
    const auto op = std::make_shared<opencl::ConvolutionForward>(device, p, algorithm);
    const Operand x = channels(first, p.in_channels), k = channels(second, p.out_channels),
                  y = channels(result, p.out_channels);
    const Buffer packed = scratch(op->packed_bytes()), workspace = scratch(op->workspace_bytes());
    if (packed) op->pack(queue, k, packed);
    return [=, &queue] { op->run(queue, x, k, packed, y, {}, workspace); };
  }
  if (problem.pass() == Pass::backward_data) {
    const auto op = std::make_shared<opencl::ConvolutionBackwardData>(device, p, algorithm);
    const Operand dy = channels(first, p.out_channels), k = channels(second, p.out_channels),
                  dx = channels(result, p.in_channels);
    const Buffer packed = scratch(op->packed_bytes()), workspace = scratch(op->workspace_bytes());
    return [=, &queue] {
      if (packed) op->pack(queue, k, packed);
      op->run(queue, dy, k, packed, dx, workspace);
    };
  }
  const auto op = std::make_shared<opencl::ConvolutionBackwardWeights>(device, p, algorithm);
  const Operand x = channels(first, p.in_channels), dy = channels(second, p.out_channels),
                dk = channels(result, p.out_channels);
  const Buffer workspace = scratch(op->workspace_bytes());
  return [=, &queue] { op->run(queue, x, dy, dk, workspace); };
}

void Candidates::State::judge(const std::vector<float>& found, Measurement& m) const {
  double largest = 0;
  for (size_t i = 0; i < elements.size(); ++i) {
    m.error = std::max(m.error, std::abs(static_cast<double>(found[elements[i]]) - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  m.allowed = 1e-5 * std::sqrt(definition.terms) * largest;
  // A NaN compares with nothing; neither it nor an element that nobody wrote may pass.
  if (!std::ranges::all_of(found, [](float v) { return std::isfinite(v); })) m.error = HUGE_VAL;
}

Candidates::Candidates(opencl::Device& device, const TuningProblem& problem)
    : state_(std::make_unique<State>(device, problem)) {}
Candidates::~Candidates() = default;

Measurement Candidates::measure(const std::string& algorithm, double slowest) {
  using Clock = std::chrono::steady_clock;
  State& s = *state_;
  opencl::Queue& queue = s.device.compute();
  const std::function<void()> enqueue = s.prepare(algorithm);
  const auto timed = [&] {
    queue.finish();
    const auto begin = Clock::now();
    enqueue();
    queue.finish();
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  };
  constexpr uint32_t kNotWritten = 0x7fc00000;  // a NaN
  queue.fill(s.result, 0, s.results() * sizeof(float), kNotWritten);
  Measurement m;
  timed();  // compiles
  const std::vector<float> first = s.read();
  s.judge(first, m);
  std::vector<double> ms{timed()};
  double total = ms[0];
  while (ms[0] <= slowest && (ms.size() < 3 || (total < 150 && ms.size() < 25))) {
    ms.push_back(timed());
    total += ms.back();
  }
  const std::vector<float> last = s.read();
  m.repeatable = std::memcmp(first.data(), last.data(), first.size() * sizeof(float)) == 0;
  m.milliseconds = *std::ranges::min_element(ms);
  m.runs = static_cast<int>(ms.size());
  return m;
}

}  // namespace ocellus::reference
