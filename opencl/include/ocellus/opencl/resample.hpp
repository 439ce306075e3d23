#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ocellus/opencl/device.hpp"

namespace ocellus::opencl {

/// One axis of a resampling as a sparse matrix: output o is the sum of weight[t] * input index[t],
/// begin[o] <= t < begin[o + 1].
struct OCELLUS_API ResampleAxis {
  int in = 1, out = 1;
  std::vector<int32_t> begin, index;
  std::vector<float> weight;

  /// Pixel centres lie at halves: output o stands at (o + 0.5) * in / out - 0.5 of the input, as in
  /// TensorFlow 2 and Keras (no smoothing where it shrinks). nearest: the pixel that this lies in;
  /// linear: the two pixels round it, borders repeated.
  static ResampleAxis nearest(int in, int out);
  static ResampleAxis linear(int in, int out);
  /// The same axis on inputs that are cut out of, or lie around, others: its pixel 0 is pixel
  /// `start` of `in` pixels. Weights of what lies outside are left out.
  ResampleAxis within(int start, int in) const;
  /// Inputs from outputs: the gradient.
  ResampleAxis transposed() const;
};

/// y[n, i, j, c] = fill + sum over the taps of i and j of weights * (x[n, a, b, c] - fill); x
/// (batch, h.in, w.in, channels), y (batch, h.out, w.out, channels), both with a pixel stride. A
/// gather with a fixed order of sums.
class OCELLUS_API Resample {
 public:
  /// `accumulate` adds to y.
  Resample(Device& device, int batch, int channels, const ResampleAxis& h, const ResampleAxis& w,
           float fill = 0, bool accumulate = false);
  ~Resample();
  Resample(Resample&&) noexcept;
  void run(Queue& queue, const Operand& x, const Operand& y) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
