// Dot: z[b, i, j] = sum over k of x[b, i, k] y[b, k, j], where k is one axis of each input and i
// and j are all others. With `normalize`, x and y get the length 1 along k first: cosine
// similarity, as siamese networks end.
//
//   dx[b, i, k] = sum over j of dz[b, i, j] y[b, k, j], dy likewise

#include <fmt/format.h>

#include "normalizing.hpp"

namespace ocellus::layers {
namespace {

struct DotOptions {
  Json axes = -1;
  bool normalize = false;
};

/// The index space (batch, i, j, k), and how the tensors lie in it.
struct DotSpace {
  std::vector<int> extents;
  Strides inputs[2], output;

  DotSpace(const std::vector<Shape>& shapes, const std::vector<int>& axes) {
    const Strides own[2] = {strides_of(shapes[0]), strides_of(shapes[1])};
    const auto add = [&](int extent, int of_first, int of_second) {
      extents.push_back(extent);
      inputs[0].push_back(of_first);
      inputs[1].push_back(of_second);
    };
    add(shapes[0][0], own[0][0], own[1][0]);
    for (int n : {0, 1})
      for (int a = 1; a < shapes[n].rank(); ++a)
        if (a != axes[n]) add(shapes[n][a], n == 0 ? own[0][a] : 0, n == 1 ? own[1][a] : 0);
    std::vector<int> kept = extents;
    kept.push_back(1);
    output = strides_of(Shape(kept));
    add(shapes[0][axes[0]], own[0][axes[0]], own[1][axes[1]]);
  }
};

Normalizing unit_length(const Shape& x, int axis) {
  Normalizing n{x, with_ones(x, {axis}), Shape(std::vector<int>(x.rank(), 1))};
  n.centered = n.scale = n.center = false;
  n.scale_of_sum = "rsqrt(fmax(y, 1e-12f))";  // an item of zeros stays one
  return n;
}

/// With `normalize`, saved tensors 2n and 2n + 1 are input n of length 1 and its statistics.
class DotOp : public LayerOp {
 public:
  DotOp(opencl::Device& device, const LayerPlan& plan, const std::vector<int>& axes, bool normalize)
      : inputs_(plan.request.inputs), space_(inputs_, axes), product_(device, product()) {
    scratch_ = product_.scratch_bytes();
    for (size_t n : {0, 1}) {
      if (normalize) {
        const Normalizing unit = unit_length(inputs_[n], axes[n]);
        PlanRequest request = plan.request;
        request.inputs = {inputs_[n]};
        normalize_.push_back(normalizing_op(device, normalizing_plan(request, unit), unit));
        scratch_ = std::max(scratch_, normalize_[n]->workspace_bytes());
      }
      if (!plan.request.input_gradients) continue;
      gradients_.emplace_back(
          [&](bool accumulate) { return opencl::Strided(device, gradient(n, accumulate)); });
      for (bool accumulate : {false, true})
        scratch_ = std::max(scratch_, gradients_[n](accumulate).scratch_bytes());
    }
  }

  /// Scratch, then in backward with `normalize` the gradient of an input of length 1.
  size_t workspace_bytes() const override {
    const auto largest = std::max(inputs_[0].elements(), inputs_[1].elements());
    const bool unit = !normalize_.empty() && !gradients_.empty();
    return scratch_ + (unit ? static_cast<size_t>(largest) * sizeof(float) : 0);
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    for (size_t n = 0; n < normalize_.size(); ++n) {
      ForwardArgs one = args;
      one.inputs = args.inputs.subspan(n, 1);
      one.outputs = args.saved.subspan(2 * n, 1);
      one.saved = args.saved.subspan(2 * n + 1, 1);
      normalize_[n]->forward(queue, one);
    }
    const opencl::Operand in[] = {factor(args, 0), factor(args, 1)};
    product_.run(queue, in, args.outputs[0].operand(), {args.workspace});
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    for (size_t n : {0, 1}) {
      if (!args.input_gradients[n]) continue;
      const opencl::Operand in[] = {args.output_gradients[0].operand(), factor(args, 1 - n)};
      if (normalize_.empty()) {
        gradients_[n](args.accumulate_inputs)
            .run(queue, in, args.input_gradients[n].operand(), {args.workspace});
        continue;
      }
      Tensor unit = args.input_gradients[n];
      unit.buffer = args.workspace;
      unit.offset = static_cast<uint32_t>(scratch_ / sizeof(float));
      gradients_[n](false).run(queue, in, unit.operand(), {args.workspace});
      BackwardArgs one = args;
      one.inputs = args.inputs.subspan(n, 1);
      one.output_gradients = std::span(&unit, 1);
      one.input_gradients = args.input_gradients.subspan(n, 1);
      one.saved = args.saved.subspan(2 * n + 1, 1);
      normalize_[n]->backward(queue, one);
    }
  }

