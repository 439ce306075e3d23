// Activation: a function by name ("relu", "softmax", ...) as a layer of its own.
//
// The layer itself is the identity: core expands the parameter `activation` of every layer into a
// node, this one's too.

#include "layers.hpp"

namespace ocellus::layers {
namespace {

class ActivationLayer : public Layer {
 public:
  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    return pointwise_plan(request, Pointwise::identity());
  }
};

}  // namespace

void register_activation(Registrar& r) {
  r.add<ActivationLayer>("Activation", "a function by name").with_activation();
}

}  // namespace ocellus::layers
