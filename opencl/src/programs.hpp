#pragma once

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "check.hpp"
#include "ocellus/opencl/device.hpp"
#include "program_cache.hpp"

namespace ocellus::opencl {

struct Kernel::State {
  ~State() { clReleaseKernel(handle); }
  std::string name, owner;
  cl_kernel handle = nullptr;
  cl_uint argument_count = 0;
  size_t max_work_group = 1;
  bool launched = false;  ///< guarded by the mutex
  std::mutex mutex;       ///< clSetKernelArg is the one call that is not thread-safe
};

/// The compiled programs of one device, by text and options, and their kernels. New ones are kept
/// on disk when the device is closed: by then drivers that compile at launch have done so.
class Programs {
 public:
  Programs(cl_context context, cl_device_id device, const DeviceInfo& info);
  ~Programs();
  std::shared_ptr<Kernel::State> kernel(const KernelSource& source, const std::string& name,
                                        const std::string& options);

 private:
  struct Fresh {
    Program program;
    std::string text, options;
  };
  Program program(const KernelSource& source, const std::string& text, const std::string& options);
  Program build(const KernelSource& source, const std::string& text, const std::string& options);
  std::shared_ptr<Kernel::State> create(const Program& program, const KernelSource& source,
                                        const std::string& name);
  bool ready_to_save(const Program& program) const;

  const cl_context context_;
  const cl_device_id device_;
  const DeviceInfo& info_;
  const ProgramCache cache_;
  std::mutex mutex_;
  std::vector<Fresh> fresh_;  ///< compiled from their text by this process
  std::map<std::string, std::shared_future<Program>> programs_;
  std::map<std::pair<cl_program, std::string>, std::shared_ptr<Kernel::State>> kernels_;
};

/// The text as the compiler sees it: OCELLUS_KERNEL_PATH applied, shared kernels included, `#line`
/// directives in place.
std::string resolve(const KernelSource& source);

}  // namespace ocellus::opencl
