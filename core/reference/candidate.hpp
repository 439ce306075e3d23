#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ocellus/opencl/tuning.hpp"

namespace ocellus::reference {

/// What one algorithm did with one problem.
struct Measurement {
  double milliseconds = 0;  ///< of the fastest run: the one that others disturbed least
  int runs = 0;
  double error = 0, allowed = 0;  ///< max |device - reference| and 1e-5 sqrt(K) max |reference|
  bool repeatable = true;         ///< the first and the last run gave the same bits
  bool good() const { return error <= allowed && repeatable; }
};

/// Runs algorithms on one problem with random operands, against the definition in double precision:
/// all results where that is little work, else a random choice that takes in the first and last
/// of each extent. No result may be left unwritten or infinite.
class Candidates {
 public:
  Candidates(opencl::Device& device, const opencl::TuningProblem& problem);
  ~Candidates();

  /// Times `algorithm`; one whose first run takes longer than `slowest` ms is not run again, and
  /// its error is still judged. Packing counts in backward_data, whose weights change between
  /// steps, but not in forward, whose weights stay. Throws Error, OutOfDeviceMemory.
  Measurement measure(const std::string& algorithm, double slowest);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::reference
