#pragma once

#include <memory>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// Sums with a fixed order. Matrices are rows x columns; Operand::stride is the distance between
/// rows.
class OCELLUS_API Reduce {
 public:
  enum class Op {
    sum_rows,     ///< out[c] = sum over rows of x[r][c]: bias gradients
    moments,      ///< out[c] = mean, out[columns + c] = biased variance over rows: batch norm. Two
                  ///< passes, not E[x^2] - E[x]^2
    sum_columns,  ///< out[r] = sum over columns
    max_rows,  ///< per segment of `segment` rows: out[s][c] = max, argmax row in the second operand
               ///< (int32)
    mean_segments,   ///< per segment of `segment` rows: out[s][c] = mean: global average pooling
    sum_squares,     ///< out[0] = sum of squares of all elements: gradient norms
    argmax_columns,  ///< out[r] (int32) = index of the first largest column: top-1
  };
  /// `accumulate` adds to out (sum_rows, sum_columns only).
  Reduce(Device& device, Op op, int rows, int columns, int segment = 0, bool accumulate = false);
  ~Reduce();
  Reduce(Reduce&&) noexcept;
  size_t workspace_bytes() const;
  /// `second` is the argmax of max_rows; unused otherwise. out.stride is the row distance of
  /// max_rows / mean_segments results.
  void run(Queue& queue, const Operand& x, const Operand& out, const Buffer& workspace = {},
           const Operand& second = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
