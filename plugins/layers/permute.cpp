// Permute: axes in another order, the batch apart: axis i of the output is axis dims[i] of the
// input, counted from 1 as Keras does. (N, H, W, C) with dims (3, 1, 2) -> (N, C, H, W).

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "layers.hpp"
#include "ocellus/opencl/movement.hpp"

namespace ocellus::layers {
namespace {

struct PermuteOptions {
  std::vector<int> dims;
};

class PermuteOp : public LayerOp {
 public:
  PermuteOp(const LayerPlan& plan, std::vector<int> order)
      : x_(plan.request.inputs[0]), y_(plan.outputs[0]), order_(std::move(order)) {
    inverse_.resize(order_.size());
    for (size_t i = 0; i < order_.size(); ++i) inverse_[order_[i]] = static_cast<int>(i);
  }

  /// For a gradient that is added to another.
  size_t workspace_bytes() const override { return x_.elements() * sizeof(float); }

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    opencl::transpose(queue, args.inputs[0].operand(), args.outputs[0].operand(), x_.extents(),
                      order_);
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (!args.input_gradients[0]) return;
    const opencl::Operand dy = args.output_gradients[0].operand(),
                          dx = args.input_gradients[0].operand();
    if (!args.accumulate_inputs) return opencl::transpose(queue, dy, dx, y_.extents(), inverse_);
    const opencl::Operand turned{args.workspace, 0, static_cast<uint32_t>(x_.channels())};
    opencl::transpose(queue, dy, turned, y_.extents(), inverse_);
    opencl::copy_matrix(queue, turned, dx, x_.pixels(), x_.channels(), true);
  }

 private:
  Shape x_, y_;
  std::vector<int> order_, inverse_;
};

class Permute : public Layer {
 public:
  explicit Permute(PermuteOptions options) : options_(std::move(options)) {
    std::vector<int> sorted = options_.dims, counted(sorted.size());
    std::ranges::sort(sorted);
    std::iota(counted.begin(), counted.end(), 1);
    if (sorted.empty() || sorted != counted)
      throw UsageError(fmt::format("parameter 'dims': ({}) does not name each axis from 1 on once",
                                   fmt::join(options_.dims, ", ")));
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1, static_cast<int>(options_.dims.size()) + 1);
    LayerPlan p;
    p.request = request;
    std::vector<int> extents;
    for (int axis : order()) extents.push_back(request.inputs[0][axis]);
    p.outputs = {Shape(extents)};
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device&, const LayerPlan& plan) const override {
    return std::make_unique<PermuteOp>(plan, order());
  }

 private:
  std::vector<int> order() const {
    std::vector<int> axes = {0};
    axes.insert(axes.end(), options_.dims.begin(), options_.dims.end());
    return axes;
  }

  PermuteOptions options_;
};

}  // namespace

void register_permute(Registrar& r) {
  Parameters<PermuteOptions> p;
  p.add("dims", &PermuteOptions::dims, "axes of the input, counted from 1, in the output's order")
      .min(1)
      .required();
  r.add<Permute>("Permute", "axes in another order", std::move(p));
}

}  // namespace ocellus::layers
