#include "ocellus/opencl/pooling.hpp"

#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;
using opencl::Axis;
using opencl::Pooling;
using opencl::PoolingProblem;
using Mode = PoolingProblem::Mode;

namespace {

const PoolingProblem cases[] = {
    {Mode::max, 1, 1, Axis::valid(1, 1), Axis::valid(1, 1)},
    {Mode::max, 3, 6, Axis::valid(8, 2, 2),
     Axis::valid(12, 2, 2)},  // LeNet: windows tile the input
    {Mode::max, 2, 6, Axis::valid(7, 2, 2),
     Axis::valid(9, 2, 2)},  // a row and a column are left out
    {Mode::max, 2, 17, Axis::same(13, 3, 2), Axis::same(11, 3, 2)},  // windows overlap
    {Mode::max, 1, 64, Axis::same(5, 3, 1), Axis::same(7, 3, 1)},
    {Mode::max, 2, 33, Axis::valid(11, 2, 3), Axis::valid(10, 2, 3)},     // gaps between windows
    {Mode::max, 1, 5, Axis::valid(9, 3, 2, 2), Axis::same(10, 2, 1, 3)},  // dilated
    {Mode::max, 2, 16, Axis::same(3, 5, 4), Axis::same(6, 4, 3)},  // windows larger than the input
    {Mode::max, 3, 1, Axis::valid(4, 4, 4), Axis::valid(1, 1)},
};

std::string name(const Device& d, const PoolingProblem& p) {
  return describe(d) + (p.mode == Mode::max ? " max" : " average") + " pooling " +
         std::to_string(p.h.in) + "x" + std::to_string(p.w.in) + "x" + std::to_string(p.channels);
}

/// Calls f(input pixel, output pixel) for each tap inside the input, window by window in row-major
/// order of the taps.
template <class F>
void for_each_tap(const PoolingProblem& p, F f) {
  for (int b = 0; b < p.batch; ++b)
    for (int oy = 0; oy < p.h.out; ++oy)
      for (int ox = 0; ox < p.w.out; ++ox)
        for (int i = 0; i < p.h.kernel; ++i)
          for (int j = 0; j < p.w.kernel; ++j) {
            const int y = oy * p.h.stride - p.h.pad_before + i * p.h.dilation;
            const int x = ox * p.w.stride - p.w.pad_before + j * p.w.dilation;
            if (y < 0 || y >= p.h.in || x < 0 || x >= p.w.in) continue;
            f((b * p.h.in + y) * p.w.in + x, (b * p.h.out + oy) * p.w.out + ox);
          }
}

struct Reference {
  std::vector<double> y, dx;
};

Reference reference(const PoolingProblem& p, const std::vector<float>& x,
                    const std::vector<float>& dy) {
  const size_t in = size_t(p.batch) * p.h.in * p.w.in, out = size_t(p.batch) * p.h.out * p.w.out;
  Reference r{std::vector<double>(out * p.channels, p.mode == Mode::max ? -HUGE_VAL : 0),
              std::vector<double>(in * p.channels)};
  std::vector<int> count(out);
  for_each_tap(p, [&](size_t, size_t o) { ++count[o]; });
  for (int c = 0; c < p.channels; ++c) {
    std::vector<size_t> first(out);
    for_each_tap(p, [&](size_t i, size_t o) {
      double& y = r.y[o * p.channels + c];
      const float v = x[i * p.channels + c];
      if (p.mode == Mode::average)
        y += v / double(count[o]);
      else if (v > y)
        y = v, first[o] = i;
    });
    for_each_tap(p, [&](size_t i, size_t o) {
      const double g = dy[o * p.channels + c];
      if (p.mode == Mode::average) r.dx[i * p.channels + c] += g / count[o];
      if (p.mode == Mode::max && first[o] == i) r.dx[i * p.channels + c] += g;
    });
  }
  return r;
}

void check_case(Device& device, PoolingProblem p) {
  const int in = p.batch * p.h.in * p.w.in, out = p.batch * p.h.out * p.w.out;
  auto x = noise(size_t(in) * p.channels, 1);
  for (float& v : x) v = std::round(3 * v);  // equal maxima in most windows
  const auto dy = noise(size_t(out) * p.channels, 2), before = noise(x.size(), 3);
  const Reference expected = reference(p, x, dy);
  const int taps = p.h.kernel * p.w.kernel;

  const GuardedMatrix input(device, in, p.channels, 3, 1, x), output(device, out, p.channels, 1, 2),
      gradient(device, out, p.channels, 2, 0, dy);
  const Pooling pooling(device, p);
  pooling.forward(device.compute(), input, output);
  check_close(output.values(), expected.y, taps, name(device, p) + " forward");

  for (bool accumulate : {false, true}) {
    p.accumulate = accumulate;
    const GuardedMatrix to(device, in, p.channels, 5, 3, before);
    Pooling(device, p).backward(device.compute(), p.mode == Mode::max ? input : Operand{},
                                p.mode == Mode::max ? output : Operand{}, gradient, to);
    std::vector<double> dx = expected.dx;
    for (size_t i = 0; accumulate && i < dx.size(); ++i) dx[i] += before[i];
    check_close(to.values(), dx, taps, name(device, p) + " backward");
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(forward_and_backward) {
  for (const auto& device : both_families())
    for (PoolingProblem p : cases)
      for (Mode mode : {Mode::max, Mode::average}) {
        p.mode = mode;
        check_case(*device, p);
      }
}

/// Windows cut out of an image, with what lies outside it filled by anything, pool as the image
/// itself does.
BOOST_AUTO_TEST_CASE(windows_of_a_larger_image) {
  for (const auto& device : both_families())
    for (Mode mode : {Mode::max, Mode::average}) {
      const int full_h = 6, full_w = 9, channels = 5;
      PoolingProblem whole{mode, 1, channels, Axis::same(full_h, 3, 1), Axis::same(full_w, 3, 1)};
      const auto image = noise(full_h * full_w * channels, 1);
      const Reference expected =
          reference(whole, image, std::vector<float>(full_h * full_w * channels));
      // Two windows of 4 x 5 outputs need 6 x 7 inputs; the first hangs over the upper left corner,
      // the second the lower right.
      const std::vector<int32_t> origins = {-1, -1, 1, 3};
      PoolingProblem p{mode, 2, channels, Axis::valid(6, 3, 1), Axis::valid(7, 3, 1)};
      p.full_h = full_h, p.full_w = full_w;
      std::vector<float> windows(2 * 6 * 7 * channels, 77.0f);
      std::vector<double> y(2 * 4 * 5 * channels);
      for (int item = 0; item < 2; ++item)
        for (int c = 0; c < channels; ++c) {
          const int y0 = origins[2 * item], x0 = origins[2 * item + 1];
          for (int i = 0; i < 6; ++i)
            for (int j = 0; j < 7; ++j)
              if (y0 + i >= 0 && y0 + i < full_h && x0 + j >= 0 && x0 + j < full_w)
                windows[((item * 6 + i) * 7 + j) * channels + c] =
                    image[((y0 + i) * full_w + x0 + j) * channels + c];
          for (int i = 0; i < 4; ++i)
            for (int j = 0; j < 5; ++j)
              y[((item * 4 + i) * 5 + j) * channels + c] =
                  expected.y[((y0 + 1 + i) * full_w + x0 + 1 + j) * channels + c];
        }
      const GuardedMatrix in(*device, 2 * 6 * 7, channels, 1, 2, windows),
          out(*device, 2 * 4 * 5, channels, 2, 1);
      Pooling(*device, p).forward(device->compute(), in, out, upload(*device, origins));
      check_close(out.values(), y, 9, name(*device, p) + " of windows");
    }
}

BOOST_AUTO_TEST_CASE(wrong_problems_are_refused) {
  const auto device = Device::open();
  BOOST_CHECK_THROW(Pooling(*device, {Mode::max, 1, 1, Axis::valid(1, 2), Axis::valid(1, 1)}),
                    Error);
  BOOST_CHECK_THROW(Pooling(*device, {Mode::max, 1, 0, Axis::valid(2, 2), Axis::valid(1, 1)}),
                    Error);
}
