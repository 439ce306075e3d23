// ReduceMean, ReduceSum, ReduceMax, ReduceMin: one number out of all along some axes, as graphs
// hold them. The gradient of a maximum is shared by all that are as large.

#include <fmt/format.h>

#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

struct ReductionOptions {
  Json axes;
  bool keepdims = false;
};

enum class Reduced { mean, sum, max, min };

/// Sums and means: dx = dy, or dy / n.
class SumOp : public LayerOp {
 public:
  SumOp(opencl::Device& device, const Shape& x, const Shape& kept, double scale)
      : forward_(device, forward_problem(x, kept, scale)), backward_([&](bool accumulate) {
          opencl::StridedProblem p{
              extents_of(x), {strides_of(kept)}, strides_of(x), "x * " + literal(scale)};
          p.accumulate = accumulate;
          p.name = "reduce_sum_backward";
          return opencl::Strided(device, p);
        }) {}

  size_t workspace_bytes() const override { return forward_.scratch_bytes(); }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand in[] = {args.inputs[0].operand()};
    forward_.run(queue, in, args.outputs[0].operand(), {args.workspace});
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand in[] = {args.output_gradients[0].operand()};
    backward_(args.accumulate_inputs).run(queue, in, args.input_gradients[0].operand());
  }

 private:
  static opencl::StridedProblem forward_problem(const Shape& x, const Shape& kept, double scale) {
    opencl::StridedProblem p{extents_of(x), {strides_of(x)}, strides_of(kept), "x"};
    p.finish = "y * " + literal(scale);
    p.name = "reduce_sum";
    return p;
  }

  opencl::Strided forward_;
  Overwriting<opencl::Strided> backward_;
};

/// Maxima, and minima as maxima of -x. Backward counts how many are as large.
class MaxOp : public LayerOp {
 public:
  MaxOp(opencl::Device& device, const Shape& x, const Shape& kept, bool min)
      : counts_(static_cast<size_t>(kept.elements())),
        forward_(device, forward_problem(x, kept, min)),
        count_(device, count_problem(x, kept)),
        backward_([&](bool accumulate) {
          const Strides one = strides_of(kept);
          opencl::StridedProblem p{extents_of(x),
                                   {strides_of(x), one, one, one},
                                   strides_of(x),
                                   "x0 == x1 ? x2 / x3 : (T)(0.0f)"};
          p.accumulate = accumulate;
          p.name = "reduce_max_backward";
          return opencl::Strided(device, p);
        }) {}

  size_t workspace_bytes() const override {
    return std::max(forward_.scratch_bytes(), counts_ * sizeof(float) + count_.scratch_bytes());
  }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand in[] = {args.inputs[0].operand()};
    forward_.run(queue, in, args.outputs[0].operand(), {args.workspace});
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand x = args.inputs[0].operand(), y = args.outputs[0].operand(),
                          counts{args.workspace}, scratch{args.workspace, uint32_t(counts_)};
    const opencl::Operand compared[] = {x, y};
    count_.run(queue, compared, counts, scratch);
    const opencl::Operand in[] = {x, y, args.output_gradients[0].operand(), counts};
    backward_(args.accumulate_inputs).run(queue, in, args.input_gradients[0].operand());
  }

 private:
  static opencl::StridedProblem forward_problem(const Shape& x, const Shape& kept, bool min) {
    opencl::StridedProblem p{extents_of(x), {strides_of(x)}, strides_of(kept), min ? "-x" : "x"};
    p.combine = opencl::StridedProblem::Combine::max;
    if (min) p.finish = "-y";
    p.name = "reduce_max";
    return p;
  }
  static opencl::StridedProblem count_problem(const Shape& x, const Shape& kept) {
    opencl::StridedProblem p{extents_of(x),
                             {strides_of(x), strides_of(kept)},
                             strides_of(kept),
                             "x0 == x1 ? (T)(1.0f) : (T)(0.0f)"};
    p.name = "reduce_max_count";
    return p;
  }

  size_t counts_;
  opencl::Strided forward_, count_;
  Overwriting<opencl::Strided> backward_;
};

template <Reduced how>
class Reduction : public Layer {
 public:
  explicit Reduction(const ReductionOptions& o) : keepdims_(o.keepdims) {
    if (!o.axes.is_null()) axes_ = integers_of(o.axes, "axes");
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    const std::vector<int> axes = reduced(x);
    std::vector<int> extents;
    for (int i = 0; i < x.rank(); ++i) {
      const bool is_reduced = std::find(axes.begin(), axes.end(), i) != axes.end();
      if (!is_reduced || keepdims_) extents.push_back(is_reduced ? 1 : x[i]);
    }
    LayerPlan p = op_plan(request, Shape(extents));
    p.saves_inputs = p.saves_outputs =
        request.input_gradients && (how == Reduced::max || how == Reduced::min);
    // Over the channels alone, each pixel stands for itself.
    if (keepdims_ && axes == std::vector<int>{x.rank() - 1} && x.rank() > 2)
      p.window = Window::pointwise();
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    const Shape& x = plan.request.inputs[0];
    const Shape kept = with_ones(x, reduced(x));
    if constexpr (how == Reduced::max || how == Reduced::min)
      return std::make_unique<MaxOp>(device, x, kept, how == Reduced::min);
    const double terms = static_cast<double>(x.elements()) / static_cast<double>(kept.elements());
    return std::make_unique<SumOp>(device, x, kept, how == Reduced::mean ? 1 / terms : 1);
  }

 private:
  std::vector<int> reduced(const Shape& x) const {
    std::vector<int> axes = axes_;
    for (int i = 1; axes_.empty() && i < x.rank(); ++i) axes.push_back(i);
    return axes_of(axes, x);
  }

  std::vector<int> axes_;  ///< empty: all
  bool keepdims_;
};

template <Reduced how>
void add(Registrar& r, const char* name, const char* help) {
  Parameters<ReductionOptions> p;
  p.add("axes", &ReductionOptions::axes,
        "axes (0 is the batch) that become one element; null: all behind the batch");
  p.add("keepdims", &ReductionOptions::keepdims, "keep these axes with extent 1");
  r.add<Reduction<how>>(name, help, std::move(p));
}

}  // namespace

void register_reduction(Registrar& r) {
  add<Reduced::mean>(r, "ReduceMean", "mean along axes");
  add<Reduced::sum>(r, "ReduceSum", "sum along axes");
  add<Reduced::max>(r, "ReduceMax", "largest along axes");
  add<Reduced::min>(r, "ReduceMin", "smallest along axes");
}

}  // namespace ocellus::layers
