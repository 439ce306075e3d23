#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/opencl/api.hpp"

using cl_event = struct _cl_event*;

namespace ocellus::opencl {

/// Time spent on a device, by label (layer and pass) and kernel. Filled while
/// DeviceOptions::profile is on.
class OCELLUS_API Profiler {
 public:
  struct Row {
    std::string label;   ///< Queue::label() at launch
    std::string kernel;  ///< kernel name
    std::string owner;   ///< library or plugin the kernel comes from
    uint64_t launches = 0;
    double milliseconds = 0;
  };

  Profiler();
  ~Profiler();
  void enable(bool on);
  bool enabled() const;
  /// Takes the event over.
  void record(const std::string& label, const std::string& kernel, const std::string& owner,
              cl_event event);
  /// Waits for the recorded events; rows by falling time.
  std::vector<Row> rows();
  void clear();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::opencl
