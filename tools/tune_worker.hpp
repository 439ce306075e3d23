#pragma once

#include <string>

#include "ocellus/opencl/tuning.hpp"
#include "reference/candidate.hpp"

namespace ocellus::tools {

/// A process that tries candidates for `ocellus tune`: one that crashes or hangs takes only that
/// process along, and the next question starts another. It is this program, started anew, since
/// OpenCL does not survive a fork.
class TuneWorker {
 public:
  /// What came of a candidate: a measurement, or why there is none.
  struct Answer {
    reference::Measurement measurement;
    std::string failure;  ///< "crashed (signal 11)"; empty: there is a measurement
    bool late = false;    ///< it did not end within the limit
    bool fits() const { return failure.empty() && measurement.good(); }
  };

  /// `device`: index of the OpenCL device. `limit`: seconds that a candidate may take in all.
  TuneWorker(int device, double limit);
  ~TuneWorker();
  TuneWorker(const TuneWorker&) = delete;
  TuneWorker& operator=(const TuneWorker&) = delete;

  /// Waits for the answer, at most the limit. `slowest`: see reference::Candidates::measure().
  /// Throws Interrupted when the user stops the program, and Error when no process can be started.
  Answer ask(const opencl::TuningProblem& problem, const std::string& algorithm, double slowest);

 private:
  void start();
  void stop();             ///< kills
  std::string farewell();  ///< how the process ended, having waited for it

  const int device_;
  const double limit_;
  int pid_ = 0, to_ = -1, from_ = -1;
};

/// The other side: answers on standard output what standard input asks, until that ends.
int serve_tuning(int device);

}  // namespace ocellus::tools
