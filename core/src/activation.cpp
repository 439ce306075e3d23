#include "ocellus/core/activation.hpp"

namespace ocellus {
namespace {

class PointwiseLayer : public Layer {
 public:
  PointwiseLayer(Pointwise f, PointwiseActivation::Saves saves, Probability probability)
      : f_(std::move(f)), saves_(saves), probability_(probability) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    LayerPlan p;
    p.request = request;
    p.outputs = {request.inputs[0]};
    p.saves_inputs = saves_ == PointwiseActivation::Saves::input;
    p.saves_outputs = saves_ == PointwiseActivation::Saves::output;
    p.in_place = p.strided_inputs = p.strided_outputs = true;
    p.pointwise = f_;
    p.window = Window::pointwise();
    p.probability = probability_;
    return p;
  }

 private:
  Pointwise f_;
  PointwiseActivation::Saves saves_;
  Probability probability_;
};

}  // namespace

Activation::~Activation() = default;

PointwiseActivation::PointwiseActivation(std::string expression, std::string derivative,
                                         Saves saves, Probability probability)
    : layer_(std::make_shared<PointwiseLayer>(
          expression == "x" ? Pointwise::identity()
                            : Pointwise::map(std::move(expression), std::move(derivative)),
          saves, probability)) {}

PointwiseActivation::~PointwiseActivation() = default;

std::shared_ptr<const Layer> PointwiseActivation::layer() const { return layer_; }

}  // namespace ocellus
