#include "ocellus/opencl/pointwise.hpp"

#include <fmt/format.h>

#include "matrix.hpp"

namespace ocellus::opencl {
namespace {

using Input = PointwiseProblem::Input;

/// The element (or 16 elements) of input i at row r, column c.
std::string load(Input input, size_t i) {
  switch (input) {
    case Input::matrix:
      return fmt::format("LOAD(in{0} + in{0}_offset + row_ * in{0}_stride + column_, lanes_)", i);
    case Input::per_column:
      return fmt::format("LOAD(in{0} + in{0}_offset + column_, lanes_)", i);
    case Input::per_row:
      return fmt::format("(T)(in{0}[in{0}_offset + row_])", i);
    case Input::scalar:
      return fmt::format("(T)(in{0}[in{0}_offset])", i);
  }
  return {};
}

/// Own names end in an underscore: prologues and expressions are free to use any other.
/// No pointer is `restrict`: an output may lie on an input. All loads of an element come before its
/// stores.
std::string kernel_text(const PointwiseProblem& p) {
  std::string text = fmt::format(
      "#include \"ocellus/matrix.cl\"\n__kernel MATRIX_ATTRIBUTES void {}(MATRIX_PARAMETERS",
      p.name);
  for (size_t i = 0; i < p.inputs.size(); ++i)
    text +=
        fmt::format(",\n  __global const float* in{0}, uint in{0}_offset, uint in{0}_stride", i);
  for (size_t i = 0; i < p.outputs.size(); ++i)
    text += fmt::format(",\n  __global float* out{0}, uint out{0}_offset, uint out{0}_stride", i);
  for (int i = 0; i < p.scalars; ++i) text += fmt::format(", float p{}", i);
  // Whether an output is added is an argument: what overwrites and what adds is one program.
  if (!p.accumulate.empty()) text += ", uint accumulate_";
  text += ") {\n  FOR_EACH(row_, column_, lanes_) {\n";
  for (size_t i = 0; i < p.inputs.size(); ++i)
    text += fmt::format("    const T x{} = {};\n", i, load(p.inputs[i], i));
  if (!p.inputs.empty()) text += "    const T x = x0;\n";
  text += p.prologue + "\n";
  for (size_t i = 0; i < p.outputs.size(); ++i)
    text += fmt::format("    const T y{} = {};\n", i, p.outputs[i]);
  for (size_t i = 0; i < p.outputs.size(); ++i) {
    text += fmt::format(
        "    {{ __global float* to_ = out{0} + out{0}_offset + row_ * out{0}_stride + column_; "
        "T value_ = y{0}; {1}STORE(value_, to_, lanes_); }}\n",
        i,
        i < p.accumulate.size()
            ? fmt::format("if (accumulate_ & {}u) value_ += LOAD(to_, lanes_); ", 1u << i)
            : "");
  }
  return text + "  }\n}\n";
}

}  // namespace

struct Pointwise::State {
  PointwiseProblem problem;
  Kernel kernel;
  bool has_vectors = false;  ///< inputs that know where a row begins
};

Pointwise::Pointwise(Device& device, const PointwiseProblem& problem)
    : state_(new State{problem, {}, false}) {
  if (problem.outputs.empty()) throw Error("a pointwise kernel without outputs");
  for (Input i : problem.inputs)
    state_->has_vectors |= i == Input::per_column || i == Input::per_row;
  state_->kernel = device.kernel({problem.name + ".cl", kernel_text(problem), "ocellus"},
                                 problem.name, family_options(device));
}
Pointwise::~Pointwise() = default;
Pointwise::Pointwise(Pointwise&&) noexcept = default;

void Pointwise::run(Queue& queue, std::span<const Operand> inputs, std::span<const Operand> outputs,
                    std::span<const float> scalars) const {
  const PointwiseProblem& p = state_->problem;
  if (inputs.size() != p.inputs.size() || outputs.size() != p.outputs.size() ||
      scalars.size() != static_cast<size_t>(p.scalars))
    throw Error(
        fmt::format("{} takes {} inputs, {} outputs and {} scalars; {}, {} and {} were given",
                    p.name, p.inputs.size(), p.outputs.size(), p.scalars, inputs.size(),
                    outputs.size(), scalars.size()));
  // Without gaps between the rows and without vectors, the matrix is one long row: no tail of a
  // vector but the last.
  bool one_row = !state_->has_vectors;
  const auto columns = static_cast<uint32_t>(p.columns);
  for (size_t i = 0; i < inputs.size(); ++i)
    one_row &= p.inputs[i] != Input::matrix || inputs[i].stride == columns;
  for (const Operand& o : outputs) one_row &= o.stride == columns;
  const size_t rows = one_row ? 1 : p.rows;
  const MatrixSplit split =
      split_matrix(queue.device(), rows, size_t(p.rows) * p.columns / std::max<size_t>(rows, 1));

  Arguments arguments;
  split.append(arguments);
  for (const Operand& o : inputs) arguments.add(o.buffer).add(o.offset).add(o.stride);
  for (const Operand& o : outputs) arguments.add(o.buffer).add(o.offset).add(o.stride);
  for (float s : scalars) arguments.add(s);
  uint32_t adding = 0;
  for (size_t i = 0; i < p.accumulate.size(); ++i) adding |= uint32_t{p.accumulate[i]} << i;
  if (!p.accumulate.empty()) arguments.add(adding);
  state_->kernel.launch(queue, split.range, arguments);
}

}  // namespace ocellus::opencl
