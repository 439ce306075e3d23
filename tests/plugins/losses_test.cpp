#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>

#include "core/temporary.hpp"
#include "ocellus/core/error.hpp"
#include "ocellus/core/loss.hpp"
#include "opencl/testing.hpp"

using namespace ocellus;
using namespace ocellus::test;

namespace {

const Registry& registry() {
  static const std::unique_ptr<Registry> r = [] {
    auto loaded = std::make_unique<Registry>();
    loaded->load(default_plugin_directory() / "losses.so");
    return loaded;
  }();
  return *r;
}

using Row = std::vector<double>;
/// A float64 formula: value of one row of predictions and its dense targets.
using Formula = std::function<double(const Row& x, const Row& t)>;

Row softmax(const Row& x) {
  double top = x[0], sum = 0;
  for (double v : x) top = std::max(top, v);
  Row p;
  for (double v : x) sum += p.emplace_back(std::exp(v - top));
  for (double& v : p) v /= sum;
  return p;
}
double clip(double p) { return std::min(std::max(p, 1e-7), 1 - 1e-7); }

double categorical_logits(const Row& x, const Row& t) {
  double loss = 0;
  const Row p = softmax(x);
  for (size_t k = 0; k < x.size(); ++k)
    if (t[k] != 0) loss -= t[k] * std::log(p[k]);
  return loss;
}
double categorical_probabilities(const Row& x, const Row& t) {
  double loss = 0, sum = 0;
  for (double v : x) sum += v;
  for (size_t k = 0; k < x.size(); ++k) loss -= t[k] * std::log(clip(x[k] / sum));
  return loss;
}
double binary_logits(const Row& x, const Row& t) {
  double loss = 0;
  for (size_t k = 0; k < x.size(); ++k)
    loss += std::max(x[k], 0.) - x[k] * t[k] + std::log1p(std::exp(-std::abs(x[k])));
  return loss / x.size();
}
double binary_probabilities(const Row& x, const Row& t) {
  double loss = 0;
  for (size_t k = 0; k < x.size(); ++k)
    loss -= t[k] * std::log(clip(x[k])) + (1 - t[k]) * std::log(1 - clip(x[k]));
  return loss / x.size();
}
double squared(const Row& x, const Row& t) {
  double loss = 0;
  for (size_t k = 0; k < x.size(); ++k) loss += (x[k] - t[k]) * (x[k] - t[k]) / x.size();
  return loss;
}
double absolute(const Row& x, const Row& t) {
  double loss = 0;
  for (size_t k = 0; k < x.size(); ++k) loss += std::abs(x[k] - t[k]) / x.size();
  return loss;
}

struct Case {
  std::string name;
  const char* parameters;
  bool logits, probabilities;  ///< what the prediction is; neither: any numbers
  Formula formula;
  std::vector<int> columns;
  double smoothing = 0;
  bool binary = false;  ///< targets are 0 or 1 a column
};

std::vector<Case> cases() {
  return {
      {"categorical_crossentropy", "{}", true, false, categorical_logits, {2, 10, 17}},
      {"categorical_crossentropy",
       R"({"label_smoothing": 0.1})",
       true,
       false,
       categorical_logits,
       {3, 10},
       0.1},
      {"categorical_crossentropy", "{}", false, true, categorical_probabilities, {2, 10}},
      {"sparse_categorical_crossentropy", "{}", true, false, categorical_logits, {2, 10, 1000}},
      {"sparse_categorical_crossentropy",
       R"({"from_logits": true})",
       false,
       false,
       categorical_logits,
       {10}},
      {"binary_crossentropy", "{}", true, false, binary_logits, {1, 5}, 0, true},
      {"binary_crossentropy",
       R"({"label_smoothing": 0.2})",
       true,
       false,
       binary_logits,
       {1},
       0.2,
       true},
      {"binary_crossentropy", "{}", false, true, binary_probabilities, {1, 3}, 0, true},
      {"mean_squared_error", "{}", false, false, squared, {1, 7, 100}},
      {"mean_absolute_error", "{}", false, false, absolute, {1, 7}},
  };
}

void check_case(opencl::Device& device, const Case& c, int n, int columns, bool sparse) {
  const std::string what = c.name + c.parameters + (sparse ? " sparse" : " dense") + " " +
                           std::to_string(n) + "x" + std::to_string(columns) + " " +
                           describe(device);
  std::mt19937 rng(n * 100 + columns);
  std::vector<float> x = noise(size_t(n) * columns, 1), dense(size_t(n) * columns), weights(n);
  std::vector<int> classes(n);
  for (float& v : x) v = c.probabilities ? 0.05f + 0.9f * (v + 1) / 2 : 6 * v;
  for (int i = 0; i < n; ++i) {
    weights[i] = i % 4 == 3 ? 0.0f : 0.5f + static_cast<float>(i % 3);
    classes[i] = static_cast<int>(rng() % std::max(columns, 2));
    double sum = 0;
    for (int k = 0; k < columns; ++k) {
      float& t = dense[i * columns + k];
      if (sparse)
        t = columns == 1 ? float(classes[i]) : float(classes[i] == k);
      else if (c.binary)
        t = float(rng() % 2);
      else
        t = 0.1f + float(rng() % 10);
      sum += t;
    }
    if (!sparse && !c.binary)
      for (int k = 0; k < columns; ++k) dense[i * columns + k] /= static_cast<float>(sum);
    if (weights[i] == 0) x[i * columns] = NAN;  // nobody looks at items without weight
  }

  const auto loss = registry().create<Loss>(c.name, Json::parse(c.parameters, "test"), "test");
  LossRequest request{{n, columns}, sparse ? Shape{n} : Shape{n, columns}, sparse, c.logits};
  const auto op = loss->prepare(device, request);

  const GuardedMatrix prediction(device, n, columns, 3, 5, x), gradient(device, n, columns, 2, 1),
      per_sample(device, 1, n, 0, 4);
  const GuardedMatrix weight(device, 1, n, 0, 2, weights);
  const auto tensor = [](const GuardedMatrix& m, Shape s, uint32_t stride) {
    return Tensor{m.operand().buffer, m.operand().offset, stride, DType::f32, s};
  };
  LossArgs args;
  args.prediction = tensor(prediction, {n, columns}, columns + 3);
  args.gradient = tensor(gradient, {n, columns}, columns + 2);
  args.per_sample = tensor(per_sample, {n}, n);
  args.weights = tensor(weight, {n}, n);
  args.target = sparse
                    ? Tensor{upload(device, classes), 0, uint32_t(n), DType::i32, {n}}
                    : Tensor{upload(device, dense), 0, uint32_t(columns), DType::f32, {n, columns}};
  args.gradient_scale = 0.25f;
  op->run(device.compute(), args);
  const std::vector<float> values = per_sample.values(), slopes = gradient.values();

  double worst = 0, worst_slope = 0, top = 1e-30, top_slope = 1e-30;
  for (int i = 0; i < n; ++i) {
    Row row(&x[i * columns], &x[i * columns] + columns),
        target(&dense[i * columns], &dense[i * columns] + columns);
    const double spread = c.binary ? 0.5 : 1.0 / columns;
    for (double& t : target) t = t * (1 - c.smoothing) + c.smoothing * spread;
    if (weights[i] == 0) {
      BOOST_TEST(values[i] == 0, what);
      for (int k = 0; k < columns; ++k) BOOST_TEST(slopes[i * columns + k] == 0, what);
      continue;
    }
    const double expected = weights[i] * c.formula(row, target);
    worst = std::max(worst, std::abs(values[i] - expected));
    top = std::max(top, std::abs(expected));
    for (int k = 0; k < columns; ++k) {
      const double h = 1e-5;
      Row up = row, down = row;
      up[k] += h;
      down[k] -= h;
      const double slope =
          0.25 * weights[i] * (c.formula(up, target) - c.formula(down, target)) / (2 * h);
      worst_slope = std::max(worst_slope, std::abs(slopes[i * columns + k] - slope));
      top_slope = std::max(top_slope, std::abs(slope));
    }
  }
  BOOST_CHECK_MESSAGE(worst <= 1e-5 * std::sqrt(columns) * top,
                      what << ": loss off by " << worst << " of " << top);
  BOOST_CHECK_MESSAGE(worst_slope <= 1e-5 * std::sqrt(columns) * top_slope + 1e-9,
                      what << ": gradient off by " << worst_slope << " of " << top_slope);

  // Without weights and gradient: the same values, unweighted.
  args.weights = args.gradient = {};
  op->run(device.compute(), args);
  const std::vector<float> plain = per_sample.values();
  for (int i = 0; i < n; ++i)
    if (weights[i] != 0)
      BOOST_TEST(std::abs(plain[i] * weights[i] - values[i]) <= 1e-5 * top, what);
}

}  // namespace

