#pragma once

#include <span>
#include <string>
#include <vector>

#include "ocellus/opencl/api.hpp"
#include "ocellus/opencl/buffer.hpp"
#include "ocellus/opencl/kernel.hpp"

namespace ocellus::opencl {

/// What a heavy kernel does to each result before it stores it: a list of stages, applied in order
/// to `x`. It is part of a problem, and so of the compiled program; the operands that stages read
/// come with each call.
///
/// Expressions are OpenCL C, valid for `float` and `floatN` alike: `x` (and `x1` in a merge) are of
/// type `T`, constants carry an `f`, branches are written `x > 0.0f ? x : 0.1f * x` or with
/// fmin/fmax/select. Example: "fmax(x, 0.0f)".
struct Stage {
  enum class Kind {
    bias,        ///< x + b[c]; one operand, a vector of channels
    affine,      ///< x * scale[c] + shift[c]; two operands, vectors of channels
    expression,  ///< x = expression(x); no operand
    merge,  ///< x = expression(x, x1), x1 from a tensor of the output's shape; one operand with a
            ///< pixel stride
  };
  Kind kind = Kind::expression;
  std::string expression;
  bool operator==(const Stage&) const = default;
};

struct Epilogue {
  std::vector<Stage> stages;
  bool empty() const { return stages.empty(); }
  bool operator==(const Epilogue&) const = default;
  /// Operands that the stages read, in order (bias 1, affine 2, merge 1).
  OCELLUS_API size_t operand_count() const;
};

/// The text to put before a kernel that stores through an epilogue (KernelSource::with_preamble).
/// It defines
///   EPILOGUE_PARAMETERS   last parameters of the kernel, beginning with a comma: `__kernel void
///   f(..., int n EPILOGUE_PARAMETERS)` EPILOGUE_ARGUMENTS    the same as arguments epilogue1,
///   epilogue4, epilogue8, epilogue16   `float16 epilogue16(float16 x, uint pixel, uint channel
///   EPILOGUE_PARAMETERS)`:
///                         x holds the results of 16 consecutive channels of one pixel, beginning
///                         with `channel`
/// A kernel includes "ocellus/epilogue.cl", which defines the empty epilogue where no text was put
/// before it. A kernel with two of them gives the other one a `name` of lower-case letters in place
/// of "epilogue".
OCELLUS_API std::string generate(const Epilogue& epilogue, const std::string& name = "epilogue");
/// Appends the operands to a launch's arguments, in the order of EPILOGUE_PARAMETERS. Throws Error
/// when their number is wrong.
OCELLUS_API void append(Arguments& arguments, const Epilogue& epilogue,
                        std::span<const Operand> operands);

}  // namespace ocellus::opencl
