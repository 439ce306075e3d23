#include "ocellus/opencl/convolution.hpp"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <functional>

#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::opencl;
using namespace ocellus::test;

namespace {

struct Case {
  int batch, height, width, in, out, kh, kw, stride = 1, dilation = 1;
  bool same = true;
  int groups = 1;
  const char* only = "";  // algorithms whose names begin so
};

const Case kCases[] = {
    {1, 1, 1, 1, 1, 1, 1},                                  // nothing smaller
    {2, 28, 28, 1, 6, 5, 5, 1, 1, false},                   // LeNet-5's first layer
    {2, 12, 12, 6, 16, 5, 5, 1, 1, false},                  // and its second
    {1, 13, 11, 3, 32, 3, 3},                               // first layer of a colour network
    {2, 9, 7, 32, 32, 3, 3},                                // one tile of channels
    {1, 8, 17, 33, 31, 3, 3},                               // one over, one under
    {3, 5, 5, 64, 48, 3, 3, 1, 1, false},                   // no padding
    {1, 14, 14, 16, 40, 3, 3, 2},                           // strided, same
    {2, 15, 10, 20, 17, 3, 3, 2, 1, false},                 // strided, valid, odd
    {1, 23, 19, 3, 18, 7, 7, 2},                            // ResNet's stem
    {1, 20, 21, 5, 9, 3, 3, 1, 2},                          // dilated
    {2, 7, 7, 24, 37, 1, 1},                                // pointwise
    {1, 9, 9, 32, 64, 1, 1, 2, 1, false},                   // pointwise, strided
    {1, 1, 50, 8, 12, 1, 5},                                // one-dimensional
    {2, 6, 31, 7, 13, 2, 3},                                // even kernel
    {2, 8, 8, 12, 18, 3, 3, 1, 1, true, 3},                 // groups
    {1, 10, 9, 16, 16, 3, 3, 2, 1, true, 16},               // depthwise
    {1, 6, 5, 6, 12, 3, 3, 1, 1, true, 6},                  // depthwise with a multiplier
    {2, 5, 21, 32, 32, 3, 3, 1, 1, true, 32, "depthwise"},  // rows of all tile widths
    {1, 9, 29, 40, 40, 3, 3, 2, 1, true, 40, "depthwise"},  // vectors of 8 channels
    {1, 6, 13, 20, 20, 5, 5, 1, 1, true, 20, "depthwise"},  // of 4
    {2, 4, 12, 19, 19, 3, 2, 1, 2, true, 19, "depthwise"},  // of 16 and a rest, dilated
    {1, 8, 7, 3, 3, 1, 3, 3, 1, false, 3, "depthwise"},     // few channels, stride over the kernel
    {1, 3, 3, 70, 66, 3, 3},                                // image smaller than a Winograd tile
    {1, 4, 6, 11, 5, 3, 3, 3, 2},                           // stride and dilation
    {1, 7, 7, 10, 100, 7, 7, 1, 1, false},  // the whole image: a dense layer in disguise
    {1, 5, 3, 600, 33, 1, 1, 2},            // pointwise, deeper than two panels
};

ConvolutionProblem problem_of(const Case& c) {
  ConvolutionProblem p;
  p.batch = c.batch;
  p.in_channels = c.in;
  p.out_channels = c.out;
  p.groups = c.groups;
  const auto axis = c.same ? Axis::same : Axis::valid;
  p.h = axis(c.height, c.kh, c.stride, c.dilation);
  p.w = axis(c.width, c.kw, c.stride, c.dilation);
  return p;
}

std::string describe(const ConvolutionProblem& p, const std::string& algorithm) {
  return fmt::format(
      "{} {}x{}x{}x{} kernel {}x{} to {} channels, stride {}, dilation {}, padding {}, groups {}{}",
      algorithm, p.batch, p.h.in, p.w.in, p.in_channels, p.h.kernel, p.w.kernel, p.out_channels,
      p.h.stride, p.h.dilation, p.h.pad_before, p.groups, p.accumulate ? ", accumulated" : "");
}

/// Calls f(x index, kernel index, y index) for every multiply-add of the convolution, indices into
/// dense arrays.
template <class F>
void for_each_product(const ConvolutionProblem& p, F f) {
  const int gin = p.in_channels / p.groups, gout = p.out_channels / p.groups;
  for (int n = 0; n < p.batch; ++n)
    for (int oh = 0; oh < p.h.out; ++oh)
      for (int ow = 0; ow < p.w.out; ++ow)
        for (int kh = 0; kh < p.h.kernel; ++kh)
          for (int kw = 0; kw < p.w.kernel; ++kw) {
            const int ih = oh * p.h.stride - p.h.pad_before + kh * p.h.dilation;
            const int iw = ow * p.w.stride - p.w.pad_before + kw * p.w.dilation;
            if (ih < 0 || ih >= p.h.in || iw < 0 || iw >= p.w.in) continue;
            const size_t x = (size_t(n * p.h.in + ih) * p.w.in + iw) * p.in_channels;
            const size_t y = (size_t(n * p.h.out + oh) * p.w.out + ow) * p.out_channels;
            for (int ci = 0; ci < gin; ++ci)
              for (int co = 0; co < p.out_channels; ++co)
                f(x + co / gout * gin + ci,
                  (size_t(kh * p.w.kernel + kw) * gin + ci) * p.out_channels + co, y + co);
          }
}

/// One problem with its data and the three results by the definition, in float64.
struct Data {
  explicit Data(const ConvolutionProblem& p)
      : x_rows(p.batch * p.h.in * p.w.in),
        y_rows(p.batch * p.h.out * p.w.out),
        weights(p.h.kernel * p.w.kernel * (p.in_channels / p.groups) * p.out_channels),
        x(noise(size_t(x_rows) * p.in_channels, 1)),
        kernel(noise(weights, 2)),
        y(noise(size_t(y_rows) * p.out_channels, 3)),
        forward(y.size()),
        backward_data(x.size()),
        backward_weights(weights) {
    for_each_product(p, [&](size_t ix, size_t ik, size_t iy) {
      forward[iy] += double(x[ix]) * kernel[ik];
      backward_data[ix] += double(y[iy]) * kernel[ik];
      backward_weights[ik] += double(x[ix]) * y[iy];
    });
  }
  int x_rows, y_rows, weights;
  std::vector<float> x, kernel, y;
  std::vector<double> forward, backward_data, backward_weights;
};

std::vector<double> plus(std::vector<double> a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

/// Checks what `run` leaves in `out`, which held `before`, twice.
template <class Run>
void check_result(GuardedMatrix& out, const std::vector<float>& before,
                  const std::vector<double>& expected, double terms, const std::string& what,
                  Run run) {
  std::vector<float> first;
  for (int round = 0; round < 2; ++round) {
    out.set(before);
    run();
    const auto result = out.values();
    const double error = error_ratio(result, expected, terms);
    BOOST_TEST(error <= 1, what << ": error " << error);
    if (round) BOOST_TEST(same_bits(first, result), what << " gave other bits the second time");
    first = result;
  }
}

using Wanted = std::function<bool(const std::string& algorithm)>;

struct Fixture {
  const std::vector<std::shared_ptr<Device>> devices = tested_families();
};

/// Each pass by all algorithms that are `wanted`.
void forward(Device& device, const ConvolutionProblem& p, const Data& data, const Wanted& wanted) {
  GuardedMatrix x(device, data.x_rows, p.in_channels, 2, 5), kernel(device, 1, data.weights, 0, 3);
  GuardedMatrix y(device, data.y_rows, p.out_channels, 3, 7),
      merge(device, data.y_rows, p.out_channels, 5, 2);
  GuardedMatrix scale(device, 1, p.out_channels, 0, 4), shift(device, 1, p.out_channels, 0, 6);
  x.set(data.x), kernel.set(data.kernel);
  const auto vs = noise(p.out_channels, 7), vt = noise(p.out_channels, 8);
  scale.set(vs), shift.set(vt), merge.set(data.y);
  std::vector<double> expected = data.forward;
  std::vector<Operand> operands;
  if (!p.epilogue.empty()) {  // affine, merge, leaky relu: see the test
    operands = {scale, shift, merge};
    for (size_t i = 0; i < expected.size(); ++i) {
      const double v = expected[i] * vs[i % p.out_channels] + vt[i % p.out_channels] - data.y[i];
      expected[i] = v > 0 ? v : 0.25 * v;
    }
  }
  for (const std::string& algorithm : ConvolutionForward::algorithms(device, p)) {
    if (!wanted(algorithm)) continue;
    const ConvolutionForward plan(device, p, algorithm);
    BOOST_REQUIRE_EQUAL(plan.algorithm(), algorithm);
    const Buffer packed = device.allocate(plan.packed_bytes(), "packed");
    const Buffer workspace = device.allocate(plan.workspace_bytes(), "workspace");
    device.compute().fill(workspace, 0, plan.workspace_bytes() / 4 * 4, GuardedMatrix::kGuard);
    check_result(y, data.y, expected, 1.0 * p.h.kernel * p.w.kernel * p.in_channels / p.groups,
                 "forward " + describe(p, algorithm), [&] {
                   plan.pack(device.compute(), kernel, packed);
                   plan.run(device.compute(), x, kernel, packed, y, operands, workspace);
                 });
  }
}

void backward_data(Device& device, const ConvolutionProblem& p, const Data& data,
                   const Wanted& wanted) {
  GuardedMatrix dx(device, data.x_rows, p.in_channels, 2, 5), kernel(device, 1, data.weights, 0, 3);
  GuardedMatrix dy(device, data.y_rows, p.out_channels, 3, 7);
  kernel.set(data.kernel), dy.set(data.y);
  for (const std::string& algorithm : ConvolutionBackwardData::algorithms(device, p)) {
    if (!wanted(algorithm)) continue;
    const ConvolutionBackwardData plan(device, p, algorithm);
    const Buffer packed = device.allocate(plan.packed_bytes(), "packed");
    const Buffer workspace = device.allocate(plan.workspace_bytes(), "workspace");
    device.compute().fill(workspace, 0, plan.workspace_bytes() / 4 * 4, GuardedMatrix::kGuard);
    check_result(dx, data.x, p.accumulate ? plus(data.backward_data, data.x) : data.backward_data,
                 1.0 * p.h.kernel * p.w.kernel * p.out_channels / p.groups,
                 "backward data " + describe(p, algorithm), [&] {
                   plan.pack(device.compute(), kernel, packed);
                   plan.run(device.compute(), dy, kernel, packed, dx, workspace);
                 });
  }
}

void backward_weights(Device& device, const ConvolutionProblem& p, const Data& data,
                      const Wanted& wanted) {
  GuardedMatrix x(device, data.x_rows, p.in_channels, 2, 5), dkernel(device, 1, data.weights, 0, 3);
  GuardedMatrix dy(device, data.y_rows, p.out_channels, 3, 7);
  x.set(data.x), dy.set(data.y);
  for (const std::string& algorithm : ConvolutionBackwardWeights::algorithms(device, p)) {
    if (!wanted(algorithm)) continue;
    const ConvolutionBackwardWeights plan(device, p, algorithm);
    const Buffer workspace = device.allocate(plan.workspace_bytes(), "workspace");
    device.compute().fill(workspace, 0, plan.workspace_bytes() / 4 * 4, GuardedMatrix::kGuard);
    check_result(dkernel, data.kernel,
                 p.accumulate ? plus(data.backward_weights, data.kernel) : data.backward_weights,
                 data.y_rows, "backward weights " + describe(p, algorithm),
                 [&] { plan.run(device.compute(), x, dy, dkernel, workspace); });
  }
}

/// By the algorithms of the device's family whose names begin with `only`.
void all_passes(Device& device, const ConvolutionProblem& p, const Data& data,
                const std::string& only = "") {
  const Wanted own = [&](const std::string& algorithm) {
    return is_own(device, algorithm) && algorithm.starts_with(only);
  };
  if (!p.accumulate) forward(device, p, data, own);
  if (!p.epilogue.empty()) return;
  backward_data(device, p, data, own);
  backward_weights(device, p, data, own);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(convolution, Fixture)

BOOST_AUTO_TEST_CASE(all_problems) {
  for (const Case& c : kCases) {
    ConvolutionProblem p = problem_of(c);
    const Data data(p);
    for (const auto& device : devices)
      for (const bool accumulate : {false, true}) {
        p.accumulate = accumulate;
        all_passes(*device, p, data, c.only);
      }
  }
}

BOOST_AUTO_TEST_CASE(forward_with_an_epilogue) {
  for (const Case& c : {kCases[1], kCases[5], kCases[11], kCases[15], kCases[18], kCases[19],
                        kCases[21], std::end(kCases)[-1]}) {
    ConvolutionProblem p = problem_of(c);
    p.epilogue = {{{Stage::Kind::affine, ""},
                   {Stage::Kind::merge, "x0 - x1"},
                   {Stage::Kind::expression, "x > 0.0f ? x : 0.25f * x"}}};
    const Data data(p);
    for (const auto& device : devices) all_passes(*device, p, data, c.only);
  }
}

BOOST_AUTO_TEST_CASE(algorithms_of_the_other_family) {
  const ConvolutionProblem p = problem_of(kCases[15]);
  const Data data(p);
  for (const auto& device : devices) {
    const Wanted others = [&](const std::string& a) { return !is_own(*device, a); };
    forward(*device, p, data, others);
    backward_data(*device, p, data, others);
    backward_weights(*device, p, data, others);
  }
}

/// Padding that differs per side and from both of Keras' rules, as halo evaluation asks for.
BOOST_AUTO_TEST_CASE(odd_padding) {
  ConvolutionProblem p;
  p.in_channels = 32, p.out_channels = 48;
  p.h = {9, 10, 3, 1, 1, 3};
  p.w = {11, 9, 3, 1, 1, 0};
  const Data data(p);
  for (const auto& device : devices) all_passes(*device, p, data);
}

/// Batches of several tiles per image and several images per tile row.
BOOST_AUTO_TEST_CASE(larger_batches) {
  for (const Case& c : {Case{19, 4, 4, 16, 24, 3, 3}, Case{33, 10, 10, 1, 8, 5, 5, 1, 1, false},
                        Case{5, 12, 14, 64, 64, 3, 3}}) {
    const ConvolutionProblem p = problem_of(c);
    const Data data(p);
    for (const auto& device : devices) all_passes(*device, p, data);
  }
}

/// Winograd on GPUs takes so many tiles at a time as the device's largest buffer allows; the last
/// round has fewer: 255 tiles of 4 x 4 go as 128 and 127 here, 1020 of 2 x 2 as four times 255.
BOOST_AUTO_TEST_CASE(winograd_in_rounds) {
  if (devices.back()->family() != KernelFamily::tiled) return;
  setenv("OCELLUS_DEVICE_LIMITS", "alloc=512K", 1);
  const auto device = open_family("tiled");
  unsetenv("OCELLUS_DEVICE_LIMITS");
  ConvolutionProblem p = problem_of({1, 60, 68, 4, 4, 3, 3});
  BOOST_TEST(ConvolutionForward(*device, p, "winograd4_tiled").workspace_bytes() < 512u * 1024);
  const Data data(p);
  for (const bool accumulate : {false, true}) {
    p.accumulate = accumulate;
    all_passes(*device, p, data);
  }
}

/// The rule of the tiled family: Winograd from some 40 to 65 channels on, by the class of GPU, and
/// tiles of 2 x 2 where those of 4 x 4 are too few for a row of a product's tile.
BOOST_AUTO_TEST_CASE(gpus_take_winograd_where_it_pays) {
  const auto device = open_family("tiled");
  const auto rule = [&](const Case& c) {
    return ConvolutionForward::algorithms(*device, problem_of(c))[0];
  };
  BOOST_TEST(rule({8, 56, 56, 256, 256, 3, 3}) == "winograd4_tiled");
  BOOST_TEST(rule({1, 14, 14, 512, 512, 3, 3}) == "winograd2_tiled");
  for (const Case& c : {Case{8, 224, 224, 3, 64, 3, 3}, Case{8, 56, 56, 16, 16, 3, 3},
                        Case{8, 56, 56, 256, 256, 3, 3, 2}, Case{8, 56, 56, 256, 256, 1, 1}})
    BOOST_TEST(rule(c) == "tiled");
}

BOOST_AUTO_TEST_CASE(wrong_problems_are_refused) {
  const auto device = Device::open();
  ConvolutionProblem p = problem_of(kCases[3]);
  p.groups = 2;
  BOOST_CHECK_THROW(ConvolutionForward(*device, p), Error);
  p.groups = 1;
  BOOST_CHECK_THROW(ConvolutionForward(*device, p, "fft"), Error);
  const ConvolutionForward plan(*device, p, "naive");
  const Buffer x = device->allocate(4 * 13 * 11 * 3, "x"),
               kernel = device->allocate(4 * 27 * 32, "kernel");
  const Buffer y = device->allocate(4 * 13 * 11 * 32 - 4, "y, one float short");
  BOOST_CHECK_THROW(plan.run(device->compute(), {x, 0, 3}, {kernel, 0, 32}, {}, {y, 0, 32}), Error);
}

BOOST_AUTO_TEST_SUITE_END()
