#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ocellus/opencl/gemm.hpp"

namespace ocellus::opencl {

struct Tile;

/// One way to compute a GemmProblem; class Gemm checks the operands and forwards to it.
class GemmAlgorithm {
 public:
  virtual ~GemmAlgorithm() = default;
  virtual size_t workspace_bytes() const { return 0; }
  virtual size_t packed_bytes() const { return 0; }
  /// Called only when packed_bytes() != 0, as run() with `packed`.
  virtual void pack(Queue&, const Operand& /*b*/, const Buffer& /*packed*/) const {}

  struct Call {
    Operand a, b, c;
    Buffer packed;  ///< B from pack(), in place of `b`, when set
    std::span<const Operand> epilogue;
    Buffer workspace;  ///< at least workspace_bytes()
  };
  virtual void run(Queue& queue, const Call& call) const = 0;
};

/// What Gemm chooses from: the highest rank wins, 0 means "cannot". By convention: 1 naive, 10 to
/// 19 the other family's algorithms, 20 to 29 the own family's.
struct GemmEntry {
  const char* name;
  int (*rank)(const Device& device, const GemmProblem& problem);
  std::unique_ptr<GemmAlgorithm> (*make)(Device& device, const GemmProblem& problem);
  /// The same by a tile other than the rule's; null: it takes none.
  std::unique_ptr<GemmAlgorithm> (*make_with_tile)(Device& device, const GemmProblem& problem,
                                                   const Tile& tile) = nullptr;
};

extern const GemmEntry kGemmNaive, kGemmVector, kGemmThinVector, kGemmTiled, kGemmClblast;

/// Of every entry, whatever it can do.
std::vector<std::string> gemm_algorithm_names();

}  // namespace ocellus::opencl
