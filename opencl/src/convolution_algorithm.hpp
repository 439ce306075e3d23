#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ocellus/opencl/convolution.hpp"

namespace ocellus::opencl {

struct Tile;

enum class ConvolutionPass { forward, backward_data, backward_weights };

/// One way to compute one pass of a ConvolutionProblem; the public classes check the operands and
/// forward to it.
class ConvolutionAlgorithm {
 public:
  virtual ~ConvolutionAlgorithm() = default;
  virtual size_t workspace_bytes() const { return 0; }
  virtual size_t packed_bytes() const { return 0; }
  /// What of the layout of the packed kernel the problem does not tell.
  virtual std::string packed_variant() const { return {}; }
  /// Called only when packed_bytes() != 0.
  virtual void pack(Queue&, const Operand& /*kernel*/, const Buffer& /*packed*/) const {}

  /// The pass decides which of the three is the result: y in forward, x (the gradient by x) in
  /// backward_data, kernel (the gradient by the kernel) in backward_weights; gradients come in
  /// where values would.
  struct Call {
    Operand x, kernel, y;
    Buffer packed;  ///< the kernel from pack(), when packed_bytes() != 0
    std::span<const Operand> epilogue;
    Buffer workspace;  ///< at least workspace_bytes()
  };
  virtual void run(Queue& queue, const Call& call) const = 0;
};

/// What the public classes choose from: the highest rank wins, 0 means "cannot do this problem or
/// pass". By convention: 1 naive, 10 to 19 the other family's algorithms, 20 to 29 the own
/// family's.
struct ConvolutionEntry {
  const char* name;
  int (*rank)(const Device& device, const ConvolutionProblem& problem, ConvolutionPass pass);
  std::unique_ptr<ConvolutionAlgorithm> (*make)(Device& device, const ConvolutionProblem& problem,
                                                ConvolutionPass pass);
  /// The same by a tile other than the rule's; null: it takes none.
  std::unique_ptr<ConvolutionAlgorithm> (*make_with_tile)(Device& device,
                                                          const ConvolutionProblem& problem,
                                                          ConvolutionPass pass,
                                                          const Tile& tile) = nullptr;
};

extern const ConvolutionEntry kConvolutionDepthwiseVector, kConvolutionDepthwiseTiled,
    kConvolutionWinograd4Fused, kConvolutionWinograd6Fused, kConvolutionWinograd4,
    kConvolutionWinograd2, kConvolutionWinograd6, kConvolutionDirectVector,
    kConvolutionPointwiseVector, kConvolutionGemmVector, kConvolutionWeightsVector,
    kConvolutionWinogradWeights, kConvolutionWinograd2Tiled, kConvolutionWinograd4Tiled,
    kConvolutionWinogradWeightsTiled, kConvolutionTiled, kConvolutionNaive;

/// Of every entry, whatever it can do.
std::vector<std::string> convolution_algorithm_names();

}  // namespace ocellus::opencl
