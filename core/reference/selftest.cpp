#include "reference/selftest.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "ocellus/core/error.hpp"
#include "ocellus/core/execution.hpp"
#include "ocellus/core/graph_builder.hpp"
#include "ocellus/core/random.hpp"
#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/gemm.hpp"
#include "reference/layer_cases.hpp"
#include "reference/layers.hpp"
#include "reference/primitives.hpp"

namespace ocellus::reference {
namespace {

Array noise(const Shape& shape, uint64_t stream) {
  Random random(11, stream);
  Array a(shape, DType::f32);
  for (float& v : a.f32()) v = static_cast<float>(random.uniform(-1, 1));
  return a;
}

ReferenceTensor to_reference(const Array& a) {
  return {a.shape(), {a.f32().begin(), a.f32().end()}};
}

// NaN is an infinite error: it must not pass a comparison.
Check compare(std::string name, std::span<const float> found, const std::vector<double>& expected,
              double terms) {
  Check c{std::move(name)};
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double d = std::abs(found[i] - expected[i]);
    c.error = std::isnan(d) ? HUGE_VAL : std::max(c.error, d);
    largest = std::max(largest, std::abs(expected[i]));
  }
  c.allowed = 1e-5 * std::sqrt(terms) * largest;
  return c;
}

class Primitives {
 public:
  Primitives(opencl::Device& device, bool all, std::vector<Check>& out)
      : device_(device), queue_(device.compute()), all_(all), out_(out) {}

  void gemm(int m, int n, int k, bool ta, bool tb) {
    const Array a = noise(ta ? Shape{k, m} : Shape{m, k}, 1),
                b = noise(tb ? Shape{n, k} : Shape{k, n}, 2);
    const ReferenceTensor ra = to_reference(a), rb = to_reference(b);
    const auto expected = reference::gemm(ra.values, rb.values, m, n, k, ta, tb);
    const std::vector<std::string> names =
        all_ ? std::vector<std::string>{"", "vector", "tiled", "clblast", "naive"}
             : std::vector<std::string>{""};
    for (const std::string& algorithm : names) {
      const opencl::Gemm g(device_, {.m = m, .n = n, .k = k, .transpose_a = ta, .transpose_b = tb},
                           algorithm);
      const Tensor y = Tensor::make(device_, {m, n}, "product");
      g.run(queue_, put(a).operand(), put(b).operand(), y.operand(), {},
            scratch(g.workspace_bytes()));
      const std::string name =
          fmt::format("gemm {}x{}x{}{}{} ({})", m, n, k, ta ? " A transposed" : "",
                      tb ? " B transposed" : "", g.algorithm());
      out_.push_back(compare(name, download(queue_, y).f32(), expected, k));
    }
  }

  // Forward against the definition; the backward passes by <dy, conv(x, k)> = <dx, x> = <dk, k>,
  // both sides from the reference.
  void convolution(int batch, int h, int w, int in, int filters, int kernel, int stride,
                   int groups = 1) {
    opencl::ConvolutionProblem p;
    p.batch = batch;
    p.h = opencl::Axis::same(h, kernel, stride);
    p.w = opencl::Axis::same(w, kernel, stride);
    p.in_channels = in;
    p.out_channels = filters;
    p.groups = groups;
    const Array x = noise({batch, h, w, in}, 3),
                k = noise({kernel, kernel, in / groups, filters}, 4);
    const std::string what =
        fmt::format("convolution {}x{} of {}, {} filters, stride {}, groups {}", kernel, kernel,
                    x.shape().str(), filters, stride, groups);
    const auto expected = convolve(to_reference(x), to_reference(k), p.h, p.w, groups).values;
    auto names = opencl::ConvolutionForward::algorithms(device_, p);
    if (!all_) names.resize(1);
    for (const std::string& algorithm : names) {
      const opencl::ConvolutionForward f(device_, p, algorithm);
      const Tensor y = Tensor::make(device_, {batch, p.h.out, p.w.out, filters}, "output"),
                   kernel_tensor = put(k);
      const opencl::Buffer packed = scratch(f.packed_bytes());
      if (packed) f.pack(queue_, kernel_tensor.operand(), packed);
      f.run(queue_, put(x).operand(), kernel_tensor.operand(), packed, y.operand(), {},
            scratch(f.workspace_bytes()));
      out_.push_back(compare(fmt::format("{} ({})", what, algorithm), download(queue_, y).f32(),
                             expected, 1.0 * kernel * kernel * in / groups));
    }
  }

 private:
  Tensor put(const Array& a) {
    const Tensor t = Tensor::make(device_, a.shape(), "selftest");
    upload(queue_, a, t);
    return t;
  }
  opencl::Buffer scratch(size_t bytes) {
    return bytes ? device_.allocate(bytes, "selftest") : opencl::Buffer();
  }

