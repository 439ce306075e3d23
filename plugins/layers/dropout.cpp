// Dropout: in training, each element is set to 0 with probability `rate` and the others grow by 1 /
// (1 - rate) (Srivastava et al., JMLR 2014, in its inverted form); in inference, the identity.
//
// The mask is a function of (seed, step, node, sample, element): backward draws it again instead of
// keeping it. With noise_shape = [null, 1, 1, 1] an item is dropped as a whole, as EfficientNet
// drops its branches (stochastic depth: Huang et al., ECCV 2016).

#include <fmt/format.h>

#include "layers.hpp"
#include "ocellus/opencl/pointwise.hpp"
#include "ocellus/opencl/random.hpp"

namespace ocellus::layers {
namespace {

struct DropoutOptions {
  double rate = 0.5;
  Json noise_shape;
};

opencl::RandomStream stream(const RunContext& run) { return {run.seed, run.step, run.node}; }

class DropoutOp : public LayerOp {
 public:
  DropoutOp(const Shape& shape, float rate)
      : rate_(rate),
        rows_(shape[0]),
        columns_(static_cast<int>(shape.without_batch().elements())) {}

  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    opencl::dropout(queue, stream(args.run), rate_, args.inputs[0].matrix(columns_),
                    args.outputs[0].matrix(columns_), rows_, columns_, args.run.samples);
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (args.input_gradients[0])
      opencl::dropout(queue, stream(args.run), rate_, args.output_gradients[0].matrix(columns_),
                      args.input_gradients[0].matrix(columns_), rows_, columns_, args.run.samples,
                      args.accumulate_inputs);
  }

 private:
  float rate_;
  int rows_, columns_;
};

// Items, drawn once each.
class ItemDropoutOp : public LayerOp {
 public:
  ItemDropoutOp(opencl::Device& device, const Shape& shape, double rate)
      : rows_(shape[0]),
        columns_(static_cast<int>(shape.without_batch().elements())),
        drop_([&](bool accumulate) {
          using Input = opencl::PointwiseProblem::Input;
          opencl::PointwiseProblem p{rows_, columns_, {Input::matrix, Input::per_row}};
          p.outputs = {
              fmt::format("x1 < {} ? (T)(0.0f) : x0 * {}", literal(rate), literal(1 / (1 - rate)))};
          p.accumulate = {accumulate};
          p.name = "item_dropout";
          return opencl::Pointwise(device, p);
        }) {}

  size_t workspace_bytes() const override { return sizeof(float) * rows_; }
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    run(queue, drop_(false), args.run, args.workspace, args.inputs[0], args.outputs[0]);
  }
  void backward(opencl::Queue& queue, const BackwardArgs& args) override {
    if (args.input_gradients[0])
      run(queue, drop_(args.accumulate_inputs), args.run, args.workspace, args.output_gradients[0],
          args.input_gradients[0]);
  }

 private:
  void run(opencl::Queue& queue, const opencl::Pointwise& drop, const RunContext& run,
           const opencl::Buffer& workspace, const Tensor& from, const Tensor& to) const {
    const opencl::Operand numbers{workspace, 0, 1};
    opencl::random_uniform(queue, stream(run), numbers, rows_, 1, run.samples);
    const opencl::Operand in[] = {from.matrix(columns_), numbers}, out[] = {to.matrix(columns_)};
    drop.run(queue, in, out);
  }

  int rows_, columns_;
  Overwriting<opencl::Pointwise> drop_;
};

// What noise_shape says: elements on their own, or whole items. Other shapes are refused where they
// would be needed, in training.
enum class Unit { element, item, other };
Unit unit_of(const Json& noise_shape, const Shape& x) {
  if (noise_shape.is_null()) return Unit::element;
  if (!noise_shape.is_list() || static_cast<int>(noise_shape.size()) != x.rank())
    return Unit::other;
  bool each = true, one = true;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const Json& extent = noise_shape.at(static_cast<size_t>(axis));
    const bool whole = extent.is_null() || extent == Json(x[axis]);
    each &= whole;
    one &= axis == 0 ? whole : extent == Json(1) || (whole && x[axis] == 1);
  }
  return each ? Unit::element : one ? Unit::item : Unit::other;
}

class Dropout : public Layer {
 public:
  explicit Dropout(DropoutOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    if (request.inputs[0].rank() == 0) throw ShapeError("takes an input with a batch axis");
    LayerPlan p = pointwise_plan(request, Pointwise::identity());
    if (!request.training || options_.rate == 0) return p;
    p.pointwise = {};
    p.strided_inputs = p.strided_outputs = false;
    if (unit_of(options_.noise_shape, request.inputs[0]) == Unit::other)
      throw ShapeError(fmt::format(
          "noise_shape {} does not train here: expected null or [null, 1, ...], a 1 an axis; "
          "SpatialDropout2D drops whole channels",
          options_.noise_shape.dump()));
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    if (unit_of(options_.noise_shape, plan.outputs[0]) == Unit::item)
      return std::make_unique<ItemDropoutOp>(device, plan.outputs[0], options_.rate);
    return std::make_unique<DropoutOp>(plan.outputs[0], static_cast<float>(options_.rate));
  }

 private:
  DropoutOptions options_;
};

}  // namespace

void register_dropout(Registrar& r) {
  Parameters<DropoutOptions> p;
  p.add("rate", &DropoutOptions::rate, "part of the elements that is dropped in training")
      .min(0)
      .max(0.999)
      .required();
  p.add("noise_shape", &DropoutOptions::noise_shape,
        "null: each element; [null, 1, ...], a 1 an axis: whole items");
  r.add<Dropout>("Dropout", "drops elements at random in training", std::move(p));
}

}  // namespace ocellus::layers
