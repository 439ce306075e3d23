#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "ocellus/opencl/convolution.hpp"
#include "ocellus/opencl/gemm.hpp"

namespace ocellus::opencl {

/// A problem that several algorithms can do, as tuning tells problems apart: without epilogue and
/// `accumulate`, which no choice hangs on, and a convolution's batch rounded up to a power of two,
/// so that what was measured with one batch serves its neighbours.
class OCELLUS_API TuningProblem {
 public:
  enum class Pass { gemm, forward, backward_data, backward_weights };

  explicit TuningProblem(const GemmProblem& problem);
  TuningProblem(Pass pass, const ConvolutionProblem& problem);
  /// From text(). Throws Error.
  static TuningProblem parse(const std::string& text);

  Pass pass() const { return pass_; }
  const GemmProblem& gemm() const { return gemm_; }  ///< where pass() is gemm
  const ConvolutionProblem& convolution() const { return convolution_; }
  /// One line, the same for equal problems: "forward 1x56x56x64 -> 28x28x128 kernel 3x3 stride 2x2
  /// dilation 1x1 pad 0,0 groups 1", "gemm 1x2048 * 2048x1000 nn".
  std::string text() const;
  double multiply_adds() const;
  /// Those that can do it on this device, the default first.
  std::vector<std::string> algorithms(const Device& device) const;
  /// The names of one of them with each tile that it can take; none where it takes no tile.
  std::vector<std::string> with_tiles(const Device& device, const std::string& algorithm) const;

 private:
  Pass pass_;
  GemmProblem gemm_;
  ConvolutionProblem convolution_;
};

/// Which algorithm is fastest for which problem, as `ocellus tune` measured it on one device with
/// one driver. Gemm and the convolutions look here before they follow their rule. Kept as text in
/// `<cache folder>/tuning/<hash of the identity>`, a line a problem; replaced as a whole by a
/// rename. A file that is damaged or another device's counts as none. Safe to use from several
/// threads.
class OCELLUS_API TuningTable {
 public:
  /// The table of a device, read at the first call and shared by the process. Empty, and without a
  /// file, where there is no cache folder or OCELLUS_TUNING=off.
  static TuningTable& of(const DeviceInfo& device);
  /// What must stay the same for a table to hold: device, driver, version of Ocellus, limits.
  static std::string identity(const DeviceInfo& device);

  TuningTable(std::filesystem::path file, std::string identity);
  TuningTable(const TuningTable&) = delete;
  TuningTable& operator=(const TuningTable&) = delete;

  const std::filesystem::path& file() const { return file_; }
  /// Why the file was not taken, in one line; empty when it was, or when there is none.
  const std::string& complaint() const { return complaint_; }
  size_t size() const;

  /// The algorithm for a problem, with its tile as in "tiled:64,32,8,8,4" where that was measured,
  /// too; empty: none is known.
  std::string choice(const TuningProblem& problem) const;
  void choose(const TuningProblem& problem, const std::string& algorithm);
  /// Forgets all, the file too.
  void clear();
  /// Writes the file. Throws Error naming it.
  void save() const;

  /// Between start_recording() and recorded(): which problems are planned on devices of this
  /// table without an algorithm being named. Each once, in the order in which they came.
  void start_recording();
  std::vector<TuningProblem> recorded();
  void note(const TuningProblem& problem);

 private:
  void load();

  const std::filesystem::path file_;
  const std::string identity_;
  std::string complaint_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> choices_;  ///< by TuningProblem::text()
  bool recording_ = false;
  std::vector<TuningProblem> recorded_;
};

}  // namespace ocellus::opencl
