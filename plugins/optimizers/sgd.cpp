// SGD: v -= rate * g; with momentum m = momentum * m - rate * g, v += m; Nesterov's v += momentum *
// m - rate * g. Parameters and formulas as Keras. Decay: see Decay.
#include "update.hpp"

namespace ocellus::optimizers {
namespace {

struct Options : Decay {
  double learning_rate = 0.01, momentum = 0;
  bool nesterov = false;
};

class Sgd : public Optimizer {
 public:
  explicit Sgd(const Options& options) : o_(options) {}
  double learning_rate() const override { return o_.learning_rate; }
  std::vector<std::string> slots() const override {
    return o_.momentum != 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{};
  }
  std::unique_ptr<OptimizerOp> prepare(opencl::Device& device,
                                       const ArenaLayout& layout) const override {
    if (o_.momentum == 0) return make_update(device, layout, {"sgd", "", {}, o_, {}});
    return make_update(device, layout,
                       {"sgd_momentum", "", {o_.momentum, o_.nesterov ? 1. : 0.}, o_, {}});
  }

 private:
  Options o_;
};

}  // namespace

void register_sgd(Registrar& r) {
  Parameters<Options> p;
  p.add("learning_rate", &Options::learning_rate, "step size").min(0);
  p.add("momentum", &Options::momentum, "share of the last step that is kept").min(0).max(1);
  p.add("nesterov", &Options::nesterov, "look ahead by the momentum");
  add_decay(p);
  r.add<Sgd>("SGD", "stochastic gradient descent, with momentum", p);
}

}  // namespace ocellus::optimizers
