#include "ocellus/opencl/softmax.hpp"

#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;
using opencl::Softmax;

namespace {

struct Case {
  int rows, columns;
  uint32_t gap, offset;
};
const Case cases[] = {{1, 1, 0, 0},    {128, 10, 0, 0}, {3, 16, 0, 1}, {5, 17, 2, 0},
                      {1, 1000, 0, 3}, {37, 131, 5, 2}, {500, 2, 0, 0}};

std::string name(const Device& d, const Case& c, const char* what) {
  return describe(d) + " " + what + " " + std::to_string(c.rows) + "x" + std::to_string(c.columns);
}

}  // namespace

BOOST_AUTO_TEST_CASE(forward_and_logarithm) {
  for (const auto& device : both_families())
    for (const Case& c : cases) {
      auto x = noise(size_t(c.rows) * c.columns, 1);
      for (float& v : x) v = 500 + 60 * v;  // exp of it overflows
      std::vector<double> y(x.size()), log_y(x.size());
      for (int r = 0; r < c.rows; ++r) {
        double top = -1e9, sum = 0;
        for (int i = 0; i < c.columns; ++i) top = std::max<double>(top, x[r * c.columns + i]);
        for (int i = 0; i < c.columns; ++i) sum += std::exp(x[r * c.columns + i] - top);
        for (int i = 0; i < c.columns; ++i) {
          log_y[r * c.columns + i] = x[r * c.columns + i] - top - std::log(sum);
          y[r * c.columns + i] = std::exp(log_y[r * c.columns + i]);
        }
      }
      const GuardedMatrix in(*device, c.rows, c.columns, c.gap, c.offset, x),
          out(*device, c.rows, c.columns, 1, 3);
      const Softmax softmax(*device, c.rows, c.columns);
      softmax.forward(device->compute(), in, out);
      check_close(out.values(), y, c.columns, name(*device, c, "softmax"));
      softmax.forward_log(device->compute(), in, out);
      // A single column has log 1 = 0 everywhere: nothing to be relative to.
      if (c.columns > 1)
        check_close(out.values(), log_y, c.columns, name(*device, c, "log softmax"));
      softmax.forward(device->compute(), in, in);
      check_close(in.values(), y, c.columns, name(*device, c, "softmax in place"));
    }
}

BOOST_AUTO_TEST_CASE(backward) {
  for (const auto& device : both_families())
    for (const Case& c : cases)
      for (bool accumulate : {false, true}) {
        const size_t n = size_t(c.rows) * c.columns;
        const auto y = noise(n, 1), dy = noise(n, 2), before = noise(n, 3);
        std::vector<double> dx(n);
        for (int r = 0; r < c.rows; ++r) {
          double dot = 0;
          for (int i = r * c.columns; i < (r + 1) * c.columns; ++i) dot += double(dy[i]) * y[i];
          for (int i = r * c.columns; i < (r + 1) * c.columns; ++i)
            dx[i] = y[i] * (dy[i] - dot) + (accumulate ? before[i] : 0);
        }
        const GuardedMatrix out(*device, c.rows, c.columns, c.gap, c.offset, y),
            gradient(*device, c.rows, c.columns, 3, 1, dy),
            to(*device, c.rows, c.columns, 0, 2, before);
        Softmax(*device, c.rows, c.columns)
            .backward(device->compute(), out, gradient, to, accumulate);
        check_close(to.values(), dx, c.columns, name(*device, c, "softmax backward"));
      }
}
