// Normalizations of each item by its own statistics, in training as in inference:
//
//   LayerNormalization   over `axis` (Ba et al., 2016);   gamma, beta of the shape of these axes
//   GroupNormalization   over the pixels and the channels of a group (Wu and He, ECCV 2018);
//                        gamma (C), beta (C)
//   RMSNormalization     over `axis`, by the root of the mean square (Zhang and Sennrich, NeurIPS
//                        2019); scale of the shape of these axes
//   UnitNormalization    over `axis`: length 1
//
//   h = (x - mean) r,  r = 1 / sqrt(mean of (x - mean)^2 + epsilon),  y = gamma h + beta
//
// mean is 0 in the last two. Backward, with g = gamma dy and K numbers in each mean:
//   dx = r (g - sum g / K - h sum (g h) / K),  dgamma = sum dy h,  dbeta = sum dy

#include <fmt/format.h>

#include <map>

#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

/// How an item is seen and what is done with it.
struct Normalizing {
  Shape x;           ///< the input, its channels split where there are groups
  Shape statistics;  ///< x with 1 along the axes that are normalized
  Shape weights;     ///< x with 1 along the axes without weights of their own
  bool centered = true, scale = true, center = true;
  double terms = 1;          ///< K, or 1 for a length instead of a mean
  std::string scale_of_sum;  ///< r over y, the sum of squares
};

/// The saved tensor (2, statistics) holds mean and r.
class NormalizingOp : public LayerOp {
 public:
  NormalizingOp(opencl::Device& device, const Normalizing& n)
      : n_(n),
        size_(static_cast<uint32_t>(n.statistics.elements())),
        mean_(device, mean_problem()),
        deviation_(device, problem({"x", "m"}, n.statistics, "xm * xm", n.scale_of_sum)),
        map_(device, problem({"x", "m", "r", "gamma", "beta"}, n.x, value())),
        sum_(device, problem({"dy", "gamma"}, n.statistics, gradient())),
        product_(device,
                 problem({"x", "m", "r", "dy", "gamma"}, n.statistics, gradient() + " * h")),
        data_([&](bool add) {
          return opencl::Strided(device, problem({"x", "m", "r", "dy", "gamma", "sum", "product"},
                                                 n_.x, data(), "y", add));
        }),
        scale_([&](bool add) {
          return opencl::Strided(device,
                                 problem({"x", "m", "r", "dy"}, n_.weights, "dy * h", "y", add));
        }),
        shift_([&](bool add) {
          return opencl::Strided(device, problem({"dy"}, n_.weights, "dy", "y", add));
        }) {}

  size_t workspace_bytes() const override {
    const size_t scratch = std::max({mean_.scratch_bytes(), deviation_.scratch_bytes(),
                                     sum_.scratch_bytes(), product_.scratch_bytes(),
                                     scale_(false).scratch_bytes(), scale_(true).scratch_bytes(),
                                     shift_(false).scratch_bytes(), shift_(true).scratch_bytes()});
    return 2 * size_ * sizeof(float) + scratch;
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    Operands o = operands(args);
    o["x"] = args.inputs[0].operand();
    if (n_.centered) run(mean_, {"x"}, queue, o, o["m"]);
    run(deviation_, {"x", "m"}, queue, o, o["r"]);
    run(map_, {"x", "m", "r", "gamma", "beta"}, queue, o, args.outputs[0].operand());
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    Operands o = operands(args);
    o["x"] = args.inputs[0].operand();
    o["dy"] = args.output_gradients[0].operand();
    if (args.input_gradients[0]) {
      if (n_.centered) run(sum_, {"dy", "gamma"}, queue, o, o["sum"]);
      run(product_, {"x", "m", "r", "dy", "gamma"}, queue, o, o["product"]);
      run(data_(args.accumulate_inputs), {"x", "m", "r", "dy", "gamma", "sum", "product"}, queue, o,
          args.input_gradients[0].operand());
    }
    if (args.parameter_gradients.empty()) return;
    if (n_.scale)
      run(scale_(args.accumulate_parameters), {"x", "m", "r", "dy"}, queue, o,
          args.parameter_gradients[0].operand());
    if (n_.center)
      run(shift_(args.accumulate_parameters), {"dy"}, queue, o,
          args.parameter_gradients[n_.scale].operand());
  }

