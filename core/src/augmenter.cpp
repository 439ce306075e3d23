#include "ocellus/core/augmenter.hpp"

namespace ocellus {
namespace {

class AugmenterLayerOp : public LayerOp {
 public:
  explicit AugmenterLayerOp(std::unique_ptr<AugmenterOp> op) : op_(std::move(op)) {}
  void forward(opencl::Queue& queue, const ForwardArgs& args) override {
    op_->run(queue, {args.inputs[0], args.outputs[0], {}, {}, args.run});
  }

 private:
  std::unique_ptr<AugmenterOp> op_;
};

class AugmenterLayer : public Layer {
 public:
  explicit AugmenterLayer(std::shared_ptr<const Augmenter> augmenter)
      : augmenter_(std::move(augmenter)) {
    if (!augmenter_->image_only())
      throw UsageError(
          "changes targets too, so it cannot be a layer; give it to the training instead");
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    LayerPlan p;
    p.request = request;
    p.outputs = {augmenter_->output(request.inputs[0])};
    if (p.outputs[0] != request.inputs[0])
      throw ShapeError(
          "changes the size of images, so it is not the identity in inference; give it to the "
          "training instead");
    if (!request.training) {
      p.pointwise = Pointwise::identity();
      p.window = Window::pointwise();
      p.in_place = p.strided_inputs = p.strided_outputs = true;
    } else {
      // Images come straight from the data: nobody trains what lies before an augmenter.
      p.differentiable = !request.input_gradients;
    }
    return p;
  }

  std::unique_ptr<LayerOp> prepare(opencl::Device& device, const LayerPlan& plan) const override {
    return std::make_unique<AugmenterLayerOp>(augmenter_->prepare(device, plan.request.inputs[0]));
  }

 private:
  std::shared_ptr<const Augmenter> augmenter_;
};

}  // namespace

AugmenterOp::~AugmenterOp() = default;
Augmenter::~Augmenter() = default;

std::shared_ptr<const Layer> as_layer(std::shared_ptr<const Augmenter> augmenter) {
  return std::make_shared<AugmenterLayer>(std::move(augmenter));
}

}  // namespace ocellus
