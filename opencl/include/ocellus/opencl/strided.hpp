#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// A generated kernel that walks an index space in which each operand has strides of its own, in
/// elements: 0 where a value is repeated (broadcasting), negative where it is read backwards. The
/// output's stride is 0 along axes that are reduced. Broadcasting merges, slices, reductions over
/// any axes and normalizations are all this one problem.
struct StridedProblem {
  std::vector<int> extents;
  std::vector<std::vector<int>> inputs;  ///< strides of x0, x1, ...
  std::vector<int> output;               ///< strides of y
  /// OpenCL C over x0, x1, ... (x is x0), valid for `float` and `floatN`; see Stage.
  std::string expression = "x0";
  enum class Combine { sum, max } combine = Combine::sum;  ///< along the reduced axes
  std::string finish = "y";                                ///< over y, the combined value
  std::string prologue;                                    ///< statements before `expression`
  bool accumulate = false;                                 ///< adds to what is there
  std::string name = "strided";  ///< kernel name, as the profiler shows it
};

/// Sums run in a fixed order, the same on every device of a kernel family. Long sums with few
/// results go in two stages, the first of which writes partial results to `scratch`.
/// Without reduction, an input of the output's strides may be the output itself.
class OCELLUS_API Strided {
 public:
  Strided(Device& device, const StridedProblem& problem);
  ~Strided();
  Strided(Strided&&) noexcept;
  size_t scratch_bytes() const;
  /// Operand::stride is not read. Throws Error when the number of inputs is wrong.
  void run(Queue& queue, std::span<const Operand> inputs, const Operand& output,
           const Operand& scratch = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