 private:
  using Names = std::vector<std::string>;
  using Operands = std::map<std::string, opencl::Operand>;

  /// All but x and dy. "sum" and "product" lie in the workspace, before the scratch memory.
  template <class Args>
  Operands operands(const Args& args) const {
    Operands o = {{"m", {args.saved[0].buffer, args.saved[0].offset, 0}},
                  {"r", {args.saved[0].buffer, args.saved[0].offset + size_, 0}},
                  {"sum", {args.workspace}},
                  {"product", {args.workspace, size_}},
                  {"scratch", {args.workspace, 2 * size_}}};
    size_t next = 0;
    if (n_.scale) o["gamma"] = args.parameters[next++].tensor.operand();
    if (n_.center) o["beta"] = args.parameters[next].tensor.operand();
    return o;
  }

  bool exists(const std::string& name) const {
    return name == "gamma"                ? n_.scale
           : name == "beta"               ? n_.center
           : name == "sum" || name == "m" ? n_.centered
                                          : true;
  }
  const Shape& shape_of(const std::string& name) const {
    return name == "x" || name == "dy"         ? n_.x
           : name == "gamma" || name == "beta" ? n_.weights
                                               : n_.statistics;
  }

  /// A kernel whose expression names its operands; xm is x - mean, h is xm * r.
  opencl::StridedProblem problem(const Names& names, const Shape& out,
                                 const std::string& expression, const std::string& finish = "y",
                                 bool accumulate = false) const {
    opencl::StridedProblem p;
    p.extents = extents_of(n_.x);
    for (const std::string& name : names) {
      if (!exists(name)) continue;
      p.prologue += fmt::format("const T {} = x{};\n", name == "x" ? "xx" : name, p.inputs.size());
      if (name == "x" && !n_.centered) p.prologue += "const T xm = xx;\n";
      if (name == "m") p.prologue += "const T xm = xx - m;\n";
      if (name == "r") p.prologue += "const T h = xm * r;\n";
      p.inputs.push_back(strides_of(shape_of(name)));
    }
    p.output = strides_of(out);
    p.expression = expression;
    p.finish = finish;
    p.accumulate = accumulate;
    p.name = "axis_normalize";
    return p;
  }
  opencl::StridedProblem mean_problem() const {
    return problem({"x"}, n_.statistics, "xx", "y * " + literal(1 / n_.terms));
  }
  void run(const opencl::Strided& kernel, const Names& names, opencl::Queue& queue,
           const Operands& o, const opencl::Operand& out) const {
    std::vector<opencl::Operand> in;
    for (const std::string& name : names)
      if (exists(name)) in.push_back(o.at(name));
    kernel.run(queue, in, out, o.at("scratch"));
  }

  std::string value() const {
    std::string y = "h";
    if (n_.scale) y += " * gamma";
    if (n_.center) y += " + beta";
    return y;
  }
  std::string gradient() const { return n_.scale ? "(dy * gamma)" : "dy"; }
  std::string data() const {
    const std::string share = literal(1 / n_.terms);
    return "r * (" + gradient() + (n_.centered ? " - sum * " + share : "") + " - h * product * " +
           share + ")";
  }

  Normalizing n_;
  uint32_t size_;
  opencl::Strided mean_, deviation_, map_, sum_, product_;
  Overwriting<opencl::Strided> data_, scale_, shift_;
};

LayerPlan normalizing_plan(const PlanRequest& request, const Normalizing& n) {
  LayerPlan p = op_plan(request, request.inputs[0]);
  p.saves_inputs = request.input_gradients || request.parameter_gradients;
  p.saved = {Shape{2, static_cast<int>(n.statistics.elements())}};
  p.multiply_adds = 2.0 * static_cast<double>(n.x.elements());
  return p;
}

