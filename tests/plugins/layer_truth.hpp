#pragma once

#include <map>

#include "ocellus/core/registry.hpp"
#include "plugins/layer_run.hpp"
#include "reference/layers.hpp"

/// What a layer should give: its float64 reference, central differences of it, and windows cut out
/// of padded images.
namespace ocellus::test {

/// The layer's own reference (plugins), or that of the built-in layers.
inline const Reference* reference_of(const TypeInfo& info) {
  if (info.reference) return &info.reference;
  const auto it = reference::layers().find(info.name);
  return it == reference::layers().end() ? nullptr : &it->second;
}

/// Inputs, weights and output gradients of a plan. Variances are positive, all else lies in [-1,
/// 1).
inline LayerData noise_for(const LayerPlan& plan) {
  LayerData d;
  uint32_t seed = 1;
  const auto make = [&](const Shape& s) { return HostTensor{s, noise(s.elements(), ++seed)}; };
  for (const Shape& s : plan.request.inputs) d.inputs.push_back(make(s));
  for (const auto* list : {&plan.parameters, &plan.states})
    for (const ParameterSpec& p : *list) {
      d.weights.push_back(make(p.shape));
      if (p.name.find("variance") != std::string::npos)
        for (float& v : d.weights.back().values) v = 0.3f + std::abs(v);
    }
  for (const Shape& s : plan.outputs) d.output_gradients.push_back(make(s));
  d.run = {.seed = 0x123456789abcdef, .step = 3, .node = 5, .samples = {}};
  for (int i = 0; i < plan.request.inputs[0][0]; ++i) d.samples.push_back(1000 - 7 * i);
  return d;
}

/// max |actual - expected| as a multiple of what is allowed: 1e-5 sqrt(terms) max |expected|.
inline double excess(const std::vector<float>& actual, const std::vector<double>& expected,
                     double terms) {
  double error = 0, scale = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double d = std::abs(actual[i] - expected[i]);
    error = std::isnan(d) ? HUGE_VAL : std::max(error, d);
    scale = std::max(scale, std::abs(expected[i]));
  }
  return error == 0 ? 0 : error / (1e-5 * std::sqrt(terms) * scale);
}

/// Numbers that are summed up for an element of the output, an input gradient, and a parameter
/// gradient.
inline double terms_forward(const LayerPlan& plan) {
  const double out = static_cast<double>(plan.outputs[0].elements()),
               in = static_cast<double>(plan.request.inputs[0].elements());
  if (!plan.saved.empty()) return plan.outputs[0].pixels();  // statistics of a batch
  return std::max({1.0, plan.multiply_adds / out, in / out});
}
inline double terms_input(const LayerPlan& plan) {
  if (!plan.saved.empty()) return plan.outputs[0].pixels();
  return std::max(1.0, plan.multiply_adds / static_cast<double>(plan.request.inputs[0].elements()));
}
inline double terms_parameter(const LayerPlan& plan) { return plan.outputs[0].pixels(); }

/// The reference on a layer's data.
class Truth {
 public:
  Truth(const TypeInfo& info, Json parameters, const LayerData& data, const PlanRequest& request)
      : reference_(*reference_of(info)),
        parameters_(std::move(parameters)),
        data_(data),
        training_(request.training && (request.trainable || data.weights.empty())) {
    for (const HostTensor& t : data.inputs)
      inputs_.push_back({t.shape, {t.values.begin(), t.values.end()}});
    for (const HostTensor& t : data.weights)
      weights_.push_back({t.shape, {t.values.begin(), t.values.end()}});
  }

  const std::vector<ReferenceTensor>& forward() const {
    if (forward_.empty()) forward_ = forward(inputs_, weights_);
    return forward_;
  }
  const ReferenceTensor& weight(size_t i) const { return weights_[i]; }

  /// Gradients that were added to `before` against central differences of sum(output * output
  /// gradient): 40 elements of each tensor, and one direction in which all elements move.
  void check_gradients(const LayerPlan& plan, const LayerResults& r, double before,
                       const std::string& name) const {
    const double e = gradient_excess(plan, r, before);
    BOOST_CHECK_MESSAGE(e <= 1, name << ": gradient off by " << e << " times what is allowed");
  }
  double gradient_excess(const LayerPlan& plan, const LayerResults& r, double before) const {
    double worst = 0;
    for (size_t i = 0; i < r.input_gradients.size(); ++i)
      worst =
          std::max(worst, excess_of(r.input_gradients[i], inputs_, i, before, terms_input(plan)));
    for (size_t i = 0; i < r.parameter_gradients.size(); ++i)
      worst = std::max(
          worst, excess_of(r.parameter_gradients[i], weights_, i, before, terms_parameter(plan)));
    return worst;
  }

 private:
  std::vector<ReferenceTensor> forward(const std::vector<ReferenceTensor>& inputs,
                                       const std::vector<ReferenceTensor>& weights) const {
    return reference_({parameters_, inputs, weights, training_, data_.run.seed, data_.run.step,
                       data_.run.node, data_.samples});
  }

  /// `list` is inputs_ or weights_; its tensor i moves by h * direction.
  double slope(const std::vector<ReferenceTensor>& list, size_t i,
               const std::vector<double>& direction) const {
    constexpr double h = 1e-6;
    double difference = 0;
    for (double sign : {1.0, -1.0}) {
      std::vector<ReferenceTensor> moved = list;
      for (size_t e = 0; e < direction.size(); ++e) moved[i].values[e] += sign * h * direction[e];
      const auto y = &list == &inputs_ ? forward(moved, weights_) : forward(inputs_, moved);
      for (size_t o = 0; o < data_.output_gradients.size(); ++o)
        for (size_t e = 0; e < y[o].values.size(); ++e)
          difference += sign * y[o].values[e] * data_.output_gradients[o].values[e];
    }
    return difference / (2 * h);
  }

