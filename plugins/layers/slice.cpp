// Slice: numpy's x[:, begin:end:stride, ...], a range of each axis behind the batch. A negative
// stride walks backwards: stride -1 over the channels makes BGR of RGB.
//
// As in Python, null means "as far as it goes", negative numbers count from the end, and ends
// beyond the tensor are moved to it. Axes in `squeeze` (counted with the batch), where one element
// is left, are dropped.

#include "slice.hpp"

#include <fmt/format.h>

#include <optional>

#include "ocellus/opencl/pointwise.hpp"
#include "strided_layer.hpp"

namespace ocellus::layers {
namespace {

struct SliceOptions {
  Json begin = Json::list(), end = Json::list(), stride = Json::list();
  std::vector<int> squeeze;
};

/// Item `axis` of a list of integers and nulls.
std::optional<int> entry(const Json& list, int axis, const char* parameter) {
  if (!list.is_list())
    throw ShapeError(
        fmt::format("parameter '{}': expected a list, found {}", parameter, list.dump()));
  const auto i = static_cast<size_t>(axis);
  if (i >= list.size() || list.at(i).is_null()) return std::nullopt;
  if (list.at(i).type() != Json::Type::integer)
    throw ShapeError(fmt::format("parameter '{}': expected integers and nulls, found {}", parameter,
                                 list.dump()));
  return list.at(i).as_int();
}

class SliceOp : public LayerOp {
 public:
  SliceOp(opencl::Device& device, const LayerPlan& plan, const std::vector<AxisRange>& ranges)
      : forward_(device, problem(plan, ranges, true, false)),
        add_(device, problem(plan, ranges, false, true)),
        zero_(device, zero(plan.request.inputs[0])) {
    int distance = 1;
    for (int i = static_cast<int>(ranges.size()) - 1; i >= 0; --i) {
      first_ += ranges[i].first * distance;
      distance *= plan.request.inputs[0][i];
    }
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    const opencl::Operand in[] = {begin(args.inputs[0])};
    forward_.run(queue, in, args.outputs[0].operand());
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    if (!args.accumulate_inputs) {
      const opencl::Operand out[] = {args.input_gradients[0].operand()};
      zero_.run(queue, {}, out);
    }
    const opencl::Operand in[] = {args.output_gradients[0].operand()};
    add_.run(queue, in, begin(args.input_gradients[0]));
  }

 private:
  opencl::Operand begin(const Tensor& t) const {
    return {t.buffer, t.offset + static_cast<uint32_t>(first_), 0};
  }
  static opencl::PointwiseProblem zero(const Shape& x) {
    return {x.pixels(), x.channels(), {}, {"(T)(0.0f)"}, {}, {}, 0, "slice_zero"};
  }
  /// Of the sliced elements: from their places in x to their places in y, or back.
  static opencl::StridedProblem problem(const LayerPlan& plan, const std::vector<AxisRange>& ranges,
                                        bool forth, bool accumulate) {
    const Shape& x = plan.request.inputs[0];
    const int rank = x.rank();
    opencl::StridedProblem p;
    Strides inside(rank), packed(rank);
    int distance = 1, next = 1;
    p.extents.resize(rank);
    for (int i = rank - 1; i >= 0; --i) {
      p.extents[i] = ranges[i].count;
      inside[i] = ranges[i].stride * distance;
      packed[i] = next;
      distance *= x[i];
      next *= ranges[i].count;
    }
    p.inputs = {forth ? inside : packed};
    p.output = forth ? packed : inside;
    p.accumulate = accumulate;
    p.name = forth ? "slice" : "slice_backward";
    return p;
  }

  int first_ = 0;  ///< of the input's elements the first that is taken
  opencl::Strided forward_, add_;
  opencl::Pointwise zero_;
};

class Slice : public Layer {
 public:
  explicit Slice(SliceOptions options) : options_(std::move(options)) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const Shape& x = request.inputs[0];
    const std::vector<AxisRange> ranges = ranges_of(x);
    const std::vector<int> dropped = axes_of(options_.squeeze, x);
    std::vector<int> extents;
    for (int i = 0; i < x.rank(); ++i) {
      const bool drop = std::find(dropped.begin(), dropped.end(), i) != dropped.end();
      if (drop && ranges[i].count != 1)
        throw ShapeError(fmt::format("axis {} cannot be dropped: {} elements are left of it", i,
                                     ranges[i].count));
      if (!drop) extents.push_back(ranges[i].count);
    }
    LayerPlan p = op_plan(request, Shape(extents));
    // Other pixels than the own one are looked at, unless the channels alone are cut.
    bool whole = dropped.empty();
    for (int i = 1; i + 1 < x.rank(); ++i)
      whole = whole && ranges[i].count == x[i] && ranges[i].stride == 1;
    if (whole && x.rank() > 2) p.window = Window::pointwise();
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return make_slice_op(device, plan, ranges_of(plan.request.inputs[0]));
  }

 private:
  std::vector<AxisRange> ranges_of(const Shape& x) const {
    std::vector<AxisRange> ranges = {{0, 1, x[0]}};
    for (const Json* list : {&options_.begin, &options_.end, &options_.stride})
      if (list->is_list() && static_cast<int>(list->size()) >= x.rank())
        throw ShapeError(fmt::format("slices {} axes, the items of {} have {}", list->size(),
                                     x.str(), x.rank() - 1));
    for (int i = 1; i < x.rank(); ++i) ranges.push_back(range_of(i, x));
    return ranges;
  }

  /// Python's slice.indices().
  AxisRange range_of(int axis, const Shape& x) const {
    const int extent = x[axis], stride = entry(options_.stride, axis - 1, "stride").value_or(1);
    if (stride == 0) throw ShapeError("parameter 'stride': a stride of 0 goes nowhere");
    const int lowest = stride > 0 ? 0 : -1, highest = stride > 0 ? extent : extent - 1;
    const auto place = [&](const Json& list, const char* name, int otherwise) {
      const std::optional<int> v = entry(list, axis - 1, name);
      return v ? std::clamp(*v < 0 ? *v + extent : *v, lowest, highest) : otherwise;
    };
    const int first = place(options_.begin, "begin", stride > 0 ? lowest : highest),
              end = place(options_.end, "end", stride > 0 ? highest : lowest);
    const int way = stride > 0 ? end - first : first - end, step = std::abs(stride);
    if (way <= 0) throw ShapeError(fmt::format("nothing is left of axis {} of {}", axis, x.str()));
    return {first, stride, (way + step - 1) / step};
  }

  SliceOptions options_;
};

}  // namespace

std::unique_ptr<LayerOp> make_slice_op(opencl::Device& device, const LayerPlan& plan,
                                       const std::vector<AxisRange>& ranges) {
  return std::make_unique<SliceOp>(device, plan, ranges);
}

void register_slice(Registrar& r) {
  Parameters<SliceOptions> p;
  p.add("begin", &SliceOptions::begin, "first index of each axis behind the batch; null: all");
  p.add("end", &SliceOptions::end, "index behind the last one of each axis; null: all");
  p.add("stride", &SliceOptions::stride, "step of each axis; negative: backwards");
  p.add("squeeze", &SliceOptions::squeeze,
        "axes (0 is the batch) that are dropped; one element must be left");
  r.add<Slice>("Slice", "a range of each axis", std::move(p));
}

}  // namespace ocellus::layers
