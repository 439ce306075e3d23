#pragma once

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/opencl/api.hpp"
#include "ocellus/opencl/buffer.hpp"
#include "ocellus/opencl/error.hpp"
#include "ocellus/opencl/kernel.hpp"
#include "ocellus/opencl/queue.hpp"

namespace ocellus::opencl {

class Profiler;

/// The two ways in which heavy kernels are written.
/// vector: CPUs. No barriers, no local memory, explicit float16, work-groups of fixed size.
/// tiled:  GPUs. Local memory, register tiles, work-groups of 64 to 256.
enum class KernelFamily { vector, tiled };

OCELLUS_API const char* to_string(KernelFamily family);

/// What a device reports, after `OCELLUS_DEVICE_LIMITS` ("local=16K,group=64,alloc=25%") has
/// clamped it.
struct OCELLUS_API DeviceInfo {
  int index = 0;  ///< position in list_devices(), what `--device 0` means
  std::string name, vendor, platform, driver, version;
  cl_device_type type = 0;
  KernelFamily family = KernelFamily::vector;
  uint32_t compute_units = 1;
  uint64_t global_memory = 0;   ///< bytes
  uint64_t max_allocation = 0;  ///< bytes in one buffer
  uint64_t local_memory = 0;    ///< bytes a work-group may use
  size_t max_work_group = 1;
  bool local_memory_is_global = false;  ///< CL_DEVICE_LOCAL_MEM_TYPE == CL_GLOBAL: a CPU at heart
  bool unified_memory = false;
  bool fp64 = false;
  bool emulated = false;  ///< llvmpipe, Oclgrind, Clover: never a default
  std::string type_name() const;
};

/// Every device of every platform, in the order in which the default rule prefers them
/// (discrete GPU, integrated GPU, CPU, then the emulated ones).
OCELLUS_API std::vector<DeviceInfo> list_devices();

struct DeviceOptions {
  /// Index, type ("cpu", "gpu", "accelerator") or part of a name; empty: `OCELLUS_DEVICE`, then the
  /// default rule.
  std::string selector;
  /// Bytes that all buffers together may take; 0: `OCELLUS_DEVICE_MEMORY` (e.g. "2G"), then 90 % of
  /// the device's memory.
  uint64_t memory_ceiling = 0;
  bool profile = false;  ///< record an event for every launch
  /// Test both families on any device; empty: `OCELLUS_KERNEL_FAMILY`, then the rule of
  /// DeviceInfo::family.
  std::string family;
};

/// A device that one can compute on: context, a compute queue, a transfer queue, pooled buffers,
/// compiled programs. Thread safety: allocation and compilation may be called from several threads;
/// a Queue belongs to one thread at a time.
class OCELLUS_API Device {
 public:
  /// Throws DeviceError: "no OpenCL device matches 'x' (there are: ...)", exit code 4.
  static std::shared_ptr<Device> open(const DeviceOptions& options = {});
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const DeviceInfo& info() const;
  KernelFamily family() const { return info().family; }
  cl_context context() const;
  cl_device_id id() const;

  Queue& compute();
  Queue& transfer();

  /// A buffer of at least `bytes` bytes from the pool; contents are undefined. `what` names it in
  /// the error. Throws OutOfDeviceMemory.
  Buffer allocate(size_t bytes, const std::string& what);
  /// Bytes now held by live buffers, the highest that has been, and the ceiling.
  uint64_t memory_in_use() const;
  uint64_t memory_peak() const;
  uint64_t memory_ceiling() const;
  /// Gives pooled, unused buffers back to the driver.
  void trim();

  /// Kernel `name` of `source` built with `options` ("-DKH=3 -DKW=3"). Compiled on first use, then
  /// shared. Throws DeviceError with plugin, file, line and source line of the first build error.
  Kernel kernel(const KernelSource& source, const std::string& name,
                const std::string& options = {});

  Profiler& profiler();

 private:
  Device();
  struct State;
  std::unique_ptr<State> state_;
  friend class Queue;
  friend class Kernel;
};

}  // namespace ocellus::opencl
