// ELU: y = x where x > 0, alpha * (exp(x) - 1) elsewhere (Clevert et al., ICLR 2016).

#include "layers.hpp"

namespace ocellus::layers {
namespace {

struct EluOptions {
  double alpha = 1;
};

class Elu : public Layer {
 public:
  explicit Elu(EluOptions options) : options_(options) {}

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    const std::string alpha = literal(options_.alpha);
    return pointwise_plan(request,
                          Pointwise::map("x > 0.0f ? x : " + alpha + " * expm1(fmin(x, 0.0f))",
                                         "y > 0.0f ? (T)(1.0f) : y + " + alpha),
                          false, true);
  }

 private:
  EluOptions options_;
};

}  // namespace

void register_elu(Registrar& r) {
  Parameters<EluOptions> p;
  p.add("alpha", &EluOptions::alpha, "limit below 0, as a positive number").min(0);
  r.add<Elu>("ELU", "exponential linear unit", std::move(p));
}

}  // namespace ocellus::layers
