#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <functional>

#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/gemm.hpp"
#include "ocellus/opencl/profiler.hpp"
#include "opencl/testing.hpp"

// Long work is cut into several launches on GPUs (OCELLUS_LAUNCH_LIMIT elsewhere), and nobody can
// tell from the results.

using namespace ocellus;
using namespace ocellus::opencl;
using namespace ocellus::test;

namespace {

struct Fixture {
  ~Fixture() {
    unsetenv("OCELLUS_LAUNCH_LIMIT");
    unsetenv("OCELLUS_TILE");
  }
  std::shared_ptr<Device> device = Device::open({.profile = true, .family = "tiled"});
  Queue& queue = device->compute();

  GuardedMatrix matrix(int rows, int columns, uint32_t seed) {
    return {*device, rows, columns, 3, 7, noise(size_t(rows) * columns, seed)};
  }

  uint64_t launches_of(const std::string& kernel) {
    uint64_t n = 0;
    for (const Profiler::Row& row : device->profiler().rows())
      if (row.kernel == kernel) n += row.launches;
    return n;
  }

  /// `run` writes into `out`: once without a limit, then with one that `pieces` launches keep.
  void compare(const std::string& kernel, double multiply_adds, int pieces, GuardedMatrix& out,
               const std::function<void()>& run) {
    const std::vector<float> before = out.values();
    std::vector<float> whole;
    for (const bool cut : {false, true}) {
      const double ms = cut ? multiply_adds / 50e6 / pieces : 0;
      setenv("OCELLUS_LAUNCH_LIMIT", std::to_string(ms).c_str(), 1);
      out.set(before);
      device->profiler().clear();
      run();
      const std::vector<float> result = out.values();
      if (cut) {
        BOOST_TEST(launches_of(kernel) >= uint64_t(pieces) / 2, kernel << " was not cut");
        BOOST_TEST(same_bits(whole, result), kernel << " gave other bits when cut");
      } else {
        BOOST_TEST(launches_of(kernel) == 1u);
        BOOST_TEST(!same_bits(before, result));
      }
      whole = result;
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(products, Fixture) {
  for (const bool transpose : {false, true}) {
    const GemmProblem p{331, 67, 41, transpose, false, true, {{{Stage::Kind::merge, "x0 * x1"}}}};
    GuardedMatrix a = transpose ? matrix(p.k, p.m, 1) : matrix(p.m, p.k, 1),
                  b = matrix(p.k, p.n, 2), c = matrix(p.m, p.n, 3), merge = matrix(p.m, p.n, 4);
    setenv("OCELLUS_TILE", "32,32,16,4,4", 1);
    compare("gemm_tiled", 1.0 * p.m * p.n * p.k, 4, c, [&] {
      const Operand operands[] = {merge};
      Gemm(*device, p, "tiled").run(queue, a, b, c, operands);
    });
  }
}

BOOST_FIXTURE_TEST_CASE(convolutions, Fixture) {
  setenv("OCELLUS_TILE", "32,32,16,4,4", 1);
  for (const int groups : {1, 3}) {
    ConvolutionProblem p;
    p.batch = 3, p.in_channels = 12, p.out_channels = 6, p.groups = groups, p.accumulate = true;
    p.h = Axis::same(17, 3), p.w = Axis::same(19, 3);
    const int pixels = p.batch * 17 * 19, weights = 9 * p.in_channels / groups * p.out_channels;
    GuardedMatrix x = matrix(pixels, p.in_channels, 1), kernel = matrix(1, weights, 2),
                  y = matrix(pixels, p.out_channels, 3);
    compare("convolution_tiled_forward", p.multiply_adds(), 5, y,
            [&] { ConvolutionForward(*device, p, "tiled").run(queue, x, kernel, {}, y); });
    compare("convolution_tiled_backward_data", p.multiply_adds(), 7, x,
            [&] { ConvolutionBackwardData(*device, p, "tiled").run(queue, y, kernel, {}, x); });
    compare("convolution_tiled_backward_weights", p.multiply_adds(), 6, kernel, [&] {
      const ConvolutionBackwardWeights plan(*device, p, "tiled");
      plan.run(queue, x, y, kernel, device->allocate(plan.workspace_bytes(), "workspace"));
    });
  }
}

BOOST_FIXTURE_TEST_CASE(winograd, Fixture) {
  setenv("OCELLUS_TILE", "32,32,8,4,4", 1);
  ConvolutionProblem p;
  p.batch = 3, p.in_channels = 12, p.out_channels = 6;
  p.h = Axis::same(17, 3), p.w = Axis::same(19, 3);
  const int pixels = p.batch * 17 * 19, weights = 9 * p.in_channels * p.out_channels;
  GuardedMatrix x = matrix(pixels, p.in_channels, 1), kernel = matrix(1, weights, 2),
                y = matrix(pixels, p.out_channels, 3);
  const double products = 36.0 * (p.batch * 5 * 5) * p.in_channels * p.out_channels;
  compare("gemm_tiled", products, 5, y, [&] {
    const ConvolutionForward plan(*device, p, "winograd4_tiled");
    const Buffer packed = device->allocate(plan.packed_bytes(), "packed");
    plan.pack(queue, kernel, packed);
    plan.run(queue, x, {}, packed, y, {}, device->allocate(plan.workspace_bytes(), "workspace"));
  });
  compare("gemm_tiled", products, 6, kernel, [&] {
    const ConvolutionBackwardWeights plan(*device, p, "winograd_tiled");
    plan.run(queue, x, y, kernel, device->allocate(plan.workspace_bytes(), "workspace"));
  });
}

BOOST_FIXTURE_TEST_CASE(what_is_no_number_is_refused, Fixture) {
  const GemmProblem p{64, 64, 64};
  for (const char* limit : {"fast", "-1", "200ms"}) {
    setenv("OCELLUS_LAUNCH_LIMIT", limit, 1);
    BOOST_CHECK_THROW(Gemm(*device, p, "tiled"), Error);
  }
  unsetenv("OCELLUS_LAUNCH_LIMIT");
  for (const char* tile : {"64", "64,64,8,7,8", "64,64,24,8,8", "0,0,0,0,0", "64,64,8,8,8,8"}) {
    setenv("OCELLUS_TILE", tile, 1);
    BOOST_CHECK_THROW(Gemm(*device, p, "tiled"), Error);
  }
}