  opencl::Device& device_;
  opencl::Queue& queue_;
  bool all_;
  std::vector<Check>& out_;
};

// A layer alone in a network: what core does with it (fusion, views, generated kernels) is checked
// along with its kernels.
class LayerCheck {
 public:
  LayerCheck(const Registry& registry, std::shared_ptr<opencl::Device> device, const LayerCase& c)
      : case_(c),
        info_(registry.get(Kind::layer, c.type)),
        parameters_(info_.schema.check(Json::parse(c.parameters, c.type), c.type)),
        network_(registry, graph()),
        name_(fmt::format("{} {} on {}{}", c.type, c.parameters, c.inputs[0].str(),
                          c.training ? " in training" : "")) {
    set_weights();
    network_.place(std::move(device));
    for (size_t i = 0; i < c.inputs.size(); ++i)
      inputs_.push_back(to_reference(noise(c.inputs[i], 20 + i)));
  }

  void run(std::vector<Check>& out) {
    const LayerPlan& plan = network_.layers().back().plan;
    const bool differentiable = plan.differentiable && case_.type != std::string("Input");
    ExecutionOptions options{.batch = case_.inputs[0][0], .training = case_.training};
    if (differentiable) {
      options.parameter_gradients = case_.trainable && !plan.parameters.empty();
      for (size_t i = 0; i < inputs_.size(); ++i)
        options.gradients.push_back(fmt::format("x{}", i));
    }
    Execution run(network_, options);
    opencl::Queue& queue = network_.device().compute();
    for (size_t i = 0; i < inputs_.size(); ++i)
      upload(queue, noise(case_.inputs[i], 20 + i), run.feed(i));
    run.forward({.seed = seed});
    const auto expected = forward(inputs_, weights_).at(0);
    out.push_back(compare(name_ + ": output", download(queue, run.fetch()).f32(), expected.values,
                          terms(plan)));
    if (!differentiable) return;
    const Array dy = noise(run.fetch().shape, 40);
    upload(queue, dy, run.seed());
    const Arenas gradients = Arenas::make(network_.device(), network_.layout(), "gradients");
    gradients.zero(queue);
    run.backward(options.parameter_gradients ? &gradients : nullptr);
    const auto slope_check = [&](const std::string& what, std::vector<ReferenceTensor>& list,
                                 size_t i, const Array& gradient) {
      out.push_back(check_slope(name_ + ": " + what, list, i, gradient, dy,
                                terms(plan) * expected.shape.pixels()));
    };
    for (size_t i = 0; i < inputs_.size(); ++i)
      slope_check(fmt::format("gradient by input {}", i), inputs_, i,
                  download(queue, run.gradient(i)));
    if (!options.parameter_gradients) return;
    for (size_t i = 0; i < plan.parameters.size(); ++i) {
      const Segment& s = network_.layout().segments.at(
          static_cast<size_t>(network_.layers().back().segments.at(i)));
      Array g(plan.parameters[i].shape, DType::f32);
      queue.read(gradients.buffers[static_cast<size_t>(s.arena)], s.offset * sizeof(float),
                 g.f32().data(), g.bytes().size());
      slope_check("gradient by " + plan.parameters[i].name, weights_, i, g);
    }
  }

 private:
  static constexpr uint64_t seed = 5;

  GraphRecord graph() const {
    GraphBuilder b;
    std::vector<TensorRef> inputs;
    const bool is_input = case_.type == std::string("Input");
    for (size_t i = 0; i < case_.inputs.size(); ++i) {
      const Shape item = case_.inputs[i].without_batch();
      inputs.push_back(
          b.input({item.extents().begin(), item.extents().end()}, fmt::format("x{}", i)));
    }
    // The reference of a layer leaves its activation out: activations are layers of their own.
    Json parameters = parameters_;
    if (info_.takes_activation) parameters["activation"] = "linear";
    if (!is_input) b.add(case_.type, parameters.as_object(), inputs, "layer");
    b.record().trainable = case_.trainable;
    return b.finish();
  }

  void set_weights() {
    std::vector<WeightsRecord> all = network_.read_weights();
    for (WeightsRecord& record : all)
      for (size_t i = 0; i < record.values.size(); ++i) {
        Array a = noise(record.values[i].shape(), 60 + i);
        if (record.names[i].find("variance") != std::string::npos)
          for (float& v : a.f32()) v = 0.3f + std::abs(v);
        weights_.push_back(to_reference(a));
        record.values[i] = a;
      }
    network_.write_weights(all);
  }

  std::vector<ReferenceTensor> forward(const std::vector<ReferenceTensor>& inputs,
                                       const std::vector<ReferenceTensor>& weights) const {
    std::vector<int> samples;
    for (int i = 0; i < case_.inputs[0][0]; ++i) samples.push_back(i);
    const bool training = case_.training && (case_.trainable || weights.empty());
    return (*reference_of(info_))({parameters_, inputs, weights, training, seed, 0,
                                   static_cast<uint32_t>(network_.nodes().size() - 1), samples});
  }

