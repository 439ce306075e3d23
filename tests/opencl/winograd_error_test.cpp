// How far Winograd's convolutions are from double precision where it matters: the thirteen 3x3
// layers of VGG16, one behind the other from a picture on, with He's weights, so that each sees
// activations as they are behind ReLU and pooling: not centred, and alike in neighbours.
// `OCELLUS_VGG16_SIDE=224 winograd_error_test --log_level=message` prints the table of
// docs/benchmarks.md.
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "ocellus/opencl/convolution.hpp"
#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::opencl;
using namespace ocellus::test;

namespace {

/// Of the picture: small, since the sums by the definition take a minute at VGG16's own size, which
/// OCELLUS_VGG16_SIDE=224 asks for. Errors grow with the channels, which are all there.
int side_of_picture() {
  const char* const wanted = std::getenv("OCELLUS_VGG16_SIDE");
  return wanted ? std::atoi(wanted) : 64;
}

struct LayerOfVgg {
  const char* name;
  int filters;
  bool pooled;
};
constexpr LayerOfVgg kLayers[] = {
    {"conv1_1", 64, false}, {"conv1_2", 64, true},   {"conv2_1", 128, false},
    {"conv2_2", 128, true}, {"conv3_1", 256, false}, {"conv3_2", 256, false},
    {"conv3_3", 256, true}, {"conv4_1", 512, false}, {"conv4_2", 512, false},
    {"conv4_3", 512, true}, {"conv5_1", 512, false}, {"conv5_2", 512, false},
    {"conv5_3", 512, true},
};

/// What a photograph has in common with others: neighbours are alike, at all scales (random values
/// on grids of 2, 4, ... cells a side, the finer the fainter), and edges. As Caffe's networks see
/// it, about -128 to 128.
std::vector<float> picture(int side) {
  std::vector<float> pixels(size_t(side) * side * 3);
  for (int cells = 2; cells <= side / 2; cells *= 2) {
    const auto grid = noise(size_t(cells + 1) * (cells + 1) * 3, 100 + cells);
    const auto at = [&](int i, int j, int c) { return grid[(i * (cells + 1) + j) * 3 + c]; };
    for (int i = 0; i < side; ++i)
      for (int j = 0; j < side; ++j)
        for (int c = 0; c < 3; ++c) {
          const float y = float(i) * cells / side, x = float(j) * cells / side;
          const int a = int(y), b = int(x);
          const float v = y - a, u = x - b;
          const float value = (1 - v) * ((1 - u) * at(a, b, c) + u * at(a, b + 1, c)) +
                              v * ((1 - u) * at(a + 1, b, c) + u * at(a + 1, b + 1, c));
          pixels[(size_t(i) * side + j) * 3 + c] += 200.0f / cells * value;
        }
  }
  for (int i = side / 4; i < side / 2; ++i)  // a bright thing in front
    for (int j = side / 3; j < side * 2 / 3; ++j)
      for (int c = 0; c < 3; ++c) pixels[(size_t(i) * side + j) * 3 + c] += 80;
  for (float& p : pixels) p = std::clamp(p, -128.0f, 128.0f);
  return pixels;
}

/// Normal with a variance of 2 / terms (He et al. 2015), by sums of twelve uniform numbers.
std::vector<float> he_weights(int terms, int filters, uint32_t seed) {
  const auto uniform = noise(size_t(terms) * filters * 12, seed);
  std::vector<float> weights(size_t(terms) * filters);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = std::accumulate(&uniform[i * 12], &uniform[i * 12 + 12], 0.0f) / 2 *
                 std::sqrt(2.0f / float(terms));
  return weights;
}

ConvolutionProblem problem_of(int side, int in, int filters) {
  ConvolutionProblem p;
  p.h = p.w = Axis::same(side, 3);
  p.in_channels = in;
  p.out_channels = filters;
  return p;
}

/// By the definition, in double precision, on all cores.
std::vector<double> reference(const ConvolutionProblem& p, const std::vector<float>& x,
                              const std::vector<float>& kernel) {
  const int side = p.h.out, in = p.in_channels, out = p.out_channels;
  const std::vector<double> k(kernel.begin(), kernel.end());
  std::vector<double> y(size_t(side) * side * out);
  const auto row = [&](int i) {
    for (int tap = 0; tap < 9; ++tap) {
      const int from = i + tap / 3 - 1;
      if (from < 0 || from >= side) continue;
      for (int c = 0; c < in; ++c)
        for (int j = 0; j < side; ++j) {
          const int left = j + tap % 3 - 1;
          if (left < 0 || left >= side) continue;
          const double value = x[(size_t(from) * side + left) * in + c];
          if (value == 0) continue;
          const double* weights = &k[(size_t(tap) * in + c) * out];
          double* sums = &y[(size_t(i) * side + j) * out];
          for (int o = 0; o < out; ++o) sums[o] += value * weights[o];
        }
    }
  };
  const int threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (int i = t; i < side; i += threads) row(i);
    });
  for (std::thread& w : workers) w.join();
  return y;
}

