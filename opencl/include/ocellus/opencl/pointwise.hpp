#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// A generated kernel over a matrix of rows x columns. Inputs are named in the expressions x0, x1,
/// ... (x is x0); each is either a matrix of that shape, a vector of columns (the same for each
/// row), a vector of rows, or a float scalar operand in a buffer. Vectors are contiguous, their
/// Operand::stride is not read. Expressions are OpenCL C for `float` and `floatN` alike (type name
/// `T`); see Stage.
struct PointwiseProblem {
  enum class Input { matrix, per_column, per_row, scalar };
  int rows = 1, columns = 1;
  std::vector<Input> inputs;
  /// One per output; may use the values of earlier ones as y0, y1, ... An output with `accumulate`
  /// set adds its value to what is there.
  std::vector<std::string> outputs;
  std::vector<bool> accumulate;  ///< empty: none
  /// Statements before the expressions ("T e = exp(x);"), for common terms.
  std::string prologue;
  /// Number of float arguments p0, p1, ... that change from call to call (learning rates).
  int scalars = 0;
  std::string name = "pointwise";  ///< kernel name, as the profiler shows it
};

/// In place is allowed: an output may be the same matrix as an input.
class OCELLUS_API Pointwise {
 public:
  Pointwise(Device& device, const PointwiseProblem& problem);
  ~Pointwise();
  Pointwise(Pointwise&&) noexcept;
  void run(Queue& queue, std::span<const Operand> inputs, std::span<const Operand> outputs,
           std::span<const float> scalars = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
