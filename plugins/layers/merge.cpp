// Add, Subtract, Multiply, Divide, Average, Maximum, Minimum: two or more inputs joined element by
// element, from left to right.
//
// Inputs of the same shape are a pointwise trait, which fuses. As in Keras, shapes may also
// broadcast: extents of 1 are repeated, and an input with fewer axes gets them behind the batch:
// (N, C) against (N, H, W, C) is (N, 1, 1, C). The gradient of a broadcast input is a sum, taken in
// a fixed order.

#include <fmt/format.h>

#include "binary_function.hpp"
#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

/// `shape` with axes of 1 behind the batch until it has `rank`.
Shape aligned(const Shape& shape, int rank) {
  if (shape.rank() == rank || shape.rank() == 0) return shape;
  std::vector<int> extents(rank, 1);
  extents[0] = shape[0];
  std::copy(shape.extents().begin() + 1, shape.extents().end(), extents.end() - (shape.rank() - 1));
  return Shape(extents);
}

/// The shape that all inputs are repeated to.
Shape broadcast(const std::vector<Shape>& inputs) {
  int rank = 0;
  for (const Shape& s : inputs) rank = std::max(rank, s.rank());
  Shape out = aligned(inputs[0], rank);
  for (const Shape& input : inputs) {
    const Shape s = aligned(input, rank);
    for (int a = 0; a < rank; ++a) {
      if (s.rank() != rank || (out[a] != s[a] && out[a] != 1 && s[a] != 1))
        throw ShapeError(fmt::format("inputs of shapes {} and {} do not fit each other",
                                     inputs[0].str(), input.str()));
      out.set(a, out[a] == 1 ? s[a] : out[a]);
    }
  }
  return out;
}

/// y = f(...f(f(x0, x1), x2)..., xn) * scale over any shapes. In its expressions a1, a2, ... are
/// the values so far (a0 = x0).
class MergeOp : public LayerOp {
 public:
  MergeOp(opencl::Device& device, const LayerPlan& plan, const BinaryFunction& function,
          double scale)
      : plan_(plan), function_(function), scale_(scale), forward_(device, forward_problem()) {
    for (size_t i = 0; plan.request.input_gradients && i < count(); ++i)
      backward_.emplace_back([&](bool accumulate) {
        return opencl::Strided(device, backward_problem(i, accumulate));
      });
  }

  size_t workspace_bytes() const override {
    size_t bytes = 0;
    for (const auto& b : backward_)
      bytes = std::max({bytes, b(false).scratch_bytes(), b(true).scratch_bytes()});
    return bytes;
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    std::vector<opencl::Operand> in;
    for (const Tensor& t : args.inputs) in.push_back(t.operand());
    forward_.run(queue, in, args.outputs[0].operand());
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    std::vector<opencl::Operand> in = {args.output_gradients[0].operand()};
    for (size_t i = 0; plan_.saves_inputs && i < count(); ++i)
      in.push_back(args.inputs[i].operand());
    for (size_t i = 0; i < count(); ++i)
      if (args.input_gradients[i])
        backward_[i](args.accumulate_inputs)
            .run(queue, in, args.input_gradients[i].operand(), {args.workspace});
  }

 private:
  size_t count() const { return plan_.request.inputs.size(); }
  Strides strides(size_t input) const {
    return strides_of(aligned(plan_.request.inputs[input], plan_.outputs[0].rank()));
  }
  /// Names of the values so far, and the statements that compute them from x`first`, ...
  static std::string so_far(size_t k, size_t first) {
    return k == 0 ? fmt::format("x{}", first) : fmt::format("a{}", k);
  }
  std::string prologue(size_t first) const {
    std::string text;
    for (size_t k = 1; k < count(); ++k)
      text += fmt::format("const T a{} = {};\n", k,
                          function_.value(so_far(k - 1, first), fmt::format("x{}", first + k)));
    return text;
  }

  opencl::StridedProblem forward_problem() const {
    opencl::StridedProblem p;
    p.extents = extents_of(plan_.outputs[0]);
    for (size_t i = 0; i < count(); ++i) p.inputs.push_back(strides(i));
    p.output = strides_of(plan_.outputs[0]);
    p.prologue = prologue(0);
    p.expression = fmt::format("a{} * {}", count() - 1, literal(scale_));
    if (scale_ == 1) p.expression = fmt::format("a{}", count() - 1);
    p.name = "merge";
    return p;
  }