 private:
  /// What is multiplied: input n, or the same of length 1.
  template <class Args>
  opencl::Operand factor(const Args& args, size_t n) const {
    return (normalize_.empty() ? args.inputs[n] : args.saved[2 * n]).operand();
  }

  opencl::StridedProblem product() const {
    opencl::StridedProblem p{
        space_.extents, {space_.inputs[0], space_.inputs[1]}, space_.output, "x0 * x1"};
    p.name = "dot_product";  // "dot" is OpenCL's own
    return p;
  }
  opencl::StridedProblem gradient(size_t n, bool accumulate) const {
    opencl::StridedProblem p{
        space_.extents, {space_.output, space_.inputs[1 - n]}, space_.inputs[n], "x0 * x1"};
    p.accumulate = accumulate;
    p.name = "dot_product_backward";
    return p;
  }

  std::vector<Shape> inputs_;
  DotSpace space_;
  opencl::Strided product_;
  std::vector<std::unique_ptr<LayerOp>> normalize_;
  std::vector<Overwriting<opencl::Strided>> gradients_;
  size_t scratch_ = 0;
};

class Dot : public Layer {
 public:
  explicit Dot(const DotOptions& o) : axes_(integers_of(o.axes, "axes")), normalize_(o.normalize) {
    if (axes_.size() == 1) axes_.push_back(axes_[0]);
    if (axes_.size() != 2)
      throw UsageError("parameter 'axes': expected one axis, or one of each input");
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 2);
    const std::vector<Shape>& in = request.inputs;
    const std::vector<int> axes = axes_in(in);
    if (in[0][0] != in[1][0] || in[0][axes[0]] != in[1][axes[1]])
      throw ShapeError(fmt::format("axis {} of {} and axis {} of {} do not fit each other", axes[0],
                                   in[0].str(), axes[1], in[1].str()));
    std::vector<int> extents = {in[0][0]};
    for (size_t n : {0, 1})
      for (int a = 1; a < in[n].rank(); ++a)
        if (a != axes[n]) extents.push_back(in[n][a]);
    if (extents.size() == 1) extents.push_back(1);
    LayerPlan p = op_plan(request, Shape(extents));
    p.saves_inputs = request.input_gradients;
    if (normalize_)
      for (size_t n : {0, 1}) {
        PlanRequest one = request;
        one.inputs = {in[n]};
        p.saved.push_back(in[n]);
        p.saved.push_back(normalizing_plan(one, unit_length(in[n], axes[n])).saved.at(0));
      }
    p.multiply_adds = static_cast<double>(p.outputs[0].elements()) * in[0][axes[0]];
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<DotOp>(device, plan, axes_in(plan.request.inputs), normalize_);
  }

 private:
  std::vector<int> axes_in(const std::vector<Shape>& inputs) const {
    return {axes_of({axes_[0]}, inputs[0])[0], axes_of({axes_[1]}, inputs[1])[0]};
  }

  std::vector<int> axes_;
  bool normalize_;
};

}  // namespace

void register_dot(Registrar& r) {
  Parameters<DotOptions> p;
  p.add("axes", &DotOptions::axes,
        "axis along which products are summed, or a list of one of each input (0 is the batch)");
  p.add("normalize", &DotOptions::normalize, "divide by the lengths along it: cosine similarity");
  r.add<Dot>("Dot", "dot products of two inputs along one axis of each", std::move(p));
}

}  // namespace ocellus::layers
