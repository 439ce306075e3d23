// The bundle "activations": functions that layers take by name in their parameter `activation`,
// each element by itself. (softmax looks at a whole row; it stands beside the layer Softmax.)
//
// Derivatives are written over y where y tells them, so that the input need not be kept.

#include "ocellus/core/activation.hpp"
#include "ocellus/core/plugin.hpp"

namespace ocellus {
namespace {

using Saves = PointwiseActivation::Saves;

/// OpenCL C over x; its derivative over x or y.
struct Function {
  const char *name, *help, *f, *derivative;
  Saves saves;
  Probability probability = Probability::none;
};

// clang-format off
constexpr Function functions[] = {
    {"linear", "x", "x", "(T)(1.0f)", Saves::nothing},
    {"relu", "max(x, 0)", "x < 0.0f ? (T)(0.0f) : x", "y > 0.0f ? (T)(1.0f) : (T)(0.0f)", Saves::output},
    {"relu6", "min(max(x, 0), 6)", "x < 0.0f ? (T)(0.0f) : x > 6.0f ? (T)(6.0f) : x",
     "(y > 0.0f ? (T)(1.0f) : (T)(0.0f)) * (y < 6.0f ? (T)(1.0f) : (T)(0.0f))", Saves::output},
    {"leaky_relu", "x above 0, 0.2 x below", "x > 0.0f ? x : 0.2f * x", "y > 0.0f ? (T)(1.0f) : (T)(0.2f)", Saves::output},
    {"elu", "x above 0, exp(x) - 1 below (Clevert et al., ICLR 2016)", "x > 0.0f ? x : expm1(fmin(x, 0.0f))",
     "y > 0.0f ? (T)(1.0f) : y + 1.0f", Saves::output},
    // scale 1.0507..., alpha 1.6732...: the fixed point of mean 0 and variance 1.
    {"selu", "self-normalizing elu (Klambauer et al., NIPS 2017)",
     "x > 0.0f ? 1.05070098f * x : 1.75809934f * expm1(fmin(x, 0.0f))",
     "y > 0.0f ? (T)(1.05070098f) : y + 1.75809934f", Saves::output},
    {"sigmoid", "1 / (1 + exp(-x))", "1.0f / (1.0f + exp(-x))", "y * (1.0f - y)", Saves::output, Probability::sigmoid},
    {"tanh", "hyperbolic tangent", "tanh(x)", "1.0f - y * y", Saves::output},
    // max(x, 0) + log1p(exp(-|x|)) does not overflow.
    {"softplus", "log(1 + exp(x))", "fmax(x, 0.0f) + log1p(exp(-fabs(x)))", "1.0f / (1.0f + exp(-x))", Saves::input},
    {"softsign", "x / (1 + |x|)", "x / (1.0f + fabs(x))", "(1.0f - fabs(y)) * (1.0f - fabs(y))", Saves::output},
    {"exponential", "exp(x)", "exp(x)", "y", Saves::output},
    {"swish", "x sigmoid(x); also called silu", "x / (1.0f + exp(-x))",
     "(1.0f + x * (1.0f - 1.0f / (1.0f + exp(-x)))) / (1.0f + exp(-x))", Saves::input},
    {"silu", "x sigmoid(x); also called swish", "x / (1.0f + exp(-x))",
     "(1.0f + x * (1.0f - 1.0f / (1.0f + exp(-x)))) / (1.0f + exp(-x))", Saves::input},
    // x Phi(x), Phi the normal distribution (Hendrycks and Gimpel, 2016); the derivative is Phi(x) + x phi(x).
    {"gelu", "x times the normal distribution function of x", "0.5f * x * (1.0f + erf(0.707106781f * x))",
     "0.5f * (1.0f + erf(0.707106781f * x)) + 0.398942280f * x * exp(-0.5f * x * x)", Saves::input},
    // (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)), which has no cancellation far below 0.
    {"gelu_tanh", "gelu by the tanh formula (Keras' approximate=True)",
     "x / (1.0f + exp(-1.59576912f * (x + 0.044715f * x * x * x)))",
     "(1.0f + x * (1.59576912f + 0.214064446f * x * x) * (1.0f - 1.0f / (1.0f + exp(-1.59576912f * (x + 0.044715f * x * x * x))))) / "
     "(1.0f + exp(-1.59576912f * (x + 0.044715f * x * x * x)))", Saves::input},
    // tanh(softplus(x)), the gate of mish (Misra, BMVC 2020); the derivative is gate + x sigmoid(x) (1 - gate^2).
    {"mish", "x tanh(softplus(x))", "x * tanh(fmax(x, 0.0f) + log1p(exp(-fabs(x))))",
     "tanh(fmax(x, 0.0f) + log1p(exp(-fabs(x)))) + x / (1.0f + exp(-x)) * (1.0f - "
     "tanh(fmax(x, 0.0f) + log1p(exp(-fabs(x)))) * tanh(fmax(x, 0.0f) + log1p(exp(-fabs(x)))))", Saves::input},
    {"hard_silu", "x min(max(x / 6 + 0.5, 0), 1); also called hard_swish",
     "x * fmin(fmax(x * 0.166666667f + 0.5f, 0.0f), 1.0f)",
     "x <= -3.0f ? (T)(0.0f) : x >= 3.0f ? (T)(1.0f) : x * 0.333333333f + 0.5f", Saves::input},
    {"hard_swish", "x min(max(x / 6 + 0.5, 0), 1); also called hard_silu",
     "x * fmin(fmax(x * 0.166666667f + 0.5f, 0.0f), 1.0f)",
     "x <= -3.0f ? (T)(0.0f) : x >= 3.0f ? (T)(1.0f) : x * 0.333333333f + 0.5f", Saves::input},
    {"hard_tanh", "min(max(x, -1), 1)", "fmin(fmax(x, -1.0f), 1.0f)",
     "fabs(y) < 1.0f ? (T)(1.0f) : (T)(0.0f)", Saves::output},
    {"tanh_shrink", "x - tanh(x)", "x - tanh(x)", "tanh(x) * tanh(x)", Saves::input},
    {"soft_shrink", "x nearer to 0 by 0.5", "x - fmin(fmax(x, -0.5f), 0.5f)",
     "fabs(x) > 0.5f ? (T)(1.0f) : (T)(0.0f)", Saves::input},
    {"hard_shrink", "x where |x| > 0.5, else 0", "fabs(x) > 0.5f ? x : (T)(0.0f)",
     "fabs(x) > 0.5f ? (T)(1.0f) : (T)(0.0f)", Saves::input},
    // Below 0 the sum would cancel: 2 / (sqrt(x^2 + 4) - x) is the same number (Barron, 2021).
    {"squareplus", "(x + sqrt(x^2 + 4)) / 2",
     "x > 0.0f ? 0.5f * (x + hypot(x, (T)(2.0f))) : 2.0f / (hypot(x, (T)(2.0f)) - x)",
     "x > 0.0f ? 0.5f + 0.5f * x / hypot(x, (T)(2.0f)) : "
     "2.0f / ((hypot(x, (T)(2.0f)) - x) * hypot(x, (T)(2.0f)))", Saves::input},
    {"celu", "max(x, 0) + min(exp(x) - 1, 0): elu", "x > 0.0f ? x : expm1(fmin(x, 0.0f))",
     "y > 0.0f ? (T)(1.0f) : y + 1.0f", Saves::output},
    {"log_sigmoid", "log(sigmoid(x))", "fmin(x, 0.0f) - log1p(exp(-fabs(x)))", "1.0f / (1.0f + exp(x))", Saves::input},
    {"sparse_plus", "0 below -1, x above 1, (x + 1)^2 / 4 between",
     "x >= 1.0f ? x : 0.25f * fmax(x + 1.0f, 0.0f) * fmax(x + 1.0f, 0.0f)",
     "fmin(fmax(0.5f * x + 0.5f, 0.0f), 1.0f)", Saves::input},
    {"sparse_sigmoid", "min(max((x + 1) / 2, 0), 1)", "fmin(fmax(0.5f * x + 0.5f, 0.0f), 1.0f)",
     "(y > 0.0f ? (T)(0.5f) : (T)(0.0f)) * (y < 1.0f ? (T)(1.0f) : (T)(0.0f))", Saves::output},
    // Keras 3 changed the slope; models of Keras 2 need the old function, which the format translates by the file's version.
    {"hard_sigmoid", "min(max(x / 6 + 0.5, 0), 1): Keras 3", "fmin(fmax(x * 0.166666667f + 0.5f, 0.0f), 1.0f)",
     "(y > 0.0f ? (T)(0.166666667f) : (T)(0.0f)) * (y < 1.0f ? (T)(1.0f) : (T)(0.0f))", Saves::output},
    {"hard_sigmoid_v2", "min(max(x / 5 + 0.5, 0), 1): hard_sigmoid of Keras 2", "fmin(fmax(x * 0.2f + 0.5f, 0.0f), 1.0f)",
     "(y > 0.0f ? (T)(0.2f) : (T)(0.0f)) * (y < 1.0f ? (T)(1.0f) : (T)(0.0f))", Saves::output},
};
// clang-format on

void register_types(Registrar& r) {
  for (const Function& f : functions) {
    TypeInfo info;
    info.kind = Kind::activation;
    info.name = f.name;
    info.help = f.help;
    info.create = [&f](const Json&) {
      std::shared_ptr<Activation> a =
          std::make_shared<PointwiseActivation>(f.f, f.derivative, f.saves, f.probability);
      return std::static_pointer_cast<void>(a);
    };
    r.add(std::move(info));
  }
}

}  // namespace
}  // namespace ocellus

OCELLUS_PLUGIN("activations", "Ocellus activations", OCELLUS_VERSION, "Apache-2.0",
               ocellus::register_types)
