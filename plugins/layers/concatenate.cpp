// Concatenate: inputs side by side along one axis (by default the channels); all other extents must
// agree.

#include <fmt/format.h>

#include "layers.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus::layers {
namespace {

struct ConcatenateOptions {
  int axis = -1;
};

/// Seen from the axis, every tensor is a matrix: what lies before the axis x (extent * what lies
/// behind it).
class ConcatenateOp : public LayerOp {
 public:
  ConcatenateOp(const LayerPlan& plan, int axis) : along_channels_(plan.concatenates) {
    const auto behind = [axis](const Shape& s) {
      int n = 1;
      for (int i = axis; i < s.rank(); ++i) n *= s[i];
      return n;
    };
    for (const Shape& s : plan.request.inputs) columns_.push_back(behind(s));
    total_ = behind(plan.outputs[0]);
    rows_ = total_ ? static_cast<int>(plan.outputs[0].elements() / total_) : 0;
  }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    opencl::Operand to = whole(args.outputs[0], total_);
    for (size_t i = 0; i < columns_.size(); ++i) {
      const opencl::Operand from = whole(args.inputs[i], columns_[i]);
      // An input that its producer wrote in place is there already.
      if (!(from.buffer == to.buffer && from.offset == to.offset))
        opencl::copy_matrix(queue, from, to, rows_, columns_[i]);
      to.offset += columns_[i];
    }
  }

  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    opencl::Operand from = whole(args.output_gradients[0], total_);
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (args.input_gradients[i])
        opencl::copy_matrix(queue, from, whole(args.input_gradients[i], columns_[i]), rows_,
                            columns_[i], args.accumulate_inputs);
      from.offset += columns_[i];
    }
  }

 private:
  opencl::Operand whole(const Tensor& t, int columns) const {
    return along_channels_ ? t.operand() : t.matrix(columns);
  }

  bool along_channels_;
  std::vector<int> columns_;
  int rows_ = 0, total_ = 0;
};

class Concatenate : public Layer {
 public:
  explicit Concatenate(ConcatenateOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    if (request.inputs.empty()) throw ShapeError("takes inputs, none is given");
    Shape sum = request.inputs[0];
    const int axis = axis_of(sum);
    for (size_t i = 1; i < request.inputs.size(); ++i) {
      Shape s = request.inputs[i];
      if (s.rank() == sum.rank()) s.set(axis, sum[axis]);
      if (s != sum)
        throw ShapeError(fmt::format("inputs may differ along axis {} only, not {} and {}", axis,
                                     request.inputs[0].str(), request.inputs[i].str()));
      sum.set(axis, sum[axis] + request.inputs[i][axis]);
    }
    LayerPlan p;
    p.request = request;
    p.outputs = {sum};
    p.concatenates = axis == sum.rank() - 1;
    p.strided_inputs = p.strided_outputs = p.concatenates;
    if (p.concatenates) p.window = Window::aligned();
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device&, const LayerPlan& plan) const override {
    return std::make_unique<ConcatenateOp>(plan, axis_of(plan.outputs[0]));
  }

 private:
  int axis_of(const Shape& s) const {
    const int axis = options_.axis < 0 ? options_.axis + s.rank() : options_.axis;
    if (axis < 1 || axis >= s.rank())
      throw ShapeError(fmt::format("axis {} of {} cannot be concatenated", options_.axis, s.str()));
    return axis;
  }

  ConcatenateOptions options_;
};

}  // namespace

void register_concatenate(Registrar& r) {
  Parameters<ConcatenateOptions> p;
  p.add("axis", &ConcatenateOptions::axis,
        "axis along which the inputs lie side by side; -1: channels");
  r.add<Concatenate>("Concatenate", "inputs side by side", std::move(p));
}

}  // namespace ocellus::layers
