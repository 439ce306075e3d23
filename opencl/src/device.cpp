#include "ocellus/opencl/device.hpp"

#include <clblast.h>
#include <fmt/format.h>

#include "check.hpp"
#include "device_list.hpp"
#include "ocellus/opencl/profiler.hpp"
#include "pool.hpp"
#include "programs.hpp"

namespace ocellus::opencl {

struct Device::State {
  DeviceInfo info;
  cl_device_id id = nullptr;
  cl_context context = nullptr;
  std::shared_ptr<Pool> pool;
  std::unique_ptr<Programs> programs;
  Profiler profiler;
  std::unique_ptr<Queue> compute, transfer;

  ~State() {
    if (compute) compute->finish_quietly();
    if (transfer) transfer->finish_quietly();
    compute.reset();
    transfer.reset();
    profiler.clear();
    // CLBlast keeps programs of this context in a process-wide static, which would outlive the
    // driver.
    clblast::ClearCache();
    programs.reset();
    if (pool) pool->close();
    if (context) clReleaseContext(context);
  }
};

namespace {

KernelFamily chosen_family(const DeviceOptions& options, KernelFamily rule) {
  const std::string name =
      options.family.empty() ? environment("OCELLUS_KERNEL_FAMILY") : options.family;
  if (name.empty()) return rule;
  if (name == "vector") return KernelFamily::vector;
  if (name == "tiled") return KernelFamily::tiled;
  throw Error(fmt::format("kernel family '{}' is neither vector nor tiled", name), ExitCode::usage);
}

uint64_t chosen_ceiling(const DeviceOptions& options, const DeviceInfo& info) {
  if (options.memory_ceiling) return options.memory_ceiling;
  const std::string text = environment("OCELLUS_DEVICE_MEMORY");
  return text.empty() ? info.global_memory / 10 * 9 : parse_bytes(text, "OCELLUS_DEVICE_MEMORY");
}

}  // namespace

Device::Device() : state_(std::make_unique<State>()) {}
Device::~Device() = default;

std::shared_ptr<Device> Device::open(const DeviceOptions& options) {
  const std::string selector =
      options.selector.empty() ? environment("OCELLUS_DEVICE") : options.selector;
  FoundDevice found = select_device(selector);
  found.info.family = chosen_family(options, found.info.family);

  const std::shared_ptr<Device> device(new Device);
  State& s = *device->state_;
  s.info = std::move(found.info);
  s.id = found.id;
  const cl_context_properties properties[] = {
      CL_CONTEXT_PLATFORM, reinterpret_cast<cl_context_properties>(found.platform), 0};
  cl_int status = CL_SUCCESS;
  s.context = clCreateContext(properties, 1, &s.id, nullptr, nullptr, &status);
  check(status, fmt::format("cannot use '{}'", s.info.name));
  const bool host_memory =
      (s.info.type & CL_DEVICE_TYPE_CPU) && s.info.unified_memory && !s.info.emulated;
  s.pool = std::make_shared<Pool>(s.context, s.info.max_allocation, chosen_ceiling(options, s.info),
                                  host_memory);
  s.programs = std::make_unique<Programs>(s.context, s.id, s.info);

  const auto queue = [&](cl_command_queue_properties flags) {
    const cl_command_queue handle = clCreateCommandQueue(s.context, s.id, flags, &status);
    check(status, fmt::format("cannot create a queue on '{}'", s.info.name));
    return std::make_unique<Queue>(*device, handle);
  };
  s.compute = queue(options.profile ? CL_QUEUE_PROFILING_ENABLE : 0);
  s.transfer = queue(0);
  s.profiler.enable(options.profile);
  return device;
}

const DeviceInfo& Device::info() const { return state_->info; }
cl_context Device::context() const { return state_->context; }
cl_device_id Device::id() const { return state_->id; }
Queue& Device::compute() { return *state_->compute; }
Queue& Device::transfer() { return *state_->transfer; }
Programs& Kernel::State::programs_of(Device& device) { return *device.state_->programs; }
Profiler& Device::profiler() { return state_->profiler; }

Buffer Device::allocate(size_t bytes, const std::string& what) {
  return Buffer(state_->pool->allocate(bytes, what));
}
uint64_t Device::memory_in_use() const { return state_->pool->in_use(); }
uint64_t Device::memory_peak() const { return state_->pool->peak(); }
uint64_t Device::memory_ceiling() const { return state_->pool->ceiling(); }
void Device::trim() { state_->pool->trim(); }

Kernel Device::kernel(const KernelSource& source, const std::string& name,
                      const std::string& options) {
  return Kernel(state_->programs->kernel(source, name, options));
}

}  // namespace ocellus::opencl
