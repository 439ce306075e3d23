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
    {"relu", "max(x, 0)", "fmax(x, 0.0f)", "y > 0.0f ? (T)(1.0f) : (T)(0.0f)", Saves::output},
    {"relu6", "min(max(x, 0), 6)", "fmin(fmax(x, 0.0f), 6.0f)",
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