std::vector<float> relu_and_pool(const std::vector<double>& y, int side, int channels, bool pool) {
  const int step = pool ? 2 : 1, small = side / step;
  std::vector<float> x(size_t(small) * small * channels);
  for (int i = 0; i < small * step; ++i)
    for (int j = 0; j < small * step; ++j)
      for (int c = 0; c < channels; ++c) {
        float& v = x[(size_t(i / step) * small + j / step) * channels + c];
        v = std::max(v, float(y[(size_t(i) * side + j) * channels + c]));
      }
  return x;
}

std::vector<float> on_device(Device& device, const ConvolutionProblem& p,
                             const std::string& algorithm, const std::vector<float>& x,
                             const std::vector<float>& kernel) {
  const ConvolutionForward plan(device, p, algorithm);
  BOOST_REQUIRE_EQUAL(plan.algorithm(), algorithm);
  const auto pixels = p.h.in * p.w.in;
  const GuardedMatrix in(device, pixels, p.in_channels, 0, 0, x);
  const GuardedMatrix weights(device, 1, int(kernel.size()), 0, 0, kernel);
  const GuardedMatrix out(device, pixels, p.out_channels, 3, 7);
  const Buffer packed = device.allocate(plan.packed_bytes(), "packed");
  const Buffer workspace = device.allocate(plan.workspace_bytes(), "workspace");
  plan.pack(device.compute(), weights, packed);
  plan.run(device.compute(), in, weights, packed, out, {}, workspace);
  return out.values();
}

/// max|a - b| / max|b|.
double error_of(const std::vector<float>& a, const std::vector<double>& b) {
  return error_ratio(a, b, 1) * 1e-5;
}

}  // namespace

BOOST_AUTO_TEST_CASE(layers_of_vgg16) {
  const auto device = open_family("vector");
  BOOST_TEST_MESSAGE("| layer | input | algorithm: max\\|a - b\\| / max\\|b\\| |\n|---|---|---|");
  const int full = side_of_picture();
  std::vector<float> x = picture(full);
  int side = full, channels = 3, seen = 0;
  uint32_t seed = 1;
  for (const LayerOfVgg& layer : kLayers) {
    const ConvolutionProblem p = problem_of(side, channels, layer.filters);
    std::vector<float> kernel = he_weights(9 * channels, layer.filters, seed++);
    const std::vector<double> truth = reference(p, x, kernel);
    std::string line;
    for (const std::string& algorithm : ConvolutionForward::algorithms(*device, p)) {
      const bool winograd = algorithm.starts_with("winograd");
      if (!winograd && algorithm != "gemm") continue;
      const double error = error_of(on_device(*device, p, algorithm, x, kernel), truth);
      line += fmt::format("{}{} {:.1e}", line.empty() ? "" : ", ", algorithm, error);
      BOOST_TEST(error < 1e-4, layer.name << ": " << algorithm << ": " << error);
      BOOST_TEST(error > 0, layer.name << ": " << algorithm);  // float32 cannot be that good
      seen += winograd;
    }
    BOOST_TEST_MESSAGE(
        fmt::format("| {} | {}x{}x{} | {} |", layer.name, side, side, channels, line));
    if (side == full / 16) {  // two taps of one channel changed places
      for (int o = 0; o < layer.filters; ++o)
        std::swap(kernel[o], kernel[size_t(channels) * layer.filters + o]);
      const std::string first = ConvolutionForward::algorithms(*device, p)[0];
      BOOST_TEST(error_of(on_device(*device, p, first, x, kernel), truth) > 1e-3);
    }
    x = relu_and_pool(truth, side, layer.filters, layer.pooled);
    if (layer.pooled) side /= 2;
    channels = layer.filters;
  }
  BOOST_TEST(seen >= 3 * 13);  // tiles of 2, 4 and 6 everywhere
}