BOOST_AUTO_TEST_CASE(losses_equal_their_formulas_and_gradients_central_differences) {
  for (const auto& device : both_families())
    for (const Case& c : cases())
      for (const int columns : c.columns)
        for (const int n : {1, 37})
          for (const bool sparse : {false, true}) check_case(*device, c, n, columns, sparse);
}

BOOST_AUTO_TEST_CASE(extreme_logits_stay_finite) {
  const auto device = Device::open();
  for (const char* name : {"sparse_categorical_crossentropy", "binary_crossentropy"}) {
    const bool binary = name[0] == 'b';
    const int columns = binary ? 1 : 3;
    std::vector<float> x = {1e4f, -1e4f, 80};
    if (binary) x = {1e4f};
    const auto op = registry()
                        .create<Loss>(name, Json::object(), "test")
                        ->prepare(*device, {{1, columns}, {1}, true, true});
    const Buffer out = upload(*device, std::vector<float>(1)),
                 slope = upload(*device, std::vector<float>(3));
    LossArgs args;
    args.prediction = {upload(*device, x), 0, uint32_t(columns), DType::f32, {1, columns}};
    args.target = {upload(*device, std::vector<int>{binary ? 0 : 1}), 0, 1, DType::i32, {1}};
    args.per_sample = {out, 0, 1, DType::f32, {1}};
    args.gradient = {slope, 0, uint32_t(columns), DType::f32, {1, columns}};
    op->run(device->compute(), args);
    float loss, g;
    device->compute().read(out, 0, &loss, 4);
    device->compute().read(slope, 0, &g, 4);
    BOOST_TEST(loss == (binary ? 1e4f : 2e4f));
    BOOST_TEST(g == 1.0f);
  }
}

