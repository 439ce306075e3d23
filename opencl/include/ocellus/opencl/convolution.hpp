#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ocellus/opencl/axis.hpp"
#include "ocellus/opencl/device.hpp"
#include "ocellus/opencl/epilogue.hpp"

namespace ocellus::opencl {

/// Cross-correlation as Keras' Conv2D. x (batch, h.in, w.in, in_channels), y (batch, h.out, w.out,
/// out_channels), both channels last with a pixel stride; kernel (h.kernel, w.kernel, in_channels /
/// groups, out_channels), contiguous.
struct ConvolutionProblem {
  int batch = 1;
  Axis h, w;
  int in_channels = 1, out_channels = 1, groups = 1;
  bool accumulate = false;  ///< backward passes: add to the gradient instead of overwriting it
  Epilogue epilogue;        ///< forward only
  double multiply_adds() const {
    return 1.0 * batch * h.out * w.out * out_channels * h.kernel * w.kernel *
           (in_channels / groups);
  }
};

/// y = conv(x, kernel), epilogue in the store. `algorithm` forces one by name ("winograd",
/// "direct", "gemm", "naive", ...); empty: the rule for problem and device. algorithms() lists
/// those that can do this problem here, the default first; with_tiles() the names "ALGORITHM:TILE"
/// of one of them with each tile that it can take here, none where it takes no tile.
class OCELLUS_API ConvolutionForward {
 public:
  ConvolutionForward(Device& device, const ConvolutionProblem& problem,
                     const std::string& algorithm = {});
  ~ConvolutionForward();
  ConvolutionForward(ConvolutionForward&&) noexcept;
  static std::vector<std::string> algorithms(const Device& device,
                                             const ConvolutionProblem& problem);
  static std::vector<std::string> with_tiles(const Device& device,
                                             const ConvolutionProblem& problem,
                                             const std::string& algorithm);

  std::string algorithm() const;
  size_t workspace_bytes() const;
  /// Bytes of the kernel's packed copy, made anew whenever the weights change; 0: run() reads the
  /// weights as they are.
  size_t packed_bytes() const;
  /// Names how the packed copy is laid out: plans of one kernel with the same name may share it.
  std::string packed_layout() const;
  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const;
  /// `kernel` is used when packed_bytes() == 0, `packed` otherwise.
  void run(Queue& queue, const Operand& x, const Operand& kernel, const Buffer& packed,
           const Operand& y, std::span<const Operand> epilogue = {},
           const Buffer& workspace = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// dx = gradient of conv by x, given dy.
class OCELLUS_API ConvolutionBackwardData {
 public:
  ConvolutionBackwardData(Device& device, const ConvolutionProblem& problem,
                          const std::string& algorithm = {});
  ~ConvolutionBackwardData();
  ConvolutionBackwardData(ConvolutionBackwardData&&) noexcept;
  static std::vector<std::string> algorithms(const Device& device,
                                             const ConvolutionProblem& problem);
  static std::vector<std::string> with_tiles(const Device& device,
                                             const ConvolutionProblem& problem,
                                             const std::string& algorithm);

  std::string algorithm() const;
  size_t workspace_bytes() const;
  size_t packed_bytes() const;
  std::string packed_layout() const;
  void pack(Queue& queue, const Operand& kernel, const Buffer& packed) const;
  void run(Queue& queue, const Operand& dy, const Operand& kernel, const Buffer& packed,
           const Operand& dx, const Buffer& workspace = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// dkernel = gradient of conv by the kernel, given x and dy. Two-stage reduction over pixels: a
/// fixed order of sums.
class OCELLUS_API ConvolutionBackwardWeights {
 public:
  ConvolutionBackwardWeights(Device& device, const ConvolutionProblem& problem,
                             const std::string& algorithm = {});
  ~ConvolutionBackwardWeights();
  ConvolutionBackwardWeights(ConvolutionBackwardWeights&&) noexcept;
  static std::vector<std::string> algorithms(const Device& device,
                                             const ConvolutionProblem& problem);
  static std::vector<std::string> with_tiles(const Device& device,
                                             const ConvolutionProblem& problem,
                                             const std::string& algorithm);

  std::string algorithm() const;
  size_t workspace_bytes() const;
  void run(Queue& queue, const Operand& x, const Operand& dy, const Operand& dkernel,
           const Buffer& workspace = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
