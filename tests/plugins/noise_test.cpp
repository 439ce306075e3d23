// What the random layers are for: the statistics of what they make. (Each element is compared with
// its reference in layers_test.)

#include <map>
#include <numeric>

#include "ocellus/core/registry.hpp"
#include "plugins/layer_run.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

const Registry& registry() {
  static const std::unique_ptr<Registry> r = [] {
    auto loaded = std::make_unique<Registry>();
    loaded->load(default_plugin_directory() / "layers.so");
    return loaded;
  }();
  return *r;
}

/// The layer's output in training for `x`.
std::vector<float> train(const char* type, const char* parameters, const Shape& shape,
                         const std::vector<float>& x, uint32_t step = 0) {
  static const auto device = both_families()[0];
  const auto layer = registry().create<Layer>(type, Json::parse(parameters, type), type);
  PlanRequest request;
  request.inputs = {shape};
  request.training = true;
  LayerData data;
  data.inputs = {{shape, x}};
  data.run = {.seed = 7, .step = step, .node = 3, .samples = {}};
  return LayerRunner(*device, *layer, layer->plan(request)).run(data, {}).outputs[0];
}

double mean(const std::vector<float>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}
double deviation(const std::vector<float>& x) {
  const double m = mean(x);
  double sum = 0;
  for (float v : x) sum += (v - m) * (v - m);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

/// Normal numbers: a layer's noise on zeros.
const Shape shape{10, 100, 100};
std::vector<float> normal_numbers() {
  return train("GaussianNoise", R"({"stddev": 1})", shape,
               std::vector<float>(shape.elements(), 0.0f), 99);
}

}  // namespace

// 100,000 numbers: the standard error of a mean of deviation 1 is 0.0032; the bounds are five of
// them and more.
BOOST_AUTO_TEST_CASE(gaussian_noise_has_its_deviation) {
  const auto y = train("GaussianNoise", R"({"stddev": 0.5})", shape,
                       std::vector<float>(shape.elements(), 3.0f));
  BOOST_CHECK_SMALL(mean(y) - 3, 0.01);
  BOOST_CHECK_SMALL(deviation(y) - 0.5, 0.01);
}

BOOST_AUTO_TEST_CASE(gaussian_dropout_keeps_the_mean) {
  const auto y = train("GaussianDropout", R"({"rate": 0.2})", shape,
                       std::vector<float>(shape.elements(), 2.0f));
  BOOST_CHECK_SMALL(mean(y) - 2, 0.02);
  BOOST_CHECK_SMALL(deviation(y) - 2 * 0.5, 0.02);  // sqrt(0.2 / 0.8) = 0.5
}

BOOST_AUTO_TEST_CASE(alpha_dropout_keeps_mean_and_variance) {
  const std::vector<float> x = normal_numbers();
  BOOST_REQUIRE_SMALL(deviation(x) - 1, 0.02);
  const auto y = train("AlphaDropout", R"({"rate": 0.3})", shape, x);
  BOOST_CHECK_SMALL(mean(y), 0.02);
  BOOST_CHECK_SMALL(deviation(y) - 1, 0.02);
  // What is dropped becomes one number: the one that is found most often.
  std::map<float, size_t> counts;
  for (float v : y) ++counts[v];
  size_t count = 0;
  for (const auto& [value, n] : counts) count = std::max(count, n);
  BOOST_CHECK_SMALL(static_cast<double>(count) / static_cast<double>(y.size()) - 0.3, 0.01);
}

BOOST_AUTO_TEST_CASE(spatial_dropout_drops_whole_channels) {
  const Shape images{50, 3, 4, 64};
  const auto y = train("SpatialDropout2D", R"({"rate": 0.25})", images,
                       std::vector<float>(images.elements(), 3.0f));
  size_t dropped = 0;
  for (int n = 0; n < 50; ++n)
    for (int c = 0; c < 64; ++c) {
      const float first = y[size_t(n) * 3 * 4 * 64 + c];
      for (int p = 1; p < 12; ++p) BOOST_REQUIRE_EQUAL(y[(size_t(n) * 12 + p) * 64 + c], first);
      BOOST_REQUIRE(first == 0 || std::abs(first - 4) < 1e-5);
      dropped += first == 0;
    }
  BOOST_CHECK_SMALL(static_cast<double>(dropped) / (50 * 64) - 0.25, 0.05);
}

BOOST_AUTO_TEST_CASE(steps_differ) {
  const std::vector<float> x(shape.elements(), 1.0f);
  BOOST_CHECK(!same_bits(train("GaussianNoise", R"({"stddev": 1})", shape, x, 1),
                         train("GaussianNoise", R"({"stddev": 1})", shape, x, 2)));
}