  /// x0 is dy, x1, ... are the inputs, as far as the derivatives read them.
  opencl::StridedProblem backward_problem(size_t input, bool accumulate) const {
    opencl::StridedProblem p;
    p.extents = extents_of(plan_.outputs[0]);
    p.inputs = {strides_of(plan_.outputs[0])};
    for (size_t i = 0; plan_.saves_inputs && i < count(); ++i) p.inputs.push_back(strides(i));
    p.output = strides(input);
    if (plan_.saves_inputs) p.prologue = prologue(1);
    p.expression = "x0 * " + literal(scale_);
    for (size_t k = std::max<size_t>(1, input); k < count(); ++k)
      p.expression +=
          " * (" + function_.derivative(k == input, so_far(k - 1, 1), fmt::format("x{}", k + 1)) +
          ")";
    p.accumulate = accumulate;
    p.name = "merge_backward";
    return p;
  }

  LayerPlan plan_;
  const BinaryFunction& function_;
  double scale_;
  opencl::Strided forward_;
  std::vector<Overwriting<opencl::Strided>> backward_;
};

/// What tells the merges apart.
struct MergeKind {
  const char *name, *function, *help;
  size_t most_inputs = SIZE_MAX;
  bool average = false;
};
constexpr MergeKind kinds[] = {
    {"Add", "add", "sum of the inputs, element by element"},
    {"Subtract", "subtract", "first input minus the second", 2},
    {"Multiply", "multiply", "product of the inputs, element by element"},
    {"Divide", "divide", "first input divided by the second", 2},
    {"Average", "add", "mean of the inputs, element by element", SIZE_MAX, true},
    {"Maximum", "maximum", "largest of the inputs, element by element"},
    {"Minimum", "minimum", "smallest of the inputs, element by element"},
};

class Merge : public Layer {
 public:
  explicit Merge(const MergeKind& kind) : kind_(kind), function_(binary_function(kind.function)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    const size_t n = request.inputs.size();
    if (n < 2 || n > kind_.most_inputs)
      throw ShapeError(
          fmt::format("takes two inputs{}, {} given", kind_.most_inputs > 2 ? " or more" : "", n));
    const Shape out = broadcast(request.inputs);
    const bool same = std::all_of(request.inputs.begin(), request.inputs.end(),
                                  [&](const Shape& s) { return s == out; });
    const bool saves = request.input_gradients && !function_.is_linear();
    // Core folds more than two inputs for constant derivatives only, and has no mean of them.
    if (same && (n == 2 || (!saves && !kind_.average))) {
      LayerPlan p = pointwise_plan(request, pair(), saves);
      p.window = Window::aligned();
      return p;
    }
    LayerPlan p = op_plan(request, out);
    p.saves_inputs = saves;
    if (same_pixels(request.inputs, out)) p.window = Window::aligned();
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<MergeOp>(
        device, plan, function_,
        kind_.average ? 1.0 / static_cast<double>(plan.request.inputs.size()) : 1);
  }

 private:
  Pointwise pair() const {
    if (kind_.average) return Pointwise::merge("(x0 + x1) * 0.5f", "(T)(0.5f)", "(T)(0.5f)");
    return Pointwise::merge(function_.value("x0", "x1"), function_.derivative(0, "x0", "x1"),
                            function_.derivative(1, "x0", "x1"));
  }
  /// All but the channels agree.
  static bool same_pixels(const std::vector<Shape>& inputs, const Shape& out) {
    return std::all_of(inputs.begin(), inputs.end(), [&](const Shape& s) {
      Shape full = s;
      full.set(-1, out[-1]);
      return full == out;
    });
  }

  const MergeKind& kind_;
  const BinaryFunction& function_;
};

}  // namespace

void register_merge(Registrar& r) {
  for (const MergeKind& kind : kinds) {
    TypeInfo info;
    info.kind = Kind::layer;
    info.name = kind.name;
    info.help = kind.help;
    info.create = [&kind](const Json&) {
      std::shared_ptr<Layer> layer = std::make_shared<Merge>(kind);
      return std::static_pointer_cast<void>(layer);
    };
    r.add(std::move(info));
  }
}

}  // namespace ocellus::layers
