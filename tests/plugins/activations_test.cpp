// Every registered activation against its float64 function, and its derivative against central
// differences.

#include <map>

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
  const Shape& y = plan.outputs[0];
  data.output_gradients = {{y, noise(y.elements(), 4)}};
  return LayerRunner(device, *layer, plan).run(data, {2, 3});
}

// Those that look at rows.
const std::map<std::string, ReferenceTensor (*)(const ReferenceTensor&)> rows = {
    {"softmax", reference::softmax},
    {"log_softmax", reference::log_softmax},
    {"glu", reference::glu}};

}  // namespace

BOOST_AUTO_TEST_CASE(functions_and_derivatives) {
  // 5 x 31 numbers in [-8, 8): the kinks at 0, 3, 6 and 2.5 lie inside.
  const Shape shape{5, 31};
  std::vector<float> x = noise(shape.elements(), 1);
  for (float& v : x) v *= 8;
  const std::vector<float> dy = noise(x.size(), 4);
  for (const auto& device : both_families())
    for (const TypeInfo* t : registry().all(Kind::activation)) {
      if (rows.count(t->name)) continue;
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

BOOST_AUTO_TEST_CASE(functions_of_rows) {
  for (const Shape& shape : {Shape{3, 2, 12}, Shape{2, 2}, Shape{5, 34}}) {
    std::vector<float> x = noise(shape.elements(), 1);
    x[1] = 200;  // its exponential overflows
    for (const auto& [name, f] : rows) {
      const ReferenceTensor y = f({shape, {x.begin(), x.end()}});
      const std::vector<float> dy = noise(y.values.size(), 4);
      std::vector<double> dx;
      for (size_t i = 0; i < x.size(); ++i) {
        constexpr double h = 1e-6;
        ReferenceTensor above{shape, {x.begin(), x.end()}}, below = above;
        above.values[i] += h;
        below.values[i] -= h;
        above = f(above), below = f(below);
        double sum = 0;
        for (size_t k = 0; k < dy.size(); ++k)
          sum += dy[k] * (above.values[k] - below.values[k]) / (2 * h);
        dx.push_back(sum);
      }
      for (const auto& device : both_families()) {
        const std::string what = describe(*device) + " " + name + " of " + shape.str();
        const LayerResults r = run(*device, name, shape, x);
        check_close(r.outputs[0], y.values, shape.channels(), what);
        check_close(r.input_gradients[0], dx, shape.channels(), what + ": gradient");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(glu_wants_halves) {
  PlanRequest request;
  request.inputs = {{2, 3}};
  BOOST_CHECK_THROW(layer_of("glu")->plan(request), ShapeError);
}

BOOST_AUTO_TEST_CASE(probabilities_are_declared) {
  PlanRequest request;
  request.inputs = {{2, 4}};
  for (const TypeInfo* t : registry().all(Kind::activation)) {
    const Probability expected = t->name == "softmax"   ? Probability::softmax
                                 : t->name == "sigmoid" ? Probability::sigmoid
                                                        : Probability::none;
    BOOST_CHECK_MESSAGE(layer_of(t->name)->plan(request).probability == expected, t->name);
  }
}