/// The extents of `axes`.
Shape of_axes(const Shape& x, const std::vector<int>& axes) {
  std::vector<int> extents;
  for (int a : axes) extents.push_back(x[a]);
  return Shape(extents);
}

/// Over the axes of a parameter.
Normalizing over_axes(const Shape& x, const std::vector<int>& axes) {
  Normalizing n{x, with_ones(x, axes), Shape(std::vector<int>(x.rank(), 1))};
  for (int a : axes) n.weights.set(a, x[a]);
  n.terms = static_cast<double>(x.elements()) / static_cast<double>(n.statistics.elements());
  return n;
}

/// Statistics of the channels alone make each pixel stand for itself.
Window window_of(const Shape& x, const std::vector<int>& axes) {
  return axes == std::vector<int>{x.rank() - 1} ? Window::pointwise() : Window();
}

std::string root(double terms, double epsilon) {
  return "rsqrt(y * " + literal(1 / terms) + " + " + literal(epsilon) + ")";
}

struct LayerNormalizationOptions {
  Json axis = -1;
  double epsilon = 1e-3;
  bool center = true, scale = true, rms_scaling = false;
  std::string beta_initializer = "zeros", gamma_initializer = "ones";
};

class LayerNormalization : public Layer {
 public:
  explicit LayerNormalization(const LayerNormalizationOptions& o)
      : options_(o), axes_(integers_of(o.axis, "axis")) {
    if (o.rms_scaling)
      throw UsageError(
          "rms_scaling is not supported: Keras deprecated it; RMSNormalization is the layer that "
          "scales by the root of the mean square");
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    const std::vector<int> axes = axes_of(axes_, x);
    LayerPlan p = normalizing_plan(request, normalizing(x));
    const Shape weights = of_axes(x, axes);
    if (options_.scale)
      p.parameters.push_back({"gamma", weights, Role::gamma, options_.gamma_initializer});
    if (options_.center)
      p.parameters.push_back({"beta", weights, Role::beta, options_.beta_initializer});
    p.window = window_of(x, axes);
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<NormalizingOp>(device, normalizing(plan.outputs[0]));
  }

 private:
  Normalizing normalizing(const Shape& x) const {
    Normalizing n = over_axes(x, axes_of(axes_, x));
    n.scale = options_.scale;
    n.center = options_.center;
    n.scale_of_sum = root(n.terms, options_.epsilon);
    return n;
  }

  LayerNormalizationOptions options_;
  std::vector<int> axes_;
};

struct GroupNormalizationOptions {
  int groups = 32, axis = -1;
  double epsilon = 1e-3;
  bool center = true, scale = true;
  std::string beta_initializer = "zeros", gamma_initializer = "ones";
};

class GroupNormalization : public Layer {
 public:
  explicit GroupNormalization(const GroupNormalizationOptions& o) : options_(o) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    if (x.rank() < 2 || (options_.axis != -1 && options_.axis != x.rank() - 1))
      throw ShapeError(fmt::format("groups the last axis (the channels) only, not axis {} of {}",
                                   options_.axis, x.str()));
    if (groups(x) < 1 || x.channels() % groups(x) != 0)
      throw ShapeError(
          fmt::format("{} channels cannot be split into {} groups", x.channels(), options_.groups));
    LayerPlan p = normalizing_plan(request, normalizing(x));
    const Shape channels{x.channels()};
    if (options_.scale)
      p.parameters.push_back({"gamma", channels, Role::gamma, options_.gamma_initializer});
    if (options_.center)
      p.parameters.push_back({"beta", channels, Role::beta, options_.beta_initializer});
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<NormalizingOp>(device, normalizing(plan.outputs[0]));
  }

 private:
  int groups(const Shape& x) const {
    return options_.groups == -1 ? x.channels() : options_.groups;
  }
  Normalizing normalizing(const Shape& x) const {
    const int g = groups(x), size = x.channels() / g;
    Normalizing n;
    n.x = {x[0], x.pixels() / std::max(1, x[0]), g, size};
    n.statistics = {x[0], 1, g, 1};
    n.weights = {1, 1, g, size};
    n.scale = options_.scale;
    n.center = options_.center;
    n.terms = static_cast<double>(n.x[1]) * size;
    n.scale_of_sum = root(n.terms, options_.epsilon);
    return n;
  }

  GroupNormalizationOptions options_;
};

