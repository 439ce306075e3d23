// RMSprop: steps scaled by the root of a running mean of squared gradients,
//   s = rho s + (1 - rho) g^2,  step = rate * g / sqrt(s + epsilon)   (centered: s - mean^2 under
//   the root) momentum > 0: m = momentum m + step, v -= m; otherwise v -= step.
// Parameters, defaults and formulas as Keras (epsilon inside the root).
#include "update.hpp"

namespace ocellus::optimizers {
namespace {

struct Options : Decay {
  double learning_rate = 0.001, rho = 0.9, momentum = 0, epsilon = 1e-7;
  bool centered = false;
};

class RmsProp : public Optimizer {
 public:
  explicit RmsProp(const Options& options) : o_(options) {}
  double learning_rate() const override { return o_.learning_rate; }
  std::vector<std::string> slots() const override {
    std::vector<std::string> names = {"velocity"};
    if (o_.momentum > 0) names.push_back("momentum");
    if (o_.centered) names.push_back("average_gradient");
    return names;
  }
  std::unique_ptr<OptimizerOp> prepare(opencl::Device& device,
                                       const ArenaLayout& layout) const override {
    std::string options = std::string("-DMOMENTUM=") + (o_.momentum > 0 ? "1" : "0");
    options += std::string(" -DCENTERED=") + (o_.centered ? "1" : "0");
    return make_update(device, layout,
                       {"rmsprop", options, {o_.rho, o_.momentum, o_.epsilon}, o_, {}});
  }

 private:
  Options o_;
};

}  // namespace

void register_rmsprop(Registrar& r) {
  Parameters<Options> p;
  p.add("learning_rate", &Options::learning_rate, "step size").min(0);
  p.add("rho", &Options::rho, "decay of the mean of squared gradients").min(0).max(1);
  p.add("momentum", &Options::momentum, "share of the last step that is kept").min(0).max(1);
  p.add("epsilon", &Options::epsilon, "keeps the quotient finite").min(0);
  p.add("centered", &Options::centered, "by the variance instead of the mean square");
  add_decay(p);
  r.add<RmsProp>("RMSprop", "steps scaled by the running root mean square", p);
}

}  // namespace ocellus::optimizers
