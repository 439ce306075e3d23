// ActivityRegularization: hands its input on. In Keras' training it adds l1 sum |x| + l2 sum x^2 to
// the loss; training here has no such terms, so it refuses to train with them.

#include "layers.hpp"

namespace ocellus::layers {
namespace {

struct ActivityRegularizationOptions {
  double l1 = 0, l2 = 0;
};

class ActivityRegularization : public Layer {
 public:
  explicit ActivityRegularization(ActivityRegularizationOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    if (request.training && (options_.l1 != 0 || options_.l2 != 0))
      throw ShapeError(
          "adds a term to the loss, which training here cannot: set l1 and l2 to 0, or take the "
          "layer out");
    return pointwise_plan(request, Pointwise::identity());
  }

 private:
  ActivityRegularizationOptions options_;
};

}  // namespace

void register_activity_regularization(Registrar& r) {
  using O = ActivityRegularizationOptions;
  Parameters<O> p;
  p.add("l1", &O::l1, "weight of the sum of |x| in the loss; training wants 0").min(0);
  p.add("l2", &O::l2, "weight of the sum of squares in the loss; training wants 0").min(0);
  r.add<ActivityRegularization>("ActivityRegularization", "the identity", std::move(p));
}

}  // namespace ocellus::layers
