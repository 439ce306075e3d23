#include "normalizing.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "ocellus/opencl/pointwise.hpp"

namespace ocellus::layers {
namespace {

/// The saved tensor (2, statistics) holds mean and r.
class NormalizingOp : public LayerOp {
 public:
  NormalizingOp(opencl::Device& device, const LayerPlan& plan, const Normalizing& n)
      : n_(n),
        size_(static_cast<uint32_t>(n.statistics.elements())),
        map_(device, problem({"x", "m", "r", "gamma", "beta"}, n.x, value())) {
    if (n.moving != Normalizing::Moving::none) moving_.emplace(device, moving_problem());
    if (n.centered && is_own()) mean_.emplace(device, mean_problem());
    if (is_own())
      deviation_.emplace(device, problem({"x", "m"}, n.statistics, "xm * xm", n.scale_of_sum));
    if (plan.request.input_gradients) {
      if (exists("sum")) sum_.emplace(device, problem({"dy", "gamma"}, n.statistics, gradient()));
      if (exists("product"))
        product_.emplace(
            device, problem({"x", "m", "r", "dy", "gamma"}, n.statistics, gradient() + " * h"));
      data_.emplace([&](bool add) {
        return opencl::Strided(device, problem({"x", "m", "r", "dy", "gamma", "sum", "product"},
                                               n.x, data(), "y", add));
      });
    }
    if (!plan.request.parameter_gradients) return;
    if (n.scale)
      scale_.emplace([&](bool add) {
        return opencl::Strided(device,
                               problem({"x", "m", "r", "dy"}, n.weights, "dy * h", "y", add));
      });
    if (n.center)
      shift_.emplace([&](bool add) {
        return opencl::Strided(device, problem({"dy"}, n.weights, "dy", "y", add));
      });
  }

