// UnaryOperation: a function of one number that graphs hold beside the activations.

#include "layers.hpp"

namespace ocellus::layers {
namespace {

struct UnaryFunction {
  const char *name, *f, *derivative;  ///< OpenCL C over x; over x or y
  bool saves_input, saves_output;
};

// Where a function has no derivative (abs at 0, steps), it counts as 0 there.
// clang-format off
constexpr UnaryFunction functions[] = {
    {"abs", "fabs(x)", "sign(x)", true, false},
    {"ceil", "ceil(x)", "(T)(0.0f)", false, false},
    {"cos", "cos(x)", "-sin(x)", true, false},
    {"erf", "erf(x)", "1.12837917f * exp(-x * x)", true, false},
    {"exp", "exp(x)", "y", false, true},
    {"expm1", "expm1(x)", "y + 1.0f", false, true},
    {"floor", "floor(x)", "(T)(0.0f)", false, false},
    {"log", "log(x)", "1.0f / x", true, false},
    {"log1p", "log1p(x)", "1.0f / (1.0f + x)", true, false},
    {"negative", "-x", "(T)(-1.0f)", false, false},
    {"reciprocal", "1.0f / x", "-y * y", false, true},
    {"round", "rint(x)", "(T)(0.0f)", false, false},
    {"rsqrt", "rsqrt(x)", "-0.5f * y * y * y", false, true},
    {"sign", "sign(x)", "(T)(0.0f)", false, false},
    {"sin", "sin(x)", "cos(x)", true, false},
    {"sqrt", "sqrt(x)", "0.5f / y", false, true},
    {"square", "x * x", "2.0f * x", true, false},
};
// clang-format on

struct UnaryOperationOptions {
  std::string operation;
};

class UnaryOperation : public Layer {
 public:
  explicit UnaryOperation(const UnaryOperationOptions& o) {
    for (const UnaryFunction& f : functions)
      if (o.operation == f.name) function_ = &f;
  }

  LayerPlan plan(const PlanRequest& request) const override {
    expect_inputs(request, 1);
    return pointwise_plan(request, Pointwise::map(function_->f, function_->derivative),
                          function_->saves_input, function_->saves_output);
  }

 private:
  const UnaryFunction* function_ = nullptr;
};

}  // namespace

void register_unary_operation(Registrar& r) {
  std::vector<std::string> names;
  for (const UnaryFunction& f : functions) names.emplace_back(f.name);
  Parameters<UnaryOperationOptions> p;
  p.add("operation", &UnaryOperationOptions::operation, "function of each element")
      .one_of(std::move(names))
      .required();
  r.add<UnaryOperation>("UnaryOperation", "a function of each element", std::move(p));
}

}  // namespace ocellus::layers