  static double terms(const LayerPlan& plan) {
    const double out = static_cast<double>(plan.outputs[0].elements()),
                 in = static_cast<double>(
                     plan.request.inputs.empty() ? 1 : plan.request.inputs[0].elements());
    return std::max({1.0, plan.multiply_adds / out, in / out,
                     plan.saved.empty() ? 1.0 : 1.0 * plan.outputs[0].pixels()});
  }

  // All elements of tensor i move along one random direction: <gradient, direction> against a
  // central difference in float64.
  Check check_slope(std::string name, std::vector<ReferenceTensor>& list, size_t i,
                    const Array& gradient, const Array& dy, double terms) const {
    const Array direction = noise(gradient.shape(), 80);
    constexpr double h = 1e-6;
    double expected = 0, found = 0, size = 0;
    for (const double sign : {1.0, -1.0}) {
      std::vector<ReferenceTensor> moved = list;
      for (size_t e = 0; e < moved[i].values.size(); ++e)
        moved[i].values[e] += sign * h * direction.f32()[e];
      const auto y = &list == &inputs_ ? forward(moved, weights_) : forward(inputs_, moved);
      for (size_t e = 0; e < dy.f32().size(); ++e)
        expected += sign * y[0].values[e] * dy.f32()[e] / (2 * h);
    }
    for (size_t e = 0; e < gradient.f32().size(); ++e) {
      const double term = gradient.f32()[e] * direction.f32()[e];
      found += term;
      size += term * term;
    }
    Check c{std::move(name), std::abs(found - expected)};
    if (std::isnan(c.error)) c.error = HUGE_VAL;
    // Errors of the elements add up like a random walk; the second term is the central difference's
    // own.
    c.allowed = 1e-5 * std::sqrt(terms) * std::sqrt(size) +
                1e-8 * std::sqrt(static_cast<double>(dy.elements()));
    return c;
  }

  const LayerCase& case_;
  const TypeInfo& info_;
  Json parameters_;
  Network network_;
  std::string name_;
  std::vector<ReferenceTensor> inputs_, weights_;
};

// Between them, these launch the kernels that most networks spend their time in. Each takes a third
// of a second to compile, so that all types together would keep a new device's user waiting.
constexpr const char* quick_types[] = {
    "Add",   "AveragePooling2D", "BatchNormalization",     "Concatenate",  "Conv2D",
    "Dense", "Dropout",          "GlobalAveragePooling2D", "MaxPooling2D", "Softmax"};

// The table's cases or a few of them, and for a stranger's layer that has a reference and runs with
// defaults a case of its own.
std::vector<LayerCase> cases_for(const Registry& registry, bool all) {
  std::vector<LayerCase> chosen;
  const auto is_known = [&](const LayerCase& c) {
    const TypeInfo* info = registry.find(Kind::layer, c.type);
    return info && reference_of(*info);
  };
  if (all) {
    std::copy_if(layer_cases().begin(), layer_cases().end(), std::back_inserter(chosen), is_known);
  } else {
    for (const char* type : quick_types)
      if (const LayerCase* c = largest_cases().at(type); is_known(*c)) chosen.push_back(*c);
  }
  for (const TypeInfo* info : registry.all(Kind::layer)) {
    bool needs_values = false;
    for (const ParameterInfo& p : info->schema.parameters)
      needs_values = needs_values || p.is_required;
    if (reference_of(*info) && !needs_values && !largest_cases().contains(info->name))
      chosen.push_back({info->name.c_str(), "{}", {{2, 7, 5, 3}}});
  }
  return chosen;
}

}  // namespace

std::vector<Check> selftest(const Registry& registry, const std::shared_ptr<opencl::Device>& device,
                            bool all, Progress& progress) {
  std::vector<Check> checks;
  Primitives p(*device, all, checks);
  p.gemm(37, 65, 129, false, false);
  p.gemm(13, 1, 7, true, false);
  p.gemm(64, 33, 31, false, true);
  p.convolution(2, 13, 11, 5, 33, 3, 1);
  p.convolution(1, 9, 16, 16, 17, 3, 2);
  p.convolution(3, 7, 5, 1, 8, 5, 1);
  p.convolution(2, 6, 6, 31, 9, 1, 1);
  p.convolution(2, 9, 14, 24, 24, 3, 1, 24);
  const auto cases = cases_for(registry, all);
  for (size_t i = 0; i < cases.size(); ++i) {
    if (progress.stop_requested()) throw Interrupted("selftest stopped");
    progress.update("selftest", static_cast<int64_t>(i), static_cast<int64_t>(cases.size()),
                    cases[i].type);
    LayerCheck(registry, device, cases[i]).run(checks);
  }
  return checks;
}

std::vector<std::string> layers_without_reference(const Registry& registry) {
  std::vector<std::string> names;
  for (const TypeInfo* info : registry.all(Kind::layer))
    if (!reference_of(*info)) names.push_back(info->name);
  return names;
}

}  // namespace ocellus::reference