struct RMSNormalizationOptions {
  Json axis = -1;
  double epsilon = 1e-6;
};

class RMSNormalization : public Layer {
 public:
  explicit RMSNormalization(const RMSNormalizationOptions& o)
      : axes_(integers_of(o.axis, "axis")), epsilon_(o.epsilon) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    LayerPlan p = normalizing_plan(request, normalizing(x));
    p.parameters = {{"scale", of_axes(x, axes_of(axes_, x)), Role::gamma, "ones"}};
    p.window = window_of(x, axes_of(axes_, x));
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<NormalizingOp>(device, normalizing(plan.outputs[0]));
  }

 private:
  Normalizing normalizing(const Shape& x) const {
    Normalizing n = over_axes(x, axes_of(axes_, x));
    n.centered = n.center = false;
    n.scale_of_sum = root(n.terms, epsilon_);
    return n;
  }

  std::vector<int> axes_;
  double epsilon_;
};

struct UnitNormalizationOptions {
  Json axis = -1;
};

class UnitNormalization : public Layer {
 public:
  explicit UnitNormalization(const UnitNormalizationOptions& o)
      : axes_(integers_of(o.axis, "axis")) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    LayerPlan p = normalizing_plan(request, normalizing(x));
    p.window = window_of(x, axes_of(axes_, x));
    return p;
  }
  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<NormalizingOp>(device, normalizing(plan.outputs[0]));
  }

 private:
  Normalizing normalizing(const Shape& x) const {
    Normalizing n = over_axes(x, axes_of(axes_, x));
    n.centered = n.scale = n.center = false;
    n.terms = 1;
    n.scale_of_sum = "rsqrt(fmax(y, 1e-12f))";  // an item of zeros stays one
    return n;
  }

  std::vector<int> axes_;
};

template <class O>
void add_weights(Parameters<O>& p) {
  p.add("epsilon", &O::epsilon, "added to the variance").min(0);
  p.add("center", &O::center, "has beta");
  p.add("scale", &O::scale, "has gamma");
  p.add("beta_initializer", &O::beta_initializer, "first values of beta");
  p.add("gamma_initializer", &O::gamma_initializer, "first values of gamma");
}

}  // namespace

void register_axis_normalization(Registrar& r) {
  Parameters<LayerNormalizationOptions> layer;
  layer.add("axis", &LayerNormalizationOptions::axis,
            "axis, or list of axes (0 is the batch), whose numbers share a mean");
  add_weights(layer);
  layer.add("rms_scaling", &LayerNormalizationOptions::rms_scaling, "must be false");
  r.add<LayerNormalization>("LayerNormalization", "mean 0 and variance 1 in each item",
                            std::move(layer));

  Parameters<GroupNormalizationOptions> group;
  group
      .add("groups", &GroupNormalizationOptions::groups,
           "number of groups of channels; -1: each channel is one")
      .min(-1);
  group.add("axis", &GroupNormalizationOptions::axis, "axis that is grouped; the last one only");
  add_weights(group);
  r.add<GroupNormalization>("GroupNormalization",
                            "mean 0 and variance 1 in each group of an item's channels",
                            std::move(group));

  Parameters<RMSNormalizationOptions> rms;
  rms.add("axis", &RMSNormalizationOptions::axis,
          "axis, or list of axes (0 is the batch), whose numbers share a mean square");
  rms.add("epsilon", &RMSNormalizationOptions::epsilon, "added to the mean square").min(0);
  r.add<RMSNormalization>("RMSNormalization", "mean square 1 in each item", std::move(rms));

  Parameters<UnitNormalizationOptions> unit;
  unit.add("axis", &UnitNormalizationOptions::axis,
           "axis, or list of axes (0 is the batch), along which the length becomes 1");
  r.add<UnitNormalization>("UnitNormalization", "length 1 in each item", std::move(unit));
}

}  // namespace ocellus::layers
