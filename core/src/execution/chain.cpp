#include "execution/chain.hpp"

#include <fmt/format.h>

#include "execution/expression.hpp"
#include "ocellus/core/error.hpp"

namespace ocellus::execution {
namespace {

using opencl::PointwiseProblem;
using Input = PointwiseProblem::Input;

PointwiseProblem problem_of(const Shape& shape, const std::string& name) {
  PointwiseProblem p;
  p.rows = shape.pixels();
  p.columns = shape.channels();
  p.name = name;
  return p;
}

opencl::Pointwise affine_kernel(opencl::Device& device, const Pointwise& trait, int channels,
                                size_t weights) {
  PointwiseProblem p;
  p.columns = channels;
  p.name = "affine_vectors";
  std::map<std::string, std::string> names;
  for (size_t i = 0; i < weights; ++i) {
    p.inputs.push_back(Input::matrix);
    names[fmt::format("p{}", i)] = fmt::format("x{}", i);
  }
  // A layer of constants reads nothing; a kernel reads something.
  if (weights == 0) p.inputs.push_back(Input::matrix);
  p.outputs = {fmt::format("(T)({})", substitute(trait.scale, names)),
               fmt::format("(T)({})", substitute(trait.shift, names))};
  return {device, p};
}

/// d y / d x_i of an n-ary fold y = f(...f(f(x0, x1), x2)..., xn): only where the derivatives are
/// constants.
std::string fold_derivative(const Pointwise& trait, size_t inputs, size_t i) {
  std::string d = i == 0 ? "(T)(1.0f)" : "(" + trait.derivatives.at(1) + ")";
  for (size_t k = i == 0 ? 1 : i + 1; k < inputs; ++k) d += " * (" + trait.derivatives.at(0) + ")";
  for (const char* name : {"x", "x0", "x1", "y"})
    if (mentions(d, name))
      throw Error(
          "a merge of more than two inputs is differentiable only where its derivatives are "
          "constants");
  return d;
}

}  // namespace

AffineVectors::AffineVectors(opencl::Device& device, const Network& network, int layer,
                             const Pointwise& trait, int channels)
    : layer_(layer),
      scale_(Tensor::make(device, Shape{channels}, "a layer's scale")),
      shift_(Tensor::make(device, Shape{channels}, "a layer's shift")),
      kernel_(affine_kernel(
          device, trait, channels,
          network.layers()[layer].segments.size() + network.layers()[layer].states.size())) {}

void AffineVectors::refresh(opencl::Queue& queue, const Network& network) {
  std::vector<Parameter> weights = network.parameters(layer_);
  const std::vector<Parameter> states = network.states(layer_);
  weights.insert(weights.end(), states.begin(), states.end());
  // Both counters only grow: their sum changes whenever one of them does.
  uint64_t version = 1;
  std::vector<opencl::Operand> inputs;
  for (const Parameter& p : weights) {
    version += p.version;
    inputs.push_back(p.tensor.operand());
  }
  if (version == version_) return;
  version_ = version;
  if (inputs.empty()) inputs.push_back(scale_.operand());
  const opencl::Operand outputs[] = {scale_.operand(), shift_.operand()};
  kernel_.run(queue, inputs, outputs);
}

opencl::Pointwise chain_kernel(opencl::Device& device, const Shape& shape,
                               const std::vector<ChainStage>& stages, const std::string& name) {
  PointwiseProblem p = problem_of(shape, name);
  p.inputs = {Input::matrix};
  std::string current = "x0";
  int count = 0;
  for (const ChainStage& s : stages) {
    const size_t next = p.inputs.size();
    std::string value;
    switch (s.stage.kind) {
      case opencl::Stage::Kind::affine:
        p.inputs.push_back(Input::per_column);
        p.inputs.push_back(Input::per_column);
        value = fmt::format("{} * x{} + x{}", current, next, next + 1);
        break;
      case opencl::Stage::Kind::merge:
        p.inputs.push_back(Input::matrix);
        value = substitute(s.stage.expression,
                           {{"x", current}, {"x0", current}, {"x1", fmt::format("x{}", next)}});
        break;
      case opencl::Stage::Kind::bias:
      case opencl::Stage::Kind::expression:
        value = substitute(s.stage.expression, {{"x", current}});
        break;
    }
    const std::string variable = fmt::format("v{}", count++);
    p.prologue += fmt::format("T {} = {};\n", variable, value);
    current = variable;
  }
  p.outputs = {current};
  return {device, p};
}

DerivativeKernel derivative_kernel(opencl::Device& device, const Shape& shape,
                                   const Pointwise& trait, const BackwardOverride* override_rule,
                                   const std::vector<bool>& wanted,
                                   const std::vector<bool>& accumulate, const std::string& name) {
  std::vector<std::string> rules;
  std::vector<bool> accumulates;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i]) continue;
    accumulates.push_back(accumulate[i]);
    if (override_rule)
      rules.push_back(override_rule->expression);
    else if (wanted.size() <= 2)
      rules.push_back("dy * (" + trait.derivatives.at(i) + ")");
    else
      rules.push_back("dy * (" + fold_derivative(trait, wanted.size(), i) + ")");
  }
  bool reads_x = false, reads_y = false;
  for (const std::string& r : rules) {
    reads_x = reads_x || mentions(r, "x") || mentions(r, "x0") || mentions(r, "x1");
    reads_y = reads_y || mentions(r, "y");
  }
  PointwiseProblem p = problem_of(shape, name);
  p.inputs = {Input::matrix};
  std::map<std::string, std::string> names = {{"dy", "x0"}};
  if (reads_x) {
    names["x"] = names["x0"] = "x1";
    names["x1"] = "x2";
    p.inputs.insert(p.inputs.end(), wanted.size(), Input::matrix);
  }
  if (reads_y) {
    names["y"] = fmt::format("x{}", p.inputs.size());
    p.inputs.push_back(Input::matrix);
  }
  for (const std::string& r : rules) p.outputs.push_back(substitute(r, names));
  p.accumulate = accumulates;
  return {opencl::Pointwise(device, p), reads_x, reads_y};
}

opencl::Pointwise scale_kernel(opencl::Device& device, const Shape& shape, bool accumulate,
                               const std::string& name) {
  PointwiseProblem p = problem_of(shape, name);
  p.inputs = {Input::matrix, Input::per_column};
  p.outputs = {"x0 * x1"};
  p.accumulate = {accumulate};
  return {device, p};
}

}  // namespace ocellus::execution
