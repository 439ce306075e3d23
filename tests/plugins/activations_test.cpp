// Every registered activation against its float64 function, and its derivative against central
// differences.

#include "ocellus/core/activation.hpp"
#include "ocellus/core/registry.hpp"
#include "plugins/layer_run.hpp"
#include "reference/layers.hpp"
#include "reference/primitives.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

const Registry& registry() {
  static const std::unique_ptr<Registry> r = [] {
    auto loaded = std::make_unique<Registry>();
    for (const char* bundle : {"activations.so", "layers.so"})
      loaded->load(default_plugin_directory() / bundle);
    return loaded;
  }();
  return *r;
}

std::shared_ptr<const Layer> layer_of(const std::string& name) {
  return registry().create<Activation>(name, Json::object(), name)->layer();
}

LayerResults run(Device& device, const std::string& name, const Shape& shape,
                 const std::vector<float>& x) {
  const auto layer = layer_of(name);
  PlanRequest request;
  request.inputs = {shape};
  request.input_gradients = true;
  const LayerPlan plan = layer->plan(request);
  LayerData data;
  data.inputs = {{shape, x}};
  data.output_gradients = {{shape, noise(x.size(), 4)}};
  return LayerRunner(device, *layer, plan).run(data, {2, 3});
}

}  // namespace

BOOST_AUTO_TEST_CASE(functions_and_derivatives) {
  // 5 x 31 numbers in [-8, 8): the kinks at 0, 3, 6 and 2.5 lie inside.
  const Shape shape{5, 31};
  std::vector<float> x = noise(shape.elements(), 1);
  for (float& v : x) v *= 8;
  const std::vector<float> dy = noise(x.size(), 4);
  for (const auto& device : both_families())
    for (const TypeInfo* t : registry().all(Kind::activation)) {
      if (t->name == "softmax" || t->name == "log_softmax") continue;  // these look at rows
      const auto found = reference::activations().find(t->name);
      BOOST_REQUIRE_MESSAGE(found != reference::activations().end(),
                            "no reference for " << t->name);
      const auto& f = found->second;
      std::vector<double> y, dx;
      for (size_t i = 0; i < x.size(); ++i) {
        constexpr double h = 1e-6;
        y.push_back(f(x[i]));
        dx.push_back(dy[i] * (f(x[i] + h) - f(x[i] - h)) / (2 * h));
      }
      const LayerResults r = run(*device, t->name, shape, x);
      check_close(r.outputs[0], y, 1, describe(*device) + " " + t->name);
      check_close(r.input_gradients[0], dx, 1, describe(*device) + " gradient of " + t->name);
    }
}

// Large arguments neither overflow nor make a NaN, one element at a time.
BOOST_AUTO_TEST_CASE(far_from_zero) {
  const std::vector<float> x = {-1e4f, -90, -30, 30, 80, 1e4f};
  for (const auto& device : both_families())
    for (const auto& [name, f] : reference::activations()) {
      const LayerResults r = run(*device, name, {1, 6}, x);
      for (size_t i = 0; i < x.size(); ++i) {
        const double y = f(x[i]);
        const bool overflows = y > 1e38;
        BOOST_CHECK_MESSAGE(
            overflows || std::abs(r.outputs[0][i] - y) <= 2e-5 * std::abs(y) + 1e-30,
            name << "(" << x[i] << ") = " << r.outputs[0][i] << ", not " << y);
        BOOST_CHECK_MESSAGE(overflows || std::isfinite(r.input_gradients[0][i]),
                            name << "'(" << x[i] << ") is not finite");
      }
    }
}

BOOST_AUTO_TEST_CASE(softmax_is_the_layer) {
  const Shape shape{3, 11};
  std::vector<float> x = noise(shape.elements(), 1);
  x[4] = 200;  // its exponential overflows
  const ReferenceTensor expected = reference::softmax({shape, {x.begin(), x.end()}});
  for (const auto& device : both_families())
    check_close(run(*device, "softmax", shape, x).outputs[0], expected.values, 1, "softmax");
}

BOOST_AUTO_TEST_CASE(log_softmax_and_its_derivative) {
  const Shape shape{3, 2, 11};
  std::vector<float> x = noise(shape.elements(), 1);
  x[4] = 200;
  const std::vector<float> dy = noise(x.size(), 4);
  std::vector<double> y, dx;
  for (size_t row = 0; row < x.size(); row += 11) {
    double top = -HUGE_VAL, sum = 0, gradients = 0;
    for (size_t i = row; i < row + 11; ++i) top = std::max<double>(top, x[i]);
    for (size_t i = row; i < row + 11; ++i) sum += std::exp(x[i] - top);
    for (size_t i = row; i < row + 11; ++i) gradients += dy[i];
    for (size_t i = row; i < row + 11; ++i) {
      y.push_back(x[i] - top - std::log(sum));
      dx.push_back(dy[i] - std::exp(y.back()) * gradients);
    }
  }
  for (const auto& device : both_families()) {
    const LayerResults r = run(*device, "log_softmax", shape, x);
    check_close(r.outputs[0], y, 11, describe(*device) + " log_softmax");
    check_close(r.input_gradients[0], dx, 11, describe(*device) + " gradient of log_softmax");
  }
}

BOOST_AUTO_TEST_CASE(probabilities_are_declared) {
  PlanRequest request;
  request.inputs = {{2, 3}};
  for (const TypeInfo* t : registry().all(Kind::activation)) {
    const Probability expected = t->name == "softmax"   ? Probability::softmax
                                 : t->name == "sigmoid" ? Probability::sigmoid
                                                        : Probability::none;
    BOOST_CHECK_MESSAGE(layer_of(t->name)->plan(request).probability == expected, t->name);
  }
}