  size_t workspace_bytes() const override {
    size_t scratch = 0;
    for (const auto* kernel : {&mean_, &deviation_, &sum_, &product_})
      if (*kernel) scratch = std::max(scratch, (*kernel)->scratch_bytes());
    for (const auto* kernel : {&scale_, &shift_})
      if (*kernel) scratch = std::max(scratch, (**kernel)(false).scratch_bytes());
    return 2 * size_ * sizeof(float) + scratch;
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    Operands o = operands(args);
    o["x"] = args.inputs[0].operand();
    if (mean_) run(*mean_, {"x"}, queue, o, o["m"]);
    if (deviation_) run(*deviation_, {"x", "m"}, queue, o, o["r"]);
    if (moving_) move(queue, args, o);
    run(map_, {"x", "m", "r", "gamma", "beta"}, queue, o, args.outputs[0].operand());
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    Operands o = operands(args);
    o["x"] = args.inputs[0].operand();
    o["dy"] = args.output_gradients[0].operand();
    if (args.input_gradients[0]) {
      if (sum_) run(*sum_, {"dy", "gamma"}, queue, o, o["sum"]);
      if (product_) run(*product_, {"x", "m", "r", "dy", "gamma"}, queue, o, o["product"]);
      run((*data_)(args.accumulate_inputs), {"x", "m", "r", "dy", "gamma", "sum", "product"}, queue,
          o, args.input_gradients[0].operand());
    }
    if (args.parameter_gradients.empty()) return;
    if (scale_)
      run((*scale_)(args.accumulate_parameters), {"x", "m", "r", "dy"}, queue, o,
          args.parameter_gradients[0].operand());
    if (shift_)
      run((*shift_)(args.accumulate_parameters), {"dy"}, queue, o,
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

  /// Whether the statistics are those of the input.
  bool is_own() const { return n_.moving != Normalizing::Moving::used; }
  bool exists(const std::string& name) const {
    return name == "gamma"     ? n_.scale
           : name == "beta"    ? n_.center
           : name == "m"       ? n_.centered
           : name == "sum"     ? n_.centered && is_own()
           : name == "product" ? is_own()
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
  /// Moving statistics become m and r (x0, x1: mean and variance), or take part of m and r (x2,
  /// x3).
  opencl::PointwiseProblem moving_problem() const {
    const std::string epsilon = literal(n_.epsilon), keep = literal(n_.momentum),
                      take = literal(1 - n_.momentum);
    std::vector<std::string> outputs = {"x0", "rsqrt(x1 + " + epsilon + ")"};
    if (is_own())
      outputs = {"x0 * " + keep + " + x2 * " + take,
                 "x1 * " + keep + " + (1.0f / (x3 * x3) - " + epsilon + ") * " + take};
    return {1,
            static_cast<int>(size_),
            std::vector(is_own() ? 4 : 2, opencl::PointwiseProblem::Input::matrix),
            outputs,
            {},
            {},
            0,
            "moving_statistics"};
  }
  void move(opencl::Queue& queue, const ForwardArgs& args, const Operands& o) const {
    std::vector<opencl::Operand> states, own = {o.at("m"), o.at("r")};
    for (const Parameter& s : args.states) states.push_back(s.tensor.operand());
    for (auto* list : {&states, &own})
      for (opencl::Operand& operand : *list) operand.stride = size_;
    if (!is_own()) return moving_->run(queue, states, own);
    std::vector<opencl::Operand> in = states;
    in.insert(in.end(), own.begin(), own.end());
    moving_->run(queue, in, states);
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
    if (!is_own()) return "r * " + gradient();
    const std::string share = literal(1 / n_.terms);
    return "r * (" + gradient() + (n_.centered ? " - sum * " + share : "") + " - h * product * " +
           share + ")";
  }

  Normalizing n_;
  uint32_t size_;
  opencl::Strided map_;
  std::optional<opencl::Strided> mean_, deviation_, sum_, product_;
  std::optional<Overwriting<opencl::Strided>> data_, scale_, shift_;
  std::optional<opencl::Pointwise> moving_;
};

}  // namespace

std::unique_ptr<LayerOp> normalizing_op(opencl::Device& device, const LayerPlan& plan,
                                        const Normalizing& n) {
  return std::make_unique<NormalizingOp>(device, plan, n);
}

LayerPlan normalizing_plan(const PlanRequest& request, const Normalizing& n) {
  LayerPlan p = op_plan(request, request.inputs[0]);
  p.saves_inputs = request.input_gradients || request.parameter_gradients;
  p.saved = {Shape{2, static_cast<int>(n.statistics.elements())}};
  p.multiply_adds = 2.0 * static_cast<double>(n.x.elements());
  return p;
}

std::string inverse_root(double terms, double epsilon) {
  return "rsqrt(y * " + literal(1 / terms) + " + " + literal(epsilon) + ")";
}

namespace {

/// The extents of `axes`.
Shape of_axes(const Shape& x, const std::vector<int>& axes) {
  std::vector<int> extents;
  for (int a : axes) extents.push_back(x[a]);
  return Shape(extents);
}

/// Weights and statistics over `axes` of x.
Normalizing over_axes(const Shape& x, const std::vector<int>& axes) {
  Normalizing n{x, with_ones(x, axes), Shape(std::vector<int>(x.rank(), 1))};
  for (int a : axes) n.weights.set(a, x[a]);
  n.terms = static_cast<double>(x.elements()) / static_cast<double>(n.statistics.elements());
  return n;
}

/// Statistics of the channels alone make each pixel stand for itself.
Window normalizing_window(const Shape& x, const std::vector<int>& axes) {
  return axes == std::vector<int>{x.rank() - 1} ? Window::pointwise() : Window();
}

}  // namespace

Normalizing AxisNormalization::normalizing(const Shape& x) const {
  Normalizing n = over_axes(x, axes_of(axes_, x));
  complete(n);
  return n;
}

LayerPlan AxisNormalization::plan(const PlanRequest& request) const {
  expect_inputs(request, 1);
  const Shape& x = request.inputs[0];
  const std::vector<int> axes = axes_of(axes_, x);
  LayerPlan p = normalizing_plan(request, normalizing(x));
  p.parameters = weights(of_axes(x, axes));
  p.window = normalizing_window(x, axes);
  return p;
}

std::unique_ptr<LayerOp> AxisNormalization::prepare(opencl::Device& device,
                                                    const LayerPlan& plan) const {
  return normalizing_op(device, plan, normalizing(plan.outputs[0]));
}

}  // namespace ocellus::layers