BOOST_AUTO_TEST_CASE(a_class_out_of_range_is_not_a_number) {
  const auto device = Device::open();
  const auto op = registry()
                      .create<Loss>("sparse_categorical_crossentropy", Json::object(), "test")
                      ->prepare(*device, {{2, 3}, {2}, true, true});
  const Buffer out = upload(*device, std::vector<float>(2));
  LossArgs args;
  args.prediction = {upload(*device, std::vector<float>(6)), 0, 3, DType::f32, {2, 3}};
  args.target = {upload(*device, std::vector<int>{3, -1}), 0, 2, DType::i32, {2}};
  args.per_sample = {out, 0, 2, DType::f32, {2}};
  op->run(device->compute(), args);
  float loss[2];
  device->compute().read(out, 0, loss, 8);
  BOOST_TEST((std::isnan(loss[0]) && std::isnan(loss[1])));
}

BOOST_AUTO_TEST_CASE(metrics) {
  struct Expect {
    std::string name;
    const char* parameters;
    Shape prediction;
    std::vector<float> x;
    std::vector<int> classes;  ///< sparse targets, or
    std::vector<float> dense;
    bool logits;
    std::vector<float> values;
  };
  const std::vector<float> scores = {.1f, .7f, .2f, .5f, .3f, .2f, .3f, .3f, .4f};
  const std::vector<Expect> table = {
      {"accuracy", "{}", {3, 3}, scores, {1, 1, 2}, {}, false, {1, 0, 1}},
      {"accuracy", "{}", {3, 3}, scores, {}, {0, 1, 0, 1, 0, 0, 1, 0, 0}, false, {1, 1, 0}},
      {"accuracy", "{}", {3, 1}, {.2f, .7f, .6f}, {0, 1, 0}, {}, false, {1, 1, 0}},
      {"accuracy", "{}", {3, 1}, {-.2f, .7f, .6f}, {0, 1, 0}, {}, true, {1, 1, 0}},
      {"accuracy", "{}", {2, 3}, {.4f, .4f, .2f, 0, 0, 0}, {0, 1}, {}, false, {1, 0}},  // the first
                                                                                        // of equals
      {"binary_accuracy", "{}", {2, 2}, {.2f, .7f, .6f, .1f}, {}, {0, 1, 0, 1}, false, {1, 0}},
      {"binary_accuracy", R"({"threshold": 0.9})", {1, 2}, {.95f, .7f}, {}, {1, 1}, false, {.5f}},
      {"top_k_categorical_accuracy",
       R"({"k": 2})",
       {3, 3},
       scores,
       {2, 2, 0},
       {},
       false,
       {1, 0, 1}},
      {"top_k_categorical_accuracy",
       R"({"k": 1})",
       {3, 3},
       scores,
       {1, 2, 2},
       {},
       false,
       {1, 0, 1}},
      {"mean_squared_error", "{}", {2, 1}, {1, 3}, {}, {0, 1}, false, {1, 4}},
      {"mean_absolute_error", "{}", {2, 1}, {1, 3}, {}, {0, 1}, false, {1, 2}},
  };
  for (const auto& device : both_families())
    for (const Expect& e : table) {
      const int n = e.prediction[0], k = e.prediction[1];
      const bool sparse = !e.classes.empty();
      const auto op = registry()
                          .create<Metric>(e.name, Json::parse(e.parameters, "test"), "test")
                          ->prepare(*device, {e.prediction, sparse ? Shape{n} : e.prediction,
                                              sparse, e.logits});
      const Buffer out = upload(*device, std::vector<float>(n));
      LossArgs args;
      args.prediction = {upload(*device, e.x), 0, uint32_t(k), DType::f32, e.prediction};
      args.target =
          sparse ? Tensor{upload(*device, e.classes), 0, uint32_t(n), DType::i32, {n}}
                 : Tensor{upload(*device, e.dense), 0, uint32_t(k), DType::f32, e.prediction};
      args.per_sample = {out, 0, uint32_t(n), DType::f32, {n}};
      op->run(device->compute(), args);
      std::vector<float> values(n);
      device->compute().read(out, 0, values.data(), n * 4);
      BOOST_TEST(values == e.values, e.name << " " << e.parameters << " " << describe(*device));
    }
}

BOOST_AUTO_TEST_CASE(targets_that_do_not_fit_are_refused) {
  const auto device = Device::open();
  const auto prepare = [&](const char* name, LossRequest r) {
    registry().create<Loss>(name, Json::object(), "test")->prepare(*device, r);
  };
  BOOST_CHECK_EXCEPTION(prepare("categorical_crossentropy", {{4, 3}, {4, 5}, false, false}),
                        ShapeError, says("(4, 5)"));
  BOOST_CHECK_EXCEPTION(prepare("sparse_categorical_crossentropy", {{4, 3}, {5}, true, false}),
                        ShapeError, says("(4, 3)"));
  BOOST_CHECK_EXCEPTION(prepare("sparse_categorical_crossentropy", {{4, 1}, {4}, true, false}),
                        ShapeError, says("binary_crossentropy"));
  BOOST_CHECK_EXCEPTION(prepare("mean_squared_error", {{4, 2, 2, 1}, {4}, true, false}), ShapeError,
                        says("(4, 2, 2, 1)"));
  BOOST_CHECK_EXCEPTION(
      registry().create<Loss>("categorical_crossentropy",
                              Json::parse(R"({"label_smothing": 0.1})", "t"), "loss"),
      UsageError, says("label_smoothing"));
}
