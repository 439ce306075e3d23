// ActivityRegularization: hands its input on. In training it adds l1 sum |x| + l2 sum x^2, as a
// mean over the batch, to the loss.

#include "layers.hpp"
#include "ocellus/core/regularizers.hpp"

namespace ocellus::layers {
namespace {

class ActivityRegularization : public Layer, public ActivityRegularizing {
 public:
  explicit ActivityRegularization(Regularizer options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    return pointwise_plan(request, Pointwise::identity());
  }
  Regularizer activity() const override { return options_; }

 private:
  Regularizer options_;
};

}  // namespace

void register_activity_regularization(Registrar& r) {
  Parameters<Regularizer> p;
  p.add("l1", &Regularizer::l1, "weight of the sum of |x| in the loss").min(0);
  p.add("l2", &Regularizer::l2, "weight of the sum of squares in the loss").min(0);
  r.add<ActivityRegularization>("ActivityRegularization",
                                "the identity; its values add to the loss in training",
                                std::move(p));
}

}  // namespace ocellus::layers
