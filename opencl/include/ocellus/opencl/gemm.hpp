#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ocellus/opencl/device.hpp"
#include "ocellus/opencl/epilogue.hpp"

namespace ocellus::opencl {

/// C (m, n) = [C +] op(A) (m, k) * op(B) (k, n), row-major; Operand::stride is the distance between
/// stored rows. The epilogue sees channel = column, pixel = row, and is applied after `accumulate`.
struct GemmProblem {
  int m = 0, n = 0, k = 0;
  bool transpose_a = false;  ///< A is stored (k, m)
  bool transpose_b = false;  ///< B is stored (n, k)
  bool accumulate = false;
  Epilogue epilogue;
};

/// A plan for one GemmProblem on one device. Results have a fixed order of summation: the same bits
/// every time.
class OCELLUS_API Gemm {
 public:
  /// `algorithm`: empty for the rule of the device's family; "vector", "tiled", "clblast" or
  /// "naive" to force one.
  Gemm(Device& device, const GemmProblem& problem, const std::string& algorithm = {});
  ~Gemm();
  Gemm(Gemm&&) noexcept;

  /// Those that can do this problem here, the default first.
  static std::vector<std::string> algorithms(const Device& device, const GemmProblem& problem);
  /// The names "ALGORITHM:TILE" of one of them with each tile that it can take here; none where it
  /// takes no tile.
  static std::vector<std::string> with_tiles(const Device& device, const GemmProblem& problem,
                                             const std::string& algorithm);
  std::string algorithm() const;
  /// Bytes of scratch that each call needs (packed panels); 0 for none.
  size_t workspace_bytes() const;
  /// If not 0: B may be packed once into a buffer of this size and passed to run_packed().
  size_t packed_bytes() const;
  void pack(Queue& queue, const Operand& b, const Buffer& packed) const;

  void run(Queue& queue, const Operand& a, const Operand& b, const Operand& c,
           std::span<const Operand> epilogue = {}, const Buffer& workspace = {}) const;
  /// As run() with B from pack(). Needs packed_bytes() != 0.
  void run_packed(Queue& queue, const Operand& a, const Buffer& packed_b, const Operand& c,
                  std::span<const Operand> epilogue = {}, const Buffer& workspace = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
