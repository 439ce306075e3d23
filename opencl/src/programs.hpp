#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "check.hpp"
#include "ocellus/opencl/compilation.hpp"
#include "ocellus/opencl/device.hpp"
#include "program_cache.hpp"

namespace ocellus::opencl {

class Programs;
struct ProgramUnit;

struct Kernel::State {
  ~State() {
    if (handle) clReleaseKernel(handle);
  }
  /// The programs of a device, whose friend Kernel is.
  static Programs& programs_of(Device& device);

  std::string name, owner;
  ProgramUnit* unit = nullptr;  ///< what it comes from
  cl_kernel handle = nullptr;   ///< null while a Compilation puts it off
  cl_uint argument_count = 0;
  size_t max_work_group = 1;
  bool launched = false;  ///< guarded by the mutex
  std::mutex mutex;       ///< clSetKernelArg is the one call that is not thread-safe
};

/// One text with one set of options, and the kernels of it that were asked for.
struct ProgramUnit {
  std::string owner, file, text, options;
  std::mutex mutex;  ///< of what follows; whoever wants what another thread compiles waits
  Program program;
  bool fresh = false;  ///< compiled from its text, and not yet in the cache
  std::map<std::string, std::shared_ptr<Kernel::State>> kernels;
};

/// The compiled programs of one device, by text and options, and their kernels. New ones are kept
/// on disk, at the latest when the device is closed: by then drivers that compile at launch have
/// done so.
class Programs {
 public:
  Programs(cl_context context, cl_device_id device, const DeviceInfo& info);
  ~Programs();
  std::shared_ptr<Kernel::State> kernel(const KernelSource& source, const std::string& name,
                                        const std::string& options);
  /// Compiles what is missing of the unit, in this thread.
  void complete(ProgramUnit& unit);
  /// The same for many, in several threads.
  void complete(const std::vector<ProgramUnit*>& units);

 private:
  ProgramUnit& unit(const KernelSource& source, const std::string& options);
  Program build(cl_context context, const ProgramUnit& unit) const;
  Program build_aside(ProgramUnit& unit) const;
  void create_kernels(ProgramUnit& unit) const;
  void create(const ProgramUnit& unit, Kernel::State& state) const;
  bool ready_to_save(const ProgramUnit& unit) const;

  const cl_context context_;
  const cl_device_id device_;
  const DeviceInfo& info_;
  const ProgramCache cache_;
  std::mutex mutex_;  ///< of the map; units have their own
  std::map<std::string, std::unique_ptr<ProgramUnit>> units_;
};

/// What a Compilation has put off.
struct Compilation::State {
  Programs& programs;
  std::vector<ProgramUnit*> units;
  State* outer;  ///< of the thread's Compilations
};

/// The innermost Compilation of this thread; null when there is none.
Compilation::State*& current_compilation();

/// The text as the compiler sees it: OCELLUS_KERNEL_PATH applied, shared kernels included, `#line`
/// directives in place.
std::string resolve(const KernelSource& source);

}  // namespace ocellus::opencl