  /// Of a tensor of n elements: along every step-th element, and along all of them at once.
  struct Slopes {
    std::vector<double> single;
    double all = 0;
  };
  static size_t step_of(size_t n) { return std::max<size_t>(1, n / 40); }
  static std::vector<float> direction(size_t n) { return noise(n, 99); }

  /// Computed once: they cost more than the layer's run, of which there are many.
  const Slopes& slopes(const std::vector<ReferenceTensor>& list, size_t i) const {
    const auto [found, is_new] = slopes_.try_emplace({&list, i});
    Slopes& s = found->second;
    if (!is_new) return s;
    const size_t n = list[i].values.size();
    for (size_t e = 0; e < n; e += step_of(n)) {
      std::vector<double> one(n);
      one[e] = 1;
      s.single.push_back(slope(list, i, one));
    }
    const std::vector<float> all = direction(n);
    s.all = slope(list, i, {all.begin(), all.end()});
    return s;
  }

  double excess_of(const std::vector<float>& actual, const std::vector<ReferenceTensor>& list,
                   size_t i, double before, double terms) const {
    const size_t n = actual.size();
    const Slopes& truth = slopes(list, i);
    std::vector<float> found;
    std::vector<double> expected;
    for (size_t e = 0; e < n; e += step_of(n)) {
      found.push_back(actual[e]);
      expected.push_back(before + truth.single[expected.size()]);
    }
    const std::vector<float> all = direction(n);
    double sum = 0, along = truth.all;
    for (size_t e = 0; e < n; ++e) {
      sum += actual[e] * all[e];
      along += before * all[e];
    }
    double largest = 0;
    for (double v : expected) largest = std::max(largest, std::abs(v));
    const double allowed = 1e-5 * std::sqrt(terms * static_cast<double>(n)) * largest;
    return std::max(excess(found, expected, terms),
                    allowed > 0 ? std::abs(sum - along) / allowed : 0);
  }

  const Reference& reference_;
  Json parameters_;
  LayerData data_;
  bool training_;
  std::vector<ReferenceTensor> inputs_, weights_;
  mutable std::vector<ReferenceTensor> forward_;
  mutable std::map<std::pair<const std::vector<ReferenceTensor>*, size_t>, Slopes> slopes_;
};

/// Nine boxes of a layer's output (corners, sides, middle; of random size) as a batch of windows of
/// its padded input 0, all from item 0.
struct HaloPatches {
  HaloPatches(const PlanRequest& full, const LayerPlan& plan, const LayerData& data,
              std::mt19937& random)
      : request(full) {
    const Shape x = image(full.inputs[0]), y = image(plan.outputs[0]);
    const Axis h(plan.window.h, x[1], y[1], random), w(plan.window.w, x[2], y[2], random);
    const int channels = x[3];
    request.halo = true;
    request.full_h = x[1];
    request.full_w = x[2];
    request.input_gradients = request.parameter_gradients = false;
    const bool sequence = full.inputs[0].rank() == 3;
    request.inputs = {sequence ? Shape{9, w.in_size, channels}
                               : Shape{9, h.in_size, w.in_size, channels}};
    box_h = h.size, box_w = w.size;
    output_shape = sequence ? Shape{9, w.size, y[3]} : Shape{9, h.size, w.size, y[3]};
    input = {request.inputs[0], {}};
    // What is excluded may hold anything.
    const float fill = plan.window.fill == Window::Fill::zero                ? 0.0f
                       : plan.window.fill == Window::Fill::negative_infinity ? -HUGE_VALF
                                                                             : 777.0f;
    for (int i = 0; i < 9; ++i) {
      const int top = h.begin[i / 3], left = w.begin[i % 3];
      boxes.push_back({top, left});
      const int y0 = top * plan.window.h.stride - plan.window.h.pad_before,
                x0 = left * plan.window.w.stride - plan.window.w.pad_before;
      origins.insert(origins.end(), {y0, x0});
      for (int a = y0; a < y0 + h.in_size; ++a)
        for (int b = x0; b < x0 + w.in_size; ++b)
          for (int c = 0; c < channels; ++c)
            input.values.push_back(a < 0 || a >= x[1] || b < 0 || b >= x[2]
                                       ? fill
                                       : data.inputs[0].values[(a * x[2] + b) * channels + c]);
    }
  }

  /// The same boxes of a whole output.
  std::vector<double> cut(const ReferenceTensor& y) const {
    const Shape s = image(y.shape);
    std::vector<double> values;
    for (const auto& [top, left] : boxes)
      for (int a = top; a < top + box_h; ++a)
        for (int b = left; b < left + box_w; ++b)
          for (int c = 0; c < s[3]; ++c) values.push_back(y.values[(a * s[2] + b) * s[3] + c]);
    return values;
  }

  PlanRequest request;
  Shape output_shape;
  int box_h = 0, box_w = 0;
  HostTensor input;
  std::vector<int32_t> origins;
  std::vector<std::pair<int, int>> boxes;

 private:
  /// A sequence (N, L, C) as an image of one row.
  static Shape image(const Shape& s) { return s.rank() == 3 ? Shape{s[0], 1, s[1], s[2]} : s; }
  /// A random size, and its first, a random and its last place along one axis.
  struct Axis {
    Axis(const WindowAxis& window, int, int out, std::mt19937& random)
        : size(1 + static_cast<int>(random() % out)),
          in_size((size - 1) * window.stride + window.extent()),
          begin{0, static_cast<int>(random() % (out - size + 1)), out - size} {}
    int size, in_size;
    int begin[3];
  };
};

}  // namespace ocellus::test
