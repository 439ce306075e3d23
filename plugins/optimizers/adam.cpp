// Adam, AdamW: steps scaled by running means of the gradient and of its square,
//   m += (g - m)(1 - beta_1),  s += (g^2 - s)(1 - beta_2),
//   v -= rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(s) + epsilon).
// AdamW also decays (see Decay). Parameters, defaults and formulas as Keras.
#include <cmath>

#include "update.hpp"

namespace ocellus::optimizers {
namespace {

struct Options : Decay {
  double learning_rate = 0.001, beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7;
};
struct DecayingOptions : Options {
  DecayingOptions() { weight_decay = 0.004; }
};

class Adam : public Optimizer {
 public:
  explicit Adam(const Options& options) : o_(options) {}
  double learning_rate() const override { return o_.learning_rate; }
  std::vector<std::string> slots() const override { return {"momentum", "velocity"}; }
  std::unique_ptr<OptimizerOp> prepare(opencl::Device& device,
                                       const ArenaLayout& layout) const override {
    const auto correction = [o = o_](int64_t t) {
      return std::sqrt(1 - std::pow(o.beta_2, t)) / (1 - std::pow(o.beta_1, t));
    };
    return make_update(device, layout,
                       {"adam", "", {o_.beta_1, o_.beta_2, o_.epsilon}, o_, correction});
  }

 private:
  Options o_;
};

template <class P>
Parameters<P> parameters() {
  Parameters<P> p;
  p.add("learning_rate", static_cast<double P::*>(&P::learning_rate), "step size").min(0);
  p.add("beta_1", static_cast<double P::*>(&P::beta_1), "decay of the mean of gradients")
      .min(0)
      .max(1);
  p.add("beta_2", static_cast<double P::*>(&P::beta_2), "decay of the mean of their squares")
      .min(0)
      .max(1);
  p.add("epsilon", static_cast<double P::*>(&P::epsilon), "keeps the quotient finite").min(0);
  add_decay(p);
  return p;
}

}  // namespace

void register_adam(Registrar& r) {
  r.add<Adam>("Adam", "adaptive moments", parameters<Options>());
  r.add<Adam>("AdamW", "adaptive moments with decoupled weight decay",
              parameters<DecayingOptions>());
}

}  // namespace ocellus::optimizers
